"""What a parent's handlers are told of its children, and in which order."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from tests.system.family.families import CHILD, NO_CHILD, Family, crash, spin
from tests.system.running import RunningTree, until


def test_handle_child_exit(family: Family) -> None:
    """completed, with what it gave to shutdown; then it is no child any more."""
    child = family.ask("spawn", "child.toml")
    family.child("child").call("finish", ("well",))

    family.wait_notes(f"exit {child} well")
    until(lambda: family.ask("children") == [], "the child to be none any more")
    assert NO_CHILD in family.refused("state-of", child)


def test_handle_child_error(family: Family) -> None:
    """failed: the error carries the words of the cause."""
    child = family.ask("spawn", "child.toml")
    crash(family, "child")

    note = until(family.notes, "the error callback")[0]
    assert note.startswith(f"error {child} failed in ")


def test_a_child_killed_from_outside_is_an_error(family: Family) -> None:
    """crashed: nobody here asked for it."""
    child = family.ask("spawn", "child.toml")
    os.kill(family.pid("child"), signal.SIGKILL)

    family.wait_notes(f"error {child} crashed (signal 9 SIGKILL)")


def test_a_child_terminated_by_a_client_was_stopped(family: Family) -> None:
    """Killed on request: handle-child-external-stop."""
    child = family.ask("spawn", "child.toml")
    family.child("child").terminate()

    family.wait_notes(f"stop {child}")


def test_a_child_that_overran_its_stop_is_an_error(family: Family) -> None:
    """Killed by escalation: the parent's order to stop it was not obeyed."""
    child = family.ask("spawn", CHILD + '[supervision]\nshutdown = "50ms"\n')
    caller = threading.Thread(target=spin, args=(family,))
    caller.start()
    until(lambda: family.child("child").get_status().operation, "the child to spin")

    family.ask("stop", child)
    caller.join(20)

    family.wait_notes(f"error {child} killed by supervisor after its shutdown deadline")


def test_a_handler_that_declines_is_no_crash(family: Family) -> None:
    """V5: an application error, counted and recorded."""
    family.ask("spawn", "child.toml")
    family.child("child").call("finish", ("decline",))

    until(lambda: family.parent.get_metrics().operation_metrics.failed_operations == 1, "the failed operation")
    assert family.parent.get_status().incarnation == 1


def test_a_handler_that_traps_is_a_crash(family: Family) -> None:
    """V5: the parent dies of it and its supervisor decides."""
    family.ask("spawn", "child.toml")
    family.child("child").call("finish", ("trap",))

    family.tree.wait_incarnation(family.path, 2)


def test_an_instant_exit_is_told_once_and_leaves_no_entry(family: Family) -> None:
    """A child whose init ends it has existed: spawn gives its id, one exit callback follows."""
    children = [family.ask("spawn-with", "child.toml", {"count": 1002}) for _ in range(5)]

    family.wait_notes(*(f"exit {child} at once" for child in children))
    assert family.ask("children") == []
    assert len(set(children)) == 5


def test_events_arrive_before_the_exit(family: Family) -> None:
    """V3: a subscribed parent gets the child's events, then one exit; after unsubscribing only the exit."""
    child = family.ask("spawn", "child.toml")
    silent = family.ask("spawn", "child.toml")
    for one in (child, silent, child):
        family.ask("subscribe", one)
    family.ask("unsubscribe", silent)
    family.child("child").call("add", (1,))
    family.child("child").call("finish", ("well",))
    family.child("child-2").call("finish", ("well",))

    def both_exits() -> bool:
        return sum(note.startswith("exit") for note in family.notes()) == 2

    until(both_exits, "both exits")
    notes = family.notes()
    of_child = [note for note in notes if child in note]
    assert of_child[-1] == f"exit {child} well"
    assert of_child[-2] == f"event {child} shutdown"
    assert of_child.count(f"event {child} wasm") >= 4
    assert [note for note in notes if silent in note] == [f"exit {silent} well"]


def test_what_a_parent_was_given_of_its_children_can_be_replayed(family: Family, tmp_path: Path) -> None:
    """Its chain says which events they were; the children's chains, in the store or in a file, what they said."""
    child = family.ask("spawn", "child.toml")
    family.ask("subscribe", child)
    family.child("child").call("add", (1,))
    family.child("child").call("finish", ("well",))
    until(lambda: f"exit {child} well" in family.notes(), "the exit")
    tree, package = family.tree, str(family.tree.home / "parent.wasm")
    in_store = tree.cli("replay", family.path, "--package", package)
    parent, offspring = str(tmp_path / "parent.chain"), str(tmp_path / "child.chain")
    tree.cli("export", family.path, parent)
    tree.cli("export", f"{family.path}/child", offspring)
    in_files = tree.cli("replay", parent, "--package", package, "--chain", offspring)
    tree.cli("replay", parent, "--package", package, check=2)

    assert any(note.startswith(f"event {child}") for note in family.notes())
    assert "Replay complete" in in_store
    assert "Replay complete" in in_files


def test_a_child_spawned_in_init_is_supervised(tree: RunningTree) -> None:
    """Its parent hears of its end although its own start was not complete when it was spawned."""
    family = Family(tree, "early", {"first": "child.toml", "notes": []})
    child = family.ask("children")[0]

    family.child("child").call("finish", ("well",))

    family.wait_notes(f"exit {child} well")


def test_only_children_that_live_are_in_the_tree(family: Family) -> None:
    """Those that have ended are forgotten by everybody but the store."""
    for _ in range(3):
        family.ask("spawn", "child.toml")
    family.child("child").call("finish", ("well",))
    crash(family, "child-2")
    until(lambda: len(family.notes()) == 2, "both ends")

    nodes = family.tree.client.tree(family.path)["root"]["children"]

    assert [node["path"] for node in nodes] == [f"{family.path}/child-3"]
