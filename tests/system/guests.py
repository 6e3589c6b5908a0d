"""The guests of the system tests, built from text, and trees of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.guests import wat
from tests.guests.pack import octets, some, text, u32
from tests.system.running import RunningTree
from theater.errors import ActorError

API = "test:counter/api"
PLAIN = "(state: u32) -> result<tuple<u32>, string>"


ONE = """
version: 1
name: one
intensity: 100
period: 10s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}}
"""

ORDERED = """
version: 1
name: ordered
strategy: one_for_all
children:
  - {id: a, actor: counter.wasm, grants: {runtime: {}}}
  - id: s
    supervisor:
      strategy: rest_for_one
      children:
        - {id: b, actor: counter.wasm, grants: {runtime: {}}}
        - {id: c, actor: counter.wasm, grants: {runtime: {}}}
  - {id: d, actor: counter.wasm, grants: {runtime: {}}}
"""


@cache
def counter() -> bytes:
    """State u32; bump(by), get, trap, spin, fail, grow, log, quit."""
    return wat.build(
        functions=[
            wat.starts(u32(0)),
            wat.Function(f"{API}.bump", "(state: u32, by: u32) -> result<tuple<u32, u32>, string>", wat.adds()),
            wat.Function(f"{API}.trap", PLAIN, wat.traps()),
            wat.Function(f"{API}.spin", PLAIN, wat.spins()),
            wat.Function(f"{API}.grow", PLAIN, wat.grows()),
            wat.Function(f"{API}.fail", PLAIN, wat.declines("refused")),
            wat.Function(f"{API}.compute", PLAIN, [wat.computes(200_000_000), wat.returns(wat.ok(u32(0)))]),
            wat.Function(
                f"{API}.log", PLAIN, [wat.calls(wat.LOG, text("hello from the guest")), wat.returns(wat.ok(u32(7)))]
            ),
            wat.Function(
                f"{API}.quit", PLAIN, [wat.calls(wat.SHUTDOWN, some(octets(b"bye"))), wat.returns(wat.ok(u32(9)))]
            ),
        ],
        imports=[wat.LOG, wat.SHUTDOWN],
    )


@cache
def bad_init() -> bytes:
    """An actor whose init traps."""
    return wat.build(functions=[wat.starts(u32(0), wat.traps())])


@cache
def spinning_init() -> bytes:
    """An actor whose init never returns."""
    return wat.build(functions=[wat.starts(u32(0), wat.spins())])


GUESTS = {"counter.wasm": counter, "bad_init.wasm": bad_init, "spinning_init.wasm": spinning_init}


def write_all(home: Path) -> None:
    """Write every guest into a directory."""
    for name, build in GUESTS.items():
        (home / name).write_bytes(build())


def call_spin(tree: RunningTree, path: str = "/counter") -> None:
    """Call the counter's function that never returns; it must end in an error."""
    try:
        tree.actor(path).call("spin", (), timeout=60)
    except ActorError:
        return
    raise AssertionError("spin has returned")
