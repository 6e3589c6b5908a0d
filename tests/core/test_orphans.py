"""Workers of lives that are over: their notices harm nobody, and they are ended."""

from __future__ import annotations

from supervisor.core import notices as note
from tests.core.shell import Shell, briefs, slow, supervisor, worker


def test_killed_supervisor_orphans_its_workers() -> None:
    """The workers of a killed supervisor are killed, and its parent starts it anew."""
    shell = Shell(supervisor("s", worker("x"), worker("y"))).begin()

    seen = briefs(shell.feed(note.Kill("/s")))

    assert seen[:4] == ["kill /s/x", "kill /s/y", "exited /s killed", "report child_terminated /s killed"]
    assert {"orphaned /s/x killed", "orphaned /s/y killed", "started /s/x", "started /s/y", "started /s"} <= set(seen)


def test_successor_waits_for_the_orphan() -> None:
    """No two workers live at one path: the next one is not started before the orphan is gone."""
    shell = slow(supervisor("s", worker("x")))
    shell.start("/s/x")

    assert "start /s/x" not in briefs(shell.feed(note.Kill("/s")))
    assert briefs(shell.exit("/s/x", "killed")) == ["orphaned /s/x killed", "start /s/x"]


def test_stop_while_a_successor_waits() -> None:
    """A start that waits for an orphan can be given up; the tree is down when the orphan is gone too."""
    shell = slow(supervisor("s", worker("x")))
    shell.start("/s/x")
    shell.feed(note.Kill("/s"))

    assert "Down shutdown" not in briefs(shell.feed(note.Stop()))
    assert briefs(shell.exit("/s/x", "killed")) == ["orphaned /s/x killed", "Down shutdown"]


def test_start_timeout_while_a_successor_waits() -> None:
    """Waiting for an orphan is part of the start, and may take too long."""
    shell = slow(supervisor("s", worker("x", start_timeout_ms=1000)), intensity=1)
    shell.start("/s/x")
    shell.feed(note.Kill("/s"))

    assert "report start_error /s/x start_timeout" in briefs(shell.sleep(1000))


def test_killed_root() -> None:
    """A killed root is down when everything below it is gone."""
    shell = slow(worker("a"), supervisor("s", worker("x")))
    shell.start("/a")
    shell.start("/s/x")

    assert briefs(shell.feed(note.Kill("/"))) == ["kill /a", "exited / killed", "stop /s/x"]
    assert briefs(shell.exit("/a", "killed")) == ["orphaned /a killed"]
    assert briefs(shell.exit("/s/x", "shutdown")) == ["orphaned /s/x shutdown", "orphaned /s killed", "Down killed"]


def test_supervisor_killed_while_it_starts_a_child() -> None:
    """The start of an orphan is given up, and nothing is told of it."""
    shell = slow(supervisor("s", worker("x"), restart="temporary"))
    shell.start("/s/x")
    shell.exit("/s/x")

    assert briefs(shell.feed(note.Kill("/s"))) == ["kill /s/x", "exited /s killed", "report child_terminated /s killed"]
    assert briefs(shell.exit("/s/x", "killed")) == []
