"""``handle-recovered``: the first operation of a life that begins without ``init``, in a real worker, by both doors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proto import control, info
from tests.component import wit
from tests.guests import wat
from tests.guests.pack import encode, ok, text, tup, u32
from tests.worker.conftest import API, SUM, Compile
from tests.worker.fakeroot import FakeRoot
from theater import cgrf
from theater.chain import files, payloads
from theater.chain.batch import iter_batch
from theater.values import String, Tuple
from worker.prepare import Preparer
from worker.recovered import HANDLE_RECOVERED

TOLD = "(state: u32, how: string) -> result<tuple<u32>, string>"
BY_5 = encode(tup(u32(5)))
LATE = {"chain_seq": 40, "chain_head": bytes(32), "incarnation": 3}

Start = Callable[..., FakeRoot]


def told(*does: Any, types: str = TOLD) -> wat.Function:
    return wat.Function(HANDLE_RECOVERED, types, list(does))


def goes_on() -> wat.Function:
    """Logs, and has 100 for a state from then on."""
    return told(wat.calls(wat.LOG, text("recovered")), wat.returns(ok(u32(100))))


def package(*more: wat.Function) -> bytes:
    bump = wat.Function(f"{API}.bump", SUM, wat.adds())
    return wat.build([wat.starts(u32(0)), bump, *more], [wat.LOG])


@pytest.fixture
def of(tmp_path: Path, compiled: Compile) -> Iterator[Start]:
    """Workers for packages, waiting for Init."""
    roots: list[FakeRoot] = []

    def root_of(wasm: bytes | str) -> FakeRoot:
        if isinstance(wasm, str):
            (tmp_path / "it.wat").write_text(wasm)
            prepared = Preparer(str(tmp_path / "cache")).prepare(str(tmp_path / "it.wat"))
            assert prepared.error is None
            artefact = prepared.artefact
        else:
            artefact = compiled(wasm)
        roots.append(FakeRoot(tmp_path, artefact))
        return roots[-1]

    yield root_of
    for root in roots:
        root.__exit__()


def begin(root: FakeRoot, recovered: str = "last", **more: Any) -> FakeRoot:
    """A life that goes on from the state 5."""
    given = {"bodies": (encode(u32(5)),), "state_kind": "value", "resume": True, "recovered": recovered}
    return root.start(**(given | more))


def said(root: FakeRoot) -> list[payloads.Payload]:
    """What the events say that were recorded so far."""
    asked, _ = root.ask(info.GetMetrics(0))
    root.until(lambda: root.stored_events() >= asked.data["events"])
    return [payloads.read(event.data) for batch, body in root.batches for event in iter_batch(body, batch.prev_hash)]


@pytest.mark.parametrize("wasm", [package(goes_on()), wit.RECOVERING], ids=["pack", "component"])
@pytest.mark.parametrize(("recovered", "how"), [("last", "last"), ("update", "update"), ("initial", "last")])
def test_it_comes_first_and_is_recorded(of: Start, wasm: bytes | str, recovered: str, how: str) -> None:
    """As any operation is: the call, what it called, the result, whose state is the committed one."""
    root = begin(of(wasm), recovered, **LATE)
    marker, call, logged, result = said(root)

    assert isinstance(marker, payloads.Incarnation)
    assert call == payloads.Call(HANDLE_RECOVERED, Tuple((String(how),)), None)
    assert isinstance(logged, payloads.HostCall)
    assert isinstance(result, payloads.Result)
    added = 105 if isinstance(wasm, str) else 100
    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(added + 5))


def test_a_fork_is_told_so(of: Start) -> None:
    """Its origin is in the genesis event before."""
    origin = {"actor": "/a", "id": "x", "seq": 3, "hash": "00" * 32}
    root = begin(of(package(goes_on())), "fork", origin=origin)
    genesis, call, *_ = said(root)

    assert isinstance(genesis, payloads.Genesis)
    assert call == payloads.Call(HANDLE_RECOVERED, Tuple((String("fork"),)), None)


def test_without_the_export_nothing_is_called(of: Start) -> None:
    """The life begins with its first operation."""
    root = begin(of(package()), **LATE)

    assert len(said(root)) == 1
    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(10))


def test_a_life_that_begins_with_init_is_not_told(of: Start) -> None:
    """One of both."""
    calls = [each.function for each in said(of(package(goes_on())).start()) if isinstance(each, payloads.Call)]

    assert calls == ["theater:simple/actor.init"]


def test_a_trial_is_not_told(of: Start) -> None:
    """S1: nothing of it is to be noticed."""
    root = begin(of(package(goes_on())), "update", setup=True)

    assert len(said(root)) == 1


def test_calls_wait_until_it_has_returned(of: Start) -> None:
    """What has come before is done after it."""
    root = of(package(told(wat.computes(50_000_000), wat.returns(ok(u32(100))))))
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    begin(root)

    assert caller.answer(number)[1] == encode(u32(105))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (told(wat.declines("not now")), "not now"),
        (told(wat.traps()), "unreachable"),
        (told(wat.spins()), "deadline of 200 ms"),
        (told(wat.returns(ok(u32(1))), types="(state: u32) -> result<tuple<u32>, string>"), "parameter"),
        (told(wat.returns(ok(text("no number")))), "does not fit"),
    ],
    ids=["declines", "traps", "spins", "takes-nothing", "lies"],
)
def test_its_failure_is_a_failed_start(of: Start, function: wat.Function, why: str) -> None:
    """The step is named; ``init``'s time limit holds."""
    root = of(package(function))
    root.init(
        bodies=(encode(u32(5)),), state_kind="value", resume=True, recovered="last", options={"init_deadline_ms": 200}
    )
    failed, _ = root.expect(control.StartFailed)

    assert failed.step == "handle-recovered"
    assert why in failed.text
    assert root.wait_for_exit() == 3
    assert root.last_words()["step"] == "handle-recovered"


def write(path: Path, root: FakeRoot) -> str:
    """The chain so far in a file, for a life that is rebuilt from it."""
    said(root)
    path.write_bytes(b"".join(body for _, body in root.batches))
    return str(path)


def test_a_life_that_is_rebuilt(of: Start, tmp_path: Path, compiled: Compile) -> None:
    """Is told ``replay``, after what is played back; a history in which that occurs is played back in turn."""
    wasm = package(goes_on())
    first = of(wasm).start()
    first.caller().call(f"{API}.bump", BY_5)
    history = tmp_path / "history"
    write(history, first)
    first.kill()
    first.wait_for_exit()
    for number in (2, 3):
        place = tmp_path / str(number)
        place.mkdir()
        with FakeRoot(place, compiled(wasm)) as later:
            events = files.open_file(str(history))
            copy = place / "history"
            copy.write_bytes(history.read_bytes())
            later.start(
                resume=True,
                recovered="replay",
                history=str(copy),
                incarnation=number,
                chain_seq=events[-1].seq + 1,
                chain_head=events[-1].hash,
            )
            assert later.caller().call(f"{API}.bump", BY_5) == encode(u32(105))
            marker, call, *_ = said(later)
            history.write_bytes(history.read_bytes() + b"".join(body for _, body in later.batches))

            assert isinstance(marker, payloads.Incarnation)
            assert marker.state == cgrf.decode(encode(u32(5 if number == 2 else 105)))
            assert call == payloads.Call(HANDLE_RECOVERED, Tuple((String("replay"),)), None)
