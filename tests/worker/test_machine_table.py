"""Every cell of the lifecycle table, from a transcription of it that knows nothing of the implementation.

A cell says what the one who sent the notice hears, then where the machine goes (nothing: it stays).

    queue       accepted, answered later            run         goes into the guest
    wait        accepted, answered on effect        ok          answered with success
    error KIND  answered with that error            kill        the process ends, cause killed
    drop        silently nothing                    impossible  a broken invariant
    leave       leaving begins                      pending     remembered for when the guest is free
"""

from __future__ import annotations

from typing import Any

import pytest

from worker import machine_actions as actions
from worker import machine_notices as notices
from worker.machine import Machine
from worker.machine_state import BrokenInvariant, Rules, State

STATES = ["starting", "idle", "processing", "paused", "shutting_down", "stopped"]

TABLE = """
| notice                   | starting             | idle                     | processing            | paused                | shutting_down        | stopped              |
|--------------------------|----------------------|--------------------------|-----------------------|-----------------------|----------------------|----------------------|
| call                     | queue                | run > processing         | queue                 | queue                 | error shutting_down  | error channel_closed |
| call, on_paused reject   | queue                | run > processing         | queue                 | error paused          | error shutting_down  | error channel_closed |
| call, stop pending       | error shutting_down  | -                        | error shutting_down   | -                     | -                    | -                    |
| http without a service   | queue                | error unexpected         | queue                 | queue                 | error shutting_down  | error channel_closed |
| host-originated          | queue                | run > processing         | queue                 | queue                 | drop                 | drop                 |
| host-originated, stop pending | drop            | -                        | drop                  | -                     | -                    | -                    |
| update                   | error update_package | asked                    | asked                 | asked                 | error shutting_down  | error channel_closed |
| pause                    | wait                 | ok > paused              | wait                  | ok                    | error shutting_down  | error channel_closed |
| pause, stop pending      | error shutting_down  | -                        | error shutting_down   | -                     | -                    | -                    |
| pause if idle            | error unexpected     | ok > paused              | error unexpected      | ok                    | error shutting_down  | error channel_closed |
| resume                   | error not_paused     | error not_paused         | error not_paused      | ok > idle             | error shutting_down  | error channel_closed |
| resume, pause pending    | ok                   | -                        | ok                    | -                     | -                    | -                    |
| resume, stop pending     | error shutting_down  | -                        | error shutting_down   | -                     | -                    | -                    |
| resume, queue not empty  | -                    | -                        | -                     | ok > processing       | -                    | -                    |
| shutdown                 | ok                   | ok > shutting_down       | ok                    | ok > shutting_down    | ok                   | ok                   |
| shutdown without time    | ok > stopped         | ok > stopped             | ok > stopped          | ok > stopped          | ok > stopped         | ok                   |
| terminate                | kill > stopped       | kill > stopped           | kill > stopped        | kill > stopped        | kill > stopped       | drop                 |
| hand over                | error update_package | handed > paused          | mover                 | error update_package  | error shutting_down  | error channel_closed |
| hand over, stop pending  | error update_package | -                        | error shutting_down   | -                     | -                    | -                    |
| hand over, guest stopping | error update_package | -                       | error shutting_down   | -                     | -                    | -                    |
| hand over, handed over   | -                    | -                        | error unexpected      | error unexpected      | -                    | -                    |
| take back                | ok                   | ok                       | ok                    | ok                    | error shutting_down  | error channel_closed |
| take back, handed over   | -                    | -                        | ok                    | ok > idle             | -                    | -                    |
| retire                   | error unexpected     | error unexpected         | error unexpected      | error unexpected      | error shutting_down  | error channel_closed |
| retire, handed over      | -                    | -                        | error unexpected      | end updated > stopped | -                    | -                    |
| call, handed over        | -                    | -                        | error moved           | error moved           | -                    | -                    |
| posted call, handed over | -                    | -                        | forward               | forward               | -                    | -                    |
| pause, handed over       | -                    | -                        | wait                  | error unexpected      | -                    | -                    |
| resume, handed over      | -                    | -                        | error not_paused      | error unexpected      | -                    | -                    |
| shutdown, handed over    | -                    | -                        | ok                    | ok > shutting_down    | -                    | -                    |
| returned, handed over    | -                    | -                        | answered > paused     | -                     | -                    | -                    |
| trapped, handed over     | -                    | -                        | end failed > stopped  | -                     | -                    | -                    |
| cancel, unknown          | error not_found      | error not_found          | error not_found       | error not_found       | error not_found      | error not_found      |
| cancel, queued           | ok                   | -                        | ok                    | ok                    | -                    | -                    |
| cancel, running          | -                    | -                        | error unexpected      | -                     | -                    | -                    |
| parent graceful          | pending              | leave > shutting_down    | pending               | leave > shutting_down | drop                 | drop                 |
| parent lost              | kill > stopped       | leave > shutting_down    | pending               | leave > shutting_down | drop                 | drop                 |
| step reached             | drop                 | impossible               | impossible            | impossible            | impossible           | drop                 |
| loaded                   | init                 | impossible               | impossible            | impossible            | impossible           | drop                 |
| loaded, stop pending     | leave > shutting_down | -                       | -                     | -                     | -                    | -                    |
| setup done               | announce > idle      | impossible               | impossible            | impossible            | impossible           | drop                 |
| setup done, queue        | announce > processing | -                       | -                     | -                     | -                    | -                    |
| setup done, pause pending | announce > paused   | -                        | -                     | -                     | -                    | -                    |
| setup done, stop pending | announce > shutting_down | -                    | -                     | -                     | -                    | -                    |
| setup failed             | end start_failed > stopped | impossible         | impossible            | impossible            | impossible           | drop                 |
| returned                 | announce > idle      | impossible               | answered > idle       | impossible            | impossible           | drop                 |
| returned, queue          | announce > processing | -                       | answered > processing | -                     | -                    | -                    |
| returned, pause pending  | announce > paused    | -                        | answered > paused     | -                     | -                    | -                    |
| returned, stop pending   | announce > shutting_down | -                    | answered > shutting_down | -                  | -                    | -                    |
| returned, guest stopping | announce > shutting_down | -                    | answered > shutting_down | -                  | -                    | -                    |
| declined                 | end start_failed > stopped | impossible         | failed > idle         | impossible            | impossible           | drop                 |
| declined, crash          | end start_failed > stopped | impossible         | end failed > stopped  | impossible            | impossible           | drop                 |
| declined, stop pending   | end start_failed > stopped | -                  | failed > shutting_down | -                    | -                    | -                    |
| rejected                 | impossible           | impossible               | failed > idle         | impossible            | impossible           | drop                 |
| trapped                  | end start_failed > stopped | impossible         | end failed > stopped  | impossible            | impossible           | drop                 |
| trapped, stop pending    | end start_failed > stopped | -                  | end failed > stopped  | -                     | -                    | -                    |
| stop deadline            | kill > stopped       | impossible               | kill > stopped        | impossible            | kill > stopped       | drop                 |
| guest asks shutdown      | pending              | impossible               | pending               | impossible            | impossible           | drop                 |
| withdraw                 | drop                 | impossible               | drop                  | impossible            | impossible           | drop                 |
| time passed              | drop                 | drop                     | drop                  | drop                  | drop                 | drop                 |
| left                     | impossible           | impossible               | impossible            | impossible            | end stopped > stopped | drop                |
"""  # noqa: E501


