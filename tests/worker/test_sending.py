"""What leaves an actor: every host function says so, and the budget ``outgoing`` counts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.worker.enginekit import FakeContext
from tests.worker.test_budgets import Scene, per_hour
from theater import cgrf, http, types, values
from theater.actor import RUNTIME
from theater.grants import HTTP_CLIENT, PREVIEW_1, PROCESS
from theater.types import Type
from theater.values import U32, U64, UNIT, List, Option, Result, String, Tuple, Value, bytes_of
from worker.budgets import UsedUp
from worker.engine.errors import Trap
from worker.guest import _answered
from worker.interfaces.registry import Function, Interface, known
from worker.interfaces.sending import GIVEN, STAYS
from worker.interfaces.wasi.file_contents import FileWriter
from worker.interfaces.wasi.http_bodies import Collected
from worker.interfaces.wasi.http_fields import Fields
from worker.interfaces.wasi.http_incoming import Incoming
from worker.interfaces.wasi.http_messages import OutgoingBody, OutgoingRequest, OutgoingResponse
from worker.interfaces.wasi.resources import resources
from worker.interfaces.wasi.streams import Bytes, OutputStream
from worker.machine_notices import Call, Declined, HostCall, Operation, Rejected, Returned
from worker.mailbox import HANDLE_REQUEST, HANDLE_SEND
from worker.metered import Metered

STREAMS = "wasi:io/streams"
FUNCTIONS = [(interface, function) for interface in known().values() for function in interface.functions]
GIVING = [(interface, each) for interface, each in FUNCTIONS if interface.sends_of(each.name) is GIVEN]

KEPT = {
    "theater:simple/filesystem": {"write-file", "append"},
    "theater:simple/store": {"store", "store-at-label", "replace-content-at-label"},
    "theater:simple/loop": {"start-loop"},
    "wasi:filesystem/types": {"[method]descriptor.write"},
    "wasi:http/incoming-handler": {"accept"},
    PREVIEW_1: {"fd_pwrite", "poll_oneoff"},
    "wasi:http/types": {"[method]fields.append", "[method]fields.set", "[static]fields.from-list"},
}
"""Functions that are given contents which stay: in files and stores, in the guest's own next turn, in what is sent
later and counted then."""


def title(given: Any) -> str | None:
    return given.name if isinstance(given, Interface | Function) else None


class Sender:
    """One actor's calls under a budget."""

    def __init__(self, amount: int, *interfaces: str, **options: Any) -> None:
        self.context = FakeContext()
        self.budgets = Scene(outgoing=per_hour(amount, "error")).budgets
        self.host = Metered(self.context, self.budgets)
        functions = [(name, each) for name in interfaces for each in known()[name].functions]
        self.host.bind({(name, each.name): each.variants[0] for name, each in functions})
        self.context.grants.update(dict.fromkeys(interfaces, options))

    def call(self, interface: str, function: str, *arguments: Value) -> Any:
        given = arguments[0] if len(arguments) == 1 else Tuple(arguments)
        return cgrf.decode(self.host.answer(interface, function, cgrf.encode(given)))

    def add(self, thing: object) -> U32:
        return resources(self.context).add(thing)

    @property
    def used(self) -> int:
        found: int = self.budgets.usage()["outgoing"]["used"]
        return found


def anything(type_: Type) -> Value:
    """Some value of a type."""
    match type_:
        case types.BOOL:
            return values.Bool(True)
        case types.STRING | types.VALUE:
            return String("x")
        case types.List(item=types.U8):
            return bytes_of(b"some contents")
        case types.List(item=item):
            return List(types.tag_form(item), ())
        case types.Option(item=item):
            return Option(types.tag_form(item))
        case types.Tuple(items=items):
            return Tuple(tuple(map(anything, items)))
    return values.CLASS_OF[type_](1)  # type: ignore[index,no-any-return,call-arg]


# -- every function --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interface", "function"), FUNCTIONS, ids=title)
def test_every_function_says_what_leaves_through_it(interface: Interface, function: Function) -> None:
    """Itself; or its interface says for all of them that nothing does."""
    assert function.sends is not None or interface.sends is STAYS


