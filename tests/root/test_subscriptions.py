"""Subscriptions: credit, exact gaps, history without repetition, ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from proto import info
from supervisor.fleet import subscriptions as module
from supervisor.fleet.subscriptions import Subscriptions
from theater.cause import Cause

CLIENT = b"client"


class Scene:
    """One actor with a history, and what its subscribers are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[Any] = []
        self.gone: set[bytes] = set()
        self.lost: set[int] = set()
        self.pages: list[Callable[[], None]] = []
        self.actor: Any = SimpleNamespace(
            id="id", path="/a", tree="/", last_seq=-1, is_alive=True, cause=Cause(kind="stopped", by="client")
        )
        forest = SimpleNamespace(ask=lambda root, make, answer: answer({"exit": "noproc"}))
        services: Any = SimpleNamespace(
            sockets=SimpleNamespace(gate=None), history=SimpleNamespace(read=self._read), forest=forest
        )
        monkeypatch.setattr(module, "send", self._send)
        self.subscriptions = Subscriptions(services)

    def subscribe(
        self, since: int | None = None, buffer: int = 100, policy: str = "drop", client: bytes = CLIENT
    ) -> int:
        number = self.subscriptions.add(client, self.actor, info.Subscribe(1, "/a", since, buffer, policy))
        self.subscriptions.begin(number)
        return number

    def happen(self, count: int) -> None:
        """The actor's next batch of events arrives."""
        first = self.actor.last_seq + 1
        self.actor.last_seq += count
        life: Any = SimpleNamespace(actor=self.actor, number=1)
        self.subscriptions.on_events(life, first, self.actor.last_seq, None, b"")

    def read_history(self) -> None:
        """The store answers everything that was asked of it."""
        while self.pages:
            self.pages.pop(0)()

    def end(self) -> None:
        self.actor.is_alive = False
        self.subscriptions.on_actor_gone(self.actor)

    def plain(self) -> list[tuple[Any, ...]]:
        """What was told, in short."""
        short: list[tuple[Any, ...]] = []
        for message in self.told:
            match message:
                case info.Events(first_seq=first, last_seq=last):
                    short.append(("events", first, last))
                case info.Gap(first_seq=first, last_seq=last):
                    short.append(("gap", first, last))
                case info.SubscriptionEnded(lagged=lagged):
                    short.append(("ended", lagged))
        return short

    def _send(self, sock: object, client: bytes, header: bytes, bodies: object = ()) -> bool:
        if client in self.gone:
            return False
        self.told.append(info.ANSWERS.decode(header))
        return True

    def _read(self, actor: Any, since: int, limit: int, done: Callable[[dict[str, Any], bytes], None]) -> None:
        def page() -> None:
            there = [seq for seq in range(since, actor.last_seq + 1) if seq not in self.lost][:limit]
            done({"count": len(there), "first_seq": there[0] if there else 0}, b"")

        self.pages.append(page)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_from_now_on(scene: Scene) -> None:
    """Without ``since`` only what happens afterwards is delivered."""
    scene.happen(5)
    scene.subscribe()
    scene.happen(2)

    assert scene.plain() == [("events", 5, 6)]


def test_history_first_then_live_without_gap_or_repetition(scene: Scene) -> None:
    """What happens while history is read is part of it."""
    scene.happen(5)
    scene.subscribe(since=2)
    scene.happen(3)
    scene.read_history()
    scene.happen(1)

    assert scene.plain() == [("events", 2, 7), ("events", 8, 8)]


def test_history_is_paged_by_the_clients_credit(scene: Scene) -> None:
    """Reading history never loses anything: it waits for credit."""
    scene.happen(10)
    number = scene.subscribe(since=0, buffer=4)
    scene.read_history()
    assert scene.plain() == [("events", 0, 3)]
    scene.subscriptions.credit(CLIENT, number, 4)
    scene.read_history()

    assert scene.plain() == [("events", 0, 3), ("events", 4, 7)]


def test_what_does_not_fit_is_one_exact_gap(scene: Scene) -> None:
    """Told before the next delivery, first and last included."""
    number = scene.subscribe(buffer=10)
    for _ in range(5):
        scene.happen(4)
    scene.subscriptions.credit(CLIENT, number, 8)
    scene.happen(2)

    assert scene.plain() == [("events", 0, 3), ("events", 4, 7), ("gap", 8, 19), ("events", 20, 21)]


