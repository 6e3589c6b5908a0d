"""What a test leaves open is closed after it: every host it made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.worker import enginekit


@pytest.fixture(autouse=True)
def _closed_contexts() -> Iterator[None]:
    """End what interfaces keep, as the end of an actor does."""
    enginekit.MADE.clear()
    yield
    for context in enginekit.MADE:
        context.close()
    enginekit.MADE.clear()
