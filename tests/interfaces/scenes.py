"""What every host function does, as scenes: for each interface some calls with real values, answered or refused.

A scene does not know through which door its guest calls, nor in which form its functions are imported. Of every
function it has at least one answer, and one refusal if it can refuse (tests/interfaces/test_both_doors.py).
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

from tests.interfaces import family, tcpkit
from tests.interfaces.staging import SCENES, Go, Place, scene
from tests.interfaces.talkkit import took
from theater import cgrf, types
from theater.convert import from_value
from theater.grants import (
    ASSEMBLER,
    ENVIRONMENT,
    FILESYSTEM,
    LINKS,
    LOOP,
    MESSAGES,
    NAMES,
    PROCESS,
    RANDOM,
    RPC,
    RUNTIME,
    SIMPLE_HTTP_CLIENT,
    STORE,
    SUPERVISOR,
    TCP,
    TERMINAL,
    TIMER,
    TIMING,
)
from theater.values import NO_BYTES, U32, UNIT, Option, String, Tuple

API = "test:other/api"

# -- a few lines each --------------------------------------------------------------------------------------------------


@scene(RUNTIME)
def runtime(go: Go) -> None:
    go.actor.events = [(0, "genesis", b"a"), (1, "wasm", b"b")]
    go("log", "hello")
    assert go.actor.logged == [("info", "hello")]
    assert go.ok("self") == go.actor.actor_id
    assert "genesis" in str(go("get-chain"))
    go.ok("shutdown", b"bye")
    go.ok("shutdown")
    assert go.actor.shutdowns == [b"bye", None]


@scene(RANDOM, lambda around: {"bytes_max": 100})
def random(go: Go) -> None:
    assert len(go.ok("bytes", 100)) == 100
    go.refused("bytes", 101)
    go.ok("u64")
    assert go.ok("range", 3, 4) == 3
    go.refused("range", 4, 3)
    assert len(go.ok("uuid")) == 36


@scene(TIMING, lambda around: {"sleep_ms_max": 3})
def timing(go: Go) -> None:
    assert go.ok("now") > go.ok("monotonic")
    go.ok("sleep", 1)
    go.refused("sleep", 4)
    go.actor.stop()
    assert go.refused("sleep", 1) == "shutting-down"


@scene(ENVIRONMENT, lambda around: {"variables": {"A": "1", "EMPTY": ""}})
def environment(go: Go) -> None:
    assert go("get", "A") == Option(types.STRING, String("1"))
    assert from_value(go("get", "B")) is None
    assert go.ok("exists", "EMPTY") is True
    assert go.ok("exists", "B") is False
    assert go.ok("list") == ["A", "EMPTY"]


@scene(TIMER, lambda around: {"timers_max": 2})
def timer(go: Go) -> None:
    assert go.ok("set-interval", "a", 100) == "a"
    assert go.ok("set-once", "b", 0) == "b"
    assert go.ok("list-timers") == [("a", 100), ("b", None)]
    go.refused("set-interval", "a", 1)
    go.refused("set-once", "c", 1)
    go.ok("clear-interval", "a")
    go.refused("clear-interval", "a")
    assert go.ok("now") > 1_700_000_000_000


@scene(LOOP)
def loop(go: Go) -> None:
    go.ok("start-loop", b"first")
    go.refused("start-loop", b"")
    go.ok("stop-loop")
    go.refused("stop-loop")


@scene(ASSEMBLER)
def assembler(go: Go) -> None:
    assert go.ok("wat-to-wasm", "(module)")[:4] == b"\0asm"
    go.refused("wat-to-wasm", "(")


# -- files, programs, terminals ----------------------------------------------------------------------------------------


def _directory(around: Place) -> dict[str, Any]:
    os.mkdir(f"{around.directory}/data")
    return {"directories": [{"host": f"{around.directory}/data", "guest": "/data", "write": True}]}


@scene(FILESYSTEM, _directory)
def filesystem(go: Go) -> None:
    go.ok("create-dir", "/data/d")
    go.ok("write-file", "/data/a", b"abc")
    go.ok("append", "/data/a", b"def")
    assert go.ok("read-file", "/data/a") == b"abcdef"
    assert go.ok("read-range", "/data/a", 1, 2) == b"bc"
    assert go.ok("stat", "/data/a")["size"] == 6
    go.ok("copy", "/data/a", "/data/b")
    go.ok("rename", "/data/b", "/data/c")
    assert go.ok("list-dir", "/data") == ["a", "c", "d"]
    assert go.ok("exists", "/data/b") is False
    go.ok("delete-file", "/data/c")
    go.ok("delete-dir", "/data/d")
    outside = "/data/../secret"
    for function in ("create-dir", "read-file", "stat", "list-dir", "exists", "delete-file", "delete-dir"):
        go.refused(function, outside)
    for function in ("write-file", "append"):
        go.refused(function, outside, b"x")
    for function in ("copy", "rename"):
        go.refused(function, "/data/a", outside)
    go.refused("read-range", outside, 0, 1)


@scene(PROCESS, lambda around: {"programs": ["/bin/cat"], "run_ms_max": 5000})
def process(go: Go) -> None:
    assert go.ok("run", "/bin/cat", [], b"hello", 5000) == {"exit-code": 0, "stdout": b"hello", "stderr": b""}
    go.refused("run", "/bin/ls", [], b"")
    cat = go.ok("spawn", "/bin/cat", ["-u"])
    go.refused("spawn", "/bin/ls", [])
    assert go.ok("write-stdin", cat, b"x") == 1
    go.ok("close-stdin", cat)
    go.ok("poll", cat)
    other = go.ok("spawn", "/bin/cat", [])
    go.ok("kill", other)
    for function in ("poll", "write-stdin", "close-stdin", "kill"):
        go.refused(function, other)


def _screen(around: Place) -> dict[str, Any]:
    assert around.terminal
    return {"device": around.device}


@scene(TERMINAL, _screen)
def terminal(go: Go) -> None:
    assert go.ok("write-stdout", b"hello\n") == 6
    assert go.ok("write-stderr", b"oops\n") == 5
    go.ok("set-raw-mode", True)
    assert go.ok("get-size") == (0, 0)
    go.ok("enable-input")
    os.close(go.place.terminal)
    go.actor.close()


@scene(TERMINAL, lambda around: {"device": f"{around.directory}/nothing"})
def no_terminal(go: Go) -> None:
    go.refused("write-stdout", b"x")
    go.refused("write-stderr", b"x")
    go.refused("set-raw-mode", True)
    go.refused("get-size")
    go.refused("enable-input")


# -- other actors ------------------------------------------------------------------------------------------------------


@scene(SUPERVISOR)
def supervisor(go: Go) -> None:
    theirs = go.actor.root.ask("somebody else", "spawn", _birth(), [])[0]["id"]
    child = go.ok("spawn", family.MANIFEST)
    with_state = go.ok("spawn", family.MANIFEST, b"state", b"\0asm")
    go.refused("spawn", "other.toml")
    assert go.ok("spawn-and-wait", family.MANIFEST, timeout_ms=100) == b"its end"
    go.refused("spawn-and-wait", family.MANIFEST, timeout_ms=0)
    go.ok("resume", family.MANIFEST, cgrf.encode(U32(9)))
    go.refused("resume", "other.toml")
    assert go.ok("list-children")[:2] == [child, with_state]
    for function in (*LOOKS, *ORDERS):
        go.ok(function, child)
    go.ok("get-child-state", with_state)
    go.ok("kill-child", with_state)
    go.ok("stop-child", child)
    for function in (*LOOKS, *ORDERS, "stop-child", "kill-child"):
        for other in (child, theirs, "", "x" * 300):
            go.refused(function, other)


LOOKS = ("get-child-state", "get-child-events", "child-status", "child-metrics")
ORDERS = ("restart-child", "subscribe-to-child", "unsubscribe-from-child")


def _birth() -> dict[str, Any]:
    return {"manifest": family.MANIFEST, "wait": False, "state_body": None}


@scene(SUPERVISOR)
def no_children_any_more(go: Go) -> None:
    form = go.actor.forms[SUPERVISOR, "list-children"]
    if form.variant.is_result:
        go.actor.stop()
        assert go.refused("list-children") == "shutting-down"


@scene(LINKS)
def links(go: Go) -> None:
    theirs = go.actor.root.ask("somebody else", "links.monitor", {"actor": "/b"}, [])[0]["ref"]
    assert go.ok("link", "/b") == "/b"
    go.ok("unlink", "/b")
    child = go.ok("spawn-link", family.MANIFEST, b"state")
    ref = go.ok("monitor", child)
    assert go.ok("demonitor", ref, True) is True
    assert go.ok("demonitor", ref, False) is False
    assert go.ok("trap-exit", True) is False
    go.ok("exit", "/b", "boom")
    for function in ("link", "unlink", "monitor", "exit"):
        go.refused(function, family.NOBODY)
    go.refused("spawn-link", "other.toml")
    go.refused("demonitor", theirs, False)
    go.actor.stop()
    assert go.refused("trap-exit", False) == "shutting-down"


@scene(NAMES)
def names(go: Go) -> None:
    go.actor.root.ask("somebody else", "register-name", {"name": "taken"}, [])
    go.ok("register", "mine")
    go.refused("register", "taken")
    assert go.ok("whereis", "mine") == go.actor.actor_id
    assert go.ok("whereis", "taken") == "somebody else"
    assert go.ok("whereis", "unknown") is None
    go.ok("join", "group", "broadcast")
    go.refused("join", "group", "round-robin")
    go.refused("join", "other", "sometimes")
    assert go.ok("members", "group") == [go.actor.actor_id]
    go.ok("leave", "group")
    go.refused("leave", "group")
    go.ok("unregister", "mine")
    go.refused("unregister", "taken")
    go.refused("members", family.NOBODY)
    go.refused("whereis", family.NOBODY)


@scene(RPC)
def rpc(go: Go) -> None:
    go.actor.peers.add("b")
    go.actor.peers.answer = cgrf.encode(U32(7))
    go.ok("call", "b", f"{API}.f", Tuple((U32(1),)))
    go.refused("call", "unknown", f"{API}.f", UNIT)
    assert go.ok("implements", "b", API) is True
    assert go.ok("implements", "b", "test:another/api") is False
    go.refused("implements", "unknown", API)
    assert go.ok("exports", "b") == [(API, bytes(range(32)).hex())]
    go.refused("exports", "unknown")


@scene(MESSAGES)
def messages(go: Go) -> None:
    peers, mailbox = go.actor.peers, go.actor.mailbox
    peers.add("b")
    go.ok("register")
    go.refused("register")
    go.ok("send", "b", b"hello")
    go.refused("send", "unknown", b"hello")
    peers.answer = b"the answer"
    assert go.ok("request", "b", b"hello") == b"the answer"
    go.refused("request", "unknown", b"hello")
    mailbox.can_answer_later = True
    for _ in range(2):
        took(mailbox, "request").waiter.delivery.returned(cgrf.encode(Tuple((NO_BYTES,))))
    first, second = go.ok("list-outstanding-requests")
    go.ok("respond-to-request", first, b"late")
    go.refused("respond-to-request", first, b"again")
    go.ok("cancel-request", second)
    go.refused("cancel-request", second)
    peers.answer = b"\1"
    channel = go.ok("open-channel", "b", b"shall we?")
    peers.answer = b"\0"
    go.refused("open-channel", "b", b"shall we?")
    go.ok("send-on-channel", channel, b"x")
    go.ok("close-channel", channel)
    go.refused("send-on-channel", channel, b"x")
    go.refused("close-channel", channel)


# -- contents and connections ------------------------------------------------------------------------------------------

DATA = b"some content"
REF = sha256(DATA).hexdigest()


@scene(STORE, lambda around: {"stores_max": 1})
def store(go: Go) -> None:
    it = go.ok("new")
    go.refused("new")
    assert go.ok("store", it, DATA) == REF
    assert go.ok("get", it, REF) == DATA
    assert go.ok("exists", it, "0" * 64) is False
    go.ok("label", it, "a/b", REF)
    assert go.ok("get-by-label", it, "a/b") == REF
    assert go.ok("get-by-label", it, "unknown") is None
    go.ok("store-at-label", it, "two", b"2")
    go.ok("replace-content-at-label", it, "two", b"3")
    go.ok("replace-at-label", it, "two", REF)
    assert go.ok("list-labels", it) == ["a/b", "two"]
    assert len(go.ok("list-all-content", it)) == 3
    assert go.ok("calculate-total-size", it) == len(DATA) + 2
    go.ok("remove-label", it, "two")
    for function in ("list-labels", "list-all-content", "calculate-total-size", "get", "exists", "get-by-label"):
        go.refused(function, "another", REF)
    for function in ("label", "replace-at-label"):
        go.refused(function, it, "../up", REF)
    go.refused("remove-label", it, "")
    for function in ("store", "store-at-label", "replace-content-at-label"):
        go.refused(function, "another", "two" if "label" in function else DATA, DATA)


def _client(around: Place) -> dict[str, Any]:
    return {"allow": [f"http://{around.http}"], "secrets": {"KEY": "s3cret"}}


@scene(SIMPLE_HTTP_CLIENT, _client)
def http_client(go: Go) -> None:
    url = f"http://{go.place.http}/headers"
    status, headers, body = go.ok("request", "GET", url, [("x-key", b"{{KEY}}"), ("cookie", b"hush")], b"", 5000)
    assert status == 200 and ("content-length", str(len(body)).encode()) in headers and b"s3cret" in body
    assert go.ok("request", "POST", url, [], b"the body")[2] == b"the body"
    go.refused("request", "GET", "http://example.com/")
    go.refused("request", "GET", "nonsense")


def _network(around: Place) -> dict[str, Any]:
    own = around.authority.issue("local", "DNS:localhost,IP:127.0.0.1")
    tls = {"ca": around.authority.certificate, "certificate": own.certificate, "key": own.key}
    return tcpkit.LOCAL | {"wait_ms_max": 50, "tls": tls}


@scene(TCP, _network)
def tcp(go: Go) -> None:
    with ExitStack() as left:
        one = go.ok("connect", go.place.address)
        far = left.enter_context(go.place.server.accept()[0])
        assert go.ok("send", one, b"hello") == 5
        assert far.recv(100) == b"hello"
        far.sendall(b"world")
        assert go.ok("receive", one, 3) == b"wor"
        go.ok("set-active", one, "passive")
        go.ok("peer-address", one)
        listener = go.ok("listen", "127.0.0.1:0")
        host, _, port = go.ok("local-address", listener).rpartition(":")
        go.refused("accept", listener)
        left.enter_context(socket.create_connection((host, int(port))))
        two = go.ok("accept", listener)
        go.ok("activate", two)
        go.ok("close", two)
        go.ok("close-listener", listener)
        for function in ("set-active", "transfer", "transfer-async", "upgrade-to-tls-client"):
            go.refused(function, two, "active")
        for function in ("activate", "peer-address", "send", "receive", "close", "local-address"):
            go.refused(function, two)
        for function in ("accept", "close-listener", "upgrade-to-tls-server"):
            go.refused(function, listener)
        go.refused("connect", "example.com:80")
        go.refused("listen", "0.0.0.0:80")


@scene(TCP, _network)
def tls(go: Go) -> None:
    from tests.interfaces.tls.kit import Peer, as_client, as_server

    with ExitStack() as left:
        one = go.ok("connect", go.place.address)
        far = go.place.server.accept()[0]
        server = Peer(far, as_server(go.place.authority.issue("there", "DNS:localhost")), server_side=True)
        go.ok("upgrade-to-tls-client", one, "localhost")
        left.enter_context(server.done())
        two = go.ok("connect", go.place.address)
        far = go.place.server.accept()[0]
        client = Peer(far, as_client(go.place.authority), server_hostname="localhost")
        go.ok("upgrade-to-tls-server", two)
        left.enter_context(client.done())


@scene(TCP, _network)
def passing(go: Go) -> None:
    from tests.interfaces.passingkit import Member, Turns

    taker = Member({}, go.place.directory)
    go.actor.root.takers[taker.actor_id] = taker
    for function in ("transfer", "transfer-async"):
        one = go.ok("connect", go.place.address)
        with go.place.server.accept()[0]:
            turns = Turns(taker)
            go.ok(function, one, taker.actor_id)
            assert turns.done()[0] == "handle-connection-transfer"
    taker.close()


ALL = tuple(SCENES)
"""Every scene there is."""
