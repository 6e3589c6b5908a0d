"""Links, monitors and exit signals between real actors, as Erlang has them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import u32
from tests.homes import new_home
from tests.system import linking
from tests.system.running import RunningTree, running_tree, until
from theater.chain import payloads
from theater.errors import ActorError, InternalError

TREE = """
version: 1
name: bonds
intensity: 1000
period: 10s
children:
  - {id: a, actor: linker.wasm, grants: {links: {allow: [/b, /nobody]}, supervisor: {}, runtime: {}}}
  - {id: b, actor: plain.wasm}
  - {id: c, actor: linker.wasm, grants: {links: {monitor: ["/*"]}}}
  - {id: d, actor: linker.wasm, grants: {links: {}}}
  - {id: e, actor: to_nobody.wasm, grants: {links: {allow: ["/**"]}}}
  - {id: g, actor: to_nobody.wasm, grants: {links: {}}}
  - {id: f, actor: to_a.wasm, grants: {links: {allow: ["/**"]}}}
  - {id: h, actor: made_up.wasm, grants: {links: {allow: ["/**"]}}}
"""
BUMP = "(state: u32, by: u32) -> result<tuple<u32, u32>, string>"
CHILD = 'name = "child"\npackage = "plain.wasm"\n'


def plain() -> bytes:
    """An actor that can only be there, and crash."""
    return wat.build(
        functions=[
            wat.starts(u32(0)),
            wat.Function("test:plain/api.crash", "(state: u32) -> result<tuple<u32>, string>", wat.traps()),
            wat.Function("test:plain/api.bump", BUMP, wat.adds()),
        ]
    )


class Bonds:
    """The running tree and short ways to its actors."""

    def __init__(self, tree: RunningTree) -> None:
        self.tree = tree

    def ask(self, path: str, function: str, *arguments: Any) -> Any:
        return self.tree.actor(path).call(function, arguments)

    def told(self, path: str) -> list[tuple[str, tuple[Any, ...]]]:
        """What an actor's handlers were called with, in its present incarnation: its worker knows no other."""
        found = []
        for event in self.tree.actor(path).get_chain():
            what = payloads.read(event.data) if event.event_type == "wasm" else None
            if isinstance(what, payloads.Call) and linking.CLIENT in what.function:
                found.append((what.function.rpartition(".")[2], _natural(what.params)))
        return found

    def wait_told(self, path: str, *expected: tuple[str, tuple[Any, ...]]) -> None:
        until(lambda: self.told(path) == list(expected), f"{expected}, not {self.told(path)}", 10)

    def incarnation(self, path: str) -> int:
        return int(self.tree.wait_incarnation(path, 1).incarnation)

    def wait_next(self, path: str, number: int) -> None:
        self.tree.wait_incarnation(path, number + 1)

    def crash(self, path: str) -> None:
        with pytest.raises(ActorError):
            self.ask(path, "crash")

    def refused(self, path: str, function: str) -> str:
        with pytest.raises(InternalError) as caught:
            self.ask(path, function)
        return str(caught.value)


