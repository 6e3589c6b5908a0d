"""The client and the handle for asyncio: the methods of ``theater.client`` and ``theater.handle``, to be awaited.

A client belongs to the loop it was made in. Cancelling the task of a call takes the operation back as a time-out would
(lifecycle H6).
"""

from __future__ import annotations

import asyncio
import os
import weakref
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from proto import control, info, operation
from theater import answers, conversation
from theater.aiolink import AsyncLink
from theater.aiosubscription import AsyncSubscription
from theater.aioties import AsyncActorLink, AsyncActorMonitor, AsyncTies
from theater.bonds import reason_of
from theater.cause import Cause, from_plain
from theater.client import ClientClosed, connect_run, counts_in, first_in, spec_in, wait_for_run
from theater.conversation import DEFAULT, Order, T, Talk, Timeout, Who
from theater.errors import ChannelClosed, Moved
from theater.records import (
    ActorMetrics,
    ActorStatus,
    ChainRef,
    HttpResponse,
    InterfaceHash,
    StopReport,
    metrics_from,
)
from theater.rundir import Run
from theater.subscription import BUFFER_EVENTS, check_policy
from theater.wires import Pool, Route

if TYPE_CHECKING:
    from theater.calling import Signatures
    from theater.chain import ChainEvent
    from theater.handle import Headers


async def connect(run_dir: str | Path | None = None, timeout: float | None = None) -> AsyncClient:
    """Return a client of a running supervisor (as ``theater.connect``)."""
    return AsyncClient(await asyncio.to_thread(wait_for_run, run_dir, timeout))