@pytest.mark.parametrize("interface", known().values(), ids=title)
def test_contents_that_stay_are_known(interface: Interface) -> None:
    """Who adds a function that is given contents thinks about whether they leave."""
    takes = {each.name for each in interface.functions if any(map(_has_contents, each.variants[0].params))}
    staying = {each.name for each in interface.functions if interface.sends_of(each.name) is STAYS}

    assert takes & staying == KEPT.get(interface.name, set())


def _has_contents(type_: Type) -> bool:
    if type_ == types.VALUE or type_ == types.BYTES:
        return True
    match type_:
        case types.List(item=inner) | types.Option(item=inner):
            return _has_contents(inner)
        case types.Tuple(items=items):
            return any(map(_has_contents, items))
        case types.Record(fields=fields):
            return any(_has_contents(each) for _, each in fields)
    return False


@pytest.mark.parametrize(("interface", "function"), GIVING, ids=title)
def test_what_is_given_is_refused_when_the_budget_is_used_up(interface: Interface, function: Function) -> None:
    """The function is not called. One without errors ends the guest."""
    sender = Sender(1, interface.name)
    sender.budgets.host_call(1)

    for variant in function.variants:
        sender.host.bind({(interface.name, function.name): variant})
        arguments = list(map(anything, variant.params))
        if interface.is_plain or not variant.is_result:
            with pytest.raises(Trap, match="limit outgoing"):
                sender.call(interface.name, function.name, *arguments)
        else:
            answer = sender.call(interface.name, function.name, *arguments)
            assert not answer.is_ok and answer.value.value.startswith("limit outgoing")
    assert sender.used == 1


# -- those that count for themselves -----------------------------------------------------------------------------------


def test_a_programs_input_and_arguments() -> None:
    """All of it, each time."""
    sender = Sender(1000, PROCESS, programs=["/bin/cat"])

    def cat(data: bytes, argument: str = "-") -> Any:
        arguments = List(types.STRING, (String(argument),))
        return sender.call(PROCESS, "run", String("/bin/cat"), arguments, bytes_of(data), Option(types.U64))

    try:
        assert cat(bytes(600)).is_ok
        assert 600 < sender.used < 800
        assert not cat(bytes(600)).is_ok
        assert not cat(b"", "x" * 300).is_ok
    finally:
        sender.context.close()


def test_streams_that_lead_out() -> None:
    """What is written, of whatever kind: the bytes themselves."""
    sender = Sender(1 << 30, STREAMS)
    stream = sender.add(OutputStream())

    def by(function: str, *arguments: Value) -> int:
        before = sender.used
        assert sender.call(STREAMS, f"[method]output-stream.{function}", stream, *arguments).is_ok
        return sender.used - before

    assert by("write", bytes_of(bytes(1000))) == 1000
    assert by("blocking-write-and-flush", bytes_of(bytes(1000))) == 1000
    assert by("write-zeroes", U64(60_000)) == 60_000
    assert by("blocking-write-zeroes-and-flush", U64(4096)) == 4096
    assert by("splice", sender.add(Bytes(bytes(50_000))), U64(1 << 60)) == 50_000
    assert by("blocking-splice", sender.add(Bytes(bytes(500))), U64(300)) == 300


def test_a_stream_that_moves_too_much() -> None:
    """It is known afterwards; nothing more leaves then."""
    sender = Sender(100, STREAMS)
    stream, source = sender.add(OutputStream()), sender.add(Bytes(bytes(10_000)))
    sender.call(STREAMS, "[method]output-stream.splice", stream, source, U64(5000))
    assert sender.used == 5000

    with pytest.raises(Trap, match="limit outgoing"):
        sender.call(STREAMS, "[method]output-stream.splice", stream, source, U64(1))
    with pytest.raises(UsedUp):
        sender.budgets.admit(False)


