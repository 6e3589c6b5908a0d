"""The examples' guests, called through a plain host: what each function does to the state and asks of the host."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from tests.guests.host import Answer, Guest
from tests.guests.pack import (
    RECORDS,
    Value,
    encode,
    good,
    listed,
    none,
    octets,
    ok,
    record,
    result,
    s64,
    some,
    text,
    tup,
    u32,
    u64,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
INIT = "theater:simple/actor.init"
LOG = "theater:simple/runtime.log"
SHUTDOWN = "theater:simple/runtime.shutdown"


def example(name: str, answers: dict[str, Answer] | None = None) -> Guest:
    """An instance of ``examples/<name>.wasm``."""
    return Guest((EXAMPLES / f"{name}.wasm").read_bytes(), answers)


def answered(*parts: Value) -> tuple[int, bytes]:
    """A good answer: ``ok((state, response…))``."""
    return 0, encode(ok(*parts))


def declined(message: str) -> bytes:
    """What stands in an answer that declines."""
    return encode(tup(text(message)))[16:-16]


# --- hello ------------------------------------------------------------------------------------------------------------


def test_hello_greets_and_logs() -> None:
    """greet answers with the greeting and writes one line."""
    hello = example("hello/hello")

    assert answered(tup()) == hello.call(INIT, none())
    assert answered(tup(), text("Hello, World!")) == hello.call("hello:example/greeter.greet", tup(), text("World"))
    assert [(LOG, encode(text("hello is ready"))), (LOG, encode(text("greeting World")))] == hello.calls


def test_hello_declines_an_empty_name() -> None:
    """An empty name is an error of the caller, not of the actor."""
    status, answer = example("hello/hello").call("hello:example/greeter.greet", tup(), text(""))

    assert status == 0
    assert declined("greet: the name is empty") in answer


# --- counter ----------------------------------------------------------------------------------------------------------

COUNTER = "counter:example/counter."


def counter(count: int) -> Value:
    return record("counter", count=u64(count))


@pytest.mark.parametrize("given", [none(), record("", count=s64(0)), some(counter(0)), counter(0)])
def test_counter_begins(given: Value) -> None:
    """Nothing, plain data from tree.yaml and an earlier state are all good beginnings."""
    assert answered(counter(0)) == example("counter/counter").call(INIT, given)


def test_counter_refuses_a_wrong_beginning() -> None:
    """The message names the field."""
    status, message = example("counter/counter").call(INIT, record("", count=text("many")))

    assert (status, message) == (-1, b"init: state.count: expected u64, found string")


def test_counter_counts() -> None:
    """get, add and set."""
    it = example("counter/counter")

    assert answered(counter(7), u64(7)) == it.call(COUNTER + "get", counter(7))
    assert answered(counter(12), u64(12)) == it.call(COUNTER + "add", counter(7), u32(5))
    assert answered(counter(3)) == it.call(COUNTER + "set", counter(7), u64(3))


def test_counter_crashes() -> None:
    """crash is a trap."""
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        example("counter/counter").call(COUNTER + "crash", counter(0))


def test_counter_spins() -> None:
    """spin never returns: only a deadline ends it."""
    with pytest.raises(wasmtime.Trap, match="fuel"):
        example("counter/counter").call(COUNTER + "spin", counter(0))


# --- bank -------------------------------------------------------------------------------------------------------------

LEDGER = "bank:example/ledger."


def ledger(**balances: int) -> Value:
    accounts = [record("account", owner=text(owner), balance=u64(held)) for owner, held in balances.items()]
    return record("ledger", accounts=listed(b"\x09\x07\0\0\0account", accounts))


def test_ledger_begins_with_plain_data() -> None:
    """The accounts of tree.yaml become accounts of the declared type."""
    plain = record("", accounts=listed(RECORDS, [record("", owner=text("alice"), balance=s64(100))]))

    assert answered(ledger(alice=100)) == example("bank/ledger").call(INIT, plain)


def test_ledger_begins_empty() -> None:
    """No state, no accounts."""
    assert answered(ledger()) == example("bank/ledger").call(INIT, none())


def test_ledger_moves_money() -> None:
    """Deposits open accounts, withdrawals lower them, everybody else's stays."""
    it = example("bank/ledger")
    before, opened = ledger(alice=100, bob=20), ledger(alice=100, bob=20, cyd=1)

    assert answered(ledger(alice=100, bob=25), u64(25)) == it.call(LEDGER + "deposit", before, text("bob"), u32(5))
    assert answered(opened, u64(1)) == it.call(LEDGER + "deposit", before, text("cyd"), u32(1))
    assert answered(ledger(alice=40, bob=20), u64(40)) == it.call(LEDGER + "withdraw", before, text("alice"), u32(60))
    assert answered(before, u64(0)) == it.call(LEDGER + "balance", before, text("nobody"))


def test_ledger_gives_no_credit() -> None:
    """A withdrawal beyond the balance is declined with both numbers."""
    _, answer = example("bank/ledger").call(LEDGER + "withdraw", ledger(bob=20), text("bob"), u32(21))

    assert declined("bob has 20, which is less than 21") in answer


def test_teller_numbers_customers() -> None:
    """Each customer gets the next number of the shift."""
    shift = record("shift", served=u32(1))
    ticket = text("dora is number 2 of this shift")

    served = example("bank/teller").call("bank:example/teller.serve", shift, text("dora"))
    assert answered(record("shift", served=u32(2)), ticket) == served


def test_auditor_keeps_remarks() -> None:
    """Remarks are kept in order."""
    one = listed(b"\x06", [text("odd")])
    two = listed(b"\x06", [text("odd"), text("very odd")])
    it = example("bank/auditor")

    noted = it.call("bank:example/auditor.remark", record("audit", remarks=one), text("very odd"))
    assert answered(record("audit", remarks=two), u32(2)) == noted
    read = it.call("bank:example/auditor.remarks", record("audit", remarks=two))
    assert answered(record("audit", remarks=two), two) == read


