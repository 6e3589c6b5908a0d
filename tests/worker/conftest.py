"""One module with everything a worker's test wants of a guest, compiled once a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guests import wat
from tests.guests.pack import u32
from tests.worker.fakeroot import FakeRoot

API = "test:counter/api"
ANY = "(state: value, by: u32) -> result<value, string>"
SUM = "(state: u32, by: u32) -> result<tuple<u32, u32>, string>"


def counter_functions() -> list[wat.Function]:
    return [
        wat.starts(u32(0)),
        wat.Function(f"{API}.bump", SUM, wat.adds()),
        wat.Function(f"{API}.slow-bump", SUM, [wat.computes(20_000_000), wat.adds()]),
        wat.Function(f"{API}.spin", ANY, wat.spins()),
        wat.Function(f"{API}.trap", ANY, wat.traps()),
        wat.Function(f"{API}.decline", ANY, wat.declines("not today")),
        wat.Function(f"{API}.log", SUM, [wat.calls(wat.LOG, wat_text("hello from the guest")), wat.adds()]),
        wat.Function(f"{API}.stop", SUM, [wat.calls(wat.SHUTDOWN, wat_none()), wat.adds()]),
        wat.Function(f"{API}.list", SUM, [wat.calls(wat.LIST_CHILDREN), wat.adds()]),
        wat.Function(f"{API}.large", ANY, wat.answers_large(100_000)),
    ]


def wat_text(text: str) -> object:
    from tests.guests.pack import text as make

    return make(text)


def wat_none() -> object:
    from tests.guests.pack import none

    return none()


IMPORTS = [wat.LOG, wat.SHUTDOWN, wat.LIST_CHILDREN]

Compile = Callable[[bytes], str]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compile modules to artefact files."""
    import wasmtime

    from worker.engine.config import make_engine

    engine = make_engine()
    directory = tmp_path_factory.mktemp("artefacts")
    known: dict[bytes, str] = {}

    def compile_(wasm: bytes) -> str:
        if wasm not in known:
            path = directory / f"{len(known)}.cwasm"
            path.write_bytes(wasmtime.Module(engine, wasm).serialize())
            known[wasm] = str(path)
        return known[wasm]

    return compile_


@pytest.fixture(scope="session")
def counter(compiled: Compile) -> str:
    """Artefact of the counter."""
    return compiled(wat.build(counter_functions(), IMPORTS))


@pytest.fixture
def root(tmp_path: Path, counter: str) -> Iterator[FakeRoot]:
    """A fake root with a worker for the counter, waiting for Init."""
    with FakeRoot(tmp_path, counter) as root:
        yield root
