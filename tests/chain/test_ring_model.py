"""The ring against a simple model: any sequence of appending, sending and acknowledging."""

from __future__ import annotations

import os
import tempfile
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.chain.chains import chain, frame
from theater.chain import frame_seq
from theater.ring import RingFull, RingReader, RingWriter

CAPACITY = 4096


class RingMachine(RuleBasedStateMachine):
    """The model: a list of frames, what was sent of them, what was acknowledged."""

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="theater-ring-")
        self.path = os.path.join(self.directory.name, "m.ring")
        self.ring = RingWriter.create(self.path, CAPACITY, actor_id="m", incarnation=1)
        self.frames: list[bytes] = []
        self.position = self.ring.start
        self.sent = 0
        self.acked = 0
        self.batches: deque[int] = deque()
        self.head: bytes | None = None

    @rule(size=st.sampled_from([4, 40, 200, 600, 900, 1500, 5000]))
    def append(self, size: int) -> None:
        (event,) = chain(1, len(self.frames), self.head, size)
        kept = sum(min(len(f), 40) if len(f) > CAPACITY // 4 else len(f) for f in self.frames[self.acked :])
        try:
            self.ring.append(frame(event))
        except RingFull:
            assert kept > CAPACITY // 4, "full though there is plenty of room"
            return
        self.frames.append(frame(event))
        self.head = event.hash

    @rule(max_bytes=st.integers(1, 3000))
    def send(self, max_bytes: int) -> None:
        unsent = self.ring.unsent(self.position, max_bytes)
        if unsent is None:
            assert self.sent == len(self.frames)
            return
        assert unsent.first_seq == self.sent
        assert b"".join(self.frames[self.sent : unsent.last_seq + 1]) == unsent.data
        self.position, self.sent = unsent.position, unsent.last_seq + 1
        self.batches.append(self.sent)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        seq = data.draw(st.integers(self.acked, self.sent - 1)) if self.sent > self.acked else self.acked
        self.ring.ack(seq)
        while self.batches and self.batches[0] - 1 <= seq:
            self.acked = self.batches.popleft()

    @invariant()
    def a_reader_finds_what_is_not_acknowledged(self) -> None:
        if not hasattr(self, "ring"):
            return
        reader = RingReader.open(self.path)
        assert list(reader.frames()) == self.frames[self.acked :]
        assert reader.torn is None
        if self.acked == len(self.frames):
            assert self.ring.free_bytes == CAPACITY

    def teardown(self) -> None:
        if hasattr(self, "ring"):
            spills = {int(name.split(".")[-2]) for name in os.listdir(self.directory.name) if name.endswith(".spill")}
            alive = self.frames[self.acked :]
            assert {frame_seq(f) for f in alive if len(f) > CAPACITY // 4} <= spills
            self.ring.close()
            self.directory.cleanup()


TestRing = RingMachine.TestCase
TestRing.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
