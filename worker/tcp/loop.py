"""The thread that watches an actor's sockets while its guest does other things. The first that needs it starts it."""

from __future__ import annotations

import selectors
import socket
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import Final

from worker.bell import PassingBell
from worker.tcp.waiting import READ, WRITE

JOIN_S: Final = 2.0


class Loop:
    """Calls back when a descriptor is ready. Everything it calls runs in its thread and must not wait."""

    def __init__(self) -> None:
        self._bell = PassingBell()
        self._calls: deque[Callable[[], None]] = deque()
        self._selector: selectors.BaseSelector | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._is_over = False

    def call(self, what: Callable[[], None]) -> None:
        """Have something done in the thread. Any thread; nothing happens after ``close``."""
        with self._lock:
            if self._is_over:
                return
            self._calls.append(what)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tcp", daemon=True)
                self._thread.start()
        self._bell.ring()

    @property
    def is_running(self) -> bool:
        """There is a thread."""
        return self._thread is not None and not self._is_over

    def watch(self, sock: socket.socket, events: int, ready: Callable[[], None]) -> None:
        """Call ``ready`` whenever one of these events is there, until ``forget``. Only in the thread.

        Descriptors are watched, not objects: an upgrade to TLS puts another object around the same one.
        """
        assert self._selector is not None
        wanted = (selectors.EVENT_READ if events & READ else 0) | (selectors.EVENT_WRITE if events & WRITE else 0)
        fd = sock.fileno()
        if fd in self._selector.get_map():
            try:
                self._selector.modify(fd, wanted, ready)
                return
            except FileNotFoundError:  # that one was closed by somebody else, and this is another
                self._selector.unregister(fd)
        self._selector.register(fd, wanted, ready)

    def forget(self, sock: socket.socket) -> None:
        """Watch it no longer: before it is closed. Only in the thread."""
        assert self._selector is not None
        fd = sock.fileno()
        if fd >= 0 and fd in self._selector.get_map():
            self._selector.unregister(fd)

    def close(self) -> None:
        """End the thread; what it was still to do is done first."""
        with self._lock:
            self._is_over = True
        self._bell.ring()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)
        self._bell.close()

    def _run(self) -> None:
        self._selector = selector = selectors.DefaultSelector()
        selector.register(self._bell.fd, selectors.EVENT_READ, None)
        with selector:
            while not self._is_over or self._calls:
                for key, _ in selector.select(0 if self._calls else None):
                    if key.data is None:
                        self._bell.silence()
                    elif not self._do(key.data) and key.fd in selector.get_map():
                        selector.unregister(key.fd)  # else it would be ready for ever
                while self._calls:
                    self._do(self._calls.popleft())

    def _do(self, what: Callable[[], None]) -> bool:
        """A fault of one connection is not the end of all others. False: there was one."""
        try:
            what()
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return False
        return True
