"""Every interface of WASI is answered from the record in a replay: no clock, no chance, no file, no network.

What a guest does is tried once with the host alone; a guest that does just that is recorded, then replayed with nothing
granted and everything outside gone.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from tests.guests import wat
from tests.guests.pack import encode, ok, u32
from tests.interfaces.calling import Host
from tests.interfaces.sockets.guest import TCP, at
from tests.interfaces.test_http import NOTHING, some
from tests.replay import recording
from theater import cgrf, http, types, values
from theater.grants import HTTP, HTTP_CLIENT, PREVIEW_1, WASI
from theater.values import U16, U32, U64, UNIT, Flags, Result, String, Value, Variant, bytes_of
from worker.engine.contract import Ok
from worker.interfaces import registry

FILES, STREAMS, POLL = "wasi:filesystem/types", "wasi:io/streams", "wasi:io/poll"
Ask = Callable[..., Any]


def _payload(answer: Any) -> Any:
    return answer.value if isinstance(answer, Result) else answer


def cli(ask: Ask) -> None:
    """Arguments, environment, standard streams."""
    ask("wasi:cli/environment", "get-environment")
    ask("wasi:cli/environment", "get-arguments")
    ask("wasi:cli/environment", "initial-cwd")
    for name in ("stdin", "stdout", "stderr"):
        stream = ask(f"wasi:cli/{name}", f"get-{name}")
        ask(f"wasi:cli/terminal-{name}", f"get-terminal-{name}")
        if name == "stdin":
            ask(STREAMS, "[method]input-stream.blocking-read", stream, U64(5))
            ask(STREAMS, "[resource-drop]input-stream", stream)
        else:
            ask(STREAMS, "[method]output-stream.check-write", stream)
            ask(STREAMS, "[method]output-stream.write", stream, bytes_of(b"a line\n"))
            ask(STREAMS, "[method]output-stream.blocking-flush", stream)
            ask(STREAMS, "[resource-drop]output-stream", stream)


def time_and_chance(ask: Ask) -> None:
    """Clocks, pollables, random numbers."""
    ask("wasi:clocks/wall-clock", "now")
    ask("wasi:clocks/wall-clock", "resolution")
    ask("wasi:clocks/monotonic-clock", "now")
    soon = ask("wasi:clocks/monotonic-clock", "subscribe-duration", U64(1_000))
    past = ask("wasi:clocks/monotonic-clock", "subscribe-instant", U64(1))
    ask(POLL, "poll", values.List(types.U32, (soon.value, past.value)))
    ask(POLL, "[method]pollable.block", soon)
    ask(POLL, "[method]pollable.ready", past)
    ask(POLL, "[resource-drop]pollable", soon)
    when = values.Record("datetime", (("seconds", U64(1)), ("nanoseconds", U32(2))))
    ask("wasi:clocks/timezone", "display", when)
    ask("wasi:clocks/timezone", "utc-offset", when)
    ask("wasi:random/random", "get-random-bytes", U64(8))
    ask("wasi:random/random", "get-random-u64")
    ask("wasi:random/insecure", "get-insecure-random-u64")
    ask("wasi:random/insecure-seed", "insecure-seed")


def files(ask: Ask) -> None:
    """A file is made, written, read, looked at and removed."""
    (pair,) = ask("wasi:filesystem/preopens", "get-directories").items
    root = pair.items[0]
    made = ask(FILES, "[method]descriptor.open-at", root, Flags(1), String("new"), Flags(1), Flags(3))
    ask(FILES, "[method]descriptor.write", made, bytes_of(b"content"), U64(0))
    ask(FILES, "[method]descriptor.read", made, U64(99), U64(2))
    ask(FILES, "[method]descriptor.stat", made)
    reader = ask(FILES, "[method]descriptor.read-via-stream", made, U64(0))
    ask(STREAMS, "[method]input-stream.read", reader, U64(3))
    ask(STREAMS, "[method]input-stream.skip", reader, U64(99))
    ask(STREAMS, "[method]input-stream.read", reader, U64(1))
    entries = ask(FILES, "[method]descriptor.read-directory", root)
    ask(FILES, "[method]directory-entry-stream.read-directory-entry", entries)
    ask(FILES, "[method]descriptor.metadata-hash-at", root, Flags(0), String("new"))
    ask(FILES, "[method]descriptor.open-at", root, Flags(1), String("../outside"), Flags(0), Flags(1))
    ask(FILES, "[method]descriptor.unlink-file-at", root, String("new"))
    ask(FILES, "[resource-drop]descriptor", made)


@cache
def free_port() -> int:
    """A port that was free: what a guest says must be the same each time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def sockets(ask: Ask) -> None:
    """A guest that talks to itself; what it may not have."""
    network = ask("wasi:sockets/instance-network", "instance-network")
    family = Variant("ip-address-family", "ipv4", 0)
    ask("wasi:sockets/udp-create-socket", "create-udp-socket", family)
    ask("wasi:sockets/ip-name-lookup", "resolve-addresses", network, String("example.com"))
    listener = ask("wasi:sockets/tcp-create-socket", "create-tcp-socket", family)
    ask(TCP, "[method]tcp-socket.start-bind", listener, network, at(free_port()))
    ask(TCP, "[method]tcp-socket.finish-bind", listener)
    ask(TCP, "[method]tcp-socket.start-listen", listener)
    ask(TCP, "[method]tcp-socket.finish-listen", listener)
    client = ask("wasi:sockets/tcp-create-socket", "create-tcp-socket", family)
    ask(TCP, "[method]tcp-socket.start-connect", client, network, at(free_port()))
    ask(POLL, "[method]pollable.block", ask(TCP, "[method]tcp-socket.subscribe", client))
    _, writer = ask(TCP, "[method]tcp-socket.finish-connect", client).items
    ask(POLL, "[method]pollable.block", ask(TCP, "[method]tcp-socket.subscribe", listener))
    _, reader, _ = ask(TCP, "[method]tcp-socket.accept", listener).items
    ask(STREAMS, "[method]output-stream.blocking-write-and-flush", writer, bytes_of(b"hello"))
    ask(STREAMS, "[method]input-stream.blocking-read", reader, U64(100))
    ask(TCP, "[method]tcp-socket.local-address", client)
    ask(TCP, "[resource-drop]tcp-socket", listener)
    ask("wasi:sockets/network", "[resource-drop]network", network)


