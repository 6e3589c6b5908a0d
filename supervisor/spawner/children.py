"""Processes of our own, by pidfd: open, signal, reap. A pid is never used after its process was reaped."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

import msgspec

PR_SET_CHILD_SUBREAPER: Final = 36


class ExitStatus(msgspec.Struct, frozen=True):
    """How a process ended: by exit code or by signal, the other being None."""

    exit_code: int | None = None
    signal: int | None = None


def reap(pidfd: int) -> ExitStatus | None:
    """Take the exit status of a child that has ended; None if it still runs.

    Raises:
        ChildProcessError: the process is not our child (or was reaped already).
    """
    result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return ExitStatus(exit_code=result.si_status)
    return ExitStatus(signal=result.si_status)


def send_signal(pidfd: int, number: signal.Signals) -> None:
    """Signal a process; nothing happens if it has ended already."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        pass


def become_subreaper() -> None:
    """Make orphaned descendants our children (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap_strangers(ours: set[int]) -> None:
    """Reap ended children nobody here started, as PID 1 and a subreaper must."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in ours:
            return
        os.waitpid(ended.si_pid, 0)
