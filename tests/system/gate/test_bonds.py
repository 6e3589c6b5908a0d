"""Links, monitors and exit signals of clients with real actors, for both handles; and clients that die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from proto import control
from supervisor.gate import bonds as gate_bonds
from tests.guests import wat
from tests.guests.pack import u32
from tests.homes import new_home
from tests.system import linking
from tests.system.clients import DOORS, Door, program
from tests.system.gate.raw import Raw
from tests.system.running import ROOT, RunningTree, running_tree, until
from tests.system.test_links import Bonds, plain
from theater.bonds import REASON_CHARS_MAX, Untied
from theater.client import ClientClosed
from theater.errors import OperationTimeout, UnexpectedError

TREE = """
version: 1
name: bonds
intensity: 100000
period: 10s
children:
  - {id: a, actor: linker.wasm, grants: {links: {}}}
  - {id: b, actor: plain.wasm}
  - {id: c, actor: plain.wasm}
  - {id: gone, actor: plain.wasm, restart: temporary}
"""
SHORT = """
version: 1
name: short
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}}
"""


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """An actor that can trap exits, and others that cannot."""
    with new_home() as home:
        (home / "linker.wasm").write_bytes(linking.linker())
        (home / "plain.wasm").write_bytes(plain())
        (home / "next.wasm").write_bytes(wat.build(functions=[wat.starts(u32(0)), bump_by_more()]))
        with running_tree(home, TREE) as tree:
            tree.actor("/gone").terminate()
            yield tree


def bump_by_more() -> wat.Function:
    return wat.Function("test:plain/api.bump", "(state: u32, by: u32) -> result<tuple<u32, u32>, string>", wat.adds())


@pytest.fixture
def bonds(tree: RunningTree) -> Bonds:
    """Every actor in a life of its own for the test."""
    for path in ("/a", "/b", "/c"):
        tree.wait_incarnation(path, 1)
    tree.kill("/a")
    return Bonds(tree)


@pytest.fixture(params=DOORS)
def door(tree: RunningTree, request: pytest.FixtureRequest) -> Iterator[Door]:
    door = Door(tree, request.param)
    yield door
    door.end()


@pytest.fixture
def raw(tree: RunningTree) -> Iterator[Raw]:
    client = Raw(tree)
    yield client
    client.close()


# -- monitors --------------------------------------------------------------------------------------------------------


def test_each_monitor_fires_once(bonds: Bonds, door: Door) -> None:
    """Three monitors of one life are three references and three DOWNs, with OTP's reason and the cause."""
    monitors = [door.watch("/b") for _ in range(3)]

    bonds.crash("/b")

    downs = [door.wait(monitor) for monitor in monitors]
    assert len({monitor.ref for monitor in monitors}) == 3
    assert [down.ref for down in downs] == [monitor.ref for monitor in monitors]
    assert {down.cause.kind for down in downs} == {"failed"}
    assert {down.reason for down in downs} == {downs[0].cause.otp_reason()}
    assert door.wait(monitors[0]) is downs[0]


def test_a_monitor_of_nobody_fires_at_once(bonds: Bonds, door: Door) -> None:
    """noproc: of one nobody knows, of one that has ended for good."""
    downs = [door.wait(door.watch(path)) for path in ("/nobody", "/gone")]

    assert [(down.target, down.reason, down.cause) for down in downs] == [
        ("/nobody", "noproc", None),
        ("/gone", "noproc", None),
    ]


def test_a_monitor_of_an_earlier_life_is_one_of_nobody(bonds: Bonds, door: Door) -> None:
    """A handle that is pinned means one life, as a pid does."""
    pinned = door.do(door.actor("/b").pinned())
    bonds.tree.kill("/b")

    assert door.wait(door.do(pinned.watch())).reason == "noproc"
    assert door.wait(door.do(pinned.link())).reason == "noproc"