def requests(ask: Ask) -> None:
    """One that comes in, and one that may not go out."""
    params: Any = cgrf.decode(http.request_params("GET", "http", "x", "/p", (("a", b"1"),), b"in"))
    request, outparam = ask(HTTP, "accept", params.items[0]).items
    ask("wasi:http/types", "[method]incoming-request.method", request)
    content = ask("wasi:http/types", "[method]incoming-request.consume", request)
    stream = ask("wasi:http/types", "[method]incoming-body.stream", content)
    ask(STREAMS, "[method]input-stream.blocking-read", stream, U64(10))
    fields = ask("wasi:http/types", "[constructor]fields")
    response = ask("wasi:http/types", "[constructor]outgoing-response", fields)
    ask("wasi:http/types", "[method]outgoing-response.set-status-code", response, U16(204))
    answer = Result(types.STRING, types.STRING, True, response)
    ask("wasi:http/types", "[static]response-outparam.set", outparam, answer)
    ask(HTTP, "respond", UNIT)
    outgoing = ask("wasi:http/types", "[constructor]outgoing-request", ask("wasi:http/types", "[constructor]fields"))
    ask("wasi:http/types", "[method]outgoing-request.set-authority", outgoing, some(String("example.com")))
    ask(HTTP_CLIENT, "handle", outgoing, NOTHING)


SCENES = [cli, time_and_chance, files, sockets, requests]


def grants(directory: Path) -> dict[str, dict[str, Any]]:
    """Everything WASI can give."""
    local = ["127.0.0.1:*"]
    granted = {
        "environment": {"A": "1"},
        "directories": [{"host": str(directory), "guest": "/d", "write": True}],
        "sockets": {"connect": local, "listen": local},
    }
    return {WASI: granted, HTTP: {}, HTTP_CLIENT: {"allow": []}}


