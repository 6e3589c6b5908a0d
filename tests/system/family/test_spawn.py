"""spawn, spawn-and-wait and resume: what is started, with which state, and what a wrong manifest leaves."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.system.family.families import CHILD, GUESTS, Family, crash
from tests.system.running import RunningTree, until
from theater.errors import InternalError

# -- spawn -------------------------------------------------------------------------------------------------------------


def test_spawn_by_manifest_path(family: Family) -> None:
    """The id it returns is the child's; the child answers."""
    child = family.ask("spawn", "child.toml")

    assert family.ask("children") == [child]
    assert family.child("child").call("add", (5,)) == 5
    assert family.tree.client.actor(child).call("add", (1,)) == 6


def test_spawn_by_manifest_text(family: Family) -> None:
    """The text of a manifest does as well; its paths are relative to the parent's declaration."""
    family.ask("spawn", CHILD)

    assert family.child("child").call("add", (5,)) == 5


def test_spawn_with_a_state(family: Family) -> None:
    """some(v) is exactly the child's initial state."""
    child = family.ask("spawn-with", "child.toml", {"count": 40})

    assert family.child("child").call("add", (2,)) == 42
    assert family.ask("state-of", child) == {"count": 42}


def test_spawn_with_wasm_bytes(family: Family) -> None:
    """The bytes are the package: the manifest needs none, or names one that is not there."""
    wasm = (GUESTS / "child.wasm").read_bytes()
    family.ask("spawn-bytes", CHILD.replace('package = "child.wasm"\n', ""), wasm)
    family.ask("spawn-bytes", CHILD.replace("child.wasm", "absent.wasm"), wasm)

    assert family.child("child").call("add", (1,)) == 1
    assert family.child("child-2").call("add", (1,)) == 1


def test_children_are_listed_in_start_order(family: Family) -> None:
    """The first started first; the same manifest gives further names."""
    children = [family.ask("spawn", "child.toml") for _ in range(3)]

    assert family.ask("children") == children
    assert family.child("child-3").get_status().state == "idle"


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("absent.toml", "Start failed at manifest: .*absent.toml"),
        ('name = "x"\n', "Start failed at manifest: .*package"),
        (CHILD.replace("child.wasm", "absent.wasm"), "Start failed at manifest: .*absent.wasm"),
        ("name = 1 = 2\n", "Start failed at manifest"),
        ('name = "x"\npackage = "${HOME}.wasm"\n', "Start failed at manifest: .*HOME"),
        ("curious.toml", "Start failed at manifest: curious.toml: not a manifest that can be used"),
        ("/etc/absent.toml", "Start failed at manifest: /etc/absent.toml: expected a file below /"),
        ("../absent.toml", "Start failed at manifest: ../absent.toml: expected a file below /"),
        (CHILD.replace("child.wasm", "/etc/absent.wasm"), "Start failed at manifest: .*expected a package below /"),
        (CHILD.replace("child.wasm", "../absent.wasm"), "Start failed at manifest: .*expected a package below /"),
    ],
)
def test_a_wrong_manifest_is_refused(family: Family, manifest: str, words: str) -> None:
    """The spawner gets the words of the configuration; nothing is started, no variable is read."""
    assert re.search(words, family.refused("spawn", manifest))
    assert family.ask("children") == []


def test_a_failed_spawn_leaves_nothing(family: Family) -> None:
    """S3: the step and the reason for the spawner; no callback, no entry, no name, no process."""
    before = family.workers()
    declined = family.refused("spawn-with", "child.toml", {"count": 1001})
    panicked = family.refused("spawn-with", "child.toml", {"count": 1003})

    assert "Start failed at init: " in declined and "not today" in declined
    assert "Start failed at init: " in panicked
    assert family.ask("children") == []
    assert family.ask("spawn", "child.toml") == family.child("child").actor_id
    assert family.notes() == []
    # The child, and perhaps a spare worker that was not there before.
    until(lambda: family.workers() <= before + 2, "the failed workers to be gone")


def test_a_child_may_hold_only_what_its_parent_holds(tree: RunningTree) -> None:
    """A parent hands on no interface it was not granted itself."""
    with pytest.raises(InternalError, match="Not permitted: runtime"):
        tree.actor("/lean").call("hire")


# -- spawn-and-wait ----------------------------------------------------------------------------------------------------


def test_spawn_and_wait_answers_what_the_child_completed_with(family: Family) -> None:
    """ok with what the child gave to shutdown; the answer is the notice, no handler is called."""
    answered = while_waiting(family, lambda: family.child("child").call("finish", ("well",)))

    assert answered == b"well"
    assert family.notes() == []
    assert family.ask("children") == []


def test_spawn_and_wait_says_how_the_child_failed(family: Family) -> None:
    """A crash of the child is an error naming it."""
    answered = while_waiting(family, lambda: crash(family, "child"))

    assert re.search(r"Child actor \S+ failed: failed in .*crash", str(answered))


def test_spawn_and_wait_says_that_the_child_was_killed(family: Family) -> None:
    """SIGKILL from outside: failed, with the signal."""
    answered = while_waiting(family, lambda: os.kill(family.pid("child"), signal.SIGKILL))

    assert re.search(r"Child actor \S+ failed: crashed \(signal 9 SIGKILL\)", str(answered))


def test_spawn_and_wait_says_that_the_child_was_stopped(family: Family) -> None:
    """A graceful stop from outside."""
    answered = while_waiting(family, lambda: family.child("child").shutdown())

    assert re.search(r"Child actor \S+ was stopped externally", str(answered))


def test_spawn_and_wait_stops_the_child_at_the_timeout(family: Family) -> None:
    """Then the child is gone, and was no child of the parent any more."""
    text = family.refused("spawn-and-wait", "child.toml", 50)

    assert re.search(r"Timeout waiting for child actor \S+ to complete", text)
    until(lambda: family.ask("children") == [], "the child to leave")
    assert family.notes() == []


def while_waiting(family: Family, act: Callable[[], object]) -> Any:
    """What spawn-and-wait answered, or its error, when ``act`` was done to the child meanwhile."""
    answered: list[Any] = []

    def wait() -> None:
        try:
            answered.append(family.ask("spawn-and-wait", "child.toml", None))
        except InternalError as error:
            answered.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    family.tree.wait_incarnation(f"{family.path}/child", 1)
    act()
    waiting.join(20)
    return answered[0]


# -- resume ------------------------------------------------------------------------------------------------------------


def test_resume_goes_on_from_the_retained_state(family: Family) -> None:
    """A stopped child's last state is kept under its manifest's name; init is not called again."""
    child = family.ask("spawn", "child.toml")
    family.child("child").call("add", (1001,))  # with this count init would refuse to start
    family.ask("stop", child)

    resumed = family.ask("resume", "child.toml")

    assert family.ask("state-of", resumed) == {"count": 1001}


def test_resume_without_a_state_is_refused(family: Family) -> None:
    """There is nothing to go on from."""
    assert "no child named child has left a state" in family.refused("resume", "child.toml")
