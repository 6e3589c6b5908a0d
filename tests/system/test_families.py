"""Actors that start and watch other actors: every function and callback of lifecycle section 10, real processes."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.kits import clang
from tests.examples.test_guest_builds import is_committed_compiler
from tests.guests import wat
from tests.guests.pack import none, text, tup, u32
from tests.system.running import RunningTree, is_running, until
from tests.system.test_life import logged
from theater.errors import ActorError, InternalError

GUESTS = Path(__file__).parent / "family"

TREE = """
version: 1
name: family
intensity: 100
period: 10s
children:
  - id: parents
    supervisor:
      strategy: simple_one_for_one
      intensity: 100
      period: 10s
      child: {id: parent, actor: parent.wasm, restart: permanent, grants: {runtime: {}, supervisor: {}}, shutdown: 10s}
  - id: lean
    actor: lean.wasm
    grants: {supervisor: {}}
  - id: pool
    supervisor:
      strategy: simple_one_for_one
      child: {id: one, actor: child.wasm, restart: temporary, grants: {runtime: {}}}
"""

CHILD = """
name = "child"
package = "child.wasm"
[[handler]]
type = "runtime"
"""

PERMANENT = CHILD.replace('"child"', '"steady"') + '[supervision]\nrestart = "permanent"\n'

MIDDLE = """
name = "middle"
package = "parent.wasm"
[[handler]]
type = "runtime"
[[handler]]
type = "supervisor"
"""

NO_CHILD = "is not a child of this actor"


class Family:
    """One parent in the running tree, and the ways to talk to it and its children."""

    def __init__(self, tree: RunningTree, name: str, state: dict[str, Any] | None = None) -> None:
        self.tree = tree
        self.path = f"/parents/{name}"
        tree.client.start_child("/parents", name, *(() if state is None else (state,)))
        self.parent = tree.actor(self.path)

    def ask(self, function: str, *arguments: Any) -> Any:
        return self.parent.call(function, arguments)

    def refused(self, function: str, *arguments: Any) -> str:
        """The error text a supervision function answered with."""
        with pytest.raises(InternalError) as caught:
            self.ask(function, *arguments)
        return str(caught.value)

    def child(self, name: str) -> Any:
        return self.tree.actor(f"{self.path}/{name}")

    def pid(self, name: str = "") -> int:
        """Of a child, or of the parent itself."""
        return self.tree.pid(f"{self.path}/{name}".rstrip("/"))

    def workers(self) -> int:
        return len(self.tree.workers())

    def notes(self) -> list[str]:
        """What the parent's handlers were told."""
        return list(self.ask("notes"))

    def wait_notes(self, *expected: str) -> None:
        until(lambda: self.notes() == list(expected), f"the notes {expected}, not {self.notes()}", 10)

    def ends(self) -> list[str]:
        """Whose ends were logged in this family, in order; the parent is ``.``."""
        paths = [path for path in logged(self.tree, "ended") if f"{path}/".startswith(f"{self.path}/")]
        return [os.path.relpath(path, self.path) for path in paths]

    def wait_ends(self, *expected: str) -> None:
        """The last line may be written just after its client was answered."""
        until(lambda: self.ends() == list(expected), f"the ends {expected}, not {self.ends()}", 10)


