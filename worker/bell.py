"""A bell: wakes a thread that waits on a descriptor."""

from __future__ import annotations

import os


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
