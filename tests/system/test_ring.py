"""A ring of actors passes a token while they are killed and restarted: nothing comes twice, nothing to a later life.

``THEATER_RING=long`` makes it a hundred actors and ten thousand passes (``tox -e ring``).
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from supervisor.store import StoreReader
from tests.homes import new_home
from tests.system.running import RunningTree, running_tree, until
from tests.system.talking import GUESTS
from theater import cgrf
from theater.chain import payloads
from theater.errors import ActorError
from theater.values import Tuple, bytes_of

IS_LONG = os.environ.get("THEATER_RING") == "long"
MEMBERS = 100 if IS_LONG else 12
PASSES = 10_000 if IS_LONG else 600
BLOWS = 100 if IS_LONG else 12
LOST_S = 2.0 if IS_LONG else 0.5
"""A token that has not moved for so long is given up, and another sent."""
DEADLINE_S = 600.0
HANDLE_SEND = "theater:simple/message-server-client.handle-send"
SEND = "theater:simple/message-server-host/send"

HEAD = """
version: 1
name: ring
intensity: 1000000
period: 1s
children:
"""
MEMBER = """
  - id: r{number}
    actor: ring.wasm
    restart: permanent
    grants: {{message-server: {{timeout: 5s}}}}
    state: {{next: /r{next}, passes: 0, newest: 0}}
"""


class Handled(msgspec.Struct, frozen=True):
    """A token that a member was given."""

    token: bytes
    member: str
    incarnation: int
    is_complete: bool


class Sent(msgspec.Struct, frozen=True):
    """A token that a member has sent."""

    token: bytes
    to: str
    at_ns: int


class Ring:
    """The ring, and what its chains say afterwards."""

    def __init__(self, tree: RunningTree, seed: int) -> None:
        self.tree = tree
        self.random = random.Random(seed)
        self.generation = 0
        self.furthest = 0

    def send(self) -> None:
        """Give a fresh token, which goes on where the last one got, to the member whose turn it is."""
        self.generation += 1
        token = f"{self.generation} {self.furthest} {PASSES}".encode()
        try:
            at = self.tree.actor(f"/r{self.furthest % MEMBERS}")
            at.send(HANDLE_SEND, cgrf.encode(Tuple((bytes_of(token),))), timeout=5)
        except ActorError:
            pass  # it is being restarted: the token counts as lost

    def passes(self) -> int:
        """How far the token has come, as a few members know."""
        for number in self.random.sample(range(MEMBERS), min(MEMBERS, 8)):
            try:
                self.furthest = max(self.furthest, self.tree.actor(f"/r{number}").get_state(timeout=5)["passes"])
            except ActorError:
                continue
        return self.furthest

    def strike(self) -> None:
        """Kill a member, or have it restarted in order."""
        path = f"/r{self.random.randrange(MEMBERS)}"
        try:
            if self.random.random() < 0.8:
                os.kill(self.tree.actor(path).get_status().pid or 0, signal.SIGKILL)
            else:
                self.tree.client.restart(path)
        except (ActorError, ProcessLookupError):
            pass  # another blow has hit it a moment before

    def run(self) -> None:
        """Pass the token to the end, striking now and then."""
        deadline = time.monotonic() + DEADLINE_S
        blows = sorted(self.random.sample(range(1, PASSES), BLOWS))
        self.send()
        moved = time.monotonic()
        while self.furthest < PASSES:
            assert time.monotonic() < deadline, f"the token is at pass {self.furthest} of {PASSES}"
            before = self.furthest
            if self.passes() > before:
                moved = time.monotonic()
            while blows and blows[0] <= self.furthest:
                blows.pop(0)
                self.strike()
            if self.furthest < PASSES and time.monotonic() - moved > LOST_S:
                self.send()
                moved = time.monotonic()
            select.select([], [], [], 0.005)


@pytest.fixture
def tree() -> Iterator[RunningTree]:
    with new_home() as home:
        shutil.copy(GUESTS / "ring.wasm", home)
        members = [MEMBER.format(number=number, next=(number + 1) % MEMBERS) for number in range(MEMBERS)]
        with running_tree(home, HEAD + "".join(members)) as tree:
            yield tree


def test_no_token_comes_twice_or_to_a_later_life(tree: RunningTree) -> None:
    """Whoever is killed meanwhile; a token is handled once at most, by the life it was sent to, or is a dead letter."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    ring = Ring(tree, seed)
    ring.run()
    until(lambda: tree.stop() == 0, "the tree to stop in order", 60)

    with StoreReader(str(tree.store_dir)) as reader:
        handled, sent = _handled(reader), _sent(reader)
        started = {
            (actor.path, life.number): life.started_ns
            for actor in reader.actors()
            for life in reader.incarnations(actor.id)
        }
        letters = reader.undelivered()
    assert len(started) > MEMBERS, "somebody was restarted"
    assert len(handled) >= PASSES
    tokens = [each.token for each in handled]
    assert len(tokens) == len(set(tokens)), "no token was handled twice"
    by_token = {each.token: each for each in sent}
    assert len(by_token) == len(sent), "no token was sent twice"
    for each in handled:
        origin = by_token.get(each.token)
        if origin is not None:
            assert origin.to == each.member
            assert origin.at_ns > started[each.member, each.incarnation], f"{each} was sent to an earlier life"
    complete = {each.token for each in handled if each.is_complete}
    both = [letter for letter in letters if letter.message in complete]
    in_doubt = [letter for letter in both if "signal 9" in letter.reason]  # killed before its answer had left
    assert both == in_doubt, "what was handled is no dead letter, unless its sender could not hear of that"
    reasons = {letter.reason for letter in letters}
    assert all("Operation channel closed (" in each or each == "Actor is shutting down" for each in reasons), reasons


def _handled(reader: StoreReader) -> list[Handled]:
    found: list[Handled] = []
    for actor in reader.actors():
        events = list(reader.events(actor.id, types=["wasm"]))
        for event, following in zip(events, [*events[1:], None], strict=True):
            said: Any = payloads.read(event.data)
            if isinstance(said, payloads.Call) and said.function == HANDLE_SEND:
                after = None if following is None else payloads.read(following.data)
                is_complete = isinstance(after, payloads.Result)
                token = said.params.items[0].items  # type: ignore[union-attr]
                found.append(Handled(token, actor.path, event.incarnation, is_complete))
    return found


def _sent(reader: StoreReader) -> list[Sent]:
    found: list[Sent] = []
    for actor in reader.actors():
        for event in reader.events(actor.id, types=[SEND]):
            said: Any = payloads.read(event.data)
            to, token = said.input.items
            if said.output.is_ok:
                found.append(Sent(token.items, to.value, event.time_ns))
    return found