def test_files_stay(tmp_path: Path) -> None:
    """Streams into them are not counted, nor refused."""
    sender = Sender(1, STREAMS)
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    stream = sender.add(FileWriter(fd, 0))
    os.close(fd)
    sender.call(STREAMS, "[method]output-stream.write", stream, bytes_of(bytes(1000)))
    sender.call(STREAMS, "[method]output-stream.splice", stream, sender.add(Bytes(bytes(1000))), U64(1000))
    sender.call(STREAMS, "[method]output-stream.write-zeroes", stream, U64(1000))

    assert (tmp_path / "file").stat().st_size == 3000
    assert sender.used == 0
    sender.context.close()


def test_standard_output_of_preview_1() -> None:
    """Descriptors 1 and 2 lead out."""
    sender = Sender(1 << 20, PREVIEW_1)
    sender.call(PREVIEW_1, "fd_write", U32(1), bytes_of(bytes(100)))
    sender.call(PREVIEW_1, "fd_write", U32(2), bytes_of(bytes(10)))
    sender.call(PREVIEW_1, "fd_write", U32(7), bytes_of(bytes(1000)))

    assert sender.used == 110


def test_heads_of_http_messages() -> None:
    """Method, URL and headers; bodies are counted as they are written."""
    sender = Sender(1 << 20, HTTP_CLIENT, "wasi:http/types")
    headers = Fields([("x-long", bytes(1000))])
    request = OutgoingRequest(headers, OutgoingBody(Collected(1000)))
    request.authority, request.path = "example.com", "/" + "p" * 200
    sender.call(HTTP_CLIENT, "handle", sender.add(request), Option(types.U32))
    assert 1200 < sender.used < 1300

    before = sender.used
    response = OutgoingResponse(headers, OutgoingBody(Collected(1000)))
    answer = Result(types.STRING, types.STRING, True, sender.add(response))
    outparam = sender.add(sender.context.service(Incoming).outparam)
    sender.call("wasi:http/types", "[static]response-outparam.set", outparam, answer)
    assert sender.used - before == 1006


def test_the_value_of_an_end() -> None:
    """The parent is told; to end without a value is always possible."""
    sender = Sender(10, RUNTIME)
    assert not sender.call(RUNTIME, "shutdown", Option(types.BYTES, bytes_of(bytes(11)))).is_ok
    sender.budgets.sent(1000)

    assert sender.call(RUNTIME, "shutdown", Option(types.BYTES)).is_ok
    assert sender.context.shutdowns == [None]


def test_without_the_budget_nobody_asks() -> None:
    """Whatever functions say is not looked at."""
    host = Metered(FakeContext(), Scene(host_calls=per_hour(10, "error")).budgets)
    host.bind({(RUNTIME, each.name): each.variants[0] for each in known()[RUNTIME].functions})

    assert cgrf.decode(host.answer(RUNTIME, "log", cgrf.encode(String("x" * 100)))) == UNIT
    assert host._sends == {}


# -- answers -----------------------------------------------------------------------------------------------------------

SOMEBODY = object()


@pytest.mark.parametrize(
    ("operation", "notice", "counted"),
    [
        (Call(function="a.b", waiter=SOMEBODY), Returned(bytes(100)), 100),
        (Call(function="a.b", waiter=SOMEBODY), Declined("é" * 50), 100),
        (Call(function="a.b", waiter=SOMEBODY), Rejected("paused"), 0),
        (Call(function="a.b", waiter=SOMEBODY, posted=True), Returned(bytes(100)), 0),
        (Call(function=HANDLE_REQUEST, waiter=SOMEBODY), Returned(bytes(100)), 100),
        (Call(function=HANDLE_SEND, waiter=SOMEBODY), Returned(bytes(100)), 0),
        (Call(function=http.HANDLER, waiter=SOMEBODY), Returned(bytes(100)), 100),
        (Call(function=http.WASI_HANDLER, waiter=SOMEBODY), Returned(bytes(100)), 0),
        (HostCall(function="a.tick"), Returned(bytes(100)), 0),
    ],
)
def test_answers_that_leave(operation: Operation, notice: Any, counted: int) -> None:
    """Those that somebody reads; a component's HTTP response has been counted while it was made."""
    assert _answered(operation, notice) == counted
