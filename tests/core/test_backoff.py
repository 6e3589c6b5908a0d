"""Restarts that wait: off unless a child asks for it."""

from __future__ import annotations

from random import Random

from supervisor.core import notices as note
from supervisor.core.backoff import Tries, plain_delay_ms
from tests.core.shell import NS_PER_MS, Shell, briefs, worker
from theater.spec import Backoff

PLAIN = Backoff(initial_ms=100, factor=2.0, max_ms=1000, jitter=0.0)


def delays(backoff: Backoff, count: int) -> list[int]:
    tries, random = Tries(), Random(1)
    return [tries.next_delay_ms(backoff, 0, random) for _ in range(count)]


def test_delays_grow_to_the_cap() -> None:
    """Each wait is ``factor`` times the one before, and none is longer than ``max_ms``."""
    assert delays(PLAIN, 6) == [100, 200, 400, 800, 1000, 1000]


def test_jitter_stays_near_the_delay() -> None:
    """Jitter varies the wait by at most its share, and never beyond the cap."""
    waits = delays(Backoff(initial_ms=1000, factor=1.0, max_ms=1050, jitter=0.1), 50)

    assert len(set(waits)) > 10
    assert all(900 <= wait <= 1050 for wait in waits)


def test_huge_counts_do_not_overflow() -> None:
    """After any number of failures the wait is the cap."""
    assert plain_delay_ms(PLAIN, 1_000_000) == 1000


def test_quiet_time_resets() -> None:
    """A child that ran for ``max_ms`` begins again with the shortest wait."""
    tries, random = Tries(), Random(1)
    tries.next_delay_ms(PLAIN, 0, random)
    tries.next_delay_ms(PLAIN, 0, random)
    tries.started(0)

    assert tries.next_delay_ms(PLAIN, 1000 * NS_PER_MS, random) == 100


def test_short_life_does_not_reset() -> None:
    """A child that ran for less goes on with longer waits."""
    tries, random = Tries(), Random(1)
    tries.next_delay_ms(PLAIN, 0, random)
    tries.started(0)

    assert tries.next_delay_ms(PLAIN, 999 * NS_PER_MS, random) == 200


def backing_off(**flags) -> Shell:
    """A child with backoff and one without."""
    return Shell(worker("a", backoff=PLAIN), worker("b"), **{"intensity": 5, **flags}).begin()


def test_restart_waits() -> None:
    """The child is restarted when its time has come, not before."""
    shell = backing_off()

    assert briefs(shell.exit("/a")) == ["exited /a crash", "report child_terminated /a crash"]
    assert briefs(shell.sleep(99)) == []
    assert briefs(shell.sleep(1)) == ["start /a", "started /a"]


def test_calls_are_served_while_a_restart_waits() -> None:
    """Meanwhile the child is ``restarting``, and the supervisor answers."""
    shell = backing_off()
    shell.exit("/a")

    assert shell.call(note.WhichChildren, "/")[1]["child"] == "restarting"
    assert shell.call(note.RestartChild, "/", "a") == {"error": "restarting"}


def test_terminate_child_ends_the_wait() -> None:
    """terminate_child cancels the restart."""
    shell = backing_off()
    shell.exit("/a")

    assert shell.call(note.TerminateChild, "/", "a") == "ok"
    assert shell.timers == {}


def test_stop_ends_the_wait() -> None:
    """A tree that stops does not wait for restarts."""
    shell = backing_off()
    shell.exit("/a")

    assert briefs(shell.feed(note.Stop())) == [
        "stop /b",
        "terminated /b shutdown",
        "terminated / shutdown",
        "Down shutdown",
    ]
    assert shell.timers == {}


def test_group_restart_takes_the_waiting_child_along() -> None:
    """When a sibling's restart starts the group, the waiting restart is done with it."""
    shell = backing_off(strategy="one_for_all")
    shell.exit("/a")

    assert briefs(shell.exit("/b"))[2:] == ["start /a", "started /a", "start /b", "started /b"]
    assert shell.timers == {}


def test_failed_try_waits_longer() -> None:
    """A failed try counts as a restart and waits again."""
    shell = Shell(worker("a", backoff=PLAIN), obedient=False, intensity=5).begin()
    shell.start("/a")
    shell.exit("/a")
    shell.sleep(100)
    shell.feed(note.WorkerStartFailed(shell.refs["/a"], "no luck"))

    assert briefs(shell.sleep(199)) == []
    assert briefs(shell.sleep(1)) == ["start /a"]


def test_intensity_is_checked_before_the_wait() -> None:
    """One restart too many ends the supervisor at once."""
    shell = backing_off(intensity=0)

    assert "gave_up /a" in briefs(shell.exit("/a"))


def test_dynamic_child_waits() -> None:
    """Backoff works for the instances of a template, each for itself."""
    shell = Shell(worker("c", backoff=PLAIN), strategy="simple_one_for_one", intensity=5).begin()
    shell.call(note.StartChild, "/", name="x")
    shell.call(note.StartChild, "/", name="y")
    shell.exit("/x")
    shell.exit("/y")

    assert shell.call(note.CountChildren, "/") == {"specs": 1, "active": 0, "supervisors": 0, "workers": 2}
    assert sorted(briefs(shell.sleep(100))) == ["start /x", "start /y", "started /x", "started /y"]


def test_dynamic_child_is_terminated_while_it_waits() -> None:
    """terminate_child ends the wait of a dynamic child too."""
    shell = Shell(worker("c", backoff=PLAIN), strategy="simple_one_for_one", intensity=5).begin()
    shell.call(note.StartChild, "/", name="x")
    shell.exit("/x")

    assert shell.call(note.TerminateChild, "/", "x") == "ok"
    assert shell.timers == {}
    assert shell.call(note.WhichChildren, "/") == []