def test_demonitor_says_whether_it_was_there(bonds: Bonds, door: Door) -> None:
    """One that is taken back gives no DOWN; one that has fired keeps it, unless flushed."""
    kept, taken = door.watch("/b"), door.watch("/b")

    assert door.do(taken.demonitor()) is True
    assert door.do(taken.demonitor()) is False
    bonds.tree.kill("/b")
    assert door.wait(kept).reason.startswith("crashed (signal 9")
    assert door.do(kept.demonitor()) is False
    assert door.wait(kept).ref == kept.ref
    assert door.do(kept.demonitor(flush=True)) is False
    for monitor in (kept, taken):
        with pytest.raises(Untied):
            door.wait(monitor)


def test_the_wait_has_a_limit(bonds: Bonds, door: Door) -> None:
    """OperationTimeout, and the monitor is still there."""
    monitor = door.watch("/b")
    with pytest.raises(OperationTimeout):
        door.wait(monitor, 0.01)

    bonds.crash("/b")
    assert door.wait(monitor).cause.kind == "failed"


def test_an_end_without_a_reason_has_one(bonds: Bonds, door: Door) -> None:
    """A graceful stop is shutdown, a kill is killed."""
    stopped = door.watch("/b")
    door.do(door.actor("/b").shutdown())
    bonds.tree.wait_incarnation("/b", 1)
    killed = door.watch("/b")
    door.do(door.actor("/b").terminate())

    assert [door.wait(stopped).reason, door.wait(killed).reason] == ["shutdown", "killed"]


# -- links: what comes to the client ---------------------------------------------------------------------------------


def test_a_link_tells_the_client(bonds: Bonds, door: Door) -> None:
    """A client traps exits: it gets the reason, and lives."""
    link = door.link("/b")

    bonds.crash("/b")

    exit = door.wait(link)
    assert (exit.target, exit.actor_id) == ("/b", bonds.tree.actor("/b").actor_id)
    assert exit.reason == exit.cause.otp_reason()
    assert exit.reason.startswith("failed in test:plain/api.crash")


def test_a_link_to_nobody_is_a_signal_noproc(bonds: Bonds, door: Door) -> None:
    """As erlang:link/1 to a process that traps exits."""
    assert [door.wait(door.link(path)).reason for path in ("/nobody", "/gone")] == ["noproc", "noproc"]


def test_a_link_is_of_one_life(bonds: Bonds, door: Door) -> None:
    """After the restart there is none: the client's end is nothing to the next life."""
    link = door.link("/b")
    bonds.tree.kill("/b")
    door.wait(link)
    b = bonds.incarnation("/b")

    door.leave(ValueError("too late"))

    assert bonds.incarnation("/b") == b


def test_linking_twice_is_one_link(bonds: Bonds, door: Door) -> None:
    """One unlink ends it for both."""
    first, second = door.link("/b"), door.link("/b")

    assert door.do(second.unlink()) is True
    assert door.do(first.unlink()) is False
    bonds.tree.kill("/b")
    for link in (first, second):
        with pytest.raises(Untied):
            door.wait(link)


def test_a_link_survives_a_hot_update(bonds: Bonds, door: Door, tree: RunningTree) -> None:
    """Another package is no end; the end after it is."""
    link, monitor = door.link("/c"), door.watch("/c")
    tree.actor("/c").update_package(tree.home / "next.wasm")
    for bond in (link, monitor):
        with pytest.raises(OperationTimeout):
            door.wait(bond, 0.05)

    tree.actor("/c").terminate()

    assert [door.wait(link).reason, door.wait(monitor).reason] == ["killed", "killed"]


def test_many_links(bonds: Bonds, door: Door) -> None:
    """Links and monitors of several actors, waited for in any order."""
    bound = {path: [door.watch(path) for _ in range(100)] + [door.link(path)] for path in ("/a", "/b", "/c")}
    for path in bound:
        bonds.tree.kill(path)

    for path in reversed(bound):
        assert {door.wait(bond).target for bond in bound[path]} == {path}