def cells() -> list[tuple[str, str, str]]:
    lines = [line for line in TABLE.strip().splitlines() if not line.startswith("|-")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0][1:] == STATES
    named = [(row[0], zip(STATES, row[1:], strict=True)) for row in rows[1:]]
    return [(row, state, cell) for row, columns in named for state, cell in columns if cell != "-"]


NOTICES: dict[str, Any] = {
    "call": lambda: notices.Call(function="f", waiter="me", key="k"),
    "http without a service": lambda: notices.Call(function="h", waiter="me", refusal=("unexpected", ("none",))),
    "host-originated": lambda: notices.HostCall(function="tick"),
    "update": lambda: notices.UpdatePackage(function="update", payload="new.wasm", waiter="me"),
    "posted call": lambda: notices.Call(function="f", payload=b"p", waiter="me", key="k", posted=True),
    "hand over": lambda: notices.HandOver("me"),
    "take back": lambda: notices.TakeBack("me"),
    "retire": lambda: notices.Retire("me"),
    "pause": lambda: notices.Pause("me"),
    "pause if idle": lambda: notices.Pause("me", if_idle=True),
    "resume": lambda: notices.Resume("me"),
    "shutdown": lambda: notices.Shutdown("me"),
    "shutdown without time": lambda: notices.Shutdown("me", deadline_ms=0),
    "terminate": notices.Terminate,
    "cancel": lambda: notices.Cancel("me", "target"),
    "parent graceful": lambda: notices.Shutdown(by="parent"),
    "parent lost": notices.ParentLost,
    "withdraw": lambda: notices.Withdraw(("f", 1)),
    "step reached": lambda: notices.StepReached("link"),
    "loaded": notices.Loaded,
    "setup done": notices.SetupDone,
    "setup failed": lambda: notices.SetupFailed("link", "no such import"),
    "returned": lambda: notices.Returned(b"response"),
    "declined": lambda: notices.Declined("no"),
    "rejected": lambda: notices.Rejected("function_not_found", ("f",)),
    "trapped": lambda: notices.Trapped("unreachable"),
    "stop deadline": notices.StopDeadline,
    "guest asks shutdown": lambda: notices.GuestAskedShutdown(b"v"),
    "time passed": notices.TimePassed,
    "left": notices.Left,
}


