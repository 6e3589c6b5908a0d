"""Host functions that tests declare."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from theater_actor import hosting


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Host functions that a test declares are gone afterwards."""
    before = {name: list(functions) for name, functions in hosting.DECLARED.items()}
    yield
    hosting.DECLARED.clear()
    hosting.DECLARED.update(before)
