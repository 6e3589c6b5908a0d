"""A terminal that is opened by its path: its modes, its size, and bytes in and out without waiting."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
from typing import Any, Final

from theater import terminals

CC: Final = 6
"""Where a terminal's attributes have its special characters."""
INTERRUPT: Final = b"\x03"
TERMINATE: Final = b"\x1c"


class Tty:
    """An open terminal. Raises OSError or termios.error."""

    def __init__(self, path: str, notes: str = "", owner: str = "") -> None:
        """``notes``: where it is noted how the terminal was found (theater.terminals), and for whom."""
        # A terminal stops background processes that use it: a worker must rather be told.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTTIN, signal.SIGTTOU):
                signal.signal(number, signal.SIG_IGN)
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.is_raw = False
        self._is_input = False
        self._path, self._notes, self._owner = path, notes, owner
        self._lock = threading.Lock()
        """Guards the modes: the process may end while the guest changes them."""
        self._is_over = False
        self._found: list[Any] | None = None
        """Its modes as they were found, once they were changed."""
        self._original: list[Any]
        """As they were before anybody changed them."""
        if not os.isatty(self.fd):
            os.close(self.fd)
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    def give_back(self) -> None:
        """Leave it as it was found; nothing changes it any more. Any thread."""
        import termios

        with self._lock:
            found, self._found, self._is_over = self._found, None, True
            if found is not None:
                try:
                    terminals.release(self._notes, self.fd, self._owner, found)
                except (OSError, termios.error):
                    pass  # hung up: there is nothing to leave

    def close(self) -> None:
        """Leave it as it was found."""
        self.give_back()
        os.close(self.fd)

    @property
    def has_hung_up(self) -> bool:
        """There is nobody at the other end any more."""
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poller.poll(0))

    def set_mode(self, *, is_raw: bool | None = None, is_input: bool = False) -> None:
        """Change how keys come in: raw or as lines, and whether they come in at all, which is for good."""
        import termios

        with self._lock:
            if self._is_over:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if self._found is None:
                self._found, self._original = terminals.hold(self._notes, self.fd, self._path, self._owner)
            raw = self.is_raw if is_raw is None else is_raw
            listens = self._is_input or is_input
            termios.tcsetattr(self.fd, termios.TCSANOW, self._attributes(raw, listens))
            self.is_raw, self._is_input = raw, listens

    def _attributes(self, is_raw: bool, is_input: bool) -> list[Any]:
        import termios as t

        found = [*self._original[:CC], list(self._original[CC])]
        if is_raw:
            found[0] &= ~(t.BRKINT | t.ICRNL | t.INPCK | t.ISTRIP | t.IXON)
            found[1] &= ~t.OPOST
            found[2] = found[2] & ~(t.CSIZE | t.PARENB) | t.CS8
            found[3] &= ~(t.ECHO | t.ICANON | t.IEXTEN | t.ISIG)
            found[CC][t.VMIN], found[CC][t.VTIME] = 1, 0
        elif is_input:
            # Ctrl-C would signal the foreground's processes: it is to come in, and not to wait for the line's end.
            found[3] = found[3] & ~t.ISIG | t.ICANON
            found[CC][t.VEOL], found[CC][t.VEOL2] = INTERRUPT, TERMINATE
        return found

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        found = os.get_terminal_size(self.fd)
        return found.columns, found.lines

    def write(self, data: bytes) -> int:
        """How much was taken; 0 if it takes nothing now."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0

    def read(self, most: int) -> bytes:
        """What was typed. Raises BlockingIOError if nothing was."""
        return os.read(self.fd, most)
