"""The gate's bounds: who waits, who watches, and for how long. What clients see is in tests/system/test_gate.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from proto import control, info
from supervisor.gate import clients as clients_module
from supervisor.gate.gate import Gate
from supervisor.gate.questions import WATCHERS_SWEEP
from supervisor.gate.whom import CHARS_SHOWN, DEADLINE_MS_MAX, WAITING_MAX, is_name


class Life(SimpleNamespace):
    """What the gate needs to know of an incarnation."""


class Scene:
    """A gate before one actor with one life; clients in ``gone`` cannot be reached."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[bytes, Any]] = []
        self.gone: set[bytes] = set()
        self.stops: list[int | None] = []
        monkeypatch.setattr(clients_module, "send", self._send)
        monkeypatch.setattr(clients_module, "credentials", lambda frame: None)
        options = SimpleNamespace(call_deadline_ms=None, shutdown_ms=5000)
        spec = SimpleNamespace(options=options)
        self.actor: Any = SimpleNamespace(id="id", path="/a", cause=None, update=None, spec=spec)
        self.life = Life(
            actor=self.actor, number=1, is_alive=True, init_sent=True, endpoint="ipc://w", package="",
            watchers=set(), resolvers=[], stop_waiters=[],
        )  # fmt: skip
        self.actor.life = self.life
        register = SimpleNamespace(find=lambda target: self.actor if target == "/a" else None)
        services: Any = SimpleNamespace(sockets=SimpleNamespace(gate=None), register=register)
        deaths: Any = SimpleNamespace(stop_with_deadline=lambda life, by, deadline_ms: self.stops.append(deadline_ms))
        none: Any = None
        self.gate = Gate(services, deaths, none, none, none, none, none, none)

    def _send(self, sock: object, client: bytes, header: bytes, bodies: tuple[bytes, ...] = ()) -> bool:
        if client in self.gone:
            return False
        self.sent.append((client, (info.ANSWERS if header[3] == 2 else control.TO_CLIENT).decode(header)))
        return True

    def say(self, message: Any, client: bytes = b"client") -> None:
        codec = info.QUESTIONS if isinstance(message, info.Question) else control.FROM_CLIENT
        frames = [SimpleNamespace(bytes=each) for each in (client, codec.encode(message))]
        self.gate.on_frames(frames)

    def answers(self) -> list[Any]:
        return [message for _, message in self.sent]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_watchers_that_left_without_a_word_are_forgotten(scene: Scene) -> None:
    """An actor that lives for a year and is called from the command line keeps nobody in mind who is gone."""
    for number in range(20 * WATCHERS_SWEEP):
        scene.say(info.Resolve(1, "/a"), client=b"%d" % number)
        scene.gone.add(b"%d" % number)

    assert len(scene.life.watchers) <= WATCHERS_SWEEP


def test_watchers_that_are_there_stay(scene: Scene) -> None:
    """However many there are."""
    for number in range(4 * WATCHERS_SWEEP):
        scene.say(info.Resolve(1, "/a"), client=b"%d" % number)

    assert len(scene.life.watchers) == 4 * WATCHERS_SWEEP


def test_questions_before_hello_wait_and_are_bounded(scene: Scene) -> None:
    """One too many is refused at once; the others are asked again when the worker is there."""
    scene.life.init_sent = False
    for number in range(WAITING_MAX + 1):
        scene.say(info.Resolve(number, "/a"))
    assert [(message.id, message.kind) for message in scene.answers()] == [(WAITING_MAX, "unexpected")]
    scene.life.init_sent = True
    for again in scene.life.resolvers:
        again()

    assert [message.id for message in scene.answers()[1:]] == list(range(WAITING_MAX))


def test_clients_that_wait_for_an_end_are_bounded(scene: Scene) -> None:
    """All that are accepted get their report; one too many hears so at once."""
    for number in range(WAITING_MAX + 1):
        scene.say(control.Shutdown(number, "/a"))

    assert len(scene.life.stop_waiters) == WAITING_MAX
    assert [(message.id, message.kind) for message in scene.answers()] == [(WAITING_MAX, "unexpected")]


@pytest.mark.parametrize(
    ("asked_ms", "used_ms"),
    [(None, 5000), (0, 0), (-1, 0), (1, 1), (DEADLINE_MS_MAX, DEADLINE_MS_MAX), (2**64 - 1, DEADLINE_MS_MAX)],
)
def test_a_stop_takes_at_most_a_week(scene: Scene, asked_ms: int | None, used_ms: int) -> None:
    """No timer is asked for more than it can hold, whatever a client says."""
    scene.say(control.Shutdown(1, "/a", asked_ms))

    assert scene.stops == [used_ms]


def test_a_name_nobody_has_comes_back_shortened(scene: Scene) -> None:
    """The refusal of a giant name is not a giant."""
    scene.say(info.Resolve(1, "x" * 100_000))

    assert scene.answers()[0].data == ("x" * CHARS_SHOWN,)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a", True), ("a b", True), ("ä" * 50, True), ("...", True), ("n" * 100, True), ("", False), (".", False),
        ("..", False), ("a/b", False), ("a\0", False), ("\x7f", False), ("\x9b", False), ("n" * 101, False),
        ("ä" * 51, False), ("a#1", False), ("\u202e", False), ("a\u3000b", False), ("a\u00a0b", False),
        ("12345678-1234-1234-1234-123456789abc", False), ("12345678-1234-1234-1234-123456789abcd", True),
    ],
)  # fmt: skip
def test_names_are_parts_of_paths(name: str, is_one: bool) -> None:
    """As in a tree file: 1 to 100 bytes, no / and #, nothing that cannot be seen, neither dot nor dots, no id."""
    assert is_name(name) == is_one