def wait_gone(*pids: int) -> None:
    until(lambda: not any(is_running(pid) for pid in pids), f"processes {pids} to end")


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests here."""
    home = Path(tempfile.mkdtemp(prefix="th-"))
    for wasm in GUESTS.glob("*.wasm"):
        shutil.copy(wasm, home)
    (home / "lean.wasm").write_bytes(_lean())
    (home / "child.toml").write_text(CHILD)
    (home / "steady.toml").write_text(PERMANENT)
    (home / "middle.toml").write_text(MIDDLE)
    (home / "curious.toml").write_text(CHILD.replace("child.wasm", "${HOME}/child.wasm"))
    running = RunningTree(home, TREE)
    yield running
    running.clean_up()
    shutil.rmtree(home, ignore_errors=True)


def _lean() -> bytes:
    """A guest that holds nothing but supervision, and answers what spawn answers."""
    spawn = wat.calls(wat.SPAWN, tup(text("child.toml"), none(), none()))
    hire = wat.Function(
        "test:family/lean.hire", "(state: u32) -> result<tuple<u32>, string>", [spawn, wat.returns_host_answer()]
    )
    return wat.build(functions=[wat.starts(u32(0)), hire], imports=[wat.SPAWN])


_numbers = itertools.count(1)


@pytest.fixture
def family(tree: RunningTree) -> Family:
    """A parent of its own for every test."""
    return Family(tree, f"t{next(_numbers)}")


@pytest.mark.parametrize("name", ["parent", "child"])
def test_the_guests_are_what_their_sources_build(name: str, tmp_path: Path) -> None:
    """Byte for byte, with the compiler that built them."""
    if not is_committed_compiler():
        pytest.skip(f"needs ziglang {clang.ZIGLANG}, which built the committed modules")
    clang.build(GUESTS / f"{name}.c", tmp_path / "built.wasm")

    assert (tmp_path / "built.wasm").read_bytes() == (GUESTS / f"{name}.wasm").read_bytes()


# -- spawn -----------------------------------------------------------------------------------------------------------


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


# -- spawn-and-wait --------------------------------------------------------------------------------------------------


def test_spawn_and_wait_answers_what_the_child_completed_with(family: Family) -> None:
    """ok with what the child gave to shutdown; the answer is the notice, no handler is called."""
    answered = _while_waiting(family, lambda: family.child("child").call("finish", ("well",)))

    assert answered == b"well"
    assert family.notes() == []
    assert family.ask("children") == []


def test_spawn_and_wait_says_how_the_child_failed(family: Family) -> None:
    """A crash of the child is an error naming it."""
    answered = _while_waiting(family, lambda: _crash(family, "child"))

    assert re.search(r"Child actor \S+ failed: failed in .*crash", str(answered))


def test_spawn_and_wait_says_that_the_child_was_killed(family: Family) -> None:
    """SIGKILL from outside: failed, with the signal."""
    answered = _while_waiting(family, lambda: os.kill(family.pid("child"), signal.SIGKILL))

    assert re.search(r"Child actor \S+ failed: crashed \(signal 9 SIGKILL\)", str(answered))


def test_spawn_and_wait_says_that_the_child_was_stopped(family: Family) -> None:
    """A graceful stop from outside."""
    answered = _while_waiting(family, lambda: family.child("child").shutdown())

    assert re.search(r"Child actor \S+ was stopped externally", str(answered))


def test_spawn_and_wait_stops_the_child_at_the_timeout(family: Family) -> None:
    """Then the child is gone, and was no child of the parent any more."""
    text = family.refused("spawn-and-wait", "child.toml", 50)

    assert re.search(r"Timeout waiting for child actor \S+ to complete", text)
    until(lambda: family.ask("children") == [], "the child to leave")
    assert family.notes() == []


def _while_waiting(family: Family, act: Callable[[], object]) -> Any:
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


def _crash(family: Family, name: str) -> None:
    with pytest.raises(ActorError):
        family.child(name).call("crash")


# -- resume ----------------------------------------------------------------------------------------------------------


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


# -- one child -------------------------------------------------------------------------------------------------------


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
    caller = threading.Thread(target=_spin, args=(family,))
    caller.start()
    until(lambda: family.child("child").get_status().operation, "the child to spin")

    family.ask("kill", child)
    caller.join(20)

    assert not is_running(pid)
    family.wait_notes(f"stop {child}")


def _spin(family: Family) -> None:
    with pytest.raises(ActorError):
        family.child("child").call("spin")


def test_state_status_and_metrics_while_the_child_spins(family: Family) -> None:
    """Never waiting for the child's guest."""
    child = family.ask("spawn-with", "child.toml", {"count": 3})
    caller = threading.Thread(target=_spin, args=(family,))
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


# -- callbacks -------------------------------------------------------------------------------------------------------


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
    _crash(family, "child")

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
    caller = threading.Thread(target=_spin, args=(family,))
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
    _crash(family, "child-2")
    until(lambda: len(family.notes()) == 2, "both ends")

    nodes = family.tree.client.tree(family.path)["root"]["children"]

    assert [node["path"] for node in nodes] == [f"{family.path}/child-3"]


# -- restarts by the family's supervisor -----------------------------------------------------------------------------


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


# -- the parent's end ------------------------------------------------------------------------------------------------


def _offspring(family: Family) -> list[int]:
    """Two children, the first with a child of its own; the pids of all three."""
    family.ask("spawn", "middle.toml")
    family.ask("spawn", "child.toml")
    family.child("middle").call("spawn", ("child.toml",))
    return [family.pid(name) for name in ("middle", "child", "middle/child")]


LAST_FIRST = ["child", "middle/child", "middle"]


def test_a_parent_that_leaves_takes_its_children_with_it(family: Family) -> None:
    """Before it is gone itself: last started first, grandchildren before children."""
    pids = _offspring(family)

    family.parent.shutdown()

    assert not any(is_running(pid) for pid in pids)
    family.wait_ends(*LAST_FIRST, ".")


def test_a_parent_that_completes_takes_its_children_with_it(family: Family) -> None:
    """The guest's own shutdown is no different."""
    pids = _offspring(family)

    family.ask("leave")

    wait_gone(*pids)
    until(lambda: len(family.ends()) == 4, "all ends")
    family.wait_ends(*LAST_FIRST, ".")


def test_no_child_outlives_a_parent_that_crashed(family: Family) -> None:
    """Its supervisor stops them; the parent's next incarnation begins without children."""
    pids = _offspring(family)

    with pytest.raises(ActorError):
        family.ask("crash")

    wait_gone(*pids)
    until(lambda: len(family.ends()) == 4, "all ends")
    family.wait_ends(".", *LAST_FIRST)
    family.tree.wait_incarnation(family.path, 2)
    assert (family.ask("children"), family.notes()) == ([], [])


def test_no_child_outlives_a_parent_that_was_killed(family: Family) -> None:
    """SIGKILL from outside, the hard way; the next incarnation may use the names again."""
    pids = _offspring(family)

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


# -- restarts on request ---------------------------------------------------------------------------------------------


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


# -- the tree's end: the last test -----------------------------------------------------------------------------------


def test_a_stop_of_the_tree_takes_families_along(family: Family) -> None:
    """In order, exit code 0."""
    pids = _offspring(family)

    assert family.tree.stop() == 0
    assert not any(is_running(pid) for pid in pids)
    family.wait_ends(*LAST_FIRST, ".")
