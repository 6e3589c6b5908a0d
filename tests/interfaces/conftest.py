"""What a test leaves open is closed after it, and every host call of a test is noted (tests.interfaces.accounts)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interfaces import accounts
from tests.worker import enginekit

HERE = Path(__file__).parent
RULE = "test_rule.py"
IS_WHOLE = pytest.StashKey[bool]()
"""Whether all tests of this directory run."""


@pytest.fixture(autouse=True)
def _closed_contexts() -> Iterator[None]:
    """End what interfaces keep, as the end of an actor does."""
    enginekit.MADE.clear()
    yield
    for context in enginekit.MADE:
        context.close()
    enginekit.MADE.clear()


@pytest.fixture(autouse=True, scope="session")
def _accounts() -> Iterator[None]:
    """From the first test of this directory to the last of all."""
    with pytest.MonkeyPatch.context() as patch:
        accounts.keep(patch)
        yield


@pytest.fixture(scope="session")
def everything_ran(request: pytest.FixtureRequest) -> None:
    """Only after all tests of this directory can be said what they did not do."""
    if not request.config.stash[IS_WHOLE]:
        pytest.skip("says something about a run of all of tests/interfaces only")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What looks back comes last; note whether it will have everything to look back at."""
    items.sort(key=lambda item: item.path == HERE / RULE)
    missing = set(HERE.rglob("test_*.py")) - {each.path for each in items}
    is_picked = config.option.keyword or config.option.markexpr or any("::" in each for each in config.args)
    config.stash[IS_WHOLE] = not missing and not is_picked
