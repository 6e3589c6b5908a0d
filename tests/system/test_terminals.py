"""A terminal that an actor has changed is as it was when the actor is no more, whatever has ended it."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import boolean, ok, u32
from tests.homes import new_home
from tests.system.running import RunningTree, is_running, until
from theater.errors import ActorError, UpdatePackageError
from worker.recovered import HANDLE_RECOVERED

API = "test:raw/api"
PLAIN = "(state: u32) -> result<tuple<u32>, string>"
TOLD = "(state: u32, how: string) -> result<tuple<u32>, string>"
SET_RAW = wat.Import("theater:simple/terminal.set-raw-mode", "(enabled: bool) -> result<_, string>")
RAW = wat.calls(SET_RAW, boolean(True))
TREE = """
version: 1
name: terminals
intensity: 1000
children:
  - {{id: it, actor: it.wasm, grants: {{terminal: {{device: {device}}}}}, recover: last, restart: {restart},
      on_application_error: crash}}
"""


def guest(name: str, told: wat.Behaviour) -> bytes:
    """An actor that has raw mode from its beginning."""
    return wat.build(
        functions=[
            wat.starts(u32(0), RAW),
            wat.Function(f"{API}.{name}", PLAIN, wat.returns(ok(u32(1)))),
            wat.Function(f"{API}.trap", PLAIN, wat.traps()),
            wat.Function(f"{API}.decline", PLAIN, wat.declines("no")),
            wat.Function(f"{API}.spin", PLAIN, wat.spins()),
            wat.Function(HANDLE_RECOVERED, TOLD, [RAW, told]),
        ],
        imports=[SET_RAW],
    )


class Screen:
    """A terminal, and a tree with an actor at it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.master, self.slave = os.openpty()
        self.original = termios.tcgetattr(self.slave)
        again = wat.returns(ok(u32(1)))
        (self.home / "it.wasm").write_bytes(guest("first", again))
        (self.home / "second.wasm").write_bytes(guest("second", again))
        (self.home / "failing.wasm").write_bytes(guest("third", wat.declines("not now")))
        self._tree: RunningTree | None = None

    def tree(self, restart: str = "permanent") -> RunningTree:
        tree = TREE.format(device=os.ttyname(self.slave), restart=restart)
        self._tree = RunningTree(self.home, tree)
        assert self.is_raw
        return self._tree

    @property
    def is_raw(self) -> bool:
        return not self.modes[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    @property
    def modes(self) -> Any:
        return termios.tcgetattr(self.slave)

    def await_as_it_was(self) -> None:
        until(lambda: self.modes == self.original, "the terminal to be as it was")

    def close(self) -> None:
        if self._tree is not None:
            self._tree.clean_up()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def screen() -> Iterator[Screen]:
    with new_home() as home:
        made = Screen(home)
        yield made
        made.close()


@pytest.mark.parametrize("end", ["trap", "decline", "terminate", "kill", "stop", "terminate in a call"])
def test_whatever_ends_the_actor(screen: Screen, end: str) -> None:
    """What the worker lives through it sees to itself; a SIGKILL the supervisor."""
    tree = screen.tree("temporary")
    it = tree.actor("/it")
    if end in ("trap", "decline"):
        with pytest.raises(ActorError):
            it.call(end)
    elif end == "kill":
        os.kill(tree.pid("/it"), signal.SIGKILL)
    elif end == "stop":
        it.shutdown()
    else:
        if end != "terminate":
            it.send("spin")
            until(lambda: tree.status("/it").operation, "the call to begin")
        it.terminate()

    screen.await_as_it_was()


@pytest.mark.parametrize("end", ["trap", "kill"])
def test_the_next_life_finds_it_as_it_was(screen: Screen, end: str) -> None:
    """And leaves it so, though it had set raw mode again."""
    tree = screen.tree()
    if end == "trap":
        with suppress(ActorError):
            tree.actor("/it").call("trap")
    else:
        os.kill(tree.pid("/it"), signal.SIGKILL)
    tree.wait_incarnation("/it", 2)
    assert screen.is_raw
    tree.stop()

    assert screen.modes == screen.original


def test_the_supervisor_is_killed(screen: Screen) -> None:
    """Its next run puts it back before anything else: here one whose actor has no terminal any more."""
    tree = screen.tree()
    left = tree.workers()
    tree.drop_client()
    tree.process.kill()
    tree.process.wait()
    until(lambda: not any(is_running(pid) for pid in left), "the workers to follow their supervisor")
    tree.tree_file.write_text(tree.tree_file.read_text().replace("{device: ", "{x-device: "))
    tree.start()
    tree.wait_up()

    assert screen.modes == screen.original
    assert list((tree.store_dir / "terminals").iterdir()) == []


def test_an_update(screen: Screen) -> None:
    """The next package keeps its raw mode when the process before it ends, and leaves the terminal as it once was."""
    tree = screen.tree()
    old = tree.pid("/it")
    tree.actor("/it").update_package(tree.home / "second.wasm")
    until(lambda: not is_running(old), "the old worker to end")
    assert screen.is_raw
    tree.stop()

    assert screen.modes == screen.original


def test_an_update_that_fails(screen: Screen) -> None:
    """The old package still has raw mode."""
    tree = screen.tree()
    with pytest.raises(UpdatePackageError, match="not now"):
        tree.actor("/it").update_package(tree.home / "failing.wasm")
    tree.actor("/it").call("first")
    assert screen.is_raw
    tree.stop()

    assert screen.modes == screen.original