def machine_in(state: str, rules: Rules) -> Machine:
    """A machine brought into a state the way a worker does it."""
    machine = Machine(rules, 0)
    way: dict[str, list[Any]] = {
        "starting": [],
        "idle": [notices.SetupDone()],
        "processing": [notices.SetupDone(), running()],
        "paused": [notices.SetupDone(), notices.Pause("earlier")],
        "shutting_down": [notices.SetupDone(), notices.Shutdown("earlier")],
        "stopped": [notices.SetupDone(), notices.Shutdown("earlier"), notices.Left()],
    }
    for notice in way[state]:
        machine.feed(notice, 0)
    assert machine.state.name.lower() == state
    return machine


def running() -> notices.Call:
    return notices.Call(function="running", waiter="runner", key="running")


def prepare(machine: Machine, condition: str) -> None:
    """Bring about what the row says after the comma."""
    match condition:
        case "stop pending":
            machine.feed(notices.Shutdown("stopper"), 0)
        case "pause pending":
            machine.feed(notices.Pause("pauser"), 0)
        case "handed over":
            if machine.state is State.PAUSED:
                machine.feed(notices.Resume("earlier"), 0)
            machine.feed(notices.HandOver("mover"), 0)
        case "guest stopping":
            machine.feed(notices.GuestAskedShutdown(), 0)
        case "queue" | "queue not empty" | "queued":
            machine.feed(notices.Call(function="queued", waiter="queued", key="target"), 0)


def rules_for(condition: str) -> Rules:
    return Rules(reject_when_paused=condition == "on_paused reject", crash_on_decline=condition == "crash")


def heard(done: list[actions.Action], waiter: str) -> str:
    """What one waiter was told: ok, error KIND, or nothing."""
    told = [a for a in done if isinstance(a, actions.Answer | actions.Refuse) and a.waiter == waiter]
    assert len(told) <= 1
    if not told:
        return "nothing"
    return "ok" if isinstance(told[0], actions.Answer) else f"error {told[0].kind}"