def played(scene: Callable[[Ask], None], directory: Path) -> list[tuple[str, str, Value]]:
    """What a guest asks in a scene, in order."""
    host = Host(grants(directory))
    asked: list[tuple[str, str, Value]] = []

    def ask(interface: str, function: str, *arguments: Value) -> Any:
        given = arguments or (UNIT,)
        asked.append((interface, function, given[0] if len(given) == 1 else values.Tuple(given)))
        return _payload(host.call(interface, function, *given))

    scene(ask)
    host.close()
    return asked


def guest_of(asked: list[tuple[str, str, Value]]) -> bytes:
    """An actor with a function for each of the calls."""
    imports = {(interface, name): wat.Import(f"{interface}.{name}", "()") for interface, name, _ in asked}
    does_well = wat.returns(encode(ok(u32(1))))
    functions = [
        wat.Function(
            f"{recording.API}.c{number}",
            recording.PLAIN,
            [wat.calls(imports[interface, name], cgrf.encode(given)), does_well],
        )
        for number, (interface, name, given) in enumerate(asked)
    ]
    return wat.build(functions=[wat.starts(u32(0)), *functions], imports=list(imports.values()))


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_recorded_and_replayed(scene: Callable[[Ask], None], tmp_path: Path) -> None:
    """Each call is in the chain; the replay goes the same way although nothing is granted and the files are gone."""
    directory = tmp_path / "d"
    directory.mkdir()
    asked = played(scene, directory)
    life = recording.Life(guest_of(asked), grants(directory), interface_hashes="lenient")
    try:
        for number in range(len(asked)):
            assert isinstance(life.call(f"c{number}"), Ok), asked[number]
    finally:
        life.close()
    shutil.rmtree(directory)

    recorded = [each.event_type for each in life.chain if each.event_type.startswith("wasi")]
    assert recorded == [f"{interface}/{name}" for interface, name, _ in asked]
    summary = recording.replayed(life)
    assert summary.success, str(summary)


def test_every_interface_is_in_a_scene(tmp_path: Path) -> None:
    """One that is added is to be replayed, too; those of which nobody ever has a handle are left out."""
    seen = {interface for scene in SCENES for interface, _, _ in played(scene, tmp_path)}
    known = {name for name in registry.known() if name.startswith("wasi:")}
    unreachable = {"wasi:cli/exit", "wasi:cli/terminal-input", "wasi:cli/terminal-output", "wasi:io/error",
                   "wasi:sockets/udp"}  # fmt: skip
    assert known - seen == unreachable




def test_preview_1_recorded_and_replayed(tmp_path: Path) -> None:
    """A module that asks for random bytes and writes a line gets the same bytes again, and writes nothing."""
    imports = f"""
      (import "{PREVIEW_1}" "random_get" (func $random (param i32 i32) (result i32)))
      (import "{PREVIEW_1}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (import "{PREVIEW_1}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "{PREVIEW_1}" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))"""
    code = """
      (drop (call $random (i32.const 40) (i32.const 8)))
      (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 48)))
      (drop (call $sizes (i32.const 56) (i32.const 60)))
      (i32.store (i32.const 64) (i32.const 40))
      (i32.store (i32.const 68) (i32.const 24))
      (drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 72)))"""
    does_well = wat.returns(encode(ok(u32(1))))
    another = wat.Function(f"{recording.API}.x", recording.PLAIN, does_well)
    source = wat.source(functions=[wat.starts(u32(0), wat.Behaviour(code)), another])
    package = bytes(wasmtime.wat2wasm(source.replace("(module", f"(module {imports}", 1)))
    life = recording.Life(package, grants(tmp_path))
    life.close()

    calls = [each.event_type for each in life.chain if each.event_type.startswith(PREVIEW_1)]
    assert [each.rpartition("/")[2] for each in calls] == ["random_get", "clock_time_get", "environ_get", "fd_write"]
    summary = recording.replayed(life)
    assert summary.success, str(summary)