def _natural(params: Any) -> tuple[Any, ...]:
    from theater import cgrf, convert

    value = cgrf.decode(params) if isinstance(params, bytes) else params
    return tuple(convert.from_value(value))


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests here; every test begins with fresh incarnations where it needs them."""
    with new_home() as home:
        (home / "linker.wasm").write_bytes(linking.linker())
        (home / "to_nobody.wasm").write_bytes(linking.linker("/nobody"))
        (home / "made_up.wasm").write_bytes(linking.linker("/a#999"))
        (home / "to_a.wasm").write_bytes(linking.linker("/a"))
        (home / "plain.wasm").write_bytes(plain())
        (home / "child.toml").write_text(CHILD)
        with running_tree(home, TREE) as tree:
            yield tree


@pytest.fixture
def bonds(tree: RunningTree) -> Bonds:
    """Everybody is up, in an incarnation that no other test has touched."""
    for path in "abcdef":
        tree.client.restart(f"/{path}")
    return Bonds(tree)


# -- links -----------------------------------------------------------------------------------------------------------


def test_an_abnormal_end_ends_the_linked_actor(bonds: Bonds) -> None:
    """The cause names the signal; the supervisor restarts both; the next incarnations have no link."""
    a, b = bonds.incarnation("/a"), bonds.incarnation("/b")
    bonds.ask("/a", "link")

    bonds.crash("/b")

    bonds.wait_next("/a", a)
    bonds.wait_next("/b", b)
    bonds.crash("/b")
    bonds.wait_next("/b", b + 1)
    assert bonds.incarnation("/a") == a + 1


def test_the_signal_travels_the_other_way_too(bonds: Bonds) -> None:
    """A link has no direction."""
    b = bonds.incarnation("/b")
    bonds.ask("/a", "link")

    bonds.crash("/a")

    bonds.wait_next("/b", b)


def test_an_actor_that_traps_is_told(bonds: Bonds) -> None:
    """The id of the one that has ended, and the reason; it lives on."""
    a, id_of_b = bonds.incarnation("/a"), bonds.tree.actor("/b").actor_id
    bonds.ask("/a", "trap")
    bonds.ask("/a", "link")

    os.kill(bonds.tree.pid("/b"), signal.SIGKILL)

    bonds.wait_told("/a", ("handle-exit", (id_of_b, "crashed (signal 9 SIGKILL)")))
    assert bonds.incarnation("/a") == a


def test_an_unlinked_actor_lives_on(bonds: Bonds) -> None:
    """unlink takes it back."""
    a, b = bonds.incarnation("/a"), bonds.incarnation("/b")
    bonds.ask("/a", "link")
    bonds.ask("/a", "unlink")

    bonds.crash("/b")

    bonds.wait_next("/b", b)
    assert bonds.incarnation("/a") == a


def test_a_graceful_stop_is_a_signal_shutdown(bonds: Bonds) -> None:
    """A restart on request ends the incarnation with shutdown, which is not normal."""
    bonds.ask("/a", "trap")
    bonds.ask("/a", "link")
    id_of_b = bonds.tree.actor("/b").actor_id

    bonds.tree.client.restart("/b")

    bonds.wait_told("/a", ("handle-exit", (id_of_b, "shutdown")))


def test_a_link_with_nobody_is_a_signal_noproc(bonds: Bonds) -> None:
    """Trapped it is told; otherwise it ends the caller."""
    bonds.ask("/e", "trap")
    bonds.ask("/e", "link")
    bonds.wait_told("/e", ("handle-exit", ("/nobody", "noproc")))
    e = bonds.incarnation("/e")
    bonds.ask("/e", "untrap")

    with pytest.raises(ActorError, match=r"exit signal of /nobody: noproc|closed"):
        bonds.ask("/e", "link")

    bonds.wait_next("/e", e)


def test_an_address_that_is_made_up_is_nobodys(bonds: Bonds) -> None:
    """It looks like an incarnation of another's: the signal does not come from that one."""
    bonds.tree.client.restart("/h")
    bonds.ask("/h", "trap")
    bonds.ask("/h", "link")
    bonds.wait_told("/h", ("handle-exit", ("/a#999", "noproc")))
    bonds.ask("/h", "untrap")

    with pytest.raises(ActorError, match=r"exit signal of /a#999: noproc|closed"):
        bonds.ask("/h", "link")


# -- exit signals ----------------------------------------------------------------------------------------------------


def test_exit_ends_with_its_reason(bonds: Bonds) -> None:
    """exit/2: a monitor sees the reason that was given."""
    b = bonds.incarnation("/b")
    ref = bonds.ask("/a", "monitor")

    bonds.ask("/a", "exit-boom")

    bonds.wait_told("/a", ("handle-down", (ref, "/b", "boom")))
    bonds.wait_next("/b", b)


def test_exit_normal_does_nothing(bonds: Bonds) -> None:
    """To another actor that does not trap exits."""
    b = bonds.incarnation("/b")

    bonds.ask("/a", "exit-normal")

    assert bonds.ask("/b", "bump", 1) == 1
    assert bonds.incarnation("/b") == b


def test_kill_ends_who_traps(bonds: Bonds) -> None:
    """And is seen as killed."""
    a = bonds.incarnation("/a")
    bonds.ask("/a", "trap")
    bonds.ask("/f", "trap")
    bonds.ask("/f", "link")
    id_of_a = bonds.tree.actor("/a").actor_id

    bonds.ask("/f", "exit-boom")
    bonds.wait_told("/a", ("handle-exit", (bonds.tree.actor("/f").actor_id, "boom")))
    bonds.ask("/f", "exit-kill")

    bonds.wait_next("/a", a)
    bonds.wait_told("/f", ("handle-exit", (id_of_a, "killed")))


# -- monitors --------------------------------------------------------------------------------------------------------