def test_every_event_is_delivered_or_in_a_gap(scene: Scene) -> None:
    """Whatever the sizes of batches and credits, deliveries and gaps follow each other without a hole."""
    import random

    chance = random.Random(7)
    number = scene.subscribe(buffer=16)
    for _ in range(2000):
        if chance.random() < 0.6:
            scene.happen(chance.randint(1, 12))
        else:
            scene.subscriptions.credit(CLIENT, number, chance.randint(1, 16))
    scene.end()
    told = scene.plain()

    assert told.pop()[0] == "ended"
    assert any(kind == "gap" for kind, *_ in told)
    assert told[0][1] == 0
    assert told[-1][2] == scene.actor.last_seq
    assert all(after[1] == before[2] + 1 for before, after in itertools.pairwise(told))


def test_a_gap_does_not_repeat_what_was_delivered(scene: Scene) -> None:
    """A live batch may begin before what history has brought; its gap begins after that."""
    scene.happen(5)
    number = scene.subscribe(since=0, buffer=9)
    scene.read_history()
    scene.actor.last_seq = 1  # the batch 2..9 arrives late and overlaps
    scene.happen(8)
    scene.subscriptions.credit(CLIENT, number, 5)

    assert scene.plain() == [("events", 0, 4), ("gap", 5, 9)]


def test_a_small_buffer_sees_large_batches_too(scene: Scene) -> None:
    """A client that has taken all it was sent gets the next batch, however large."""
    number = scene.subscribe(buffer=1)
    scene.happen(3)
    scene.subscriptions.credit(CLIENT, number, 3)
    scene.happen(3)

    assert scene.plain() == [("events", 0, 2), ("events", 3, 5)]


def test_nobody_can_grant_more_than_the_buffer(scene: Scene) -> None:
    """Credit beyond the buffer is not counted."""
    number = scene.subscribe(buffer=4)
    scene.subscriptions.credit(CLIENT, number, 1_000_000)
    scene.happen(4)
    scene.happen(4)
    scene.end()

    assert scene.plain() == [("events", 0, 3), ("gap", 4, 7), ("ended", 0)]


def test_disconnect_ends_a_client_that_lags(scene: Scene) -> None:
    """It hears by how much, and nothing more."""
    scene.subscribe(buffer=4, policy="disconnect")
    for _ in range(3):
        scene.happen(3)

    assert scene.plain() == [("events", 0, 2), ("ended", 3)]


def test_what_the_store_has_lost_is_a_gap(scene: Scene) -> None:
    """At the beginning, and altogether."""
    scene.happen(10)
    scene.lost = {0, 1, 2}
    scene.subscribe(since=0)
    scene.read_history()
    scene.lost = set(range(10))
    scene.subscribe(since=4)
    scene.read_history()

    assert scene.plain() == [("gap", 0, 2), ("events", 3, 9), ("gap", 4, 9)]


def test_the_end_comes_after_the_last_event(scene: Scene) -> None:
    """With the actor's cause; also for who subscribes to one that is over."""
    scene.subscribe(since=0)
    scene.happen(2)
    scene.end()
    scene.read_history()
    scene.subscribe()

    assert scene.plain() == [("events", 0, 1), ("ended", 0), ("ended", 0)]
    assert scene.told[-1].cause["kind"] == "stopped"


def test_a_stranger_cannot_touch_a_subscription(scene: Scene) -> None:
    """Numbers are guessable; the client is checked."""
    number = scene.subscribe(buffer=4)
    scene.subscriptions.remove(b"other", number)
    scene.happen(4)
    scene.subscriptions.credit(b"other", number, 4)
    scene.happen(4)

    assert scene.plain() == [("events", 0, 3)]


def test_clients_that_left_without_a_word_are_found_out(scene: Scene) -> None:
    """Nothing is kept for them, though their actor never says anything."""
    scene.gone = {b"%d" % number for number in range(5000)}
    for number in range(5000):
        scene.subscribe(client=b"%d" % number)
    scene.subscribe()

    assert len(scene.subscriptions._all) <= module.SWEEP_FIRST + 1


def test_past_the_limit_the_oldest_subscription_ends_aloud(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is dropped silently."""
    monkeypatch.setattr(module, "SUBSCRIPTIONS_MAX", 3)
    first, *_ = [scene.subscribe() for _ in range(4)]

    assert [(message.subscription, message.lagged) for message in scene.told] == [(first, 1)]
