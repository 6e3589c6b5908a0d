"""One tree for all tests of families, and a parent of its own for every test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.system.family.families import Family, family_tree
from tests.system.running import RunningTree


@pytest.fixture(scope="package")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests here."""
    with family_tree() as tree:
        yield tree


_numbers = itertools.count(1)


@pytest.fixture
def family(tree: RunningTree) -> Family:
    """A parent of its own for every test."""
    return Family(tree, f"t{next(_numbers)}")
