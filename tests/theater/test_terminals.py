"""Terminals are put back as they were found, by whoever is left to do it."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from theater import terminals

LFLAG = 3


class Pair:
    """A terminal, and where notes on it go."""

    def __init__(self, directory: Path) -> None:
        self.master, self.fd = os.openpty()
        self.device = os.ttyname(self.fd)
        self.directory = str(directory / "terminals")
        self.original = self.modes()

    def modes(self) -> Any:
        return termios.tcgetattr(self.fd)

    def change(self, owner: str, flag: int = termios.ECHO) -> Any:
        """Hold it, and take a flag away; return how it was found."""
        found, base = terminals.hold(self.directory, self.fd, self.device, owner)
        assert base == self.original
        changed = self.modes()
        changed[LFLAG] &= ~flag
        termios.tcsetattr(self.fd, termios.TCSANOW, changed)
        return found

    def notes(self) -> list[str]:
        return os.listdir(self.directory)

    def close(self) -> None:
        for fd in (self.master, self.fd):
            if fd >= 0:
                os.close(fd)
        self.master = self.fd = -1


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


def test_release(pair: Pair) -> None:
    """By the holder itself; no note is left."""
    found = pair.change("a")
    assert pair.modes() != pair.original
    terminals.release(pair.directory, pair.fd, "a", found)

    assert (pair.modes(), pair.notes()) == (pair.original, [])


@pytest.mark.parametrize("owner", ["a", None])
def test_restore(pair: Pair, owner: str | None) -> None:
    """By somebody else, who knows the holder, or that all of them are gone; use of it in between is no matter."""
    pair.change("a")
    os.write(pair.fd, b"text\n")
    os.read(pair.master, 10)

    assert terminals.restore(pair.directory, "b") == []
    assert pair.modes() != pair.original
    assert terminals.restore(pair.directory, owner) == [pair.device]
    assert (pair.modes(), pair.notes()) == (pair.original, [])
    assert terminals.restore(pair.directory, owner) == []


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_one_that_was_taken_from_another(pair: Pair, order: tuple[str, str]) -> None:
    """The last to leave puts it back; one that leaves first leaves it to the other as that had it."""
    held = {"a": pair.change("a")}
    with_a = pair.modes()
    held["b"] = pair.change("b", termios.ICANON)
    with_both = pair.modes()
    first, last = order
    terminals.release(pair.directory, pair.fd, first, held[first])
    assert pair.modes() == (with_both if first == "a" else with_a)
    terminals.release(pair.directory, pair.fd, last, held[last])

    assert (pair.modes(), pair.notes()) == (pair.original, [])


def test_all_that_were_left(pair: Pair) -> None:
    """Of a run that was killed."""
    pair.change("a")
    pair.change("b", termios.ICANON)

    assert terminals.restore(pair.directory) == [pair.device]
    assert (pair.modes(), pair.notes()) == (pair.original, [])


def test_another_terminal_of_its_name(pair: Pair) -> None:
    """Is left alone: the number of a terminal is given again."""
    pair.change("a")
    os.chmod(pair.device, 0o600)
    os.chmod(pair.device, 0o620)  # stands for a new one: the time of its making is another
    changed = pair.modes()

    assert terminals.restore(pair.directory) == []
    assert (pair.modes(), pair.notes()) == (changed, [])


def test_one_that_is_gone(pair: Pair) -> None:
    """There is nothing to put back."""
    pair.change("a")
    pair.close()

    assert terminals.restore(pair.directory) == []
    assert pair.notes() == []


def test_without_a_place_for_notes(pair: Pair) -> None:
    """The holder knows how it was."""
    pair.directory = ""
    found = pair.change("a")
    terminals.release(pair.directory, pair.fd, "a", found)

    assert pair.modes() == pair.original


def test_notes_that_are_none(pair: Pair) -> None:
    """Are removed."""
    os.mkdir(pair.directory)
    (Path(pair.directory) / "1-2").write_bytes(b"nothing")

    assert terminals.restore(pair.directory) == []
    assert pair.notes() == []
