"""The store against a model: whatever batches, states and trims come in whatever order, it holds what it should."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from supervisor.store import StoreReader
from supervisor.store.doctor import examine
from supervisor.store.journal import STATES_MAX, Batch, Journal, NewActor, State, base_of
from supervisor.store.results import Broken, Stored
from supervisor.store.schema import open_for_writing
from supervisor.store.trimming import trim
from tests.chain.chains import batch, chain
from theater.chain import ChainEvent
from theater.retention import Bounds, Retention

EVENTS = chain(120)
OTHER = chain(120, size=24)
"""Another history with the same numbers."""


class StoreModel(RuleBasedStateMachine):
    """One actor; ``tip`` is its last event, ``most_gone`` the last that may have gone, ``states`` those kept."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        self.db: sqlite3.Connection = open_for_writing(str(directory))
        self.journal = Journal(self.db)
        self.journal.commit([NewActor("a", "/a", 0)])
        self.tip = self.most_gone = -1
        self.states: dict[int, bytes] = {}

    def put(self, first: int, last: int, events: list[ChainEvent] = EVENTS) -> object:
        part = events[first : last + 1]
        work = Batch("a", 1, first, last, part[0].parent_hash, part[-1].hash, batch(part))
        return self.journal.commit([work])[0]

    @rule(count=st.integers(1, 9), again=st.integers(0, 12))
    @precondition(lambda self: self.tip < len(EVENTS) - 10)
    def append(self, count: int, again: int) -> None:
        """The next events, perhaps with some that were said before."""
        first = max(0, self.tip + 1 - again)
        assert self.put(first, self.tip + count) == Stored("a", self.tip + count)
        self.tip += count

    @rule(back=st.integers(0, 20), count=st.integers(1, 5))
    @precondition(lambda self: self.tip >= 0)
    def say_again(self, back: int, count: int) -> None:
        """What is stored is acknowledged, and not stored twice."""
        first = max(0, self.tip - back)
        assert self.put(first, min(self.tip, first + count)) == Stored("a", self.tip)

    @rule(gap=st.integers(1, 5))
    @precondition(lambda self: self.tip < len(EVENTS) - 10)
    def leave_out(self, gap: int) -> None:
        """What does not follow is refused."""
        assert isinstance(self.put(self.tip + 1 + gap, self.tip + 1 + gap), Broken)

    @rule(again=st.integers(0, 3))
    @precondition(lambda self: 3 < self.tip < len(EVENTS) - 10)
    def tell_another_story(self, again: int) -> None:
        """Nor what follows another history."""
        assert isinstance(self.put(self.tip + 1 - again, self.tip + 1, OTHER), Broken)

    @rule(state=st.binary(max_size=20))
    @precondition(lambda self: self.tip >= 0)
    def keep_state(self, state: bytes) -> None:
        """The newest ones stay; of the same event the last one."""
        self.journal.commit([State("a", self.tip, state)])
        self.states[self.tip] = state
        self.states = {seq: self.states[seq] for seq in sorted(self.states)[-STATES_MAX:]}

    @rule(events=st.integers(1, 40))
    @precondition(lambda self: self.tip >= 0)
    def trim(self, events: int) -> None:
        """As many stay as the bound says, at least."""
        gone = [step for step in trim(self.db, Retention(bounds=Bounds(events=events)), 0) if step is not None]
        self.most_gone = max(self.most_gone, self.tip - events)
        if gone:
            base, newest = base_of(self.db, "a")[0], max(self.states, default=-1)
            self.states = {seq: state for seq, state in self.states.items() if seq > base or seq == newest}

    @rule()
    def reopen(self) -> None:
        """Nothing depends on what was in memory."""
        self.db.close()
        self.db = open_for_writing(str(self.directory))
        self.journal = Journal(self.db)

    @invariant()
    def holds_what_it_should(self) -> None:
        """The end of the chain, whole; and the states of what is kept."""
        with StoreReader(str(self.directory)) as reader:
            report, found = reader.verify("a"), [event.seq for event in reader.events("a")]
            base, kept = reader.base("a")[0], {seq: state for seq, state, _ in reader.states("a")}
        assert report.ok
        assert found == list(range(base + 1, self.tip + 1))
        assert base <= self.most_gone
        assert kept == self.states

    def teardown(self) -> None:
        """And the doctor has nothing to say."""
        self.db.close()
        assert list(examine(str(self.directory))) == []


def test_the_store_holds_what_its_model_holds(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In random sequences of everything that can be done to it."""
    calm = settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(lambda: StoreModel(tmp_path_factory.mktemp("model")), settings=calm)
