"""The gate's links and monitors: whom it follows, for how long, and which word counts when a process has ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from proto import control
from proto.limits import HEADER_BYTES_MAX
from supervisor import sockets
from supervisor.fleet.bonds import Bonds
from supervisor.gate import bonds as module
from supervisor.gate.bonds import ClientBonds
from theater.cause import Cause


class Loop:
    """Descriptors that are followed, and what is to be done later."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], None]] = {}
        self.later: list[Callable[[], None]] = []

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int) -> None:
        self.readers.pop(fd, None)

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> None:
        self.later.append(callback)


class Scene:
    """Clients of one actor, ``/a``; whom signals have ended is in ``ended``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[tuple[bytes, Any]] = []
        self.ended: list[tuple[str, str]] = []
        self.loop = Loop()
        monkeypatch.setattr(module, "peer_of", lambda frame: (4711, os.pidfd_open(os.getpid())))
        self.actor: Any = SimpleNamespace(id="id", path="/a", cause=None)
        self.life: Any = SimpleNamespace(actor=self.actor, number=1, family=1, is_alive=True)
        self.actor.life = self.life
        deaths: Any = SimpleNamespace(on_end=[], end_by_signal=lambda life, reason, by: self.ended.append((by, reason)))
        by_path = {"/a": self.actor}
        register = SimpleNamespace(find=by_path.get, by_path=by_path)
        log = SimpleNamespace(warning=lambda *_, **fields: None)
        services: Any = SimpleNamespace(loop=self.loop, register=register, log=log)
        self.deaths = deaths
        clients: Any = SimpleNamespace(
            outcome=lambda client, asked, value: self.said.append((client, value)),
            refuse=lambda client, asked, kind, why: self.said.append((client, why)),
            tell=lambda client, header: self.said.append((client, control.TO_CLIENT.decode(header))),
        )
        self.bonds = ClientBonds(services, clients, Bonds(services, deaths))

    def tie(self, order: Any, client: bytes = b"c") -> Any:
        """Make a bond; returns what was said at once."""
        before = len(self.said)
        self.bonds.serve(client, order, None)
        return [message for _, message in self.said[before:]]

    def tell(self, order: Any, client: bytes = b"c") -> None:
        self.bonds.table[type(order)](client, order)

    def end_actor(self, cause: Cause) -> None:
        self.actor.cause = self.life.cause = cause
        self.life.is_alive = False
        for hook in self.deaths.on_end:
            hook(self.life)

    def end_process(self) -> None:
        """The process of the one client has ended."""
        (callback,) = self.loop.readers.values()
        callback()

    def time_passes(self) -> None:
        for callback in self.loop.later:
            callback()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    scene = Scene(monkeypatch)
    yield scene
    scene.bonds.close()


def test_who_has_no_bond_is_not_followed(scene: Scene) -> None:
    """From the first bond to the last: fired, taken back, or never there."""
    assert scene.loop.readers == {}
    (link,) = scene.tie(control.Link(1, "/a"))
    (monitor,) = scene.tie(control.Monitor(2, "/a"))
    assert len(scene.loop.readers) == 1

    scene.tell(control.Unlink(3, link["link"]))
    assert len(scene.loop.readers) == 1
    scene.tell(control.Demonitor(4, monitor["ref"]))
    assert scene.loop.readers == {}

    scene.tie(control.Link(5, "/nobody"))
    assert scene.loop.readers == {}

    scene.tie(control.Link(6, "/a"))
    scene.end_actor(Cause(kind="killed"))
    assert scene.loop.readers == {}


def test_all_bonds_of_one_end_are_told(scene: Scene) -> None:
    """Also those after the first, when the client is about to have none."""
    scene.tie(control.Monitor(1, "/a"))
    scene.tie(control.Link(2, "/a"))
    scene.tie(control.Monitor(3, "/a"))

    scene.end_actor(Cause(kind="killed"))

    assert [type(message) for _, message in scene.said[3:]] == [
        control.LinkExit,
        control.MonitorDown,
        control.MonitorDown,
    ]
    assert {message.reason for _, message in scene.said[3:]} == {"killed"}


def test_a_link_to_nobody_is_told_after_its_number(scene: Scene) -> None:
    """noproc: first the answer, then the signal."""
    outcome, exit = scene.tie(control.Link(1, "/nobody"))

    assert exit == control.LinkExit(outcome["link"], "noproc")


def test_a_process_that_ended_is_lost(scene: Scene) -> None:
    """After a moment for its last words."""
    scene.tie(control.Link(1, "/a"))
    scene.end_process()
    assert scene.ended == []

    scene.time_passes()
    assert scene.ended == [("client:4711", "noconnection")]


def test_last_words_count(scene: Scene) -> None:
    """A Leave that arrives after its process has ended is the end in order that it was."""
    scene.tie(control.Link(1, "/a"))
    scene.end_process()
    scene.tell(control.Leave(2, "enough"))
    scene.time_passes()

    assert scene.ended == [("client:4711", "enough")]


def test_only_so_many_clients_are_followed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused, until one leaves."""
    monkeypatch.setattr(module, "TIED_CLIENTS_MAX", 2)
    for name in (b"1", b"2"):
        scene.tie(control.Link(1, "/a"), name)

    assert scene.tie(control.Link(1, "/a"), b"3") == ["2 clients have links and monitors already"]
    scene.tell(control.Leave(2), b"1")
    assert isinstance(scene.tie(control.Link(1, "/a"), b"3")[0], dict)


def test_a_client_that_is_gone_makes_no_bond(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody to follow."""
    monkeypatch.setattr(module, "peer_of", lambda frame: None)

    assert scene.tie(control.Link(1, "/a")) == ["the client's process cannot be followed"]
    scene.end_actor(Cause(kind="killed"))
    assert len(scene.said) == 1


def test_what_an_actor_ended_with_may_be_too_large_to_tell(scene: Scene) -> None:
    """Then the end is told without it."""
    scene.tie(control.Monitor(1, "/a"))
    scene.end_actor(Cause(kind="completed", value=bytes(HEADER_BYTES_MAX)))

    assert scene.said[-1][1].cause == {"kind": "completed", "value": None}


# -- which process it is ---------------------------------------------------------------------------------------------


def test_the_process_at_the_other_end_is_found() -> None:
    """Its pid, and a descriptor that becomes readable when it ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        found = sockets.process_of(SimpleNamespace(get=lambda option: ours.fileno()))
    assert found is not None
    os.close(found[1])

    assert found[0] == os.getpid()


def test_a_connection_that_is_over_has_no_process() -> None:
    """Its pid may be another's by now."""
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        assert sockets.process_of(SimpleNamespace(get=lambda option: ours.fileno())) is None


def test_a_connection_that_a_dead_process_has_left_open_has_none() -> None:
    """Only the process that made it counts, not whoever inherited it."""
    listener = socket.socket(socket.AF_UNIX)
    name = f"\0theater-test-{os.getpid()}"
    listener.bind(name)
    listener.listen()
    code = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.connect('\\0' + sys.argv[1])\n"
        "if os.fork(): os._exit(0)\n"
        "sys.stdin.read()"
    )
    with listener, subprocess.Popen([sys.executable, "-c", code, name[1:]], stdin=subprocess.PIPE) as child:
        peer, _ = listener.accept()
        with peer:
            child.wait(10)
            assert sockets.process_of(SimpleNamespace(get=lambda option: peer.fileno())) is None
