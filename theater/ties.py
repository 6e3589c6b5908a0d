"""Links and monitors for threads: one connection for all bonds of a client, whichever threads wait for them.

It never mixes with calls. Of the threads that wait, one reads for all; whoever else reads in passing, after a send,
wakes it, for a ZeroMQ descriptor tells of a message once only.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from proto import control
from proto.envelope import Message
from theater.bonds import LEAVE_TIMEOUT_S, REASON_CHARS_MAX, Asked, Bond, Bonds, Down, Exit, Tied, bond_of
from theater.conversation import DEFAULT, Timeout, Who, info_limit
from theater.errors import ActorError, OperationTimeout
from theater.rundir import Run
from theater.subscription import GOODBYE_MS
from theater.wires import Pool, SupervisorGone, Wires


class Ties:
    """The bonds of one client in the process that made them. Any thread may use them."""

    def __init__(self, pool: Pool, run: Run) -> None:
        self.pid = os.getpid()
        self.is_closed = False
        self._bonds = Bonds()
        self._changed = threading.Condition()
        """Its lock guards everything here but the waiting for the descriptors."""
        self._has_reader = False
        self._wires = Wires(pool, run)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        for fd in (*self._wires.fds, self._wake):
            self._poll.register(fd, select.POLLIN)

    @property
    def is_gone(self) -> bool:
        """The supervisor is."""
        return self._wires.is_gone

    def tie(self, kind: Callable[..., Message], who: Who, timeout: float | None) -> Bond:
        """Make a link or a monitor."""
        return bond_of(self._ask(kind, (who.target, who.incarnation), timeout, who.target))

    def untie(self, bond: Bond, timeout: float | None) -> bool:
        """Take it back; False if it was over already."""
        self.check()
        if bond.is_over:
            return False
        kind = control.Unlink if bond.is_link else control.Demonitor
        was_there = bool(self._ask(kind, (bond.number,), timeout).result())
        with self._changed:
            self._bonds.forget(bond)
            self._changed.notify_all()
        return was_there

    def wait(self, bond: Bond, timeout: float | None) -> Any:
        """Return what comes of a bond."""
        self.check()
        self._wait(lambda: bond.come() is not None, timeout)
        return bond.news

    def leave(self, reason: str) -> None:
        """End in order: whoever is linked with this client learns of it, with this reason. Doing it twice is fine."""
        if self.pid != os.getpid() or self.is_closed:
            return  # a forked child's copy is not ours to end
        try:
            if self._bonds.are_any and not self._wires.is_gone:
                self._ask(control.Leave, (reason[:REASON_CHARS_MAX],), LEAVE_TIMEOUT_S)
        except (ActorError, RuntimeError):
            pass  # gone, or slow: it is on its way, and the supervisor sees our process end
        finally:
            self._close()

    def check(self) -> None:
        """Refuse the use of what belongs to another process.

        Raises:
            ClientClosed: it was made before a fork.
        """
        if self.pid != os.getpid():
            from theater.client import ClientClosed

            raise ClientClosed(f"this link or monitor belongs to process {self.pid}, which made it")

    def __del__(self) -> None:
        if hasattr(self, "_poll") and not self.is_closed and self.pid == os.getpid():
            os.close(self._wake)  # the client was forgotten; its pool closes the sockets

    # -- asking and waiting -----------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take in what has arrived, without waiting."""
        with self._changed:
            if not self.is_closed:
                self._read()

    def _ask(
        self, kind: Callable[..., Message], fields: tuple[Any, ...], timeout: float | None, target: str | None = None
    ) -> Asked:
        with self._changed:
            self._check_open()
            asked, header = self._bonds.ask(kind, fields, target)
            self._wires.tell_root(header)
        try:
            self._wait(lambda: asked.is_answered, timeout)
        except BaseException:
            asked.is_abandoned = True
            raise
        return asked

    def _wait(self, is_done: Callable[[], bool], timeout: float | None) -> None:
        deadline = None if timeout is None else monotonic() + timeout
        with self._changed:
            while True:
                if not self.is_closed:
                    self._read()
                if is_done():
                    return
                self._check_open()
                if self._wires.is_gone:
                    raise SupervisorGone(None)
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    raise OperationTimeout(timeout)
                if self._has_reader:
                    self._changed.wait(left)
                else:
                    self._wait_for_all(left)

    def _wait_for_all(self, left: float | None) -> None:
        """Wait for the descriptors, without the lock; afterwards all who wait look, and one takes our place."""
        self._has_reader = True
        self._changed.release()
        try:
            self._poll.poll(None if left is None else max(1.0, left * 1000))
        finally:
            self._changed.acquire()
            self._has_reader = False
            try:
                os.eventfd_read(self._wake)
            except BlockingIOError:
                pass
            self._changed.notify_all()

    def _read(self) -> None:
        """Take in what has arrived, until nothing more has."""
        has_news = False
        while found := self._wires.news():
            has_news = True
            for message, _ in found:
                for header in self._bonds.receive(message):
                    self._wires.tell_root(header)
        if self._wires.is_gone:
            self._bonds.lose()
        if has_news or self._wires.is_gone:
            self._wake_all()

    def _wake_all(self) -> None:
        self._changed.notify_all()
        if self._has_reader:
            os.eventfd_write(self._wake, 1)

    def _close(self) -> None:
        with self._changed:
            if self.is_closed:
                return
            self.is_closed = True
            self._wake_all()
            while self._has_reader:
                self._changed.wait()
            self._wires.close(linger_ms=GOODBYE_MS)
            os.close(self._wake)

    def _check_open(self) -> None:
        if self.is_closed:
            from theater.client import ClientClosed

            raise ClientClosed("this client is closed")


class ActorLink(Tied[Ties]):
    """A link between this client and one life of an actor (erlang:link/1); ``ActorHandle.link`` makes it.

    The client traps exits: the exit signal is what ``wait`` returns. It belongs to the process that made it.
    """

    __slots__ = ()

    def wait(self, timeout: float | None = None) -> Exit:
        """Wait for the exit signal, that is, for the end of that life; at once if it has come.

        Raises:
            OperationTimeout: it has not come within ``timeout`` seconds (None: wait for ever).
            Untied: it was unlinked.
            ClientClosed: the client was closed, or this is another process.
        """
        news: Exit = self._ties.wait(self._bond, timeout)
        return news

    def unlink(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Take the link back (erlang:unlink/1); False if it was over. A signal that has come already is kept."""
        return self._ties.untie(self._bond, info_limit(timeout))


class ActorMonitor(Tied[Ties]):
    """A monitor of one life of an actor (erlang:monitor/2); each has a reference of its own."""

    __slots__ = ()

    @property
    def ref(self) -> int:
        """The reference; its Down says the same."""
        return self._bond.number

    def wait(self, timeout: float | None = None) -> Down:
        """Wait for the end of that life; at once if it has come. Raises what ``ActorLink.wait`` does."""
        news: Down = self._ties.wait(self._bond, timeout)
        return news

    def demonitor(self, *, flush: bool = False, timeout: Timeout = DEFAULT) -> bool:
        """Take the monitor back; False if it had fired (erlang:demonitor/2). ``flush`` drops a Down that has come."""
        was_there = self._ties.untie(self._bond, info_limit(timeout))
        if flush:
            self._bond.flush()
        return was_there
