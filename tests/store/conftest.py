"""A store to write to, and what it is told."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.store import StoreWriter
from supervisor.store.results import Result, Stored
from tests.chain.chains import batch
from theater.chain import ChainEvent
from theater.retention import Retention

DEADLINE_S = 10.0


class Store:
    """A writer, driven as the root drives it."""

    def __init__(self, directory: str, retention: Retention | None = None) -> None:
        self.directory = directory
        self.writer = StoreWriter(directory, retention)
        self.results: list[Result] = []
        self.is_open = True

    def actor(self, path: str = "/a") -> str:
        return self.writer.actor_for(path)[0]

    def append(self, actor: str, events: list[ChainEvent], **other: Any) -> None:
        facts = {"prev_hash": events[0].parent_hash, "head_hash": events[-1].hash, "payload": batch(events)} | other
        self.writer.append(actor, 1, events[0].seq, events[-1].seq, **facts)

    def until(self, kind: type[Result], **fields: Any) -> Any:
        """Wait until the writer has reported something of this kind."""
        poll = select.poll()
        poll.register(self.writer.fileno(), select.POLLIN)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for result in self.results:
                if isinstance(result, kind) and all(getattr(result, name) == fields[name] for name in fields):
                    return result
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind.__name__} {fields} in {self.results}"
            poll.poll(left * 1000)
            self.results += self.writer.completed()

    def wait(self, seconds: float) -> None:
        """Take what is reported within this time."""
        poll = select.poll()
        poll.register(self.writer.fileno(), select.POLLIN)
        poll.poll(seconds * 1000)
        self.results += self.writer.completed()

    def stored(self, actor: str, last_seq: int) -> None:
        self.until(Stored, actor=actor, last_seq=last_seq)

    def close(self) -> bool:
        self.is_open = False
        return self.writer.close(DEADLINE_S)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "store"))
    yield opened
    if opened.is_open:
        opened.close()
