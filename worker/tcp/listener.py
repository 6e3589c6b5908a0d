"""One listener of a guest. What comes is announced by ``handle-connection``, until the guest takes one by ``accept``.

Whoever accepts by itself goes on doing so: from the first ``accept`` on, and if there is no ``handle-connection`` to
call, nothing is announced any more. Connections that were on their way to ``handle-connection`` are accepted first.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from theater.values import String
from worker.interfaces.registry import Refusal
from worker.machine_notices import Rejected, Returned
from worker.tcp.connection import CLIENT, Connection
from worker.tcp.waiting import READ, NotNow

if TYPE_CHECKING:
    from worker.interfaces.context import Context
    from worker.tcp.loop import Loop

BACKLOG: Final = 128
"""Connections the kernel keeps until we accept them."""
AHEAD_MAX: Final = 16
"""Connections accepted whose announcement the guest has not heard yet; the others wait in the kernel."""
PAUSE_NS: Final = 100_000_000
"""Until the next attempt, when the machine has no descriptors or no memory to accept with."""
RELEASE_S: Final = 1.0
"""The loop never waits, so it lets go at once."""
HANDLE_CONNECTION: Final = f"{CLIENT}.handle-connection"

Admit = Callable[[socket.socket, Any], Connection | None]
"""Makes a pending connection of what was accepted; None if there is no room for it."""


class Listener:
    """A listening socket."""

    def __init__(
        self, context: Context, loop: Loop, sock: socket.socket, admit: Admit, has_room: Callable[[], bool]
    ) -> None:
        self.id = secrets.token_hex(16)
        self.sock = sock
        self._context = context
        self._loop = loop
        self._admit = admit
        self._has_room = has_room
        self._lock = threading.Lock()
        self._is_manual = False
        self._is_closed = False
        self._is_suspended = False
        """Another package may listen there."""
        self._waiting: deque[Connection] = deque()
        """Accepted, and the guest does not know of them yet."""
        loop.call(self.announce)

    # -- the guest's thread --------------------------------------------------------------------------------------------

    def accept(self) -> Connection:
        """The next connection. Raises NotNow, OSError."""
        with self._lock:
            self._is_manual = True
            if self._waiting:
                return self._waiting.popleft()
            connection = self._next() if self._has_room() else None
        if connection is None:
            raise Refusal("no room for another connection (tcp: max_connections)")
        return connection

    def close(self) -> None:
        """Take no more; those the guest does not know of are closed."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            waiting, self._waiting = self._waiting, deque()
        for connection in waiting:
            connection.close()
        if self._loop.is_running:
            self._loop.call(self._release)
        else:
            self.sock.close()

    # -- the post thread: the guest does nothing meanwhile -------------------------------------------------------------

    def suspend(self) -> None:
        """Let go of the address, for another process to listen there; the connections that are there stay."""
        released = threading.Event()

        def release() -> None:
            self._release()
            released.set()

        with self._lock:
            if self._is_closed or self._is_suspended:
                return
            self._is_suspended = True
        self._loop.call(release)
        released.wait(RELEASE_S)

    def resume(self, listening: Callable[[], socket.socket]) -> None:
        """Listen again. OSError if that is not possible any more."""
        with self._lock:
            if self._is_closed or not self._is_suspended:
                return
            self.sock = listening()
            self._is_suspended = False
        self._loop.call(self.announce)

    def _begins(self, connection: Connection) -> bool:
        with self._lock:
            if self._is_manual or connection not in self._waiting:
                return False
            self._waiting.remove(connection)
        self._loop.call(self.announce)
        return True

    def _announced(self, connection: Connection, notice: Any) -> None:
        """The guest knows of it now, unless it has failed to listen."""
        if type(notice) is Rejected:
            with self._lock:
                self._is_manual = True
                if not self._is_closed:
                    self._waiting.appendleft(connection)
                    return
        if type(notice) is not Returned:
            connection.close()

    # -- the loop's thread ---------------------------------------------------------------------------------------------

    def announce(self) -> None:
        """Accept what is there and tell the guest, as long as there is room. Called again when there may be more."""
        try:
            while (connection := self._ahead()) is not None:
                self._tell(connection)
            self._loop.forget(self.sock)
        except NotNow:
            self._loop.watch(self.sock, READ, self.announce)
        except OSError:
            self._loop.forget(self.sock)
            self._context.at(time.monotonic_ns() + PAUSE_NS, lambda: self._loop.call(self.announce))

    def _ahead(self) -> Connection | None:
        """Accept one before the guest knows of it; None: none for now. One step: ``accept`` must not come between."""
        with self._lock:
            if self._is_closed or self._is_suspended or self._is_manual:
                return None
            if len(self._waiting) >= AHEAD_MAX or not self._has_room():
                return None
            connection = self._next()
            if connection is not None:
                self._waiting.append(connection)
            return connection

    def _tell(self, connection: Connection) -> None:
        self._context.deliver(
            HANDLE_CONNECTION,
            String(connection.id),
            wanted=lambda: self._begins(connection),
            then=lambda notice: self._announced(connection, notice),
        )

    def _next(self) -> Connection | None:
        try:
            sock, address = self.sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            raise NotNow(READ) from None
        return self._admit(sock, address)

    def _release(self) -> None:
        self._loop.forget(self.sock)
        self.sock.close()