def test_the_end_of_the_supervisor_is_noconnection(door: Door, start: Any) -> None:
    """Every bond ends with it, as those with a lost node do."""
    tree = start(SHORT)
    other = Door(tree, door.kind)
    bound = [other.link("/counter"), other.watch("/counter")]

    tree.process.kill()

    assert [other.wait(bond).reason for bond in bound] == ["noconnection", "noconnection"]
    other.end()


def test_the_end_of_the_tree_is_told(door: Door, start: Any) -> None:
    """Each actor ends with shutdown, in order."""
    tree = start(SHORT)
    other = Door(tree, door.kind)
    link = other.link("/counter")

    tree.stop()

    assert other.wait(link).reason == "shutdown"
    other.end()


# -- links: what comes to the actor ----------------------------------------------------------------------------------


def test_a_client_that_is_closed_is_a_normal_end(bonds: Bonds, door: Door) -> None:
    """Told to those that trap exits; the others do not notice."""
    b = bonds.incarnation("/b")
    bonds.ask("/a", "trap")
    for path in ("/a", "/b"):
        door.link(path)

    door.close()

    bonds.wait_told("/a", ("handle-exit", (f"client:{os.getpid()}", "normal")))
    assert bonds.incarnation("/b") == b


def test_the_end_of_the_with_block_is_a_normal_end(bonds: Bonds, door: Door) -> None:
    """As closing is."""
    bonds.ask("/a", "trap")
    door.link("/a")

    door.leave()

    bonds.wait_told("/a", ("handle-exit", (f"client:{os.getpid()}", "normal")))


def test_a_with_block_that_is_left_by_an_error_ends_with_it(bonds: Bonds, door: Door) -> None:
    """The client crashed: those that do not trap exits end with its reason."""
    b = bonds.incarnation("/b")
    bonds.ask("/a", "trap")
    with Door(bonds.tree, "threads").client as watcher:
        down = watcher.actor("/b").watch()
        for path in ("/a", "/b"):
            door.link(path)

        door.leave(ValueError("oops"))

        bonds.wait_told("/a", ("handle-exit", (f"client:{os.getpid()}", "ValueError: oops")))
        assert down.wait(10).reason == "ValueError: oops"
        assert down.wait(10).cause.by == f"client:{os.getpid()}"
    bonds.wait_next("/b", b)


def test_who_is_unlinked_hears_nothing(bonds: Bonds, door: Door) -> None:
    """Neither of the other's end."""
    bonds.ask("/a", "trap")
    unlinked, other = door.link("/a"), door.link("/b")

    assert door.do(unlinked.unlink()) is True
    door.leave(ValueError("oops"))

    assert bonds.told("/a") == []
    assert not other._bond.is_over


# -- clients that die ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DOORS)
def test_a_killed_client_is_noconnection(bonds: Bonds, kind: str) -> None:
    """kill -9 of the client: who traps exits is told, who does not ends."""
    b = bonds.incarnation("/b")
    bonds.ask("/a", "trap")
    down = bonds.tree.actor("/b").watch()
    with program(bonds.tree, kind, "/a", "/b") as client:
        client.process.kill()

        bonds.wait_told("/a", ("handle-exit", (client.name, "noconnection")))
        assert (down.wait(10).reason, down.wait(10).cause.kind) == ("noconnection", "exited")
        assert down.wait(10).cause.by == client.name
        bonds.wait_next("/b", b)


@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("close", "normal"),
        ("raise", "noconnection"),
        ("end", "noconnection"),
        ("raise in with", "ValueError: oops"),
    ],
)
def test_how_a_program_ends_is_the_reason(bonds: Bonds, kind: str, how: str, reason: str) -> None:
    """Only closing is in order, also if the process is gone at once; a program that just ends is lost."""
    bonds.ask("/a", "trap")
    with program(bonds.tree, kind, "/a") as client:
        client.tell(how)

        bonds.wait_told("/a", ("handle-exit", (client.name, reason)))


