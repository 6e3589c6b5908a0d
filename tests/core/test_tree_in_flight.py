"""Answers take time: what happens while starts and stops are under way."""

from __future__ import annotations

import pytest

from supervisor.core import actions as act
from supervisor.core import notices as note
from supervisor.core.errors import CoreMisuse
from supervisor.core.ref import Ref
from tests.core.shell import Shell, briefs, slow, supervisor, worker


def test_next_child_waits_for_the_one_before() -> None:
    """Children start one after the other."""
    shell = slow(worker("a"), worker("b"))

    assert shell.seen() == ["start /a"]
    assert briefs(shell.start("/a")) == ["started /a", "start /b"]
    assert briefs(shell.start("/b")) == ["started /b", "started /", "Up"]


def test_exit_while_a_sibling_starts_is_dealt_with_later() -> None:
    """A child that ends before all are started is restarted when they are."""
    shell = slow(worker("a"), worker("b"))
    shell.start("/a")

    assert briefs(shell.exit("/a")) == ["exited /a crash"]
    assert briefs(shell.start("/b")) == [
        "started /b",
        "started /",
        "Up",
        "report child_terminated /a crash",
        "start /a",
    ]


def test_death_on_the_way_is_a_failed_start() -> None:
    """A worker that ends before it has started has failed to start."""
    shell = slow(worker("a"))

    seen = briefs(shell.exit("/a", "boom"))

    assert seen[:2] == ["start_failed /a boom", "report start_error /a boom"]
    assert shell.has(act.StartFailedTree)


def test_stale_notices_are_ignored() -> None:
    """Notices about processes that are gone, or never were, change nothing."""
    shell = slow(worker("a"))
    shell.start("/a")
    old = shell.refs["/a"]
    shell.exit("/a")
    shell.start("/a")

    assert shell.feed(note.WorkerStarted(old), note.WorkerExited(old, "crash"), note.WorkerIgnored(old)) == []
    assert shell.feed(note.WorkerStartFailed(shell.refs["/a"], "x"), note.WorkerStarted(shell.refs["/a"])) == []
    assert shell.feed(note.WorkerExited(Ref("/never", 77), "crash"), note.TimerFired(99), note.Kill("/never")) == []


def test_start_and_exit_that_come_together() -> None:
    """A worker that starts and ends before anybody looks has started and ended."""
    shell = slow(worker("a"))

    seen = briefs(shell.feed(note.WorkerStarted(shell.refs["/a"]), note.WorkerExited(shell.refs["/a"], "crash")))

    assert seen[:4] == ["started /a", "exited /a crash", "started /", "Up"]
    assert seen[4:] == ["report child_terminated /a crash", "start /a"]


def test_two_supervisors_work_at_the_same_time() -> None:
    """A supervisor that waits for a start does not keep another from restarting its child."""
    shell = slow(supervisor("s", worker("x")), supervisor("t", worker("y")))
    shell.start("/s/x")
    shell.start("/t/y")

    assert briefs(shell.exit("/s/x")) == ["exited /s/x crash", "report child_terminated /s/x crash", "start /s/x"]
    assert briefs(shell.exit("/t/y")) == ["exited /t/y crash", "report child_terminated /t/y crash", "start /t/y"]
    assert briefs(shell.start("/t/y")) == ["started /t/y"]
    assert briefs(shell.start("/s/x")) == ["started /s/x"]


def test_call_waits_while_a_child_starts() -> None:
    """Calls are served in turn, after the restart that is under way."""
    shell = slow(worker("a"), worker("b"))
    shell.start("/a")
    shell.start("/b")
    shell.exit("/a")

    assert shell.call(note.CountChildren, "/") is None
    shell.start("/a")
    assert shell.replies[1] == {"specs": 2, "active": 2, "supervisors": 0, "workers": 2}


def test_call_to_a_supervisor_that_is_starting() -> None:
    """A supervisor that has not started yet is not there."""
    shell = slow(worker("a"))

    assert shell.call(note.WhichChildren, "/") == {"exit": "noproc"}


def test_waiting_call_is_answered_when_the_supervisor_ends() -> None:
    """Nobody is left waiting."""
    shell = slow(worker("a"), worker("b"))
    shell.start("/a")
    shell.start("/b")
    shell.feed(note.Stop())
    assert shell.call(note.CountChildren, "/") is None

    shell.exit("/b", "shutdown")
    shell.exit("/a", "shutdown")

    assert shell.replies == {1: {"exit": "noproc"}}


