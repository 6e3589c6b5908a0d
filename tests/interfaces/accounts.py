"""Which host functions the tests of this directory really called, and how: one by one, at random, in a replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import currently_in_test_context

from worker.interfaces.registry import Dispatcher
from worker.replay_calls import RecordedCalls

TABLE: Final = "by a test with values of its own"
FUZZ: Final = "with any values"
REPLAY: Final = "in a replay"

WAYS: Final = (TABLE, FUZZ, REPLAY)

ran: Final[dict[str, set[tuple[str, str]]]] = {TABLE: set(), FUZZ: set(), REPLAY: set()}
"""Interface and function, by how they were called."""


def keep(patch: pytest.MonkeyPatch) -> None:
    """Note every call from now on, however it ends."""
    served = _noting(Dispatcher._serve, lambda: FUZZ if currently_in_test_context() else TABLE)
    patch.setattr(Dispatcher, "_serve", served)
    patch.setattr(RecordedCalls, "_answer", _noting(RecordedCalls._answer, lambda: REPLAY))


def _noting(call: Any, how: Callable[[], str]) -> Any:
    def noted(self: Any, interface: str, function: str, *rest: Any) -> Any:
        try:
            return call(self, interface, function, *rest)
        finally:
            ran[how()].add((interface, function))

    return noted
