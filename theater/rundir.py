"""Where running supervisors are found: one directory for each run, below a base directory of the user.

A run directory holds ``supervisor.json``, the sockets, and ``lock``, on which the supervisor holds an exclusive flock
for as long as it lives; the kernel releases it however the process ends, so a run is alive if and only if its lock is
held. Only directories that are ours and closed to others (0700) are trusted: whoever can write there can be our
supervisor.
"""

from __future__ import annotations

import fcntl
import os
import stat
from typing import TYPE_CHECKING

import msgspec

from theater.errors import TheaterError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "THEATER_RUN_DIR"
INFO_NAME = "supervisor.json"
LOCK_NAME = "lock"
GATE_NAME = "gate"
INFO_BYTES_MAX = 64 * 1024
RUNS_MAX = 10_000
"""Entries of the base directory looked at."""


class RunDirError(TheaterError):
    """Something about a run directory; the text says what, where and what was expected."""


class NotRunning(RunDirError):
    """No supervisor, or no single one, could be found. ``candidates`` are the directories of those that run."""

    def __init__(self, text: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.candidates = candidates


class NotTrusted(RunDirError):
    """The run directory belongs to somebody else, or others may enter it."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One running supervisor, as its ``supervisor.json`` describes it."""

    path: str = ""
    """The run directory."""
    pid: int = 0
    name: str = ""
    tree: str = ""
    """Path of the tree file."""
    store: str = ""
    """Directory of the event store."""
    started_ns: int = 0
    version: str = ""
    protocol: int = 0

    @property
    def gate(self) -> str:
        """Address of the socket that serves clients."""
        return f"ipc://{os.path.join(self.path, GATE_NAME)}"


def runs_base() -> str:
    """Return where this user's run directories are: ``$XDG_RUNTIME_DIR/theater`` or ``/tmp/theater-UID``."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return os.path.join(runtime, "theater") if runtime else f"/tmp/theater-{os.getuid()}"


def is_alive(path: str | Path) -> bool:
    """Say whether a supervisor holds the lock of this run directory.

    The question takes a shared lock for an instant; a supervisor that starts at that very moment tries again.
    """
    try:
        fd = os.open(os.path.join(path, LOCK_NAME), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def running() -> tuple[Run, ...]:
    """Return the supervisors of this user that are alive, by name. Directories that cannot be trusted are left out."""
    base = runs_base()
    try:
        names = sorted(os.listdir(base))[:RUNS_MAX]
    except OSError:
        return ()
    return tuple(run for name in names if (run := _read_if_alive(os.path.join(base, name))) is not None)


def find(run_dir: str | Path | None = None) -> Run:
    """Return the supervisor meant: the directory given, else ``$THEATER_RUN_DIR``, else the only one running.

    ``run_dir`` is a path, or the bare name of a directory below the base directory.

    Raises:
        NotRunning: there is none, or there are several and none was named.
        NotTrusted: the directory is not ours, or is open to others.
    """
    wanted = str(run_dir) if run_dir else os.environ.get(ENVIRONMENT, "")
    if wanted:
        return load(_place(wanted))
    runs = running()
    if not runs:
        raise NotRunning(f"no supervisor is running (looked in {runs_base()}); start one with: theater start TREE")
    if len(runs) > 1:
        listed = "".join(f"\n  {run.path}  {run.name}, pid {run.pid}" for run in runs)
        text = f"{len(runs)} supervisors are running; choose one with --run-dir or ${ENVIRONMENT}:{listed}"
        raise NotRunning(text, tuple(run.path for run in runs))
    return runs[0]


def load(path: str) -> Run:
    """Return the supervisor of one run directory.

    Raises:
        NotRunning: nobody runs there, or it has not come so far as to say who it is.
        NotTrusted: the directory is not ours, or is open to others.
    """
    _check_trust(path)
    if not is_alive(path):
        raise NotRunning(f"no supervisor is running in {path}")
    try:
        run = _read_info(path)
    except FileNotFoundError:
        raise NotRunning(f"the supervisor in {path} is still starting") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise NotRunning(f"{os.path.join(path, INFO_NAME)} cannot be read: {error}") from None
    return run


def _place(wanted: str) -> str:
    if os.sep not in wanted and not os.path.isdir(wanted):
        return os.path.join(runs_base(), wanted)
    return os.path.abspath(wanted)


def _check_trust(path: str) -> None:
    try:
        entry = os.lstat(path)
    except OSError as error:
        raise NotRunning(f"no supervisor is running in {path}: {error.strerror}") from None
    if not stat.S_ISDIR(entry.st_mode):
        raise NotRunning(f"expected a run directory, but {path} is not a directory")
    if entry.st_uid != os.getuid():
        raise NotTrusted(f"{path} belongs to user {entry.st_uid}, expected ours ({os.getuid()})")
    if stat.S_IMODE(entry.st_mode) & 0o077:
        raise NotTrusted(f"{path} is open to others (mode {stat.S_IMODE(entry.st_mode):04o}), expected 0700")


def _read_if_alive(path: str) -> Run | None:
    try:
        return load(path)
    except RunDirError:
        return None


def _read_info(path: str) -> Run:
    with open(os.path.join(path, INFO_NAME), "rb") as file:
        data = file.read(INFO_BYTES_MAX)
    return msgspec.structs.replace(msgspec.json.decode(data, type=Run), path=path)
