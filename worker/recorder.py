"""Writes the chain: hash, link, into the ring, before anything is said of it (design D7). Guest thread only."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from theater.cause import Cause
from theater.chain import encode_frame, event_hash, payload
from theater.committed import StateWriter, state_path
from theater.ring import RingFull, RingWriter
from worker.actor_store import ActorStore

if TYPE_CHECKING:
    from worker.incarnation import Incarnation

LOOK_AGAIN_S: Final = 1.0
WASM: Final = "wasm"
WORDS_CHARS_MAX: Final = 8 * 1024
"""Of an error text, in the last words."""
WORDS_BYTES_MAX: Final = 60 * 1024
"""Last words with the state; a larger state is left out."""


class Recorder:
    """The one writer of an incarnation's chain. When the ring is full, whoever records waits for the store."""

    def __init__(self, inc: Incarnation, ring: RingWriter) -> None:
        init, options = inc.init, inc.options
        self.ring = ring
        self.seq = init.chain_seq - 1
        """Number of the last event."""
        self.head = init.chain_head
        self.store = ActorStore(init.actor_id, init.chain_seq, init.chain_head, options.keep_events, options.keep_bytes)
        self.store.record = self.append
        self.store.committed = lambda: inc.state
        self.store.commit = partial(setattr, inc, "state")
        self.bytes_recorded = 0
        """Of frames, in this life."""
        self.waits = 0
        """How often recording had to wait for room."""
        self._inc = inc
        self._room = threading.Event()
        self._full_state = options.chain_state == "full"
        self._keeps_state = init.keeps_state
        self._notes_operations = init.notes_operations
        keeps = init.keeps_state or init.notes_operations
        self._committed = StateWriter(state_path(init.ring)) if keeps else None

    @classmethod
    def create(cls, inc: Incarnation) -> Recorder:
        """Create the ring file and a recorder over it. OSError if that is not possible."""
        init = inc.init
        ring = RingWriter.create(init.ring, init.ring_bytes, actor_id=init.actor_id, incarnation=init.incarnation)
        return cls(inc, ring)

    # -- events ----------------------------------------------------------------

    def begin(self) -> None:
        """The first event of an incarnation: ``genesis`` at the origin of the chain, ``incarnation`` later."""
        init = self._inc.init
        if self._inc.resumes:
            self._keep(self._inc.state)
        if init.chain_seq == 0:
            data = payload.genesis(init.digest, self._inc.door.abi, init.manifest_digest, self._inc.state, init.origin)
            self.append("genesis", data)
            return
        data = payload.incarnation(
            init.incarnation,
            init.digest,
            self._inc.door.abi,
            init.manifest_digest,
            self._inc.state,
            init.previous_end,
            init.recovered,
        )
        self.append("incarnation", data)

    def refused(self, text: str) -> None:
        """Instead of the first event: this life does not begin, for it is not granted what it wants."""
        from theater.values import String

        data = payload.runtime(payload.START_REFUSED, String(text[:WORDS_CHARS_MAX]))
        self.append(f"theater-runtime/{payload.START_REFUSED}", data)

    def call(self, function: str, params: bytes, idempotency_key: str | None = None) -> None:
        """The guest is about to be entered."""
        if self._committed is not None and self._notes_operations:
            self._committed.enter(self.seq + 1, function, params)
        self.append(WASM, payload.call(function, params, idempotency_key))

    def result(self, function: str, state: bytes, response: bytes) -> None:
        """The guest has returned."""
        if self._committed is not None:
            self._keep(state)
            self._committed.leave()
        build = payload.result_full if self._full_state else payload.result
        self.append(WASM, build(function, state, response))

    def declined(self, function: str, message: str) -> None:
        """The guest has declined."""
        if self._committed is not None:
            self._committed.leave()
        self.append(WASM, payload.error(function, message))

    def stopped(self, function: str, message: str) -> None:
        """The guest was stopped in the middle of it."""
        self.append(WASM, payload.error(function, message))

    def host_call(self, interface: str, function: str, data: bytes, output: bytes) -> None:
        """A host function has completed."""
        self.append(f"{interface}/{function}", payload.host_call(interface, function, data, output))

    def shutdown(self, cause: Cause) -> None:
        """The last event of an orderly end."""
        self.append("shutdown", payload.shutdown(cause.plain()))

    def append(self, event_type: str, data: bytes) -> None:
        """Hash, link and publish one event; it is in the ring when this returns."""
        digest = event_hash(self.head, event_type, data)
        seq = self.seq + 1
        frame = encode_frame(seq, time.time_ns(), event_type, data, digest)
        try:
            self.ring.append(frame)
        except RingFull:
            self._append_when_there_is_room(frame)
        self.head, self.seq = digest, seq
        self.bytes_recorded += len(frame)
        self.store.keep(frame, digest)

    # -- the other thread's part ----------------------------------------------------------------

    def stored(self, last_seq: int) -> None:
        """The store holds everything up to here: that part of the ring is free. Post thread."""
        self.ring.ack(last_seq)
        self._room.set()

    def last_words(self, cause: Cause) -> None:
        """Leave the cause, and the committed state if it is small, for whoever reads the ring after the end.

        Post thread.
        """
        self.store.end(cause)
        plain = cause.plain()
        if cause.text and len(cause.text) > WORDS_CHARS_MAX:
            plain["text"] = cause.text[:WORDS_CHARS_MAX] + "…"
        words = msgspec.msgpack.encode(plain | {"state": self._inc.state or None})
        if len(words) > WORDS_BYTES_MAX:
            words = msgspec.msgpack.encode(plain)
        self.ring.last_words(words)

    def _keep(self, state: bytes) -> None:
        """Write the state that the next event commits, before that event; without room on the disk, wait for it."""
        while self._committed is not None and self._keeps_state:
            try:
                self._committed.put(self.seq + 1, state)
                return
            except OSError:
                self._room.clear()
                self._room.wait(LOOK_AGAIN_S)

    def _append_when_there_is_room(self, frame: bytes) -> None:
        """Back-pressure: the guest goes on when the store has caught up."""
        self.waits += 1
        while True:
            self._room.clear()  # before looking, so that room made meanwhile is not missed
            try:
                self.ring.append(frame)
                return
            except RingFull:
                self._inc.post_bell.ring()
                self._room.wait(LOOK_AGAIN_S)
