"""A tree of actors that hand connections to each other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

import pytest

from tests.interfaces.passing.kit import Stranger
from tests.interfaces.passingkit import Member


@pytest.fixture
def make() -> Iterator[Callable[..., Member]]:
    tree: dict[str, Member] = {}
    with tempfile.TemporaryDirectory(prefix="th-") as directory:
        yield lambda **more: Member(tree, directory, **more)
        for each in tree.values():
            each.close()


@pytest.fixture
def giver(make: Callable[..., Member]) -> Member:
    return make()


@pytest.fixture
def taker(make: Callable[..., Member]) -> Member:
    return make()


@pytest.fixture
def stranger(taker: Member) -> Iterator[Stranger]:
    found = Stranger(taker)
    yield found
    found.sock.close()
