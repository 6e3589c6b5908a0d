"""How terminals were before actors changed them: noted in the store, for whoever outlives an actor to put it back.

A worker notes what it found before it changes a terminal, and puts that back at its end. If it is killed the supervisor
does so, and if that is killed, too, its next run. One actor may take a terminal from another (in a hot update the next
package takes it from the one before): each note is about the one below it, and whoever leaves from the middle leaves
what it had found to the one above.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Final

import msgspec

NAME: Final = "terminals"
"""The directory of the notes, in the store's."""
Modes = list[Any]
"""As termios has them."""


class Held(msgspec.Struct):
    """Who has changed a terminal, and how it was before."""

    owner: str
    found: Modes


class Note(msgspec.Struct):
    """Of one terminal: the first holder first. ``born_ns`` tells it from a later one with the same number."""

    device: str
    born_ns: int
    held: list[Held]


def hold(directory: str, fd: int, device: str, owner: str) -> tuple[Modes, Modes]:
    """Note how a terminal is found, before it is changed; return that, and how it was before anybody changed it.

    Without a directory, or room in it, nothing is noted. Raises termios.error.
    """
    import termios

    found = termios.tcgetattr(fd)
    path = _path(directory, fd)
    note = _read(path, fd) or Note(device, _born_ns(fd), [])
    note.held = [each for each in note.held if each.owner != owner] + [Held(owner, found)]
    _write(path, note)
    return found, note.held[0].found


def release(directory: str, fd: int, owner: str, found: Modes) -> None:
    """Put a terminal back as its holder has found it, unless another has taken it since: that one is left with it.

    Raises termios.error.
    """
    path = _path(directory, fd)
    note = _read(path, fd)
    places = [] if note is None else [at for at, each in enumerate(note.held) if each.owner == owner]
    if note is None or not places:
        _set(fd, found)
        return
    found = note.held.pop(places[0]).found
    if places[0] == len(note.held):
        _set(fd, found)
    else:
        note.held[places[0]].found = found
    _write(path, note)


def restore(directory: str, owner: str | None = None) -> list[str]:
    """Put back what a holder that was killed (None: any) has left changed; the devices where that was done."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    done = []
    for name in names:
        path = os.path.join(directory, name)
        note = _decoded(path)
        owners = [] if note is None else [each.owner for each in note.held if owner in (None, each.owner)]
        if note is None:
            _write(path, None)
        elif owners and _put_back(directory, path, note, owners):
            done.append(note.device)
    return done


def _put_back(directory: str, path: str, note: Note, owners: list[str]) -> bool:
    import termios

    try:
        fd = os.open(note.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        _write(path, None)  # it is gone
        return False
    try:
        if not os.isatty(fd) or path != _path(directory, fd) or _read(path, fd) is None:
            _write(path, None)  # another one has its name
            return False
        for owner in reversed(owners):
            release(directory, fd, owner, [])
        return True
    except (OSError, termios.error):
        _write(path, None)
        return False
    finally:
        os.close(fd)


def _set(fd: int, modes: Modes) -> None:
    """Also from the background, where a terminal stops whoever changes it and does not block the signal for that."""
    import termios

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        termios.tcsetattr(fd, termios.TCSANOW, modes)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- the notes ---------------------------------------------------------------------------------------------------------


def _path(directory: str, fd: int) -> str:
    device = os.fstat(fd).st_rdev
    return os.path.join(directory, f"{os.major(device)}-{os.minor(device)}") if directory else ""


def _born_ns(fd: int) -> int:
    """Using a terminal leaves this time alone."""
    return os.fstat(fd).st_ctime_ns


def _read(path: str, fd: int) -> Note | None:
    """The note on this very terminal."""
    note = _decoded(path) if path else None
    return note if note is not None and note.born_ns == _born_ns(fd) and note.held else None


def _decoded(path: str) -> Note | None:
    try:
        with open(path, "rb") as file:
            return msgspec.msgpack.decode(file.read(), type=Note)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: str, note: Note | None) -> None:
    """Replace the note, or remove it if nobody holds the terminal. Never an error: a full disk is none of it."""
    if not path:
        return
    try:
        if note is None or not note.held:
            os.unlink(path)
            return
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        aside = f"{path}.{os.getpid()}"
        with open(aside, "wb") as file:
            file.write(msgspec.msgpack.encode(note))
        os.replace(aside, path)
    except OSError:
        pass
