"""What a start of a package would complain about, found out by trying: all problems, not only the first."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from theater import cgrf
from theater.actor import ActorOptions
from theater.fitting import fits
from worker.engine import contract, link
from worker.engine.clock import TICK_MS, GuestClock
from worker.engine.contract import INIT
from worker.engine.doors import open_door, refusals, remarks, shape_of
from worker.engine.errors import CONTRACT, StartError, Trap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from theater.metadata import Metadata

READ_MS_MAX = 2_000
"""Computing time for the guest's own start code and ``__pack_types``."""


class Report(msgspec.Struct):
    """Why a start would fail, what it would warn of, and the metadata if it could be read."""

    refusals: list[str]
    warnings: list[str]
    metadata: Metadata | None = None


class _NoAnswers:
    """A report calls no function of the guest, so a host call can only come from its start code."""

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        raise Trap(f"calls {interface}.{function} while it is instantiated", CONTRACT)


def report(
    engine: Any, compiled: Any, grants: Mapping[str, dict[str, Any]] | None, options: ActorOptions
) -> Report:
    """Say what a start with these grants would complain about; None leaves grants out of it."""
    shape = shape_of(engine, compiled)
    granted = dict(grants) if grants is not None else {item.interface: {} for item in shape.imports}
    problems = refusals(engine, compiled) + link.ungranted(shape, granted) + link.unprovided(shape)
    if problems:
        return Report(problems, [])
    strict = options.interface_hashes == "strict"
    options = msgspec.structs.replace(options, init_deadline_ms=READ_MS_MAX, interface_hashes="lenient")
    clock = GuestClock(engine, options.counts_fuel)
    try:
        with _ticking(clock):
            door = open_door(engine, compiled, options=options, grants=granted, answers=_NoAnswers(), clock=clock)
    except StartError as error:
        return Report([str(error)], [])
    differences, unused = list(door.warnings), remarks(engine, compiled)
    door.close()
    if strict:
        return Report(differences, unused, door.metadata)
    return Report([], differences + unused, door.metadata)


@contextmanager
def _ticking(clock: GuestClock) -> Iterator[None]:
    """Tick the clock from a thread of its own."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(TICK_MS / 1000):
            clock.tick()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def state_problems(metadata: Metadata, kind: str, state: Any) -> list[str]:
    """Why a declared initial state is none for this package: it does not fit what its ``init`` takes."""
    init = next((sig for sig in metadata.exports if sig.full_name == INIT), None)
    if kind not in ("plain", "text") or init is None or not init.params:
        return []
    try:
        encoded = contract.initial_state(kind, state, b"", init)
    except StartError as error:
        return [f"its state does not fit: {error.text}"]
    wrong = fits(cgrf.decode(encoded), init.params[0][1])
    return [] if wrong is None else [f"its state does not fit: state{wrong.path}: {wrong.problem}"]
