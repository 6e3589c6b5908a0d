"""The grant tcp: its options as manifests write them, and what a child may have of them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from supervisor.fleet.permits import beyond
from tests.config.conftest import Desk
from theater.config import load_manifest
from theater.grants import TCP, WASI

MANIFEST = """
name = "it"
package = "a.wasm"
[[handler]]
type = "tcp"
"""


def options(desk: Desk, text: str) -> dict[str, Any]:
    return load_manifest(desk.write("actor.toml", MANIFEST + text), {}).grants[TCP]


def test_every_option(desk: Desk) -> None:
    """Patterns as they are written, files as absolute paths, limits in their units."""
    found = options(
        desk,
        """
        connect = ["db.example.com:5432", "10.0.0.0/8:*"]
        listen = ["127.0.0.1:8000-8099"]
        tls = {ca = "ca.pem", certificate = "/etc/it.pem", key = "keys/it.key"}
        max_connections = 5
        chunk = "1KiB"
        max_send = "1MiB"
        timeout = "2s"
        wait = "1m"
        """,
    )

    assert found == {
        "connect": ["db.example.com:5432", "10.0.0.0/8:*"],
        "listen": ["127.0.0.1:8000-8099"],
        "tls": {
            "ca": os.path.realpath("ca.pem"),
            "certificate": "/etc/it.pem",
            "key": os.path.realpath("keys/it.key"),
        },
        "connections_max": 5,
        "chunk_bytes_max": 1024,
        "send_bytes_max": 1 << 20,
        "timeout_ms_max": 2_000,
        "wait_ms_max": 60_000,
    }


def test_nothing_by_default(desk: Desk) -> None:
    """Deny by default: the bare grant names no address."""
    assert options(desk, "") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('connect = ["example.com"]', "handler[0].connect[0]: expected a pattern such as"),
        ('connect = ["10.0.0.1/8:80"]', "handler[0].connect[0]: expected a pattern such as"),
        ('listen = "127.0.0.1:80"', "handler[0].listen: expected a list of addresses"),
        ('tls = {password = "x"}', "handler[0].tls.password: expected a known key"),
        ("max_connections = 0", "expected a whole number from 1 to 10000"),
        ('chunk = "1MiB"', "handler[0].chunk: expected a size"),
        ('allow = ["x:1"]', "handler[0].allow: expected a known key"),
    ],
)
def test_wrong_options(desk: Desk, text: str, problem: str) -> None:
    """Said with the place and what was expected."""
    [found] = desk.manifest_problems(MANIFEST + text)

    assert problem in found


HELD: dict[str, Any] = {
    "connect": ["*.example.com:443", "10.0.0.0/8:1-100"],
    "listen": ["127.0.0.1:*"],
    "tls": {"ca": "/ca.pem", "certificate": "/it.pem", "key": "/it.key"},
    "connections_max": 100,
    "timeout_ms_max": 60_000,
}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        HELD,
        {"connect": ["a.example.com:443", "*.b.example.com:443", "10.1.0.0/16:80"], "listen": ["127.0.0.1:8080"]},
        {"tls": {"ca": "/ca.pem"}},
        {"connections_max": 100, "timeout_ms_max": 60_000, "wait_ms_max": 30_000},
    ],
)
def test_a_child_may_have_as_much(asked: dict[str, Any]) -> None:
    """All of it, parts of it, and narrower patterns."""
    assert beyond({TCP: HELD}, {TCP: asked}) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"connect": ["*:443"]}, "tcp: connecting to *:443"),
        ({"connect": ["example.com:443"]}, "tcp: connecting to example.com:443"),
        ({"connect": ["10.0.0.0/8:1-101"]}, "tcp: connecting to 10.0.0.0/8:1-101"),
        ({"connect": ["127.0.0.1:80"]}, "tcp: connecting to 127.0.0.1:80"),
        ({"listen": ["0.0.0.0:80"]}, "tcp: listening on 0.0.0.0:80"),
        ({"tls": {"key": "/root.key"}}, "tcp: the key /root.key"),
        ({"tls": {"ca": "/mine.pem"}}, "tcp: the ca /mine.pem"),
        ({"connections_max": 101}, "tcp: connections_max of 101 (the parent has 100)"),
        ({"wait_ms_max": 30_001}, "tcp: wait_ms_max of 30001 (the parent has 30000)"),
    ],
)
def test_a_child_may_not_have_more(asked: dict[str, Any], words: str) -> None:
    """Each thing that is too much is named."""
    assert beyond({TCP: HELD}, {TCP: asked}) == [words]


def test_defaults_may_be_more_than_the_parent_has() -> None:
    """A child that says nothing of a limit asks for its default."""
    held = {TCP: HELD | {"connections_max": 5}}

    assert beyond(held, {TCP: {}}) == ["tcp: connections_max of 64 (the parent has 5)"]
    assert beyond(held, {TCP: {"connections_max": 5}}) == []


def test_a_child_of_a_parent_without_the_grant() -> None:
    """It gets none."""
    assert beyond({}, {TCP: {}}) == ["tcp"]


def test_sockets_of_wasi(desk: Desk) -> None:
    """The same patterns, in the grant wasi."""
    text = MANIFEST.replace('"tcp"', '"wasi"') + 'sockets = {connect = ["*.example.com:443"], listen = ["[::1]:*"]}'
    found = load_manifest(desk.write("actor.toml", text), {}).grants[WASI]

    assert found == {"sockets": {"connect": ["*.example.com:443"], "listen": ["[::1]:*"]}}


def test_sockets_of_wasi_that_are_no_addresses(desk: Desk) -> None:
    """The file is refused, with the place."""
    text = MANIFEST.replace('"tcp"', '"wasi"') + 'sockets = {connect = ["example.com"]}'
    (problem,) = desk.manifest_problems(text)

    assert "sockets.connect[0]: expected a pattern such as" in problem
