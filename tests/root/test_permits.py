"""What a child may hold of what its parent holds and passes on."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.fleet.permits import beyond, withheld
from theater.grants import HTTP, HTTP_CLIENT, LINKS, RUNTIME, SUPERVISOR, WASI

ORIGIN = "https://a.example"

BEYOND: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    # held, asked, what is too much
    ({}, {}, []),
    ({RUNTIME: {}}, {}, []),
    ({RUNTIME: {}}, {RUNTIME: {}}, []),
    ({}, {RUNTIME: {}}, ["runtime"]),
    ({RUNTIME: {}}, {RUNTIME: {}, SUPERVISOR: {}, LINKS: {}}, ["links", "supervisor"]),
    ({LINKS: {"allow": ["/a/**"]}}, {LINKS: {"allow": ["/a/b", "/a/*", "/a/b/**"]}}, []),
    ({LINKS: {"allow": ["/a/*"]}}, {LINKS: {"allow": ["/a/b/c"]}}, ["links: links with /a/b/c"]),
    ({LINKS: {"allow": ["/a/*"]}}, {LINKS: {"allow": ["/a/**"]}}, ["links: links with /a/**"]),
    ({LINKS: {"allow": ["/a"]}}, {LINKS: {"monitor": ["/a"]}}, []),
    ({LINKS: {"monitor": ["/a"]}}, {LINKS: {"allow": ["/a"]}}, ["links: links with /a"]),
    ({LINKS: {}}, {LINKS: {"monitor": ["/**"]}}, ["links: monitors of /**"]),
    ({WASI: {}}, {WASI: {"directories": [{"host": "/tmp", "guest": "/"}]}}, ["wasi: the directory /tmp"]),
    (
        {WASI: {"sockets": {"connect": ["*.example.com:443"], "listen": ["127.0.0.1:*"]}}},
        {WASI: {"sockets": {"connect": ["a.example.com:443", "10.0.0.1:1"], "listen": ["127.0.0.1:80"]}}},
        ["wasi: connecting to 10.0.0.1:1"],
    ),
    ({WASI: {}}, {WASI: {"sockets": {"listen": ["[::]:80"]}}}, ["wasi: listening on [::]:80"]),
    ({HTTP: {"listen": "127.0.0.1:80"}}, {HTTP: {"listen": "127.0.0.1:8080"}}, []),
    ({HTTP: {"listen": "127.0.0.1:80"}}, {HTTP: {"listen": "127.0.0.1:80"}}, []),
    ({HTTP: {"listen": "127.0.0.1:80"}}, {HTTP: {"listen": "127.0.0.1:22"}}, ["http: listening on 127.0.0.1:22"]),
    ({HTTP: {}}, {HTTP: {"listen": "127.0.0.1:81"}}, ["http: listening on 127.0.0.1:81"]),
    (
        {HTTP: {"listen": "127.0.0.1:80"}},
        {HTTP: {"listen": "0.0.0.0:80", "timeout_ms": 30_001}},
        ["http: listening on 0.0.0.0:80", "http: timeout_ms of 30001 (the parent has 30000)"],
    ),
    (
        {HTTP_CLIENT: {"allow": [ORIGIN], "body_bytes_max": 1024}},
        {HTTP_CLIENT: {"allow": [ORIGIN]}},
        ["http-client: body_bytes_max of 16777216 (the parent has 1024)"],
    ),
    (
        {HTTP_CLIENT: {"allow": [ORIGIN], "body_bytes_max": 1024}},
        {HTTP_CLIENT: {"allow": [ORIGIN], "body_bytes_max": 1024}},
        [],
    ),
]


@pytest.mark.parametrize(("held", "asked", "wanted"), BEYOND)
def test_a_child_holds_no_more_than_its_parent(
    held: dict[str, Any], asked: dict[str, Any], wanted: list[str]
) -> None:
    """Every grant and every option; what is not written is the default, which may be too much, too."""
    assert beyond(held, asked) == wanted


HELD: dict[str, Any] = {RUNTIME: {}, LINKS: {"allow": ["/a/**"], "monitor": ["/**"]}}
WITHHELD: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    # pass, asked, what is withheld
    ({}, HELD, []),
    ({"others": "inherit"}, HELD, []),
    ({"others": "disallow"}, HELD, ["links", "runtime"]),
    ({RUNTIME: "disallow"}, HELD, ["runtime"]),
    ({"others": "disallow", RUNTIME: "inherit"}, {RUNTIME: {}}, []),
    ({LINKS: {"allow": ["/a/b"]}}, {LINKS: {"allow": ["/a/b"]}}, []),
    ({LINKS: {"allow": ["/a/b"]}}, {LINKS: {"allow": ["/a/c"]}}, ["links: links with /a/c"]),
    ({LINKS: {"allow": ["/a/b"]}}, {LINKS: {"monitor": ["/c"]}}, []),
    ({LINKS: {}}, HELD, []),
]


@pytest.mark.parametrize(("passes", "asked", "wanted"), WITHHELD)
def test_a_parent_passes_on_what_it_says(passes: dict[str, Any], asked: dict[str, Any], wanted: list[str]) -> None:
    """inherit, disallow, narrower options; others stands for what is not named."""
    assert withheld(HELD, passes, asked) == wanted