class AsyncClient:
    """One running tree, as seen from outside. Use it in ``async with``, or call ``close``."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.signatures: dict[str, Signatures] = {}
        """Signatures of packages by digest."""
        self._pool = Pool()
        self._finalizer = weakref.finalize(self, self._pool.destroy)
        self._link: AsyncLink | None = None
        self._ties: AsyncTies | None = None
        self._is_closed = False

    def actor(self, target: str) -> AsyncActorHandle:
        """Return a handle of an actor, by path (``/fleet/planner``), id or registered name. Asks nothing yet."""
        return AsyncActorHandle(self, target)

    async def tree(self, target: str = "/", *, timeout: Timeout = DEFAULT) -> dict[str, Any]:
        """Return the tree of supervisors and actors, with the state of each."""
        return await self.converse(conversation.tree_question(info.GetTree, (target,), timeout))

    async def which_children(self, target: str = "/", *, timeout: Timeout = DEFAULT) -> list[Any]:
        """Return the children of a supervisor (supervisor:which_children/1)."""
        data = await self.converse(conversation.tree_question(info.WhichChildren, (target,), timeout))
        return list(data.get("children", ()))

    async def count_children(self, target: str = "/", *, timeout: Timeout = DEFAULT) -> dict[str, int]:
        """Count the children of a supervisor (supervisor:count_children/1)."""
        return counts_in(await self.converse(conversation.tree_question(info.CountChildren, (target,), timeout)))

    async def get_childspec(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> dict[str, Any]:
        """Return the specification of a child (supervisor:get_childspec/2)."""
        return spec_in(
            await self.converse(conversation.tree_question(info.GetChildspec, (target, child), timeout)), child
        )

    async def start_child(
        self, target: str, name: str = "", state: Any = msgspec.UNSET, *, timeout: Timeout = DEFAULT
    ) -> Any:
        """Start one more child of a simple_one_for_one supervisor (supervisor:start_child/2)."""
        has_state = state is not msgspec.UNSET
        return await self._order(control.StartChild, (target, name, state if has_state else None, has_state), timeout)

    async def drop_dead_letter(self, target: str, seq: int, *, timeout: Timeout = DEFAULT) -> None:
        """Let an actor take an operation again that was set aside (see ``Client.drop_dead_letter``)."""
        await self._order(control.DropDeadLetter, (target, seq), timeout)

    async def drop_undelivered(self, number: int, *, timeout: Timeout = DEFAULT) -> None:
        """Forget a message that was not delivered (see ``Client.drop_undelivered``)."""
        await self._order(control.DropDeadLetter, ("", number, True), timeout)

    async def keep_undelivered(
        self, target: str, sender: str, function: str, reason: str, message: bytes, *, timeout: Timeout = DEFAULT
    ) -> None:
        """Keep a message as one that was not delivered (see ``Client.keep_undelivered``)."""
        await self._order(control.KeepLetter, (target, sender, function, reason), timeout, message)

    async def whereis(self, name: str, *, timeout: Timeout = DEFAULT) -> str | None:
        """Return the id of the actor with a registered name (see ``Client.whereis``)."""
        return first_in(await self.members(name, timeout=timeout))

    async def members(self, name: str, *, timeout: Timeout = DEFAULT) -> tuple[str, ...]:
        """Return the ids of a group's members (see ``Client.members``)."""
        return await self.converse(conversation.members(name, timeout))

    async def fork(
        self, target: str, name: str, state: bytes, seq: int, hash: bytes, *, timeout: Timeout = DEFAULT
    ) -> Any:
        """Start another actor from a state of ``target``'s past (see ``Client.fork``)."""
        talk = conversation.tree_order(control.Fork, (target, name, seq, hash), timeout, state)
        return await self.converse(talk)

    async def terminate_child(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Stop a child and keep its specification (supervisor:terminate_child/2)."""
        return await self._order(control.TerminateChild, (target, child), timeout)

    async def restart_child(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Start a stopped child again (supervisor:restart_child/2)."""
        return await self._order(control.RestartChild, (target, child), timeout)

    async def delete_child(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Forget a stopped child (supervisor:delete_child/2)."""
        return await self._order(control.DeleteChild, (target, child), timeout)

    async def restart(self, target: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Stop an actor gracefully and start it again, outside the restart intensity."""
        return await self._order(control.Restart, (target,), timeout)

    async def stop(self, *, force: bool = False, timeout: Timeout = DEFAULT) -> None:
        """End the whole tree in order and with it the supervisor. Returns when the order is accepted."""
        await self._order(control.StopTree, (force,), timeout)

    async def converse(self, talk: Talk[T]) -> T:
        """Perform a conversation on this client's connection."""
        return await self.link().converse(talk)

    def link(self) -> AsyncLink:
        """Return the connection, opening it on first use and after a loss."""
        self._check_open()
        if self._link is None or self._link.is_closed:
            self.run = connect_run(self.run)
            self._link = AsyncLink(self._pool, self.run)
        return self._link

    async def subscribe(
        self, target: str, since: int | None, buffer: int, policy: str, timeout: float | None
    ) -> AsyncSubscription:
        """Open a subscription on a connection of its own (AsyncActorHandle.subscribe)."""
        self._check_open()
        check_policy(policy, buffer)
        subscription = AsyncSubscription(self, self._pool, self.run, target, buffer)
        await subscription.open(since, buffer, policy, timeout)
        return subscription

    def ties(self) -> AsyncTies:
        """Return the connection for links and monitors; opened as ``link`` is."""
        self._check_open()
        if self._ties is None or self._ties.is_closed:
            self.run = connect_run(self.run)
            self._ties = AsyncTies(self._pool, self.run)
        return self._ties

    def close(self) -> None:
        """Close all connections; whoever still waits gets ChannelClosed.

        Actors that are linked with this client get an exit signal ``normal``.
        """
        self._is_closed = True
        if self._ties is not None:
            self._ties.close()
        if self._link is not None:
            self._link.close()
        if self._pool.is_unused:
            self._finalizer()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        try:
            if self._ties is not None:
                await self._ties.leave(reason_of(error))
        finally:
            self.close()

    def __repr__(self) -> str:
        return f"<AsyncClient of {self.run.name} in {self.run.path}>"

    async def _order(self, kind: Any, fields: tuple[Any, ...], timeout: Timeout, *bodies: bytes) -> Any:
        return await self.converse(conversation.tree_order(kind, fields, timeout, *bodies))

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClientClosed("this client is closed")


class AsyncActorHandle:
    """A handle of one actor. Everything ``theater.handle.ActorHandle`` says holds here; methods are awaited."""

    __slots__ = ("_client", "_last", "_who")

    def __init__(self, client: AsyncClient, target: str, incarnation: int | None = None) -> None:
        self._client = client
        self._who = Who(target, incarnation)
        self._last: int | None = incarnation

    @property
    def target(self) -> str:
        """The path or id this handle was made with."""
        return self._who.target

    @property
    def incarnation(self) -> int | None:
        """Which life answered last; None before the first answer."""
        return self._last

    async def actor_id(self) -> str:
        """Return the actor's id."""
        return (await self._route()).actor_id

    async def pinned(self) -> AsyncActorHandle:
        """Return a handle bound to the actor's present life."""
        return AsyncActorHandle(self._client, self.target, (await self._route()).incarnation)

    async def call(
        self,
        name: str,
        params: Any = (),
        *,
        timeout: Timeout = DEFAULT,
        deadline: float | None = None,
        wait: bool = True,
        cancel_running: bool = False,
        retry_on_restart: bool = False,
        idempotency_key: str | None = None,
        raw: bool = False,
    ) -> Any:
        """Call an exported function and return its result (see ``ActorHandle.call``)."""
        order = Order(timeout, deadline, wait, cancel_running, retry_on_restart, idempotency_key=idempotency_key)
        return answers.result_from(await self._call(name, params, order), raw)

    async def call_void(self, name: str, encoded: bytes | tuple[Any, ...] = b"", *, timeout: Timeout = DEFAULT) -> None:
        """Call with parameters that are already encoded, and discard the result unread."""
        await self._call(name, encoded or (), Order(timeout, void=True))

    async def send(self, name: str, params: Any = (), *, timeout: Timeout = DEFAULT) -> None:
        """Send a call and go on at once: nobody waits for it, nobody sees its result or its error."""
        encode = answers.encoder(self._client.signatures, name, params, self._note)
        await self._client.converse(conversation.post(self._who, encode, timeout))

    async def handle_http_request(
        self,
        method: str,
        scheme: str | None,
        authority: str | None,
        path_with_query: str | None,
        headers: Headers,
        body: bytes = b"",
        *,
        timeout: Timeout = DEFAULT,
    ) -> HttpResponse:
        """Hand an HTTP request to the actor. An actor without an http service answers UnexpectedError."""
        fields = (method, scheme, authority, path_with_query, tuple(headers))
        return await self._client.converse(conversation.http_request(self._who, fields, body, Order(timeout)))

    async def get_status(self, *, timeout: Timeout = DEFAULT) -> ActorStatus:
        """Return how the actor is. Never waits for the guest."""
        status = await self._client.converse(conversation.get_status(self._who, timeout))
        self._last = status.incarnation or self._last
        return status

    async def get_state(self, *, timeout: Timeout = DEFAULT, raw: bool = False) -> Any:
        """Return the committed state; None if there is none."""
        _, bodies = await self._question(info.GetState, (), timeout)
        return answers.state_from(bodies, raw)

    async def get_chain(
        self, since: int | None = None, limit: int | None = None, *, timeout: Timeout = DEFAULT
    ) -> list[ChainEvent]:
        """Return the retained events, oldest first."""
        return answers.chain_from(*await self._question(info.GetChain, (since, limit), timeout))

    async def get_metrics(self, *, timeout: Timeout = DEFAULT) -> ActorMetrics:
        """Return counters of the present incarnation."""
        data, _ = await self._question(info.GetMetrics, (), timeout)
        return metrics_from(data)

    async def get_export_hashes(self, *, timeout: Timeout = DEFAULT) -> list[InterfaceHash]:
        """Return the exported interfaces and their hashes."""
        data, _ = await self._question(info.GetExportHashes, (), timeout)
        return answers.hashes_from(data)

    async def functions(self, *, timeout: Timeout = DEFAULT) -> tuple[str, ...]:
        """Return the full names of the functions the actor exports."""
        return await self._client.converse(answers.functions(self._client.signatures, self._who, timeout))

    async def save_chain(
        self, target: str | None = None, *, format: str = "theater", timeout: Timeout = DEFAULT
    ) -> ChainRef:
        """Write the retained chain to a file (None: beside the store) and say where it is."""
        path = None if target is None else os.path.abspath(target)
        data, _ = await self._question(info.SaveChain, (path, format), timeout)
        return ChainRef(data["path"], data["count"], data.get("head"))

    async def verify_chain(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Fetch the retained events and check every hash and link."""
        return answers.is_sound(*await self._question(info.GetChain, (None, None), timeout))

    async def events_by_type(self, event_type: str, *, timeout: Timeout = DEFAULT) -> list[ChainEvent]:
        """Return the retained events of exactly this type, oldest first."""
        return answers.of_type(await self.get_chain(timeout=timeout), event_type)

    async def recent_events(self, count: int, *, timeout: Timeout = DEFAULT) -> list[ChainEvent]:
        """Return at most ``count`` events, newest first."""
        return answers.newest_first(await self.get_chain(timeout=timeout), count)

    async def has_event_type(self, event_type: str, *, timeout: Timeout = DEFAULT) -> bool:
        """Say whether a retained event has exactly this type."""
        return bool(await self.events_by_type(event_type, timeout=timeout))

    async def pause(self, mode: str = "after_call", *, timeout: Timeout = DEFAULT) -> None:
        """Pause the actor; returns once it is paused."""
        await self._client.converse(conversation.order(self._who, control.Pause, (mode,), timeout))

    async def resume(self, *, timeout: Timeout = DEFAULT) -> None:
        """End the pause."""
        await self._client.converse(conversation.order(self._who, control.Resume, (), timeout))

    async def shutdown(self, timeout: float | None = None) -> StopReport:
        """Stop the actor gracefully; returns when its process is reaped."""
        return await self._client.converse(conversation.shutdown(self._who, timeout))

    async def update_package(self, package: str | os.PathLike[str], *, timeout: float | None = None) -> int:
        """Go on with another package (see ``ActorHandle.update_package``)."""
        path = os.path.abspath(os.fspath(package))
        outcome = await self._client.converse(conversation.update_package(self._who, path, timeout))
        return int(outcome["incarnation"])

    async def terminate(self, *, timeout: Timeout = DEFAULT) -> StopReport:
        """Kill the actor at once; returns when its process is reaped."""
        return await self._client.converse(conversation.terminate(self._who, timeout))

    async def subscribe(
        self,
        since: int | None = None,
        *,
        buffer: int = BUFFER_EVENTS,
        policy: str = "drop",
        timeout: float | None = None,
    ) -> AsyncSubscription:
        """Follow the actor's events, over restarts, until it is gone for good (see ``ActorHandle.subscribe``)."""
        return await self._client.subscribe(self.target, since, buffer, policy, timeout)

    async def monitor(self, timeout: float | None = None) -> Cause:
        """Wait for the end of the actor's present life and return its cause."""
        return from_plain(await self._client.converse(conversation.await_end(self._who, timeout)))

    async def watch(self, *, timeout: Timeout = DEFAULT) -> AsyncActorMonitor:
        """Monitor the actor's present life, and go on (see ``ActorHandle.watch``)."""
        ties = self._client.ties()
        bond = await ties.tie(control.Monitor, self._who, conversation.info_limit(timeout))
        return AsyncActorMonitor(self._client, ties, bond)

    async def link(self, *, timeout: Timeout = DEFAULT) -> AsyncActorLink:
        """Tie this client and the actor's present life together (see ``ActorHandle.link``)."""
        ties = self._client.ties()
        bond = await ties.tie(control.Link, self._who, conversation.info_limit(timeout))
        return AsyncActorLink(self._client, ties, bond)

    async def exit(self, reason: str, *, timeout: Timeout = DEFAULT) -> None:
        """Send the actor an exit signal (see ``ActorHandle.exit``)."""
        await self._client.converse(conversation.signal(self._who, reason, timeout))

    call_function = call
    call_function_pack_void = call_void
    status = get_status
    handle_wasi_http_request = handle_http_request

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncActorHandle) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        life = "" if self._who.incarnation is None else f" incarnation {self._who.incarnation}"
        return f"<AsyncActorHandle {self.target}{life}>"

    def _key(self) -> tuple[str, Who]:
        return (self._client.run.path, self._who)

    async def _route(self) -> Route:
        route = await self._client.converse(conversation.locate(self._who, conversation.INFO_TIMEOUT_S))
        self._last = route.incarnation
        return route

    async def _question(
        self, kind: Any, fields: tuple[Any, ...], timeout: Timeout
    ) -> tuple[dict[str, Any], list[bytes]]:
        return await self._client.converse(conversation.question(self._who, kind, fields, timeout))

    async def _call(self, name: str, params: Any, order: Order) -> list[bytes]:
        """Call straight away when the actor and its functions are known (see ``ActorHandle._call``)."""
        link = self._client.link()
        route = None if order.retry_on_restart else link.known(self._who)
        ready = None if route is None else answers.encoded(self._client.signatures, route, name, params)
        if route is not None and ready is not None:
            self._last = route.incarnation
            limit = conversation.call_limit(order, route)
            fields = conversation.call_fields(ready[0], order, limit)
            try:
                return await link.operate(route, operation.Call, fields, limit, ready[1])
            except (Moved, ChannelClosed) as error:
                if not conversation.has_moved(error):
                    raise
                conversation.refuse_pinned(self._who)
        encode = answers.encoder(self._client.signatures, name, params, self._note)
        return await link.converse(conversation.call(self._who, encode, order))

    def _note(self, route: Route) -> None:
        self._last = route.incarnation
