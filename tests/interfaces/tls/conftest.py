"""Actors that have certificates, and an authority."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interfaces.authority import Authority, Issued
from tests.interfaces.tcpkit import LOCAL, Actor


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def local(authority: Authority) -> Issued:
    """A certificate for this machine."""
    return authority.issue("local", "DNS:localhost,DNS:*.wild.example,IP:127.0.0.1")


@pytest.fixture
def make(authority: Authority, local: Issued) -> Iterator[Callable[..., Actor]]:
    made: list[Actor] = []

    def make_actor(**tls: str) -> Actor:
        files = {"ca": authority.certificate, "certificate": local.certificate, "key": local.key}
        made.append(Actor(LOCAL | {"tls": {**files, **tls}, "timeout_ms_max": 5_000}))
        return made[-1]

    yield make_actor
    for actor in made:
        actor.close()


@pytest.fixture
def actor(make: Callable[..., Actor]) -> Actor:
    return make()