def test_each_monitor_fires_once(bonds: Bonds) -> None:
    """Three monitors of one actor are three references and three DOWNs, in order; a restart is an end."""
    refs = [bonds.ask("/c", "monitor") for _ in range(3)]
    assert len(set(refs)) == 3

    bonds.crash("/b")

    reason = "failed in test:plain/api.crash: "
    until(lambda: len(bonds.told("/c")) == 3, "three DOWNs")
    told = bonds.told("/c")
    assert [(name, *params[:2]) for name, params in told] == [("handle-down", ref, "/b") for ref in refs]
    assert all(params[2].startswith(reason) for _, params in told)
    bonds.crash("/b")
    assert len(bonds.told("/c")) == 3


def test_a_monitor_of_nobody_fires_at_once(bonds: Bonds) -> None:
    """noproc, under the name that was asked for."""
    ref = bonds.ask("/e", "monitor")

    bonds.wait_told("/e", ("handle-down", (ref, "/nobody", "noproc")))


def test_demonitor_takes_it_back(bonds: Bonds) -> None:
    """No DOWN comes any more."""
    b = bonds.incarnation("/b")
    bonds.ask("/c", "monitor")
    bonds.ask("/c", "demonitor", False)

    bonds.crash("/b")
    bonds.wait_next("/b", b)
    bonds.ask("/c", "get")

    assert bonds.told("/c") == []


@pytest.mark.parametrize("flush", [True, False])
def test_flush_takes_back_a_down_that_waits(bonds: Bonds, flush: bool) -> None:
    """The DOWN arrives while the guest computes, then it demonitors: with flush it is never called."""
    b = bonds.incarnation("/b")
    bonds.ask("/c", "monitor")
    late = bonds.tree.actor("/c")
    late.send("late", (flush,))
    until(lambda: late.get_status().operation is not None, "it to compute")

    bonds.crash("/b")
    bonds.wait_next("/b", b)
    until(lambda: late.get_status().state == "idle", "it to be done")

    assert [name for name, _ in bonds.told("/c")] == ([] if flush else ["handle-down"])


# -- what spawns -----------------------------------------------------------------------------------------------------


def test_spawn_link_links(bonds: Bonds) -> None:
    """The child's crash is a signal to its parent."""
    a = bonds.incarnation("/a")
    bonds.ask("/a", "spawn")

    bonds.crash("/a/child")

    bonds.wait_next("/a", a)


def test_spawn_link_wants_the_supervisor_grant(bonds: Bonds) -> None:
    """Links alone do not let an actor start others."""
    assert "Not permitted: supervisor" in bonds.refused("/d", "try-spawn")


# -- whom it may reach -----------------------------------------------------------------------------------------------


def test_an_actor_that_is_not_named_is_refused(bonds: Bonds) -> None:
    """Deny by default, and the refusal is in the chain; nothing happens to the other."""
    b = bonds.incarnation("/b")
    for function in ("try-link", "try-monitor", "try-exit"):
        assert "Not permitted: links (/b is not of its family, nor allowed)" in bonds.refused("/d", function)

    recorded = [event.event_type for event in bonds.tree.actor("/d").get_chain()]
    calls = [event_type for event_type in recorded if event_type.startswith(linking.LINKS)]
    assert calls == [f"{linking.LINKS}/{name}" for name in ("link", "monitor", "exit")]
    assert bonds.incarnation("/b") == b


def test_who_may_monitor_may_not_link(bonds: Bonds) -> None:
    """A link is a power over the other; the option monitor gives none."""
    assert "Not permitted" in bonds.refused("/c", "try-link")
    assert "Not permitted" in bonds.refused("/c", "try-exit")


def test_a_stranger_and_nobody_are_refused_alike(bonds: Bonds) -> None:
    """Existence does not leak."""
    there, nobody = bonds.refused("/d", "try-monitor"), bonds.refused("/g", "try-monitor")

    assert there.replace("/b", "/nobody") == nobody


# -- hot updates -----------------------------------------------------------------------------------------------------


def test_bonds_survive_a_hot_update(bonds: Bonds) -> None:
    """Of the watcher and of the watched: to others an update is no end. The guest's next package is told."""
    b = bonds.incarnation("/b")
    ref = bonds.ask("/c", "monitor")
    bonds.tree.actor("/b").update_package(bonds.tree.home / "plain.wasm")
    bonds.tree.actor("/c").update_package(bonds.tree.home / "linker.wasm")
    assert bonds.told("/c") == []

    bonds.crash("/b")

    bonds.wait_next("/b", b)
    until(lambda: bonds.told("/c"), "the DOWN")
    ((name, params),) = bonds.told("/c")
    assert (name, params[0]) == ("handle-down", ref)
