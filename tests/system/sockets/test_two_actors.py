"""Connections handed over from one worker process to another, and who may be given any."""

from __future__ import annotations

import os
import signal

import pytest

from tests.system.running import RunningTree, until
from tests.system.sockets.porters import Porter


@pytest.mark.parametrize("manner", ["pass", "pass-and-wait"])
def test_an_acceptor_hands_connections_on(porter: Porter, desk: Porter, manner: str) -> None:
    """From one worker process to another: the client talks to the second actor, which may not even listen."""
    desk.be("echo")
    porter.be(manner, desk)
    peer = porter.dial()
    peer.sendall(b"hello")

    assert peer.recv(100) == b"hello"
    assert porter.notes() == ["connection"]
    assert porter.tree.pid(porter.path) != porter.tree.pid(desk.path)


def test_the_first_actor_has_nothing_more_to_do_with_it(tree: RunningTree, porter: Porter, desk: Porter) -> None:
    """Its id is refused, and its death is not noticed."""
    id_, peer = porter.pair()
    desk.be("echo")
    porter.ask("transfer", id_, desk.id)
    assert "closed, handed over, or of an earlier life" in porter.refused("send", id_, b"x")
    os.kill(tree.pid(porter.path), signal.SIGKILL)
    tree.wait_incarnation(porter.path, 2)
    peer.sendall(b"hello")

    assert peer.recv(100) == b"hello"


def test_the_second_actor_has_ids_of_its_own(porter: Porter, desk: Porter) -> None:
    """Neither can use the other's."""
    id_, peer = porter.pair()
    porter.ask("transfer", id_, desk.id)
    theirs = desk.ask("last")

    assert theirs != id_
    assert "has no connection" in desk.refused("send", id_, b"x")
    assert "has no connection" in porter.refused("send", theirs, b"x")
    desk.ask("send", theirs, b"hello")
    assert peer.recv(100) == b"hello"
    desk.ask("close", theirs)
    assert peer.recv(1) == b""


def test_a_taker_that_declines(porter: Porter, desk: Porter) -> None:
    """The connection is closed, and the giver learns why."""
    id_, peer = porter.pair()
    desk.be("refuse")

    assert "it is handed over, and closed: not today" in porter.refused("transfer", id_, desk.id)
    assert peer.recv(1) == b""


def test_a_taker_that_dies_of_it(tree: RunningTree, porter: Porter) -> None:
    """So it is when its guest traps."""
    tree.client.start_child("/pool", f"{porter.path.rpartition('/')[2]}-taker")
    taker = Porter(tree, f"{porter.path}-taker")
    taker.be("trap")
    id_, peer = porter.pair()

    assert "it is handed over, and closed" in porter.refused("transfer", id_, taker.id)
    assert peer.recv(1) == b""


def test_who_may_not_be_given_any(tree: RunningTree, porter: Porter) -> None:
    """Actors without the grant, not named in one's own, and nowhere: the same words; paths and nonsense too."""
    id_, peer = porter.pair()
    other, aside = str(tree.actor("/other").actor_id), str(tree.actor("/aside").actor_id)
    for target in (other, aside, "11111111-2222-4333-8444-555555555555", "/desk", "", "x" * 2000):
        assert "is no actor that may be given connections" in porter.refused("transfer", id_, target)
        assert "is no actor that may be given connections" in porter.refused("transfer-async", id_, target)
    porter.ask("send", id_, b"still here")

    assert peer.recv(100) == b"still here"


def test_a_taker_that_does_not_run(tree: RunningTree, porter: Porter) -> None:
    """It is told so, and the connection stays."""
    name = f"{porter.path.rpartition('/')[2]}-gone"
    tree.client.start_child("/pool", name)
    gone = Porter(tree, f"/pool/{name}").id
    tree.client.terminate_child("/pool", name)
    id_, peer = porter.pair()
    refused = porter.refused("transfer", id_, gone)

    assert "is not running at the moment" in refused
    porter.ask("send", id_, b"still here")
    assert peer.recv(100) == b"still here"


def test_a_taker_without_room(tree: RunningTree, porter: Porter) -> None:
    """The limit of its own grant."""
    full = Porter(tree, "/full")
    theirs, _theirs = full.pair()
    id_, peer = porter.pair()

    assert "no room for another connection" in porter.refused("transfer", id_, full.id)
    porter.ask("send", id_, b"still here")
    assert peer.recv(100) == b"still here"
    full.ask("close", theirs)


def test_sockets_of_workers_are_private(tree: RunningTree, porter: Porter, desk: Porter) -> None:
    """Only our user can get at them; they go with their worker."""
    id_, _peer = porter.pair()
    porter.ask("transfer", id_, desk.id)
    found = list((tree.run_dir / "w").glob("c*"))

    assert found
    assert all(each.stat().st_mode & 0o077 == 0 for each in [tree.run_dir, *found])
    tree.kill("/desk")
    until(lambda: len(list((tree.run_dir / "w").glob("c*"))) < len(found), "the socket to be removed")
