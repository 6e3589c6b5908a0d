"""Files behind a grant, opened in either way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interfaces.filesystem.kit import Place
from tests.interfaces.local import Calls, calls
from theater.grants import FILESYSTEM
from worker import beneath


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(params=["at once", "step by step"])
def files(place: Place, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Both ways to open a file: one system call, and one directory after the other."""
    monkeypatch.setattr(beneath, "_state", {} if request.param == "at once" else {"walks": True})
    with calls(FILESYSTEM, **place.options(file_bytes_max=100, entries_max=5)) as made:
        yield made
