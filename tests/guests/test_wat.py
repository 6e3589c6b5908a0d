"""The fixture generator makes modules that do what their description says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import wasmtime

from tests.guests import pack, wat
from tests.guests.host import Answer, Guest
from tests.guests.pack import encode, err, none, octets, ok, s64, text, tup, u32

ANY = "(state: value) -> result<value, string>"


def guest(
    *does: wat.Behaviour, imports: tuple[wat.Import, ...] = (), answers: Mapping[str, Answer] | None = None
) -> Guest:
    """A module with init and one function ``t.f`` that does this."""
    functions = [wat.starts(u32(7)), wat.Function("t.f", ANY, does)]
    return Guest(wat.build(functions, imports), answers)


def test_init_begins_with_the_given_state() -> None:
    """``starts`` answers ok((state))."""
    assert (0, encode(ok(u32(7)))) == guest(wat.traps()).call(wat.INIT, none())


def test_metadata_of_the_counter_fixture_is_exact() -> None:
    """The metadata has the layout of real guests: the interface hash of {log} is the one of the specification."""
    types = Guest(wat.build([wat.starts(u32(0))], [wat.LOG])).types()

    known = "1dd3d02d5f489296fab56691f915636091203b3899500d8d6eb1706d54249e54"
    words = [bytes.fromhex(known)[n : n + 8] for n in range(0, 32, 8)]
    assert all(word in types for word in words)


def test_adds_threads_the_state() -> None:
    """``adds`` gives the sum as state and response, and status -1 for anything else."""
    it = guest(wat.adds())

    assert (0, encode(ok(u32(5), u32(5)))) == it.call("t.f", u32(2), u32(3))
    assert it.call("t.f", text("no")) == (-1, b"expected (u32, u32)")


@pytest.mark.parametrize(
    ("behaviour", "status", "answer"),
    [
        (wat.returns(s64(-1)), 0, encode(s64(-1))),
        (wat.declines("no"), 0, encode(err("no"))),
        (wat.fails("bad input"), -1, b"bad input"),
        (wat.garbage(), 0, b"this is not a value"),
        (wat.points_at(64, 3), 0, bytes(3)),
        (wat.echoes(), 0, encode(tup(u32(1)))),
        (wat.answers_large(100_000), 0, encode(ok(none(), octets(bytes(100_000))))),
    ],
)
def test_canned_answers(behaviour: wat.Behaviour, status: int, answer: bytes) -> None:
    """Each behaviour answers with its status and bytes."""
    assert (status, answer) == guest(behaviour).call("t.f", u32(1))


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (wat.traps(), "unreachable"),
        (wat.spins(), "fuel"),
        (wat.recurses(), "stack"),
        (wat.reads_outside(), "out of bounds"),
        (wat.divides_by_zero(), "divide by zero"),
        (wat.grows(), "unreachable"),
    ],
)
def test_ends_badly(behaviour: wat.Behaviour, message: str) -> None:
    """Each bad end is the trap it says it is."""
    with pytest.raises((wasmtime.Trap, wasmtime.WasmtimeError), match=message):
        guest(behaviour).call("t.f", u32(1))


def test_behaviours_follow_each_other() -> None:
    """Host calls and growing go on with what follows; the host saw the canned argument."""
    it = guest(wat.calls(wat.LOG, text("hi")), wat.grows(2), wat.computes(1000), wat.echoes(), imports=(wat.LOG,))
    before = it.pages

    assert it.call("t.f", u32(1))[0] == 0
    assert [("theater:simple/runtime.log", encode(text("hi")))] == it.calls
    assert before + 2 <= it.pages


def test_host_answer_comes_back() -> None:
    """What the host answered can be the answer or the response."""
    answers: dict[str, Answer] = {wat.SELF.name: lambda _: encode(text("me"))}
    bare = guest(wat.calls(wat.SELF), wat.returns_host_answer(), imports=(wat.SELF,), answers=answers)
    threaded = guest(wat.calls(wat.SELF), wat.responds_with_host_answer(u32(7)), imports=(wat.SELF,), answers=answers)

    assert (0, encode(text("me"))) == bare.call("t.f", u32(1))
    assert (0, encode(ok(u32(7), text("me")))) == threaded.call("t.f", u32(1))


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"has_metadata": False}, "__pack_types"),
        ({"alloc": "absent"}, "__pack_alloc"),
        ({"free": False}, "__pack_free"),
        ({"memory": "private"}, "memory"),
    ],
)
def test_parts_can_be_left_out(options: dict[str, Any], missing: str) -> None:
    """Options take away exports that a host looks for."""
    wasm = wat.build([wat.starts(u32(0))], **options)
    names = [it.name for it in wasmtime.Module(wasmtime.Engine(), wasm).exports]

    assert missing not in names
    assert wat.INIT in names


def test_composite_members_import_their_memory() -> None:
    """``memory="imported"`` is a module of the kind hosts refuse."""
    module = wasmtime.Module(wasmtime.Engine(), wat.build([wat.starts(u32(0))], memory="imported"))

    assert [(it.module, it.name) for it in module.imports] == [("env", "memory")]


def test_signatures_are_read() -> None:
    """Parameters, records, variants and unit results are understood."""
    it = pack.parse_signature("func(a: record p {x: s32}, b: variant {c, d(u8)}) -> result<_, string>")

    assert [name for name, _ in it.params] == ["a", "b"]
    assert (pack.Type("bool"), pack.Type("string")) == it.results[0].parts
