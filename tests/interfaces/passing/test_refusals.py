"""A connection that cannot be handed over stays where it is."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable

import pytest

from proto import control
from tests.interfaces.passing.kit import stays
from tests.interfaces.passingkit import Member
from tests.interfaces.tcpkit import Refused, pair
from tests.system.running import until
from worker.tcp import passing


@pytest.mark.parametrize("function", ["transfer", "transfer-async"])
@pytest.mark.parametrize("target", ["", "nobody", "11111111-2222-4333-8444-555555555555", "../../etc", "x" * 5000])
def test_to_nobody(giver: Member, function: str, target: str) -> None:
    """The root knows no such actor."""
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="no such actor"):
        giver.call(function, id_, target)

    stays(giver, id_, peer)


def test_to_oneself(giver: Member) -> None:
    """It is there already."""
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="this actor's already"):
        giver.call("transfer", id_, giver.actor_id)

    stays(giver, id_, peer)


def test_a_connection_that_is_over(giver: Member, taker: Member) -> None:
    """There is nothing to hand over; on-close follows."""
    id_, peer = pair(giver)
    giver.call("set-active", id_, "active")
    peer.close()
    until(lambda: not giver.turns.empty(), "the end")
    with pytest.raises(Refused, match="the connection is over: eof"):
        giver.call("transfer", id_, taker.actor_id)

    assert giver.turn() == ("on-close", id_, "eof")


def test_no_room(giver: Member, make: Callable[..., Member]) -> None:
    """The taker's limit holds for what it is given."""
    taker = make(connections_max=1)
    pair(taker)
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="no room for another connection"):
        giver.call("transfer", id_, taker.actor_id)

    stays(giver, id_, peer)


def test_no_room_any_more(giver: Member, make: Callable[..., Member]) -> None:
    """Nor does it fill up between the root's word and the connection's coming."""
    taker = make(connections_max=1)
    _, token = taker.expects()
    pair(taker)
    giver.ask = lambda *_, **__: ({"socket": taker.landing, "token": token}, [])  # type: ignore[method-assign]
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="no room for another connection"):
        giver.call("transfer", id_, "whoever")

    stays(giver, id_, peer)


def test_to_an_actor_that_stops(giver: Member, taker: Member) -> None:
    """It takes nothing any more."""
    taker.stop()
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="shutting-down"):
        giver.call("transfer", id_, taker.actor_id)

    stays(giver, id_, peer)


def test_in_the_mode_it_was_in(giver: Member, taker: Member) -> None:
    """What could not be handed over goes on as if nothing had been asked."""
    id_, peer = pair(giver)
    giver.call("set-active", id_, "active")
    giver.ask = lambda *_, **__: ({"socket": taker.landing, "token": b"?"}, [])  # type: ignore[method-assign]
    taker.expects()
    with pytest.raises(Refused, match="not expected"):
        giver.call("transfer", id_, taker.actor_id)
    peer.sendall(b"data")

    assert giver.turn() == ("on-data", id_, b"data")


def test_too_many_on_their_way(taker: Member) -> None:
    """A bound on what an actor can be promised; old promises make room."""
    for _ in range(passing.EXPECTED_MAX):
        assert isinstance(taker.expects()[0], control.Done)

    assert isinstance(taker.expects()[0], control.Refused)


def test_nowhere_to_bind(make: Callable[..., Member]) -> None:
    """Words, not an exception in the post thread."""
    taker = make()
    taker.landing = "/nowhere/at/all"

    refused, _ = taker.expects()
    assert refused == control.Refused(7, "unexpected", ("it cannot take connections: No such file or directory",))


def test_taker_that_never_answers(make: Callable[..., Member]) -> None:
    """The wait has an end, and the connection stays."""
    giver = make(timeout_ms_max=50)
    id_, peer = pair(giver)
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(f"{directory}/s")
        silent.listen(1)
        giver.ask = lambda *_, **__: ({"socket": f"{directory}/s", "token": b""}, [])  # type: ignore[method-assign]
        with pytest.raises(Refused, match="transfer: timed out after 50 ms"):
            giver.call("transfer", id_, "whoever")

    stays(giver, id_, peer)


def test_nobody_there(giver: Member) -> None:
    """The taker's process has ended meanwhile."""
    id_, peer = pair(giver)
    giver.ask = lambda *_, **__: ({"socket": "/nowhere/s", "token": b""}, [])  # type: ignore[method-assign]
    with pytest.raises(Refused, match="it could not be handed over: No such file"):
        giver.call("transfer", id_, "whoever")

    stays(giver, id_, peer)
