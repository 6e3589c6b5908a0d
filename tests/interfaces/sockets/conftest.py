"""Guests that are ended with the test, and somebody who listens."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interfaces.sockets.guest import LOCAL, WAIT_S, Guest


@pytest.fixture
def make() -> Iterator[Callable[..., Guest]]:
    """Guests that are ended with the test."""
    made: list[Guest] = []

    def guest(options: dict[str, Any] | None) -> Guest:
        made.append(Guest(options))
        return made[-1]

    yield guest
    for each in made:
        each.host.close()


@pytest.fixture
def guest(make: Callable[..., Guest]) -> Guest:
    """A guest that may do all on 127.0.0.1."""
    return make(LOCAL)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(WAIT_S)
        yield made