def test_call_that_is_being_served_when_the_supervisor_is_killed() -> None:
    """Not even the call the supervisor was busy with is left without an answer (found by the simulation, seed 24)."""
    shell = slow(supervisor("s"))
    shell.call(note.StartChild, "/s", spec=worker("x"))

    shell.feed(note.Kill("/s"))

    assert shell.replies == {1: {"exit": "noproc"}}


def test_second_begin_is_misuse() -> None:
    """A tree begins once."""
    shell = slow(worker("a"))

    with pytest.raises(CoreMisuse, match="has begun already"):
        shell.feed(note.Begin())


def test_unknown_notice_is_misuse() -> None:
    """What is no notice is refused by name."""
    with pytest.raises(CoreMisuse, match="expected a notice"):
        Shell().begin().feed("hello")  # type: ignore[arg-type]


# -- stopping while something starts -----------------------------------------------------------------------------------


def test_stop_ends_the_first_start() -> None:
    """A stop while the tree comes up ends the start that is under way, then the others in reverse."""
    shell = slow(worker("a"), worker("b"), worker("c"), worker("d"))
    for path in ("/a", "/b"):
        shell.start(path)

    assert briefs(shell.feed(note.Stop())) == ["kill /c"]
    assert briefs(shell.exit("/c", "killed")) == ["start_failed /c shutdown", "stop /b"]
    assert briefs(shell.exit("/b", "shutdown")) == ["terminated /b shutdown", "stop /a"]
    assert briefs(shell.exit("/a", "shutdown")) == [
        "terminated /a shutdown",
        "start_failed / shutdown",
        "StartFailedTree shutdown",
    ]


def test_stop_ends_a_start_deep_below() -> None:
    """The start under way may be anywhere in the tree."""
    shell = slow(worker("a"), supervisor("s", worker("x"), worker("y")))
    for path in ("/a", "/s/x"):
        shell.start(path)

    assert briefs(shell.feed(note.Stop())) == ["kill /s/y"]
    assert briefs(shell.exit("/s/y", "killed")) == ["start_failed /s/y shutdown", "stop /s/x"]
    assert briefs(shell.exit("/s/x", "shutdown")) == ["terminated /s/x shutdown", "start_failed /s shutdown", "stop /a"]


def test_stop_ends_a_restart() -> None:
    """A stop does not wait for a restart, and nothing is tried again."""
    shell = slow(worker("a"), worker("b"))
    shell.start("/a")
    shell.start("/b")
    shell.exit("/a")

    assert briefs(shell.feed(note.Stop())) == ["kill /a"]
    assert briefs(shell.exit("/a", "killed")) == ["start_failed /a shutdown", "stop /b"]
    assert briefs(shell.exit("/b", "shutdown")) == ["terminated /b shutdown", "terminated / shutdown", "Down shutdown"]


def test_started_crosses_the_kill() -> None:
    """A worker that says it runs after we gave its start up is still given up."""
    shell = slow(worker("a"))
    shell.feed(note.Stop())

    assert briefs(shell.start("/a")) == []
    assert briefs(shell.exit("/a", "killed")) == [
        "start_failed /a shutdown",
        "start_failed / shutdown",
        "StartFailedTree shutdown",
    ]


def test_patient_tree_lets_a_start_come_to_its_end() -> None:
    """As in OTP, the stop is served when the start is over."""
    shell = slow(worker("a"), options={"patient": True})

    assert briefs(shell.feed(note.Stop())) == []
    assert briefs(shell.start("/a")) == ["started /a", "started /", "Up", "stop /a"]


def test_no_restart_while_the_tree_stops() -> None:
    """A child of a supervisor whose turn to stop has not come yet is not restarted."""
    shell = slow(supervisor("s", worker("x")), worker("b"))
    shell.start("/s/x")
    shell.start("/b")
    shell.feed(note.Stop())

    shell.exit("/s/x")

    assert briefs(shell.exit("/b", "shutdown")) == [
        "terminated /b shutdown",
        "terminated /s shutdown",
        "terminated / shutdown",
        "Down shutdown",
    ]


def test_terminate_child_of_a_supervisor_ends_its_starts() -> None:
    """terminate_child of a subtree does not wait for a restart in it."""
    shell = slow(supervisor("s", worker("x")))
    shell.start("/s/x")
    shell.exit("/s/x")
    shell.call(note.TerminateChild, "/", "s")

    assert briefs(shell.exit("/s/x", "killed")) == ["start_failed /s/x shutdown", "terminated /s shutdown"]
    assert shell.replies[1] == "ok"