@pytest.mark.parametrize("name", ["ledger", "teller", "auditor"])
def test_bank_crashes_on_request(name: str) -> None:
    """Each of the three says so in the log, then traps."""
    it = example(f"bank/{name}")
    state = {"ledger": ledger(), "teller": record("shift", served=u32(0))}.get(name)

    with pytest.raises(wasmtime.Trap, match="unreachable"):
        it.call(f"bank:example/{name}.crash", state or record("audit", remarks=listed(b"\x06", [])))
    assert [(LOG, encode(text(f"the {name} is about to crash, as asked")))] == it.calls


# --- nested -----------------------------------------------------------------------------------------------------------


def test_task_finishes_in_order() -> None:
    """finish asks the host for a shutdown with nothing to hand over, and answers."""
    it = example("nested/task")
    task = record("task", name=text("job"), steps=u32(4))

    assert answered(task) == it.call("nested:example/task.finish", task)
    assert (SHUTDOWN, encode(none())) == it.calls[-1]


def test_task_steps() -> None:
    """step counts; the name stays."""
    before, after = (record("task", name=text("job"), steps=u32(n)) for n in (4, 5))

    assert answered(after, u32(5)) == example("nested/task").call("nested:example/task.step", before)


def test_task_needs_a_state() -> None:
    """Without a name a task does not start."""
    _, answer = example("nested/task").call(INIT, none())

    assert declined("a task needs a state, such as {name: reader, steps: 0}") in answer


# --- dynamic ----------------------------------------------------------------------------------------------------------

MANAGER = "dynamic:example/manager."
HANDLERS = "theater:simple/supervisor-handlers."
SUPERVISOR = "theater:simple/supervisor."
STRINGS = b"\x06\x06"
"""The declared types hosts put into every result: string and string (pack-abi §10.1)."""


def manager(hired: int = 0, finished: int = 0, failed: int = 0, stopped: int = 0, last: str = "") -> Value:
    counts = {"hired": u32(hired), "finished": u32(finished), "failed": u32(failed), "stopped": u32(stopped)}
    return record("manager", **counts, last=text(last))


def says(is_ok: bool, payload: Value) -> Answer:
    """A host function's answer."""
    return lambda _: encode(result(is_ok, payload, b"\x06", b"\x06"))


def test_manager_hires() -> None:
    """hire spawns worker.toml with the worker's state and answers with the child's id."""
    it = example("dynamic/manager", {SUPERVISOR + "spawn": says(True, text("id-1"))})
    answer = it.call(MANAGER + "hire", manager(), text("ann"))

    assert answered(manager(hired=1, last="hired ann as id-1"), text("id-1")) == answer
    name, sent = it.calls[0]
    assert name == SUPERVISOR + "spawn"
    assert encode(text("worker.toml"))[16:] in sent
    assert encode(text("ann"))[16:] in sent


def test_manager_passes_errors_on() -> None:
    """What the host refuses declines the call."""
    it = example("dynamic/manager", {SUPERVISOR + "stop-child": says(False, text("ID is not a child of this actor"))})
    _, answer = it.call(MANAGER + "dismiss", manager(), text("id-9"))

    assert declined("ID is not a child of this actor") in answer


def test_manager_lists_its_staff() -> None:
    """staff is what list-children answers."""
    ids = listed(b"\x06", [text("id-1"), text("id-2")])
    it = example("dynamic/manager", {SUPERVISOR + "list-children": says(True, ids)})

    assert answered(manager(), ids) == it.call(MANAGER + "staff", manager())


def test_manager_shows_a_childs_state() -> None:
    """look-at answers with the child's state, whatever it is."""
    state = record("worker", name=text("ann"), jobs=u32(3))
    it = example("dynamic/manager", {SUPERVISOR + "get-child-state": says(True, state)})
    status, answer = it.call(MANAGER + "look-at", manager(), text("id-1"))

    assert status == 0
    assert b"worker" in answer and b"jobs" in answer


@pytest.mark.parametrize(
    ("handler", "rest", "after"),
    [
        ("handle-child-exit", [some(octets(b"done"))], manager(finished=1, last="id-1 finished")),
        ("handle-child-exit", [none()], manager(finished=1, last="id-1 finished")),
        ("handle-child-error", [tup(text("any"), none())], manager(failed=1, last="id-1 failed")),
        ("handle-child-external-stop", [], manager(stopped=1, last="id-1 was stopped")),
    ],
)
def test_manager_counts_ends(handler: str, rest: list[Value], after: Value) -> None:
    """Each callback counts its kind of end."""
    assert answered(after) == example("dynamic/manager").call(HANDLERS + handler, manager(), text("id-1"), *rest)


def test_worker_hands_over_a_result() -> None:
    """finish shuts down with the text of what was done."""
    it = example("dynamic/worker")
    worker = record("worker", name=text("ann"), jobs=u32(3))

    assert answered(worker) == it.call("dynamic:example/worker.finish", worker)
    assert [(SHUTDOWN, encode(some(octets(b"ann did 3 jobs"))))] == it.calls


def test_session_counts_pages() -> None:
    """visit numbers the pages of one session."""
    before, after = (record("session", pages=u32(n)) for n in (0, 1))
    visited = example("dynamic/session").call("dynamic:example/session.visit", before, text("start"))

    assert answered(after, text("start is page 1 of this session")) == visited


def test_good_is_a_bare_result() -> None:
    """The reference helper builds what hosts answer."""
    assert encode(good(text("x"))) == says(True, text("x"))(b"")
    assert STRINGS in encode(good(text("x")))
