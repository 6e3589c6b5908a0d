"""The tree as people see it."""

from __future__ import annotations

from typing import Any

from supervisor.core import notices as note
from tests.core.shell import Shell, supervisor, worker


def states(node: dict[str, Any]) -> dict[str, str]:
    """State by path."""
    found = {node["path"]: node["state"]}
    for child in node.get("children", ()):
        found |= states(child)
    return found


def test_before_the_beginning() -> None:
    """A tree that has not begun says so."""
    assert states(Shell(worker("a")).tree.snapshot()) == {"/": "not_begun"}


def test_while_starting() -> None:
    """Children that have had no turn yet are stopped."""
    shell = Shell(worker("a"), worker("b"), worker("c"), obedient=False).begin()
    shell.start("/a")

    assert states(shell.tree.snapshot()) == {"/": "starting", "/a": "running", "/b": "starting", "/c": "stopped"}


def test_nested() -> None:
    """A node says what it is, and what is below it."""
    shell = Shell(supervisor("s", worker("x", restart="transient"))).begin()

    (node,) = shell.tree.snapshot()["children"]

    assert (node["type"], node["id"], node["strategy"], node["restart"]) == (
        "supervisor",
        "s",
        "one_for_one",
        "permanent",
    )
    assert node["children"] == [
        {"path": "/s/x", "type": "worker", "state": "running", "id": "x", "restart": "transient"}
    ]


def test_while_stopping() -> None:
    """A child that has been asked to stop is stopping."""
    shell = Shell(worker("a"), worker("b"), obedient=False).begin()
    shell.start("/a")
    shell.start("/b")
    shell.feed(note.Stop())

    assert states(shell.tree.snapshot()) == {"/": "stopping", "/a": "running", "/b": "stopping"}


def test_without_process() -> None:
    """A child that was terminated is stopped; one whose start failed is started again at once."""
    shell = Shell(supervisor("s"), worker("a")).begin()
    shell.call(note.TerminateChild, "/", "s")

    assert states(shell.tree.snapshot()) == {"/": "running", "/s": "stopped", "/a": "running"}


def test_dynamic_children() -> None:
    """Dynamic children are shown by name, also while they start."""
    shell = Shell(worker("c"), strategy="simple_one_for_one", obedient=False).begin()
    shell.call(note.StartChild, "/", name="x")
    shell.start("/x")
    shell.call(note.StartChild, "/", name="y")

    assert states(shell.tree.snapshot()) == {"/": "running", "/x": "running", "/y": "starting"}


def test_after_the_end() -> None:
    """Nothing is left of a tree that is down."""
    shell = Shell(worker("a")).begin()
    shell.feed(note.Stop())

    assert states(shell.tree.snapshot()) == {"/": "stopped"}


def test_other_root_path() -> None:
    """The root may be anywhere; its children are below it."""
    shell = Shell(worker("a"), options={"root_path": "/fleet/planner"}).begin()

    assert states(shell.tree.snapshot()) == {"/fleet/planner": "running", "/fleet/planner/a": "running"}
