"""Actors with stores of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interfaces.store.kit import Actor


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "content"


@pytest.fixture
def actor(directory: Path) -> Iterator[Actor]:
    it = Actor(directory)
    yield it
    it.context.close()


@pytest.fixture
def store(actor: Actor) -> str:
    return str(actor("new"))
