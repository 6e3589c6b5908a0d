"""A tree of talkers for each file, and pairs of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system import talking
from tests.system.running import RunningTree
from tests.system.talking import Talk, Talker


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests here."""
    with talking.talking_tree() as tree:
        yield tree


@pytest.fixture
def talk(tree: RunningTree) -> Talk:
    return Talk(tree)


@pytest.fixture
def pair(talk: Talk) -> tuple[Talker, Talker]:
    """Two that know nothing of each other."""
    return talk.talker(), talk.talker()
