"""Connections between actors: the descriptor is handed over by token, and belongs to one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.interfaces.passing.kit import GONE
from tests.interfaces.passingkit import Member, Turns
from tests.interfaces.tcpkit import Refused, dial, listening, pair, read_all
from tests.system.running import until
from worker.machine_notices import Declined, Rejected, Trapped


def test_transfer(giver: Member, taker: Member) -> None:
    """The taker is told, and can use it at once; the giver cannot any more; the peer notices nothing."""
    id_, peer = pair(giver)
    turns = Turns(taker)
    giver.call("transfer", id_, taker.actor_id)
    name, new = turns.done()
    taker.call("send", new, b"from the taker")
    peer.sendall(b"to the taker")

    assert name == "handle-connection-transfer"
    assert new != id_
    assert peer.recv(100) == b"from the taker"
    assert taker.call("receive", new, 100) == b"to the taker"
    assert taker.call("peer-address", new) == f"127.0.0.1:{peer.getsockname()[1]}"
    with pytest.raises(Refused, match=GONE):
        giver.call("send", id_, b"x")


def test_transfer_async(giver: Member, taker: Member) -> None:
    """It returns before the taker's guest has heard of it."""
    id_, peer = pair(giver)
    giver.call("transfer-async", id_, taker.actor_id)
    with pytest.raises(Refused, match=GONE):
        giver.call("close", id_)
    _, new = taker.turn()
    taker.call("send", new, b"hello")

    assert peer.recv(100) == b"hello"


def test_pending_connections(giver: Member, taker: Member) -> None:
    """An acceptor hands on what it has never used; the taker need not activate it."""
    _, place = listening(giver)
    peer = dial(place)
    turn = giver.take()
    giver.call("transfer-async", turn.params[0].value, taker.actor_id)  # type: ignore[attr-defined]
    turn.then(Declined("even if the callback fails"))
    _, new = taker.turn()
    taker.call("send", new, b"hello")

    assert peer.recv(100) == b"hello"


def test_what_was_not_read_goes_along(giver: Member, taker: Member) -> None:
    """In the kernel or on its way to on-data: the taker reads it first, and the giver never."""
    id_, peer = pair(giver)
    giver.call("set-active", id_, "active")
    peer.sendall(b"early ")
    until(lambda: not giver.turns.empty(), "the chunk")
    peer.sendall(b"late")
    giver.call("transfer-async", id_, taker.actor_id)
    _, new = taker.turn()
    found = b""
    while len(found) < 10:
        found += taker.call("receive", new, 100)

    assert found == b"early late"
    assert giver.is_idle


def test_there_and_back(giver: Member, taker: Member) -> None:
    """A new id each time."""
    id_, peer = pair(giver)
    giver.call("transfer-async", id_, taker.actor_id)
    _, there = taker.turn()
    taker.call("transfer-async", there, giver.actor_id)
    _, back = giver.turn()
    giver.call("send", back, b"home")

    assert peer.recv(100) == b"home"
    assert len({id_, there, back}) == 3


def test_many_at_once(giver: Member, taker: Member) -> None:
    """One after the other, whatever the taker's guest does meanwhile."""
    peers = []
    for _ in range(20):
        id_, peer = pair(giver)
        peers.append(peer)
        giver.call("transfer-async", id_, taker.actor_id)
    for number in range(20):
        taker.call("send", taker.turn()[1], b"%d" % number)

    assert [int(peer.recv(10)) for peer in peers] == list(range(20))


def test_closing_after_a_transfer_is_the_end(giver: Member, taker: Member) -> None:
    """Nobody keeps a descriptor: the peer sees the end."""
    id_, peer = pair(giver)
    giver.call("transfer-async", id_, taker.actor_id)
    taker.call("close", taker.turn()[1])

    assert read_all(peer) == b""


@pytest.mark.parametrize(
    ("notice", "why"),
    [
        (Declined("not mine"), "not mine"),
        (Trapped("unreachable"), "unreachable"),
        (Rejected("function_not_found", ()), "handle-connection-transfer could not be called"),
    ],
)
def test_a_callback_that_fails(giver: Member, taker: Member, notice: Any, why: str) -> None:
    """The connection is closed, and the giver learns why."""
    id_, peer = pair(giver)
    turns = Turns(taker, notice)
    with pytest.raises(Refused, match=f"it is handed over, and closed: .*{why}"):
        giver.call("transfer", id_, taker.actor_id)
    turns.done()

    assert read_all(peer) == b""
    with pytest.raises(Refused, match=GONE):
        giver.call("send", id_, b"x")


def test_a_callback_that_does_not_end(make: Callable[..., Member], taker: Member) -> None:
    """The giver's wait has an end; the connection is the taker's all the same."""
    giver = make(timeout_ms_max=50)
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="timed out after 50 ms; it is handed over"):
        giver.call("transfer", id_, taker.actor_id)
    taker.call("send", taker.turn()[1], b"hello")

    assert peer.recv(100) == b"hello"
