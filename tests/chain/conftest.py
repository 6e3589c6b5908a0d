"""A ring in a directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chain.rings import CAPACITY
from theater.ring import (
    RingWriter,
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a.ring")


@pytest.fixture
def ring(path: str) -> Iterator[RingWriter]:
    writer = RingWriter.create(path, CAPACITY, actor_id="actor-1", incarnation=3)
    yield writer
    writer.close()
