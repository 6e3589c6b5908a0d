"""Restarts by the family's supervisor, and the end of a parent: no child outlives it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.system.family.families import Family, family_tree, wait_gone
from tests.system.running import is_running, until
from theater.errors import ActorError

# -- restarts by the family's supervisor -------------------------------------------------------------------------------


def test_a_permanent_child_comes_back(family: Family) -> None:
    """Automatically, from the state spawn gave it; error and restarted arrive in this order."""
    child = family.ask("spawn-with", "steady.toml", {"count": 5})
    family.child("steady").call("add", (1,))
    os.kill(family.pid("steady"), signal.SIGKILL)

    family.wait_notes(f"error {child} crashed (signal 9 SIGKILL)", f"restarted {child} 2")
    assert family.ask("children") == [child]
    assert family.child("steady").call("add", (1,)) == 6


def test_restarts_beyond_the_intensity_end_the_family_not_the_parent(family: Family) -> None:
    """The parent hears of every end; its next spawn begins a new family."""
    child = family.ask("spawn", "steady.toml")
    sibling = family.ask("spawn", "child.toml")
    os.kill(family.pid("steady"), signal.SIGKILL)
    family.tree.wait_incarnation(f"{family.path}/steady", 2)
    os.kill(family.pid("steady"), signal.SIGKILL)

    error = f"error {child} crashed (signal 9 SIGKILL)"
    family.wait_notes(error, f"restarted {child} 2", error, f"stop {sibling}")
    assert family.ask("children") == []
    assert family.parent.get_status().incarnation == 1
    assert family.ask("children") == [] and family.ask("spawn", "child.toml")


# -- the parent's end --------------------------------------------------------------------------------------------------


def offspring(family: Family) -> list[int]:
    """Two children, the first with a child of its own; the pids of all three."""
    family.ask("spawn", "middle.toml")
    family.ask("spawn", "child.toml")
    family.child("middle").call("spawn", ("child.toml",))
    return [family.pid(name) for name in ("middle", "child", "middle/child")]


LAST_FIRST = ["child", "middle/child", "middle"]


def test_a_parent_that_leaves_takes_its_children_with_it(family: Family) -> None:
    """Before it is gone itself: last started first, grandchildren before children."""
    pids = offspring(family)

    family.parent.shutdown()

    assert not any(is_running(pid) for pid in pids)
    family.wait_ends(*LAST_FIRST, ".")


def test_a_parent_that_completes_takes_its_children_with_it(family: Family) -> None:
    """The guest's own shutdown is no different."""
    pids = offspring(family)

    family.ask("leave")

    wait_gone(*pids)
    until(lambda: len(family.ends()) == 4, "all ends")
    family.wait_ends(*LAST_FIRST, ".")


def test_no_child_outlives_a_parent_that_crashed(family: Family) -> None:
    """Its supervisor stops them; the parent's next incarnation begins without children."""
    pids = offspring(family)

    with pytest.raises(ActorError):
        family.ask("crash")

    wait_gone(*pids)
    until(lambda: len(family.ends()) == 4, "all ends")
    family.wait_ends(".", *LAST_FIRST)
    family.tree.wait_incarnation(family.path, 2)
    assert (family.ask("children"), family.notes()) == ([], [])


def test_no_child_outlives_a_parent_that_was_killed(family: Family) -> None:
    """SIGKILL from outside, the hard way; the next incarnation may use the names again."""
    pids = offspring(family)

    os.kill(family.pid(), signal.SIGKILL)

    wait_gone(*pids)
    family.tree.wait_incarnation(family.path, 2)
    child = family.ask("spawn", "child.toml")
    assert family.child("child").actor_id == child


def test_a_waited_for_child_dies_with_its_parent(family: Family) -> None:
    """spawn-and-wait makes no exception."""
    waiting = threading.Thread(target=_wait_in_vain, args=(family,))
    waiting.start()
    family.tree.wait_incarnation(f"{family.path}/child", 1)
    pid = family.pid("child")

    family.parent.terminate()

    wait_gone(pid)
    waiting.join(20)


def _wait_in_vain(family: Family) -> None:
    with pytest.raises(ActorError):
        family.ask("spawn-and-wait", "child.toml", None)


# -- the tree's end ----------------------------------------------------------------------------------------------------


def test_a_stop_of_the_tree_takes_families_along() -> None:
    """In order, exit code 0."""
    with family_tree() as tree:
        family = Family(tree, "last")
        pids = offspring(family)

        assert tree.stop() == 0
        assert not any(is_running(pid) for pid in pids)
        family.wait_ends(*LAST_FIRST, ".")
