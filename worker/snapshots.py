"""Snapshots: the committed state as an event of the chain, now and then, from which a replay can begin.

A snapshot is exact for any guest because it ends the instance: from there on a fresh one serves, as after a restart
from the last state, and what an instance keeps in its memory between calls is gone. So whoever replays from there, with
a fresh instance and that state, does what the actor did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theater import cgrf

if TYPE_CHECKING:
    from theater.actor import ActorOptions
    from worker.recorder import Recorder

SNAPSHOT: Final = "snapshot"


class Snapshots:
    """Says when one is due, and records it. Guest thread only."""

    def __init__(self, recorder: Recorder, options: ActorOptions) -> None:
        self._recorder = recorder
        self._events = options.snapshot_events
        self._bytes = options.snapshot_bytes
        self._seq = recorder.seq
        self._size = recorder.bytes_recorded

    @property
    def is_due(self) -> bool:
        """So many events, or bytes of them, since the last one, or since this life began."""
        recorder = self._recorder
        is_many = self._events is not None and recorder.seq - self._seq >= self._events
        return is_many or (self._bytes is not None and recorder.bytes_recorded - self._size >= self._bytes)

    def take(self, state: bytes) -> None:
        """Record the state; the caller gives the guest a fresh instance."""
        self._recorder.store.record_runtime_event(SNAPSHOT, cgrf.decode(state))
        self._seq = self._recorder.seq
        self._size = self._recorder.bytes_recorded
