"""The way in: ``theater.connect()`` finds the running supervisor and returns a client for its tree.

A client may be used from any thread; every thread gets connections of its own on first use, and so does a child
after a fork.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from proto import control, envelope, info
from theater import conversation
from theater.bonds import NORMAL, reason_of
from theater.conversation import DEFAULT, Talk, Timeout
from theater.errors import NotFound
from theater.link import Link
from theater.rundir import NotRunning, Run, find, load
from theater.wires import Pool, SupervisorGone

if TYPE_CHECKING:
    from pathlib import Path

    from theater.calling import Signatures
    from theater.handle import ActorHandle
    from theater.subscription import Subscription
    from theater.ties import Ties

T = TypeVar("T")

RUN_WAIT_FIRST_S = 0.005


class ClientClosed(RuntimeError):
    """The client was closed by its own program."""


def connect(run_dir: str | Path | None = None, timeout: float | None = None) -> Client:
    """Return a client of a running supervisor.

    ``run_dir`` names it; without, ``$THEATER_RUN_DIR`` does, or the only one that runs is taken. With a ``timeout`` in
    seconds, wait that long for it to come up.

    Raises:
        NotRunning: none, or several to choose from.
        NotTrusted: the run directory is not ours alone.
    """
    return Client(wait_for_run(run_dir, timeout))


def wait_for_run(run_dir: str | Path | None, timeout: float | None) -> Run:
    """Return the supervisor meant, once it speaks our protocol version and is up."""
    from time import monotonic, sleep

    deadline = monotonic() + (timeout or 0.0)
    pause = RUN_WAIT_FIRST_S
    while True:
        try:
            return _check_version(find(run_dir))
        except NotRunning as error:
            if error.candidates or monotonic() >= deadline:
                raise
        sleep(pause)
        pause = min(2 * pause, 0.1)


class Client:
    """One running tree, as seen from outside. Use it in ``with``, or call ``close``."""

    _ties: Ties | None
    _ties_lock: threading.Lock

    def __init__(self, run: Run) -> None:
        self.run = run
        self.signatures: dict[str, Signatures] = {}
        """Signatures of packages by digest, shared by all threads."""
        self._is_closed = False
        self._inherited: list[Any] = []
        """What belongs to the process we were forked from: never used, never closed."""
        self._begin()

    # -- actors -------------------------------------------------------------------------------------------------

    def actor(self, target: str) -> ActorHandle:
        """Return a handle of an actor, by path (``/fleet/planner``), id or registered name. Asks nothing yet.

        A handle made with a name speaks to whoever has the name at that moment.
        """
        from theater.handle import ActorHandle

        return ActorHandle(self, target)

    # -- the tree (OTP: supervisor) -----------------------------------------------------------------------------

    def tree(self, target: str = "/", *, timeout: Timeout = DEFAULT) -> dict[str, Any]:
        """Return the tree of supervisors and actors, with the state of each."""
        return self.converse(conversation.tree_question(info.GetTree, (target,), timeout))

    def which_children(self, target: str = "/", *, timeout: Timeout = DEFAULT) -> list[Any]:
        """Return the children of a supervisor (supervisor:which_children/1)."""
        data = self.converse(conversation.tree_question(info.WhichChildren, (target,), timeout))
        return list(data.get("children", ()))

    def count_children(self, target: str = "/", *, timeout: Timeout = DEFAULT) -> dict[str, int]:
        """Count the children of a supervisor (supervisor:count_children/1)."""
        return counts_in(self.converse(conversation.tree_question(info.CountChildren, (target,), timeout)))

    def get_childspec(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> dict[str, Any]:
        """Return the specification of a child (supervisor:get_childspec/2)."""
        return spec_in(self.converse(conversation.tree_question(info.GetChildspec, (target, child), timeout)), child)

    def start_child(
        self, target: str, name: str = "", state: Any = msgspec.UNSET, *, timeout: Timeout = DEFAULT
    ) -> Any:
        """Start one more child of a simple_one_for_one supervisor (supervisor:start_child/2)."""
        has_state = state is not msgspec.UNSET
        fields = (target, name, state if has_state else None, has_state)
        return self._order(control.StartChild, fields, timeout)

    def drop_dead_letter(self, target: str, seq: int, *, timeout: Timeout = DEFAULT) -> None:
        """Let an actor take an operation again that was set aside (``poison: dead_letter``); ``seq``: its call event.

        Raises:
            NotFound: there is no such actor or letter.
        """
        self._order(control.DropDeadLetter, (target, seq), timeout)

    def drop_undelivered(self, number: int, *, timeout: Timeout = DEFAULT) -> None:
        """Forget a message that was not delivered (``theater dead-letters`` lists them as m1, m2 …).

        Raises:
            NotFound: there is none of this number.
        """
        self._order(control.DropDeadLetter, ("", number, True), timeout)

    def keep_undelivered(
        self, target: str, sender: str, function: str, reason: str, message: bytes, *, timeout: Timeout = DEFAULT
    ) -> None:
        """Keep a message as one that was not delivered: one that was dropped to be delivered, and could not be."""
        self._order(control.KeepLetter, (target, sender, function, reason), timeout, message)

    def whereis(self, name: str, *, timeout: Timeout = DEFAULT) -> str | None:
        """Return the id of the actor with a registered name, or of the oldest member of a group; None if nobody has it
        (OTP: whereis/1). A handle takes the name as it is: ``client.actor("planner")``.
        """
        return first_in(self.members(name, timeout=timeout))

    def members(self, name: str, *, timeout: Timeout = DEFAULT) -> tuple[str, ...]:
        """Return the ids of a group's members, in the order they joined; of a name, that of its actor."""
        return self.converse(conversation.members(name, timeout))

    def fork(
        self, target: str, name: str, state: bytes, seq: int, hash: bytes, *, timeout: Timeout = DEFAULT
    ) -> Any:
        """Start another actor like ``target``, beside it, from a state of its past; returns OTP's answer of the start.

        ``state`` is that state, encoded; ``seq`` and ``hash`` name the last event it comes from, for the fork's own
        chain to tell. (``theater fork`` computes all three.)
        """
        talk = conversation.tree_order(control.Fork, (target, name, seq, hash), timeout, state)
        return self.converse(talk)

    def terminate_child(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Stop a child and keep its specification (supervisor:terminate_child/2)."""
        return self._order(control.TerminateChild, (target, child), timeout)

    def restart_child(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Start a stopped child again (supervisor:restart_child/2)."""
        return self._order(control.RestartChild, (target, child), timeout)

    def delete_child(self, target: str, child: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Forget a stopped child (supervisor:delete_child/2)."""
        return self._order(control.DeleteChild, (target, child), timeout)

    def restart(self, target: str, *, timeout: Timeout = DEFAULT) -> Any:
        """Stop an actor gracefully and start it again, outside the restart intensity."""
        return self._order(control.Restart, (target,), timeout)

    def stop(self, *, force: bool = False, timeout: Timeout = DEFAULT) -> None:
        """End the whole tree in order and with it the supervisor. Returns when the order is accepted."""
        self._order(control.StopTree, (force,), timeout)

    # -- connections --------------------------------------------------------------------------------------------

    def converse(self, talk: Talk[T]) -> T:
        """Perform a conversation on this thread's own connection."""
        return self.link().converse(talk)

    def link(self) -> Link:
        """Return this thread's connection, opening it on first use, after a fork, and after a loss.

        Raises:
            SupervisorGone: nobody runs in the run directory any more.
        """
        link: Link | None = getattr(self._local, "link", None)
        if link is not None and not link.is_closed and link.pid == os.getpid() and not self._is_closed:
            return link
        return self._open_link()

    def subscribe(
        self, target: str, since: int | None, buffer: int, policy: str, timeout: float | None
    ) -> Subscription:
        """Open a subscription on a connection of its own (ActorHandle.subscribe)."""
        from theater.subscription import Subscription

        self._check_open()
        return Subscription(self, self._pool, self.run, target, since, buffer, policy, timeout)

    def ties(self) -> Ties:
        """Return the connection for links and monitors, which all threads share; opened as ``link`` is."""
        from theater.ties import Ties

        self._check_open()  # before the lock: after a fork there is another
        with self._ties_lock:
            self._check_open()
            ties = self._ties
            if ties is not None and not ties.is_closed:
                ties.look()
                if not ties.is_gone:
                    return ties
                ties.leave(NORMAL)
            self.run = connect_run(self.run)
            self._ties = Ties(self._pool, self.run)
            return self._ties

    def close(self) -> None:
        """Close this thread's connections; other threads' are closed when those end or use the client next.

        Actors that are linked with this client get an exit signal ``normal``.
        """
        self._end(NORMAL)

    def _end(self, reason: str) -> None:
        self._is_closed = True
        if self._pid == os.getpid():
            with self._ties_lock:  # one that is just being opened by another thread is closed, too
                if self._ties is not None:
                    self._ties.leave(reason)
        self._drop_link()
        if self._pool.is_unused:
            self._finalizer()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(reason_of(error))

    def __repr__(self) -> str:
        return f"<Client of {self.run.name} in {self.run.path}>"

    def _order(
        self, kind: Callable[..., Any], fields: tuple[Any, ...], timeout: Timeout, *bodies: bytes
    ) -> Any:
        return self.converse(conversation.tree_order(kind, fields, timeout, *bodies))

    def _open_link(self) -> Link:
        self._check_open()
        self._drop_link()
        self.run = connect_run(self.run)
        link = self._local.link = Link(self._pool, self.run)
        return link

    def _drop_link(self) -> None:
        link: Link | None = getattr(self._local, "link", None)
        if link is not None:
            link.close()
            self._local.link = None

    def _check_open(self) -> None:
        if self._is_closed:
            self._drop_link()
            raise ClientClosed("this client is closed")
        if self._pid != os.getpid():
            self._after_fork()

    def _after_fork(self) -> None:
        self._inherited += [self._pool, self._ties, getattr(self._local, "link", None)]
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._local = threading.local()
        self._pool = Pool()
        self._ties = None
        self._ties_lock = threading.Lock()
        self._finalizer = weakref.finalize(self, self._pool.destroy)


def first_in(ids: tuple[str, ...]) -> str | None:
    """Return the first, if there is one."""
    return ids[0] if ids else None


def counts_in(data: dict[str, Any]) -> dict[str, int]:
    """Return the counts in the answer to CountChildren."""
    counts: dict[str, int] = data["counts"]
    return counts


def spec_in(data: dict[str, Any], child: str) -> dict[str, Any]:
    """Return the specification in the answer to GetChildspec, ``{ok, Spec}`` or ``{error, not_found}``."""
    answer: dict[str, Any] = data["spec"]
    if "error" in answer:
        raise NotFound(child)
    spec: dict[str, Any] = answer["ok"]
    return spec


def connect_run(run: Run) -> Run:
    """Return the supervisor that runs now in the directory of a known one.

    Raises:
        SupervisorGone: nobody runs there any more.
    """
    try:
        return _check_version(load(run.path))
    except NotRunning:
        raise SupervisorGone(None) from None


def _check_version(run: Run) -> Run:
    if run.protocol != envelope.VERSION:
        raise NotRunning(
            f"the supervisor in {run.path} speaks protocol version {run.protocol}, expected {envelope.VERSION}: "
            "client and supervisor come from different releases"
        )
    return run
