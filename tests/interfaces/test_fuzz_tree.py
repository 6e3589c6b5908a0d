"""Any calls in any order by actors of a real tree, whose root answers: of every interface, through both doors.

What others have been told is used against them: ids of their children, their names, connections, stores, monitors.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.interfaces.bothdoors import Form, package
from tests.interfaces.calling import anything, one_of_those
from tests.interfaces.test_fuzz import examples, fits
from tests.interfaces.worlds import COMMON, WORDS, everything
from tests.system import guests
from tests.system.running import RunningTree, until
from theater import cgrf, types
from theater.errors import ActorError
from theater.values import INNER, U64, Option, String, Tuple, Value, bytes_of

DOORS = {"/module": "pack", "/component": "raw"}
AT_ONCE = 30
"""Calls in one example: every function is called through each door, in so many examples as that takes."""
LIVES = ("idle", "running")
GRANTS = """
      runtime: {}
      supervisor: {}
      store: {max_stores: 2, max_size: 1KiB}
      rpc: {allow: ["/**", mine], timeout: 50ms}
      message-server: {timeout: 50ms, max_channels: 2, max_requests: 2}
      names: {}
      links: {allow: ["/**"], monitor: ["/**"]}
      http-client: {allow: ["http://127.0.0.1:1"], timeout: 50ms}
      tcp: {connect: ["127.0.0.1:*"], listen: ["127.0.0.1:*"], timeout: 50ms, wait: 20ms}
      timer: {max_timers: 2}
      random: {max_bytes: 1KiB}
      timing: {max_sleep: 3ms}
      environment: {variables: {A: "1"}}
      filesystem: {directories: [{host: HOME/data, guest: /data, write: true}], max_file: 1KiB}
      loop: {pause: 10ms}
      assembler: {}
      terminal: {}
      process: {programs: [/bin/cat, /bin/true], timeout: 50ms, max_processes: 1}
"""
TREE = f"""
version: 1
name: careless
intensity: 1000000
period: 1s
children:
  - id: module
    actor: module.wasm
    grants: {GRANTS}
  - id: component
    actor: component.wat
    grants: {GRANTS}
"""
CHILD = """
name = "child"
package = "counter.wasm"
[[handler]]
type = "runtime"
"""
WRONG = re.compile(r"malformed arguments|host function \S+ failed|Traceback \(|\b[A-Z]\w+(Error|Exception): ")
"""Words that only mistakes of ours have."""


@pytest.fixture
def tree() -> Iterator[RunningTree]:
    with TemporaryDirectory(prefix="th", ignore_cleanup_errors=True) as name:
        home = Path(name)
        guests.write_all(home)
        (home / "data").mkdir()
        (home / "child.toml").write_text(CHILD)
        (home / "module.wasm").write_bytes(package("pack", everything("pack", 0)))
        (home / "component.wat").write_bytes(package("raw", everything("raw", 0)))
        running = RunningTree(home, TREE.replace("HOME", name))
        yield running
        running.stop()
        running.clean_up()


class Told:
    """What anybody has been told."""

    def __init__(self, place: str) -> None:
        self.places = [place, "127.0.0.1:0", "127.0.0.1:1"]
        self.seen: list[Value] = [String("/module"), String("/component"), String("mine")]

    def near(self, name: str, kind: types.Type) -> st.SearchStrategy[Value]:
        if kind == types.STRING:
            words = (*WORDS.get(name, ()), *COMMON, *(self.places if name == "address" else ()))
            told = one_of_those(lambda: self.seen)
            return anything(kind) | st.sampled_from(words).map(String) | told
        if kind == types.U64:
            numbers = one_of_those(lambda: [U64(0), *(each for each in self.seen if isinstance(each, U64))])
            return anything(kind) | numbers
        return anything(kind)

    def learn(self, value: Value) -> None:
        if isinstance(value, U64) or (isinstance(value, String) and len(value.value) < 100):
            self.seen = [*self.seen[-60:], value] if len(self.seen) > 60 else [*self.seen, value]
        for inside in INNER.get(type(value), lambda value: ())(value):
            self.learn(inside)


def test_any_order_of_calls_in_a_tree(tree: RunningTree) -> None:
    """Answers as declared, errors in words, ends that a restart mends; every chain verifies and replays."""
    calls = [(path, form) for path, door in DOORS.items() for form in everything(door, 0)]
    Random(len(calls)).shuffle(calls)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        told = Told(f"127.0.0.1:{server.getsockname()[1]}")
        for first in range(0, len(calls), AT_ONCE):
            run(tree, told, calls[first : first + AT_ONCE])
    for path in DOORS:
        tree.cli("verify", path)
        assert "Replay complete" in tree.cli("replay", path)


def run(tree: RunningTree, told: Told, calls: list[tuple[str, Form]]) -> None:
    """These calls in several orders, with other values each time."""

    @examples(3)
    @given(data=st.data())
    def once(data: st.DataObject) -> None:
        for path, form in data.draw(st.permutations(calls)):
            params = [told.near(name, kind) for name, kind in form.variant.parsed.params]
            if form.name == "spawn-and-wait":  # without a limit it waits for ever, and is right to
                params[-1] = st.integers(0, 30).map(lambda ms: Option(types.U64, U64(ms)))
            call(tree, told, path, form, data.draw(st.tuples(*params)))

    once()


def call(tree: RunningTree, told: Told, path: str, form: Form, arguments: tuple[Value, ...]) -> None:
    """One call; the actor is there again afterwards."""
    actor, given = tree.actor(path), arguments
    if DOORS[path] == "pack":
        given = (bytes_of(cgrf.encode(arguments[0] if len(arguments) == 1 else Tuple(arguments))),)
    try:
        answer: Any = actor.call(form.exported, given, timeout=10.0)
    except ActorError as error:
        assert error.kind != "operation_timeout", (form.interface, form.name, arguments)
        assert not WRONG.search(error.text()), (form.interface, form.name, arguments, error.text())
    else:
        if DOORS[path] == "pack":
            value = cgrf.decode(bytes(answer))
            fits(form, value)
            told.learn(value)
            answer = value
        assert not WRONG.search(str(answer)) or form.name.startswith("read"), (form.interface, form.name, answer)
    until(lambda: _is_there(tree, path), f"{path} after {form.name}")


def _is_there(tree: RunningTree, path: str) -> bool:
    try:
        return tree.status(path).state in LIVES
    except ActorError:
        return False
