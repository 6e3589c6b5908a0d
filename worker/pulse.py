"""The beat of the post thread: every 10 ms while there is something to look after, never while there is not.

A timerfd, so that the guest thread can start the beat with one cheap system call and without waking anybody: the
first tick comes 10 ms later. (Python 3.13 has os.timerfd_create; this goes through libc on every version.)
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

from worker.engine.clock import TICK_MS

CLOCK_MONOTONIC: Final = 1
TFD_NONBLOCK: Final = 0o4000
TFD_CLOEXEC: Final = 0o2000000
TICK_NS: Final = TICK_MS * 1_000_000
IDLE_TICKS: Final = 5
"""Ticks without work before the beat stops; calls that follow each other faster do not pay for starting it."""

_libc = ctypes.PyDLL(None, use_errno=True)
_settime = _libc.timerfd_settime
_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Pulse:
    """Started by the guest thread, stopped by the post thread."""

    def __init__(self) -> None:
        self.fd = int(_libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC))
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.beating = False
        self._idle = 0
        self._on = (ctypes.c_long * 4)(0, TICK_NS, 0, TICK_NS)
        self._off = (ctypes.c_long * 4)(0, 0, 0, 0)
        self._on_at, self._off_at = ctypes.addressof(self._on), ctypes.addressof(self._off)

    def start(self) -> None:
        """Begin to beat. Call it after the work is there to be seen (any thread)."""
        self.beating = True
        _settime(self.fd, 0, self._on_at, None)

    def tick(self) -> bool:
        """Take a due tick; False if none is due. Post thread."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return False
        return True

    def rest(self, has_work: bool) -> bool:
        """Count an idle tick; after enough of them stop, and say so: then look for work once more and maybe start."""
        self._idle = 0 if has_work else self._idle + 1
        if self._idle < IDLE_TICKS:
            return False
        self._idle = 0
        self.beating = False
        _settime(self.fd, 0, self._off_at, None)
        return True
