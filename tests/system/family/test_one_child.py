"""What a parent, or a client, may do to one child: stop, kill, restart, ask."""

from __future__ import annotations

import threading

from tests.system.family.families import NO_CHILD, PERMANENT, Family, spin
from tests.system.running import RunningTree, is_running, until

# -- one child ---------------------------------------------------------------------------------------------------------


def test_restart_keeps_id_and_state(family: Family) -> None:
    """The incarnation grows; the parent hears of the stop, not of an automatic restart."""
    child = family.ask("spawn", "child.toml")
    family.child("child").call("add", (7,))

    family.ask("restart", child)

    assert family.ask("children") == [child]
    assert family.child("child").call("add", (1,)) == 8
    assert family.child("child").get_status().incarnation == 2
    assert family.notes() == [f"stop {child}"]


def test_restart_can_begin_from_the_initial_state(family: Family) -> None:
    """state_on_restart: initial is what spawn gave it, for permanent children too."""
    manifest = PERMANENT + 'state_on_restart = "initial"\n'
    child = family.ask("spawn-with", manifest, {"count": 10})
    family.child("steady").call("add", (7,))

    family.ask("restart", child)

    assert family.child("steady").call("add", (1,)) == 11
    assert family.child("steady").get_status().incarnation == 2


def test_stop_child(family: Family) -> None:
    """Answered when it is gone; the parent is told too, and a second stop finds no child."""
    child = family.ask("spawn", "child.toml")
    pid = family.pid("child")

    family.ask("stop", child)

    assert not is_running(pid)
    assert family.ask("children") == []
    assert NO_CHILD in family.refused("stop", child)
    family.wait_notes(f"stop {child}")


def test_a_permanent_child_that_was_stopped_stays_down(family: Family) -> None:
    """stop-child is no reason for a restart."""
    child = family.ask("spawn", "steady.toml")

    family.ask("stop", child)

    assert family.ask("children") == []
    family.wait_notes(f"stop {child}")


def test_kill_child(family: Family) -> None:
    """At once, whatever it computes."""
    child = family.ask("spawn", "child.toml")
    pid = family.pid("child")
    caller = threading.Thread(target=spin, args=(family,))
    caller.start()
    until(lambda: family.child("child").get_status().operation, "the child to spin")

    family.ask("kill", child)
    caller.join(20)

    assert not is_running(pid)
    family.wait_notes(f"stop {child}")


def test_state_status_and_metrics_while_the_child_spins(family: Family) -> None:
    """Never waiting for the child's guest."""
    child = family.ask("spawn-with", "child.toml", {"count": 3})
    caller = threading.Thread(target=spin, args=(family,))
    caller.start()
    until(lambda: family.child("child").get_status().operation, "the child to spin")

    assert family.ask("state-of", child) == {"count": 3}
    assert family.ask("status-of", child)["pid"] == family.pid("child")
    assert family.ask("metrics-of", child)["incarnation"] == 1
    family.ask("kill", child)
    caller.join(20)


def test_events_of_a_child_oldest_first(family: Family) -> None:
    """Retained events, numbered without a gap."""
    child = family.ask("spawn", "child.toml")
    family.child("child").call("add", (1,))

    events = family.ask("events-of", child)

    assert [number for number, _, _ in events] == list(range(len(events)))
    assert [kind for _, kind, _ in events][:1] == ["genesis"]
    assert [kind for _, kind, _ in events][-2:] == ["wasm", "wasm"]


def test_strangers_and_nonsense_get_the_same_refusal(family: Family) -> None:
    """V1: a stranger's child, nobody's id and no id at all are refused in the same words, without effect."""
    other = Family(family.tree, "other")
    theirs = other.ask("spawn", "child.toml")
    functions = ("restart", "stop", "kill", "subscribe", "unsubscribe", "state-of", "events-of", "status-of")

    for id_ in (theirs, family.parent.actor_id, "00000000-0000-0000-0000-000000000000", "", "no id / at all"):
        refusals = {family.refused(function, id_) for function in (*functions, "metrics-of")}
        assert all(f"{id_} {NO_CHILD}" in refusal for refusal in refusals)
    assert other.child("child").get_status().incarnation == 1
    assert other.ask("children") == [theirs]


# -- restarts on request -----------------------------------------------------------------------------------------------


def test_a_spawned_child_can_be_restarted_from_outside(family: Family) -> None:
    """`restart` works for temporary children of guests too."""
    family.ask("spawn-with", "child.toml", {"count": 4})
    family.child("child").call("add", (1,))

    family.tree.client.restart(f"{family.path}/child")

    assert family.tree.wait_incarnation(f"{family.path}/child", 2)
    assert family.child("child").call("add", (1,)) == 5


def test_a_dynamic_child_can_be_restarted_from_outside(tree: RunningTree) -> None:
    """Under simple_one_for_one, by its name, from the state it was started with."""
    tree.client.start_child("/pool", "first", {"count": 10})
    tree.actor("/pool/first").call("add", (5,))

    tree.client.restart("/pool/first")

    assert tree.wait_incarnation("/pool/first", 2)
    assert tree.actor("/pool/first").call("add", (1,)) == 11
