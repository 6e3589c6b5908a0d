"""``wasi:sockets``: every order of calls, settings, and any call with any values."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.calling import Host, anything
from tests.interfaces.sockets.guest import IPV4, Guest, at, at6, port
from tests.worker.enginekit import FakeContext
from theater import fitting, types
from theater.grants import WASI
from theater.values import U8, U32, U64, Bool, Variant
from worker.engine.errors import Trap
from worker.interfaces import registry
from worker.interfaces.wasi.resources import Resources

# -- wrong order -------------------------------------------------------------------------------------------------------


ORDER = {
    "unbound": {
        "start-connect": "", "start-bind": "", "finish-bind": "not-in-progress", "finish-connect": "not-in-progress",
        "start-listen": "invalid-state", "finish-listen": "not-in-progress", "accept": "invalid-state",
        "local-address": "invalid-state", "remote-address": "invalid-state", "shutdown": "invalid-state",
        "set-listen-backlog-size": "",
    },
    "bind-in-progress": {
        "start-connect": "concurrency-conflict", "start-bind": "concurrency-conflict", "finish-bind": "",
        "finish-connect": "not-in-progress", "start-listen": "concurrency-conflict",
        "finish-listen": "not-in-progress", "accept": "concurrency-conflict", "local-address": "concurrency-conflict",
        "remote-address": "concurrency-conflict", "shutdown": "concurrency-conflict", "set-listen-backlog-size": "",
    },
    "bound": {
        "start-connect": "", "start-bind": "invalid-state", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "", "finish-listen": "not-in-progress",
        "accept": "invalid-state", "local-address": "", "remote-address": "invalid-state", "shutdown": "invalid-state",
        "set-listen-backlog-size": "",
    },
    "listen-in-progress": {
        "start-connect": "concurrency-conflict", "start-bind": "concurrency-conflict", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "concurrency-conflict", "finish-listen": "",
        "accept": "concurrency-conflict", "local-address": "", "remote-address": "concurrency-conflict",
        "shutdown": "concurrency-conflict", "set-listen-backlog-size": "",
    },
    "listening": {
        "start-connect": "invalid-state", "start-bind": "invalid-state", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "invalid-state", "finish-listen": "not-in-progress",
        "accept": "would-block", "local-address": "", "remote-address": "invalid-state", "shutdown": "invalid-state",
        "set-listen-backlog-size": "",
    },
    "connecting": {
        "start-connect": "concurrency-conflict", "start-bind": "concurrency-conflict", "finish-bind": "not-in-progress",
        "start-listen": "concurrency-conflict", "finish-connect": "", "finish-listen": "not-in-progress",
        "accept": "concurrency-conflict", "local-address": "", "remote-address": "concurrency-conflict",
        "shutdown": "concurrency-conflict", "set-listen-backlog-size": "concurrency-conflict",
    },
    "connected": {
        "start-connect": "invalid-state", "start-bind": "invalid-state", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "invalid-state", "finish-listen": "not-in-progress",
        "accept": "invalid-state", "local-address": "", "remote-address": "", "shutdown": "",
        "set-listen-backlog-size": "invalid-state",
    },
}  # fmt: skip
"""What is answered to each call in each state; empty: it works."""

WAYS = {
    "unbound": (),
    "bind-in-progress": ("start-bind",),
    "bound": ("start-bind", "finish-bind"),
    "listen-in-progress": ("start-bind", "finish-bind", "start-listen"),
    "listening": ("start-bind", "finish-bind", "start-listen", "finish-listen"),
    "connecting": ("start-connect",),
    "connected": ("start-connect", "finish-connect"),
}


@pytest.mark.parametrize(("state", "method"), [(state, method) for state in ORDER for method in ORDER[state]])
def test_every_order(guest: Guest, server: socket.socket, state: str, method: str) -> None:
    """A call that comes too early, too late or twice is told so."""
    arguments = {
        "start-bind": (guest.network, at(0)),
        "start-connect": (guest.network, at(port(server))),
        "shutdown": (Variant("shutdown-type", "both", 2),),
        "set-listen-backlog-size": (U64(5),),
    }
    sock = guest.create()

    def ask(each: str) -> str:
        if each == "finish-connect" and "start-connect" in WAYS[state]:
            guest.wait(sock)
        answer = guest.tcp(each, sock, *arguments.get(each, ()))
        return answer if isinstance(answer, str) else ""

    for each in WAYS[state]:
        assert ask(each) == "", each
    assert ask(method) == ORDER[state][method]


def test_settings(guest: Guest) -> None:
    """What is set is what is told; zero is none."""
    sock = guest.create()
    assert guest.tcp("address-family", sock) == IPV4
    for name, value in (
        ("keep-alive-enabled", Bool(True)),
        ("keep-alive-idle-time", U64(7_000_000_000)),
        ("keep-alive-interval", U64(3_000_000_000)),
        ("keep-alive-count", U32(4)),
        ("hop-limit", U8(9)),
        ("receive-buffer-size", U64(65_536)),
        ("send-buffer-size", U64(65_536)),
    ):
        assert not isinstance(guest.tcp(f"set-{name}", sock, value), str), name
        assert guest.tcp(name, sock) == value, name
        if name != "keep-alive-enabled":
            assert guest.tcp(f"set-{name}", sock, type(value)(0)) == "invalid-argument", name  # type: ignore[arg-type]
    assert guest.tcp("set-listen-backlog-size", sock, U64(0)) == "invalid-argument"


# -- ends --------------------------------------------------------------------------------------------------------------


class Impatient(FakeContext):
    """An actor that is to stop: nothing waits."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopping = True


FUZZED = [
    (name, function)
    for name in registry.known()
    if name.startswith("wasi:sockets/") or name in ("wasi:io/streams", "wasi:io/poll")
    for function in registry.known()[name].functions
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_call(data: st.DataObject) -> None:
    """Any values in any order: an answer of the declared type, or the end with words."""
    host = Host({WASI: {"sockets": {"connect": ["127.0.0.1:*"], "listen": ["127.0.0.1:*", "[::1]:*"]}}}, Impatient())
    places = st.sampled_from((at(0), at(1), at6(0), at6(1)))

    def near(kind: types.Type) -> st.SearchStrategy[Any]:
        if kind is types.U32:
            known = list(host.context.service(Resources)._found)
            return st.sampled_from(known).map(U32) if known else anything(kind)
        return places | anything(kind) if getattr(kind, "name", "") == "ip-socket-address" else anything(kind)

    try:
        host.call("wasi:sockets/instance-network", "instance-network")
        host.call("wasi:sockets/tcp-create-socket", "create-tcp-socket", IPV4)
        for interface, function in data.draw(st.lists(st.sampled_from(FUZZED), min_size=1, max_size=30)):
            arguments = [data.draw(near(each)) for each in function.variants[0].params]
            try:
                answer = host.call(interface, function.name, *arguments)
            except Trap as trap:
                assert trap.text
                continue
            results = function.variants[0].parsed.results
            assert fitting.fits(answer, results[0] if results else types.UNIT) is None, function.name
    finally:
        host.close()
