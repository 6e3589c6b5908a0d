"""Actors with the grant tcp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interfaces.tcpkit import Actor


@pytest.fixture
def make() -> Iterator[Callable[..., Actor]]:
    """Actors that are ended with the test."""
    made: list[Actor] = []

    def make_actor(options: dict[str, Any] | None = None, **more: Any) -> Actor:
        made.append(Actor(options, **more))
        return made[-1]

    yield make_actor
    for actor in made:
        actor.close()


@pytest.fixture
def actor(make: Callable[..., Actor]) -> Actor:
    return make()