def check(outcome: str, done: list[actions.Action], machine: Machine) -> None:
    ends = [a.cause for a in done if isinstance(a, actions.Exit)]
    match outcome.split():
        case ["ok"] | ["error", _]:
            assert outcome == heard(done, "me")
        case ["queue"]:
            assert done == []
            assert machine.queued == 1
        case ["wait"]:
            assert done == []
            assert machine.pausers == ["me"]
        case ["handed"]:
            assert done == [actions.Handed("me")]
        case ["mover"]:
            assert done == []
            assert machine.movers == ["me"]
        case ["asked"]:
            assert done == [actions.AskUpdate("me", "new.wasm")]
        case ["forward"]:
            assert done == [actions.Forward("f", b"p"), actions.Answer("me")]
        case ["drop"]:
            assert not [a for a in done if not isinstance(a, actions.ArmStopDeadline)]
            assert machine.queued == 0
        case ["run"]:
            assert [actions.Run] == [type(a) for a in done]
        case ["init"]:
            assert [actions.StartInit()] == done
        case ["announce"]:
            assert actions.Announce() == done[0]
        case ["leave"]:
            assert isinstance(done[-1], actions.Leave)
        case ["pending"]:
            assert not ends
            assert machine.stop or machine.guest_stop
        case ["kill"]:
            assert [cause.kind for cause in ends] == ["killed"]
        case ["answered"]:
            assert heard(done, "runner") == "ok"
        case ["failed"]:
            assert heard(done, "runner") in ("error internal", "error function_not_found")
            assert not ends
        case ["end", kind]:
            assert [kind] == [cause.kind for cause in ends]
        case _:
            pytest.fail(f"unknown outcome {outcome!r}")


@pytest.mark.parametrize(("row", "state", "cell"), cells(), ids=lambda text: text.replace(" ", "-"))
def test_cell(row: str, state: str, cell: str) -> None:
    """The machine does in this state what the table says of this notice."""
    name, _, condition = (part.strip() for part in row.partition(","))
    machine = machine_in(state, rules_for(condition))
    prepare(machine, condition)
    notice = notices.Cancel("me", "running") if row == "cancel, running" else NOTICES[name]()
    outcome, _, target = (part.strip() for part in cell.partition(">"))
    before = machine.snapshot()

    if outcome == "impossible":
        with pytest.raises(BrokenInvariant, match=f"{type(notice).__name__} in state {state}"):
            machine.feed(notice, 0)
        assert before == machine.snapshot()
        return
    done = machine.feed(notice, 0)

    check(outcome, done, machine)
    assert (target or state) == machine.state.name.lower()


def test_every_notice_has_a_row() -> None:
    """The transcription leaves no notice of the implementation out."""
    from worker.machine_table import ROWS

    covered = {type(make()) for make in NOTICES.values()}

    assert set(ROWS) == covered


@pytest.mark.parametrize(
    ("state", "text", "detail"),
    [
        ("starting", "Starting", "manifest"),
        ("idle", "Running", "idle"),
        ("processing", "Running", "processing"),
        ("paused", "Paused", "paused"),
        ("shutting_down", "Shutting Down", "leaving, 4000 ms left"),
        ("stopped", "Stopped", "stopped"),
    ],
)
def test_status(state: str, text: str, detail: str) -> None:
    """GetStatus says Theater's text, and in the detail what exactly is going on."""
    status = machine_in(state, Rules()).status(1_000_000_000)

    assert (state, text, detail) == (status.state, status.text, status.detail)


def test_status_of_an_operation() -> None:
    """While an operation runs, the status names it and says for how long."""
    status = machine_in("processing", Rules()).status(1_500_000_000)

    assert (status.operation, status.elapsed_ms) == ("running", 1500)


def test_states_are_the_columns() -> None:
    """The states are those of the specification, in its order."""
    assert [state.name.lower() for state in State] == STATES
