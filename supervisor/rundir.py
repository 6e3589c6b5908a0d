"""The run directory: private, locked by one root, gone when it ends.

One supervisor per run directory by ``flock`` (a second bind on a live ZeroMQ path would steal it silently). Leftovers
of a root that was killed are removed by the next one that takes the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import time
from typing import Any

from theater.rundir import runs_base

LOCK = "lock"
ABOUT = "supervisor.json"
SOCKET_PATH_BYTES_MAX = 107
"""What the kernel allows (unix(7))."""
SOCKET_NAME_CHARS = 16
"""The longest names are those of the workers' sockets, ``w/`` and so many characters."""
LOCK_TRIES = 5
LOCK_PAUSE_S = 0.02


class RunDirError(Exception):
    """The run directory cannot be used; the text says why and what to do."""


class RunDir:
    """The directory of one running root, locked until ``close``."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        _check_length(self.path)
        self._lock = _take_lock(self.path)
        self._clear()
        os.mkdir(os.path.join(self.path, "w"), 0o700)

    def announce(self, about: dict[str, Any]) -> None:
        """Write who is running here, for clients to find."""
        path = os.path.join(self.path, ABOUT)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(about, file)
        os.replace(path + ".new", path)

    def close(self) -> None:
        """Remove the directory and let go of the lock."""
        self._clear()
        try:
            os.unlink(os.path.join(self.path, LOCK))
            os.rmdir(self.path)
        except OSError:
            pass  # somebody put a file of theirs into it; it stays
        os.close(self._lock)

    def _clear(self) -> None:
        for name in ("control", "gate", "stream", "listen", ABOUT, ABOUT + ".new", "zygote.log"):
            try:
                os.unlink(os.path.join(self.path, name))
            except FileNotFoundError:
                pass
        shutil.rmtree(os.path.join(self.path, "w"), ignore_errors=True)


def default_run_dir(name: str, tree: str) -> str:
    """Where a tree runs unless told otherwise: one directory per tree file."""
    digest = hashlib.sha256(os.path.realpath(tree).encode()).hexdigest()[:8]
    return os.path.join(str(runs_base()), f"{name[:40]}-{digest}")


def _check_length(path: str) -> None:
    size = len(os.fsencode(os.path.join(path, "w", "0" * SOCKET_NAME_CHARS)))
    if size > SOCKET_PATH_BYTES_MAX:
        over = size - SOCKET_PATH_BYTES_MAX
        raise RunDirError(f"{path}: {over} bytes too long for the sockets in it; choose a shorter --run-dir")


def _take_lock(path: str) -> int:
    """Lock the directory and return the lock's descriptor.

    A client that asks whether we live holds the lock for an instant, and a root that ends removes its lock file: both
    are over in a moment, so only a lock that stays taken is somebody else's.
    """
    for attempt in range(LOCK_TRIES):
        if attempt:
            time.sleep(LOCK_PAUSE_S)
        _make_private(path)
        name = os.path.join(path, LOCK)
        try:
            fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the directory was removed under us
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(name)):
                return fd
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(fd)
    raise RunDirError(f"{path}: another supervisor is running here{_who(path)}; stop it, or use another --run-dir")


def _who(path: str) -> str:
    """Which tree it runs, and its pid, as far as it has said so."""
    try:
        with open(os.path.join(path, ABOUT), "rb") as file:
            about = json.loads(file.read())
        return f" ({about['name']}, pid {about['pid']}, tree {about['tree']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _make_private(path: str) -> None:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        status = os.stat(path)
    except OSError as error:
        raise RunDirError(f"{path}: cannot be made: {error.strerror}") from None
    if status.st_uid != os.getuid():
        raise RunDirError(f"{path}: expected a directory of user {os.getuid()}, it belongs to {status.st_uid}")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise RunDirError(f"{path}: expected mode 0700, it is {stat.S_IMODE(status.st_mode):04o}; chmod 700 it")
