"""A bell: wakes a thread that waits on a descriptor."""

from __future__ import annotations

import os
import threading


class Bell:
    """Wakes a thread that polls its descriptor."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        """Make the descriptor readable."""
        os.eventfd_write(self.fd, 1)

    def silence(self) -> None:
        """Make it unreadable again."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            pass


class PassingBell:
    """One that goes before those who ring it: ringing it then does nothing."""

    def __init__(self) -> None:
        self._bell = Bell()
        self._lock = threading.Lock()
        self._is_closed = False
        self.fd = self._bell.fd
        self.silence = self._bell.silence

    def ring(self) -> None:
        """Make the descriptor readable."""
        with self._lock:
            if not self._is_closed:
                self._bell.ring()

    def close(self) -> None:
        """Give the descriptor back."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self.fd)