def test_a_link_belongs_to_the_process_that_made_it(bonds: Bonds) -> None:
    """Its forked child closing the client is nothing; its own end is, though the child lives and holds its sockets."""
    bonds.ask("/a", "trap")
    with program(bonds.tree, "threads", "/a") as client:
        client.tell("fork")
        client.wait_said("closed")

        bonds.wait_told("/a", ("handle-exit", (client.name, "noconnection")))
        client.tell("end")


def test_a_forked_child_is_refused_its_parents_links(bonds: Bonds) -> None:
    """And makes its own."""
    client = Door(bonds.tree, "threads").client
    link = client.actor("/b").link()
    child = os.fork()
    if child == 0:
        try:
            link.wait(1)
        except ClientClosed:
            own = client.actor("/nobody").link().wait(5).reason
            os._exit(0 if own == "noproc" else 2)
        os._exit(1)

    assert os.waitpid(child, 0)[1] == 0
    assert link.unlink() is True
    client.close()


def test_a_stopped_client_holds_up_nobody(bonds: Bonds, door: Door) -> None:
    """SIGSTOP is no end: the actor goes on, everybody is served, and the client's death counts when it comes."""
    bonds.ask("/a", "trap")
    with program(bonds.tree, door.kind, "/a", "/b") as client:
        client.process.send_signal(signal.SIGSTOP)
        link = door.link("/b")
        bonds.crash("/b")
        assert door.wait(link).cause.kind == "failed"
        assert bonds.told("/a") == []

        client.process.kill()
        bonds.wait_told("/a", ("handle-exit", (client.name, "noconnection")))


def test_clients_that_die_while_they_link_leave_nothing(bonds: Bonds) -> None:
    """Whenever they die: the supervisor follows nobody who is gone."""
    supervisor = psutil.Process(bonds.tree.process.pid)
    before = _pidfds(supervisor)
    for _ in range(5):
        with program(bonds.tree, "threads", *["/b", "/c"]) as client:
            client.process.kill()
    for _ in range(20):
        raw = Raw(bonds.tree)
        child = os.fork()
        if child == 0:
            dying = Raw(bonds.tree)
            dying.tell(control.Link(1, "/a"))
            dying.tell(control.Link(2, "/b"))
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        raw.close()

    until(lambda: _pidfds(supervisor) <= before, "the supervisor to close what it followed them with", 10)
    bonds.tree.wait_incarnation("/b", 1)


def _pidfds(process: psutil.Process) -> int:
    folder = f"/proc/{process.pid}/fd"
    found = 0
    for fd in os.listdir(folder):
        try:
            found += "pidfd" in os.readlink(f"{folder}/{fd}")
        except OSError:
            continue
    return found


def test_a_link_that_came_too_late_is_taken_back(door: Door, start: Any) -> None:
    """The supervisor answers after the time-out: the client's end is then nothing to the actor."""
    tree = start(SHORT)
    other = Door(tree, door.kind)
    watcher = other.watch("/counter")
    before = tree.wait_incarnation("/counter", 1).incarnation
    tree.process.send_signal(signal.SIGSTOP)
    with pytest.raises(OperationTimeout):
        other.do(other.actor("/counter").link(timeout=0.05))
    tree.process.send_signal(signal.SIGCONT)
    assert other.do(watcher.demonitor()) is True
    assert other.wait(other.watch("/nobody")).reason == "noproc"

    other.leave(ValueError("oops"))

    assert tree.wait_incarnation("/counter", 1).incarnation == before
    other.end()


# -- exit signals ----------------------------------------------------------------------------------------------------


def test_exit_ends_who_does_not_trap(bonds: Bonds, door: Door) -> None:
    """erlang:exit/2: with that reason; the cause says who sent it."""
    monitor = door.watch("/b")

    door.do(door.actor("/b").exit("enough"))

    down = door.wait(monitor)
    assert (down.reason, down.cause.kind) == ("enough", "exited")
    assert down.cause.by == f"client:{os.getpid()}"


