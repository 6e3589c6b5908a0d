"""``handle-recovered`` in real trees: actors that live from a timer and a loop go on, whatever ends their lives."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import boolean, octets, text, tup, u32, u64, variant
from tests.homes import new_home
from tests.system import guests
from tests.system.running import RunningTree, is_running, running_tree, until
from tests.system.test_local_interfaces import (
    API,
    PLAIN,
    SET_INTERVAL,
    START_LOOP,
    TICK,
    TURN,
    TURN_TYPE,
    counts,
    keeps,
)
from theater.chain import payloads
from theater.errors import ActorError, UpdatePackageError
from theater.values import Bool, String, Tuple
from worker.recovered import HANDLE_RECOVERED

TOLD = "(state: u32, how: string) -> result<tuple<u32>, string>"
GRANTS = "{timer: {}, loop: {pause: 5ms}}"
TREE = f"""
version: 1
name: recovered
intensity: 100000
period: 1s
children:
  - {{id: last, actor: ticking.wasm, grants: {GRANTS}, recover: last}}
  - {{id: replayed, actor: ticking.wasm, grants: {GRANTS}, recover: replay}}
  - {{id: shot, actor: ticking.wasm, grants: {GRANTS}, recover: replay, snapshot: {{events: 30}}}}
  - {{id: untold, actor: untold.wasm, grants: {GRANTS}, recover: last}}
"""

BEGINS = (wat.calls(SET_INTERVAL, tup(text("pulse"), u64(10))), wat.calls(START_LOOP, octets(b"first")))


def ticking(*told: wat.Function, count: int = 1) -> bytes:
    """An actor whose state counts its ticks and turns, and that calls nobody: it lives from them alone."""
    turned = counts(variant("turn", "ok", 0, octets(b"next")))
    return wat.build(
        functions=[
            wat.starts(u32(0), *BEGINS),
            wat.Function(TICK, "(state: u32, name: string) -> result<tuple<u32>, string>", counts()),
            wat.Function(TURN, TURN_TYPE, turned),
            wat.Function(f"{API}.trap", PLAIN, wat.traps()),
            *(wat.Function(f"{API}.same-{number}", PLAIN, keeps()) for number in range(count)),
            *told,
        ],
        imports=[SET_INTERVAL, START_LOOP],
    )


def told(*does: Any) -> wat.Function:
    return wat.Function(HANDLE_RECOVERED, TOLD, list(does))


@pytest.fixture
def tree() -> Iterator[RunningTree]:
    """Actors that tick and turn."""
    with new_home() as home:
        guests.write_all(home)
        (home / "ticking.wasm").write_bytes(ticking(told(*keeps(*BEGINS))))
        (home / "second.wasm").write_bytes(ticking(told(*keeps(*BEGINS)), count=2))
        (home / "failing.wasm").write_bytes(ticking(told(*BEGINS, wat.declines("not now")), count=3))
        (home / "untold.wasm").write_bytes(ticking())
        with running_tree(home, TREE) as tree:
            yield tree


def life(tree: RunningTree, path: str) -> list[Any]:
    """What the events say of the actor's present life, from its beginning on."""
    said = [payloads.read(event.data) for event in tree.actor(path).get_chain()]
    begins = [at for at, each in enumerate(said) if isinstance(each, payloads.Genesis | payloads.Incarnation)]
    return said[begins[-1] :] if begins else []


def calls(tree: RunningTree, path: str) -> list[payloads.Call]:
    return [each for each in life(tree, path) if isinstance(each, payloads.Call)]


def goes_on(tree: RunningTree, path: str) -> list[payloads.Call]:
    """Wait until the present life has ticked and turned; the calls so far."""

    def both() -> Any:
        try:
            found = calls(tree, path)
        except ActorError:
            return None
        done = [each.function for each in found]
        return found if done.count(TICK) >= 3 and done.count(TURN) >= 3 else None

    return until(both, f"{path} to tick and to turn")


def recovered(how: str) -> payloads.Call:
    return payloads.Call(HANDLE_RECOVERED, Tuple((String(how),)), None)