def test_second_stop_changes_nothing() -> None:
    """Asking twice is asking once."""
    shell = slow(worker("a"))
    shell.start("/a")
    shell.feed(note.Stop())

    assert shell.feed(note.Stop()) == []
    assert briefs(shell.exit("/a", "shutdown")) == ["terminated /a shutdown", "terminated / shutdown", "Down shutdown"]


# -- time --------------------------------------------------------------------------------------------------------------


def test_stop_timeout_kills() -> None:
    """A worker that does not stop in its time is killed, and reported."""
    shell = slow(worker("a", shutdown=100))
    shell.start("/a")
    shell.feed(note.Stop())

    assert briefs(shell.sleep(99)) == []
    assert briefs(shell.sleep(1)) == ["kill /a"]
    assert briefs(shell.exit("/a", "killed"))[:2] == ["terminated /a killed", "report shutdown_error /a killed"]


def test_exit_and_timeout_that_come_together() -> None:
    """A worker that ends just when its time is up needs no kill."""
    shell = slow(worker("a", shutdown=100))
    shell.start("/a")
    shell.feed(note.Stop())
    (timer,) = shell.timers

    seen = briefs(shell.feed(note.TimerFired(timer), note.WorkerExited(shell.refs["/a"], "shutdown")))

    assert seen == ["terminated /a shutdown", "terminated / shutdown", "Down shutdown"]


def test_start_timeout_is_a_failed_start() -> None:
    """A start that takes too long is ended, and has failed when the process is gone."""
    shell = slow(worker("a", start_timeout_ms=1000))

    assert briefs(shell.sleep(1000)) == ["kill /a"]
    assert briefs(shell.exit("/a", "killed"))[:2] == [
        "start_failed /a start_timeout",
        "report start_error /a start_timeout",
    ]


def test_start_timeout_is_tried_again() -> None:
    """In an automatic restart it is a failed try like any other."""
    shell = slow(worker("a", start_timeout_ms=1000), intensity=5)
    shell.start("/a")
    shell.exit("/a")
    shell.sleep(1000)

    seen = briefs(shell.exit("/a", "killed"))

    assert seen == ["start_failed /a start_timeout", "report start_error /a start_timeout", "start /a"]


def test_start_in_time_leaves_no_timer() -> None:
    """The timer of a start is cancelled when it is over."""
    shell = slow(worker("a", start_timeout_ms=1000))
    shell.start("/a")

    assert shell.timers == {}


def test_supervisors_have_no_start_timeout() -> None:
    """A supervisor may take as long as its children."""
    shell = slow(supervisor("s", worker("x")))

    assert shell.timers == {}


# -- names -------------------------------------------------------------------------------------------------------------


def pool(**keys) -> Shell:
    """A simple_one_for_one supervisor."""
    return Shell(worker("c", **keys), strategy="simple_one_for_one").begin()


def test_name_of_a_living_dynamic_child_is_taken() -> None:
    """A second child by the same name is refused, as its path would be the same."""
    shell = pool()
    shell.call(note.StartChild, "/", name="x")

    assert {"error": {"already_started": shell.refs["/x"]}} == shell.call(note.StartChild, "/", name="x")


def test_name_is_free_again() -> None:
    """The name of a child that has ended may be used again."""
    shell = pool(restart="temporary")
    shell.call(note.StartChild, "/", name="x")
    shell.exit("/x")

    assert {"ok"} == shell.call(note.StartChild, "/", name="x").keys()


def test_dynamic_child_by_name() -> None:
    """Beyond OTP, a dynamic child may be named by what it was started with."""
    shell = pool()
    shell.call(note.StartChild, "/", name="x")

    assert shell.call(note.TerminateChild, "/", "x") == "ok"
    assert shell.call(note.TerminateChild, "/", "x") == {"error": "simple_one_for_one"}


def test_arguments_reach_the_worker() -> None:
    """What start_child was given goes with the start, and with every restart."""
    shell = pool()
    shell.call(note.StartChild, "/", name="x", args={"n": 1})
    shell.exit("/x")

    starts = [action.args for action in shell.actions if isinstance(action, act.StartWorker)]
    assert starts == [{"n": 1}, {"n": 1}]