def test_the_page_says_what_happens(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python that docs/actors.md shows under "From outside"."""
    tree = start(SHORT.replace("counter,", "planner,"))
    monkeypatch.setenv("THEATER_RUN_DIR", str(tree.run_dir))
    _, _, after = (ROOT / "docs" / "actors.md").read_text(encoding="utf-8").partition("### From outside")
    shown: dict[str, Any] = {}

    exec(after.split("```py\n")[1].split("```")[0], shown)

    assert (shown["down"].ref, shown["down"].reason) == (shown["monitor"].ref, "shutdown")
    assert (shown["exit"].target, shown["exit"].reason) == ("/planner", "shutdown")


def test_exit_normal_does_nothing(bonds: Bonds, door: Door) -> None:
    """To another process; and to nobody no signal does."""
    b = bonds.incarnation("/b")

    door.do(door.actor("/b").exit("normal"))
    door.do(door.actor("/nobody").exit("kill"))

    assert bonds.incarnation("/b") == b


def test_exit_is_told_to_who_traps(bonds: Bonds, door: Door) -> None:
    """But kill, which others see as killed."""
    bonds.ask("/a", "trap")
    monitor = door.watch("/a")

    door.do(door.actor("/a").exit("enough"))
    bonds.wait_told("/a", ("handle-exit", (f"client:{os.getpid()}", "enough")))

    door.do(door.actor("/a").exit("kill"))
    assert door.wait(monitor).reason == "killed"


def test_a_reason_has_a_length(bonds: Bonds, door: Door) -> None:
    """One character more is refused."""
    door.do(door.actor("/nobody").exit("x" * REASON_CHARS_MAX))

    with pytest.raises(UnexpectedError, match="at most 1000 characters"):
        door.do(door.actor("/nobody").exit("x" * (REASON_CHARS_MAX + 1)))


# -- bounds, threads, and clients without manners --------------------------------------------------------------------


def test_a_client_has_so_many_bonds_at_most(bonds: Bonds, raw: Raw) -> None:
    """One more is refused; one that ends makes room."""
    for number in range(gate_bonds.BONDS_MAX):
        answer, _ = raw.ask(control.Monitor(number, "/b"))
        assert isinstance(answer, control.Outcome)

    refused, _ = raw.ask(control.Link(5000, "/b"))
    assert refused.kind == "unexpected"
    assert "at most 1000" in refused.data[0]
    raw.ask(control.Demonitor(5001, answer.value["ref"]))
    assert isinstance(raw.ask(control.Link(5002, "/b"))[0], control.Outcome)


def test_numbers_nobody_was_given_are_not_there(bonds: Bonds, raw: Raw) -> None:
    """Unlink and Demonitor answer false, also with another client's numbers; Leave is always fine."""
    with Door(bonds.tree, "threads").client as client:
        theirs = client.actor("/b").watch().ref

        for order in (control.Unlink, control.Demonitor):
            for number in (theirs, 0, -1, 2**63 - 1):
                assert raw.ask(order(1, number))[0] == control.Outcome(1, False)
        assert raw.ask(control.Leave(2))[0] == control.Done(2)


def test_threads_wait_for_bonds_of_one_client(bonds: Bonds) -> None:
    """Each gets what is its own, whichever of them reads; closing the client ends the waiting of the rest."""
    with Door(bonds.tree, "threads").client as client:
        waits = [client.actor(path).watch() for path in ("/b", "/c") for _ in range(4)]
        waits += [client.actor("/a").link()]
        found: dict[int, str] = {}

        def wait(index: int) -> None:
            try:
                found[index] = waits[index].wait(20).target
            except ClientClosed:
                found[index] = "closed"

        threads = [threading.Thread(target=wait, args=(index,)) for index in range(len(waits))]
        for thread in threads:
            thread.start()
        bonds.tree.kill("/b")
        bonds.tree.kill("/c")
        for thread in threads[:8]:
            thread.join(20)
    threads[8].join(20)

    assert found == {**dict.fromkeys(range(4), "/b"), **dict.fromkeys(range(4, 8), "/c"), 8: "closed"}
