"""Heartbeats: asked in turn, within a budget, and who does not answer is killed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.fleet import heartbeat
from supervisor.fleet.heartbeat import PINGS_PER_S_MAX, Heartbeat
from tests.root.fakes import FakeLoop, numbers


class Scene:
    """Workers that answer, or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = FakeLoop()
        self.pinged: list[tuple[float, str]] = []
        self.killed: list[str] = []
        ids = numbers()
        log = SimpleNamespace(warning=lambda event, **fields: None)
        services: Any = SimpleNamespace(
            loop=self.loop, sockets=SimpleNamespace(control=None), log=log, next_id=lambda: next(ids)
        )
        deaths: Any = SimpleNamespace(kill=self._kill)
        monkeypatch.setattr(heartbeat, "send", self._send)
        self.heartbeat = Heartbeat(services, deaths)
        self.lives: dict[bytes, Any] = {}

    def watch(self, name: str, heartbeat_ms: int, answers: bool = True) -> Any:
        options = SimpleNamespace(heartbeat_ms=heartbeat_ms, heartbeat_misses=3)
        actor = SimpleNamespace(path=name, spec=SimpleNamespace(options=options))
        life = SimpleNamespace(
            actor=actor, number=1, routing=name.encode(), is_alive=True, heartbeats_missed=0, answers=answers
        )
        self.lives[life.routing] = life
        self.heartbeat.watch(life)  # type: ignore[arg-type]
        return life

    def _send(self, sock: object, routing: bytes, header: bytes) -> bool:
        life = self.lives[routing]
        self.pinged.append((self.loop.ns / 1e6, life.actor.path))
        if life.answers:
            life.heartbeats_missed = 0
        return True

    def _kill(self, life: Any, by: str) -> None:
        assert by == "heartbeat"
        life.is_alive = False
        self.killed.append(life.actor.path)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_who_does_not_answer_is_killed_after_its_misses(scene: Scene) -> None:
    """Three pings without an answer, and the fourth turn ends it; the other lives on."""
    scene.watch("silent", 1000, answers=False)
    scene.watch("well", 1000)
    scene.loop.advance(3900)
    assert scene.killed == []
    scene.loop.advance(1000)

    assert scene.killed == ["silent"]


def test_a_slow_one_does_not_delay_a_quick_one(scene: Scene) -> None:
    """The next turn is when the first is due, also if it was watched later."""
    scene.watch("slow", 60_000)
    scene.watch("quick", 500)
    scene.loop.advance(600)

    assert [name for _, name in scene.pinged] == ["quick"]


def test_all_together_have_a_budget_and_everybody_has_a_turn(scene: Scene) -> None:
    """A thousand actors are asked 50 times a second, each once before any is asked again."""
    for number in range(1000):
        scene.watch(f"a{number}", 1000)
    scene.loop.advance(1000 + 1000 * 1000 / PINGS_PER_S_MAX)

    assert len(scene.pinged) <= 1000 + PINGS_PER_S_MAX
    assert len({name for _, name in scene.pinged}) == 1000


def test_the_dead_are_forgotten(scene: Scene) -> None:
    """Nothing is kept of a life that has ended, and an idle heartbeat sets no timer."""
    for number in range(100):
        scene.watch(f"a{number}", 1000).is_alive = False
    scene.loop.advance(5000)

    assert scene.pinged == []
    assert [timer for timer in scene.loop.timers if timer.callback is not None] == []
