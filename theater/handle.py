"""ActorHandle: what one does with an actor from outside, blocking; usable from any thread (lifecycle section 9).

Every method of the seed is here under its own name; ``theater.aio.AsyncActorHandle`` has the same methods for asyncio.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from proto import control, info, operation
from theater import answers, conversation
from theater.cause import Cause, from_plain
from theater.conversation import DEFAULT, Order, Timeout, Who
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
from theater.subscription import BUFFER_EVENTS, Subscription
from theater.wires import Route

if TYPE_CHECKING:
    from theater.chain import ChainEvent
    from theater.client import Client
    from theater.ties import ActorLink, ActorMonitor

Headers = tuple[tuple[str, bytes], ...]


class ActorHandle:
    """A handle of one actor. Cheap to make and to copy; it stays valid over restarts of the actor.

    Two handles are equal when they name the same actor of the same supervisor (and, if pinned, the same life).
    Time-outs are in seconds; None waits for ever; the default is the actor's call deadline + 5 s for calls and 5 s
    for questions and orders. Errors are those of ``theater.errors``; when the actor dies while you wait,
    ChannelClosed says why.
    """

    __slots__ = ("_client", "_last", "_who")

    def __init__(self, client: Client, target: str, incarnation: int | None = None) -> None:
        self._client = client
        self._who = Who(target, incarnation)
        self._last: int | None = incarnation

    # -- who ----------------------------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The path or id this handle was made with."""
        return self._who.target

    @property
    def incarnation(self) -> int | None:
        """Which life answered last; None before the first answer."""
        return self._last

    @property
    def actor_id(self) -> str:
        """The actor's id (asked from the supervisor)."""
        return self._route().actor_id

    def pinned(self) -> ActorHandle:
        """Return a handle bound to the actor's present life: afterwards it answers ChannelClosed, as a pid would."""
        return ActorHandle(self._client, self.target, self._route().incarnation)

    # -- operations ---------------------------------------------------------------------------------------------

    def call(
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
        """Call an exported function and return its result.

        ``name`` is ``interface.function``, or the bare function name if only one export has it. ``params`` is the tuple
        of parameters (a single value that is no tuple, list, dict or text may stand alone), as Python values or
        theater.values. ``raw`` returns the result as a theater.values.Value instead of a Python value.

        ``timeout`` ends the waiting: a call still queued is taken back, a running one goes on, unless
        ``cancel_running``, which traps the guest, that is, crashes the actor. ``deadline`` bounds the guest's own
        computing time. ``wait=False`` raises MailboxFull instead of waiting for room. ``retry_on_restart`` sends
        again (four times at most) if the actor's life ended before it answered; safe, because each such call has an
        ``idempotency_key``: one that has returned is not executed again, also by a later incarnation, but answered as
        it was. Give a key of your own (at most 128 characters) to repeat a call yourself.
        """
        order = Order(timeout, deadline, wait, cancel_running, retry_on_restart, idempotency_key=idempotency_key)
        return answers.result_from(self._call(name, params, order), raw)

    def call_void(self, name: str, encoded: bytes | tuple[Any, ...] = b"", *, timeout: Timeout = DEFAULT) -> None:
        """Call with parameters that are already encoded (an encoded tuple), and discard the result unread.

        A tuple of Python values is encoded as ``call`` does.
        """
        self._call(name, encoded or (), Order(timeout, void=True))

    def send(self, name: str, params: Any = (), *, timeout: Timeout = DEFAULT) -> None:
        """Send a call and go on at once: nobody waits for it, nobody sees its result or its error."""
        encode = answers.encoder(self._client.signatures, name, params, self._note)
        self._client.converse(conversation.post(self._who, encode, timeout))

    def handle_http_request(
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
        return self._client.converse(conversation.http_request(self._who, fields, body, Order(timeout)))

    # -- questions ----------------------------------------------------------------------------------------------

    def get_status(self, *, timeout: Timeout = DEFAULT) -> ActorStatus:
        """Return how the actor is (lifecycle section 13). Never waits for the guest."""
        status = self._client.converse(conversation.get_status(self._who, timeout))
        self._last = status.incarnation or self._last
        return status

    def get_state(self, *, timeout: Timeout = DEFAULT, raw: bool = False) -> Any:
        """Return the committed state, that after the last operation that returned; None if there is none."""
        _, bodies = self._question(info.GetState, (), timeout)
        return answers.state_from(bodies, raw)

    def get_chain(
        self, since: int | None = None, limit: int | None = None, *, timeout: Timeout = DEFAULT
    ) -> list[ChainEvent]:
        """Return the retained events, oldest first; ``since`` is the first sequence number wanted."""
        return answers.chain_from(*self._question(info.GetChain, (since, limit), timeout))

    def get_metrics(self, *, timeout: Timeout = DEFAULT) -> ActorMetrics:
        """Return counters of the present incarnation; ``.stats()`` derives rates."""
        data, _ = self._question(info.GetMetrics, (), timeout)
        return metrics_from(data)

    def get_export_hashes(self, *, timeout: Timeout = DEFAULT) -> list[InterfaceHash]:
        """Return the exported interfaces and their hashes."""
        data, _ = self._question(info.GetExportHashes, (), timeout)
        return answers.hashes_from(data)

    def functions(self, *, timeout: Timeout = DEFAULT) -> tuple[str, ...]:
        """Return the full names of the functions the actor exports."""
        return self._client.converse(answers.functions(self._client.signatures, self._who, timeout))

    def save_chain(self, target: str | None = None, *, format: str = "theater", timeout: Timeout = DEFAULT) -> ChainRef:
        """Write the retained chain to a file (None: beside the store) and say where it is."""
        path = None if target is None else os.path.abspath(target)
        data, _ = self._question(info.SaveChain, (path, format), timeout)
        return ChainRef(data["path"], data["count"], data.get("head"))

    def verify_chain(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Fetch the retained events and check every hash and link; an empty chain is fine."""
        return answers.is_sound(*self._question(info.GetChain, (None, None), timeout))

    def events_by_type(self, event_type: str, *, timeout: Timeout = DEFAULT) -> list[ChainEvent]:
        """Return the retained events of exactly this type, oldest first."""
        return answers.of_type(self.get_chain(timeout=timeout), event_type)

    def recent_events(self, count: int, *, timeout: Timeout = DEFAULT) -> list[ChainEvent]:
        """Return at most ``count`` events, newest first."""
        return answers.newest_first(self.get_chain(timeout=timeout), count)

    def has_event_type(self, event_type: str, *, timeout: Timeout = DEFAULT) -> bool:
        """Say whether a retained event has exactly this type."""
        return bool(self.events_by_type(event_type, timeout=timeout))

    # -- orders -------------------------------------------------------------------------------------------------

    def pause(self, mode: str = "after_call", *, timeout: Timeout = DEFAULT) -> None:
        """Pause the actor; returns once it is paused. ``if_idle`` refuses instead of waiting for the current call."""
        self._order(control.Pause, (mode,), timeout)

    def resume(self, *, timeout: Timeout = DEFAULT) -> None:
        """End the pause. NotPaused if there is none."""
        self._order(control.Resume, (), timeout)

    def shutdown(self, timeout: float | None = None) -> StopReport:
        """Stop the actor gracefully; returns when its process is reaped.

        ``timeout`` overrides the actor's own shutdown time; when it is over, the actor is killed.
        """
        return self._client.converse(conversation.shutdown(self._who, timeout))

    def update_package(self, package: str | os.PathLike[str], *, timeout: float | None = None) -> int:
        """Go on with another package, with the state and without an error for any caller (hot update).

        Returns the number of the incarnation that serves now. An export ``theater:simple/actor.migrate`` of the new
        package turns the old state into the new one; without it the state must fit as it is. ``timeout``: seconds the
        new package has to get ready (default a minute).

        Raises:
            UpdatePackageError: the old package goes on serving; says why.
        """
        path = os.path.abspath(os.fspath(package))
        outcome = self._client.converse(conversation.update_package(self._who, path, timeout))
        return int(outcome["incarnation"])

    def terminate(self, *, timeout: Timeout = DEFAULT) -> StopReport:
        """Kill the actor at once, whatever it is doing; returns when its process is reaped."""
        return self._client.converse(conversation.terminate(self._who, timeout))

    # -- following ----------------------------------------------------------------------------------------------

    def subscribe(
        self,
        since: int | None = None,
        *,
        buffer: int = BUFFER_EVENTS,
        policy: str = "drop",
        timeout: float | None = None,
    ) -> Subscription:
        """Follow the actor's events, over restarts, until it is gone for good.

        ``since`` first delivers the retained events from that number on, then goes on without gap or repetition.
        At most ``buffer`` events wait for you; past that, ``drop`` puts a Gap in their place and ``disconnect``
        ends it.
        """
        return self._client.subscribe(self.target, since, buffer, policy, timeout)

    def monitor(self, timeout: float | None = None) -> Cause:
        """Wait for the end of the actor's present life and return its cause; at once if it is gone already.

        ``watch`` is a monitor that does not wait, with OTP's reasons.
        """
        return from_plain(self._client.converse(conversation.await_end(self._who, timeout)))

    # -- links and monitors (OTP) -----------------------------------------------------------------------------------

    def watch(self, *, timeout: Timeout = DEFAULT) -> ActorMonitor:
        """Monitor the actor's present life, and go on (erlang:monitor/2): ``wait`` of the monitor returns its Down.

        Every call is a monitor of its own, with a reference of its own. If nobody is there the Down comes at once, with
        the reason noproc. A restart is an end; a hot update is none.
        """
        from theater.ties import ActorMonitor

        ties = self._client.ties()
        return ActorMonitor(self._client, ties, ties.tie(control.Monitor, self._who, conversation.info_limit(timeout)))

    def link(self, *, timeout: Timeout = DEFAULT) -> ActorLink:
        """Tie this client and the actor's present life together (erlang:link/1); linking twice is one link.

        When that life ends, ``wait`` of the link returns its Exit: a client traps exits. If nobody is there it comes at
        once, with the reason noproc. When the client is closed, the actor gets an exit signal ``normal``; when the
        ``with`` block of the client is left by an exception, one with that as its reason; when this process ends in any
        other way (also by SIGKILL), ``noconnection``. Any reason but normal ends an actor that does not trap exits.
        """
        from theater.ties import ActorLink

        ties = self._client.ties()
        return ActorLink(self._client, ties, ties.tie(control.Link, self._who, conversation.info_limit(timeout)))

    def exit(self, reason: str, *, timeout: Timeout = DEFAULT) -> None:
        """Send the actor an exit signal (erlang:exit/2). ``kill`` cannot be trapped; to nobody it does nothing."""
        self._client.converse(conversation.signal(self._who, reason, timeout))

    # -- the seed's names ---------------------------------------------------------------------------------------

    call_function = call
    call_function_pack_void = call_void
    status = get_status
    handle_wasi_http_request = handle_http_request

    # -- Python -------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        life = "" if self._who.incarnation is None else f" incarnation {self._who.incarnation}"
        return f"<ActorHandle {self.target}{life}>"

    def _key(self) -> tuple[str, Who]:
        return (self._client.run.path, self._who)

    def _route(self) -> Route:
        route = self._client.converse(conversation.locate(self._who, conversation.INFO_TIMEOUT_S))
        self._last = route.incarnation
        return route

    def _question(self, kind: Any, fields: tuple[Any, ...], timeout: Timeout) -> tuple[dict[str, Any], list[bytes]]:
        return self._client.converse(conversation.question(self._who, kind, fields, timeout))

    def _order(self, kind: Any, fields: tuple[Any, ...], timeout: Timeout) -> None:
        self._client.converse(conversation.order(self._who, kind, fields, timeout))

    def _call(self, name: str, params: Any, order: Order) -> list[bytes]:
        """Call straight away when the actor and its functions are known; else in a conversation that finds out.

        The short way saves a tenth of a round trip. What can go wrong in it is answered by the same link in the same
        words; only a retry, and what does not fit the functions that are known, needs the conversation.
        """
        link = self._client.link()
        route = None if order.retry_on_restart else link.known(self._who)
        ready = None if route is None else answers.encoded(self._client.signatures, route, name, params)
        if route is not None and ready is not None:
            self._last = route.incarnation
            limit = conversation.call_limit(order, route)
            fields = conversation.call_fields(ready[0], order, limit)
            try:
                return link.operate(route, operation.Call, fields, limit, ready[1])
            except (Moved, ChannelClosed) as error:
                if not conversation.has_moved(error):
                    raise
                conversation.refuse_pinned(self._who)
        encode = answers.encoder(self._client.signatures, name, params, self._note)
        return link.converse(conversation.call(self._who, encode, order))

    def _note(self, route: Route) -> None:
        self._last = route.incarnation