@pytest.mark.parametrize(
    ("path", "words"), [("/last", {"last"}), ("/replayed", {"replay"}), ("/shot", {"replay", "snapshot"})]
)
def test_it_goes_on_after_kills_at_random_moments(tree: RunningTree, path: str, words: set[str]) -> None:
    """Also in the middle of a start, or of handle-recovered itself; nothing that was counted is missing."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    chance, pause = random.Random(seed), threading.Event()
    for _ in range(5):
        goes_on(tree, path)
        count, number = tree.actor(path).get_state(), 0
        for _ in range(4):
            with suppress(ProcessLookupError, ActorError):  # it may be between two lives
                present = tree.status(path)
                if present.pid:
                    os.kill(present.pid, signal.SIGKILL)
                    number = present.incarnation
            pause.wait(chance.uniform(0, 0.05))
        tree.wait_incarnation(path, number + 1)
        first = goes_on(tree, path)[0]

        assert tree.actor(path).get_state() > count
        assert first in [recovered(word) for word in words]
    tree.cli("verify", path)
    assert "Replay complete" in tree.cli("replay", path)


def test_a_crash_of_the_guest(tree: RunningTree) -> None:
    """The same."""
    goes_on(tree, "/last")
    with suppress(ActorError):
        tree.actor("/last").call("trap")
    tree.wait_incarnation("/last", 2)

    assert goes_on(tree, "/last")[0] == recovered("last")


def test_without_the_export_it_stops_ticking(tree: RunningTree) -> None:
    """As ever: nothing is called that is not there."""
    goes_on(tree, "/untold")
    os.kill(tree.pid("/untold"), signal.SIGKILL)
    tree.wait_incarnation("/untold", 2)
    tree.actor("/untold").call("same-0")

    assert [each.function for each in calls(tree, "/untold")] == [f"{API}.same-0"]


def test_a_snapshot_that_recovery_begins_from(tree: RunningTree) -> None:
    """Is told as such; the next life is rebuilt from a history in which that occurs."""
    shot = tree.actor("/shot")

    def has_snapshot() -> bool:
        return any(isinstance(payloads.read(event.data), payloads.Runtime) for event in shot.get_chain())

    for _ in range(2):
        goes_on(tree, "/shot")
        until(has_snapshot, "a snapshot")
        number = tree.status("/shot").incarnation
        os.kill(tree.pid("/shot"), signal.SIGKILL)
        tree.wait_incarnation("/shot", number + 1)
        assert goes_on(tree, "/shot")[0] == recovered("snapshot")
    assert "agree" in tree.cli("replay", "/shot", "--check-snapshots")
    assert "Replay complete" in tree.cli("replay", "/shot", "--from-snapshot")


def test_the_supervisor_is_killed(tree: RunningTree) -> None:
    """``start --recover`` begins lives without ``init``, too."""
    paths = {"/last": "last", "/replayed": "replay"}
    for path in paths:
        goes_on(tree, path)
    left = tree.workers()
    tree.drop_client()
    tree.process.kill()
    tree.process.wait()
    until(lambda: not any(is_running(pid) for pid in left), "the workers to follow their supervisor")
    tree.options = ("--recover",)
    tree.start()
    tree.wait_up()

    assert {path: goes_on(tree, path)[0] for path in paths} == {path: recovered(how) for path, how in paths.items()}
    for path in paths:
        assert "Replay complete" in tree.cli("replay", path)


@pytest.mark.parametrize("path", ["/last", "/replayed"])
def test_an_update(tree: RunningTree, path: str) -> None:
    """The trial calls nothing; what took over ticks on, and so does what comes after it."""
    goes_on(tree, path)
    count = tree.actor(path).get_state()
    tree.actor(path).update_package(tree.home / "second.wasm")

    assert goes_on(tree, path)[0] == recovered("update")
    assert tree.actor(path).get_state() >= count
    os.kill(tree.pid(path), signal.SIGKILL)
    tree.wait_incarnation(path, 3)
    assert goes_on(tree, path)[0].function == HANDLE_RECOVERED
    tree.cli("verify", path)
    assert "Replay complete" in tree.cli("replay", path)


def test_an_update_whose_package_fails_there(tree: RunningTree) -> None:
    """The old package ticks on, and the answer says why; nothing of it is in the chain."""
    goes_on(tree, "/last")
    with pytest.raises(UpdatePackageError, match=r"handle-recovered.*not now"):
        tree.actor("/last").update_package(tree.home / "failing.wasm")
    count = tree.actor("/last").get_state()

    assert tree.status("/last").incarnation == 1
    until(lambda: tree.actor("/last").get_state() > count, "the old package to go on")
    tree.cli("verify", "/last")


def test_a_fork(tree: RunningTree) -> None:
    """Is told so; its own next life goes on from its own state."""
    goes_on(tree, "/last")
    tree.cli("fork", "/last", "--at", "12", "--as", "copy")

    assert goes_on(tree, "/copy")[0] == recovered("fork")
    os.kill(tree.pid("/copy"), signal.SIGKILL)
    tree.wait_incarnation("/copy", 2)
    assert goes_on(tree, "/copy")[0].params == Tuple((String("last"),))
    assert "Replay complete" in tree.cli("replay", "/copy")


ASK = wat.Import("theater:simple/links.trap-exit", "(enabled: bool) -> result<bool, string>")


def test_it_may_ask_the_supervisor(start: Any, home: Path) -> None:
    """Also in an update, where the actor has not moved yet: what traps exits is there, as the old package left it."""
    asks = wat.calls(ASK, boolean(True))
    for number in (1, 2):
        functions = [wat.starts(u32(0), asks), told(*keeps(asks))]
        functions += [wat.Function(f"{API}.same-{each}", PLAIN, keeps()) for each in range(number)]
        (home / f"{number}.wasm").write_bytes(wat.build(functions=functions, imports=[ASK]))
    tree = start(
        "version: 1\nname: asking\nintensity: 9\nchildren:\n"
        "  - {id: it, actor: 1.wasm, grants: {links: {}}, recover: last}\n"
    )

    def answer() -> Any:
        calls = until(lambda: [each for each in life(tree, "/it") if isinstance(each, payloads.HostCall)], "a call")
        return [each.output.value for each in calls]

    assert answer() == [Bool(False)]
    tree.actor("/it").update_package(home / "2.wasm")
    assert answer() == [Bool(True)]
    os.kill(tree.pid("/it"), signal.SIGKILL)
    tree.wait_incarnation("/it", 3)
    assert answer() == [Bool(False)]


# -- connections -------------------------------------------------------------------------------------------------------

LISTEN = wat.Import("theater:simple/tcp.listen", "(address: string) -> result<string, string>")
CONNECTION = "theater:simple/tcp-client.handle-connection"


def serving(address: str, number: int, *after: wat.Behaviour) -> bytes:
    """An actor that listens, and counts the connections; ``number`` makes packages differ."""
    listens = wat.calls(LISTEN, text(address))
    return wat.build(
        functions=[
            wat.starts(u32(0), listens),
            wat.Function(CONNECTION, "(state: u32, connection-id: string) -> result<tuple<u32>, string>", counts()),
            wat.Function(f"{API}.same-{number}", PLAIN, keeps()),
            wat.Function(HANDLE_RECOVERED, TOLD, [listens, *after] if after else keeps(listens)),
        ],
        imports=[LISTEN],
    )


def test_a_server_listens_again(start: Any, home: Path) -> None:
    """After a kill, after an update, and after one that came to nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = free.getsockname()
    address = f"127.0.0.1:{place[1]}"
    for name, wasm in {
        "first": serving(address, 1),
        "second": serving(address, 2),
        "failing": serving(address, 3, wat.declines("not now")),
    }.items():
        (home / f"{name}.wasm").write_bytes(wasm)
    grants = f'{{tcp: {{listen: ["{address}"]}}}}'
    tree = start(
        f"version: 1\nname: serving\nintensity: 9\nchildren:\n"
        f"  - {{id: it, actor: first.wasm, grants: {grants}, recover: last}}\n"
    )
    it = tree.actor("/it")

    def is_served() -> bool:
        before = it.get_state()
        with suppress(ConnectionRefusedError), socket.create_connection(place):
            until(lambda: it.get_state() > before, "the connection to be announced")
            return True
        return False

    assert is_served()
    os.kill(tree.pid("/it"), signal.SIGKILL)
    tree.wait_incarnation("/it", 2)
    assert is_served()
    it.update_package(home / "second.wasm")
    assert is_served()
    with pytest.raises(UpdatePackageError, match="not now"):
        it.update_package(home / "failing.wasm")
    until(is_served, "the second package to listen again")
    assert it.get_state() == 4
    assert tree.status("/it").incarnation == 3
    assert "Replay complete" in tree.cli("replay", "/it")
