"""TCP of guests: active, once and passive mode, and ends."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

import pytest

from tests.interfaces.tcp.kit import NOBODY, is_refused
from tests.interfaces.tcpkit import Actor, Refused, dial, listening, pair, read_all
from tests.system.running import until
from theater.grants import TCP
from worker.machine_notices import Declined, Rejected, Returned
from worker.tcp.service import Tcp

# -- modes -------------------------------------------------------------------------------------------------------------


def test_active(actor: Actor) -> None:
    """What comes is given to on-data; the end to on-close."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"one")
    assert actor.turn() == ("on-data", id_, b"one")
    peer.sendall(b"two")
    assert actor.turn() == ("on-data", id_, b"two")
    peer.close()

    assert actor.turn() == ("on-close", id_, "eof")
    with pytest.raises(Refused, match=NOBODY):
        actor.call("send", id_, b"x")


def test_active_mode_holds_back(make: Callable[..., Actor]) -> None:
    """One chunk waits for the guest, and the rest in the kernel: whoever floods a slow guest waits."""
    actor = make(chunk_bytes_max=1024)
    id_, peer = pair(actor)
    peer.setblocking(False)
    actor.call("set-active", id_, "active")
    sent = 0
    until(lambda: not actor.turns.empty() or _push(peer), "the first chunk")
    while True:
        try:
            sent += peer.send(bytes(65_536))
        except BlockingIOError:
            break

    assert actor.turns.qsize() == 1
    assert actor.turn()[2] == bytes(1024)


def _push(peer: socket.socket) -> bool:
    try:
        peer.send(bytes(65_536))
    except BlockingIOError:
        pass
    return False


def test_nothing_is_read_while_on_data_runs(actor: Actor) -> None:
    """The next chunk is read when the guest has returned."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"one")
    turn = actor.take()
    peer.sendall(b"two")
    actor.call("set-active", id_, "active")  # the loop is asked, and has nothing to do
    actor.call("set-active", id_, "passive")

    assert actor.call("receive", id_, 10) == b"two"
    turn.then(Returned(b""))
    assert actor.is_idle


def test_once(actor: Actor) -> None:
    """One on-data, then passive."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "once")
    peer.sendall(b"one")
    assert actor.turn() == ("on-data", id_, b"one")
    peer.sendall(b"two")

    assert actor.call("receive", id_, 10) == b"two"
    assert actor.is_idle


def test_once_again_within_on_data(actor: Actor) -> None:
    """As a guest does that takes one chunk at a time."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "once")
    for text in (b"one", b"two", b"three"):
        peer.sendall(text)
        turn = actor.take()
        actor.call("set-active", id_, "once")
        turn.then(Returned(b""))
        assert turn.params[1].items == text  # type: ignore[attr-defined]


def test_back_to_passive_loses_nothing(actor: Actor) -> None:
    """What was on its way to on-data is read by receive, before what came later."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"early ")
    until(lambda: not actor.turns.empty(), "the chunk")
    actor.call("set-active", id_, "passive")
    peer.sendall(b"late")

    assert actor.call("receive", id_, 2) == b"ea"
    assert actor.call("receive", id_, 100) == b"rly "
    assert actor.call("receive", id_, 100) == b"late"
    assert actor.is_idle


def test_what_was_called_back_is_given_again(actor: Actor) -> None:
    """Passive, and active again: on-data has it."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"data")
    until(lambda: not actor.turns.empty(), "the chunk")
    actor.call("set-active", id_, "passive")
    actor.call("set-active", id_, "active")

    assert actor.turn() == ("on-data", id_, b"data")


@pytest.mark.parametrize("mode", ["active", "once"])
def test_receive_in_active_modes(actor: Actor, mode: str) -> None:
    """There is one way to get the data at a time."""
    id_, _ = pair(actor)
    actor.call("set-active", id_, mode)
    with pytest.raises(Refused, match=f"is in mode {mode}"):
        actor.call("receive", id_, 1)


def test_bad_mode(actor: Actor) -> None:
    """The error names those there are."""
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="expected a mode \\(active, once, passive\\), found 'ACTIVE'"):
        actor.call("set-active", id_, "ACTIVE")


def test_send_within_on_data_of_a_peer_that_has_ended(actor: Actor) -> None:
    """A client that ends its side first still gets the answer: the end is seen after on-data has returned."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"question")
    peer.shutdown(socket.SHUT_WR)
    turn = actor.take()
    actor.call("send", id_, b"answer")
    turn.then(Returned(b""))

    assert peer.recv(100) == b"answer"
    assert actor.turn() == ("on-close", id_, "eof")


def test_reset_in_active_mode(actor: Actor) -> None:
    """on-close has the error."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()

    assert actor.turn() == ("on-close", id_, "Connection reset by peer")


def test_no_callback_after_close(actor: Actor) -> None:
    """Neither the data nor the end that wait already."""
    first, peer = pair(actor)
    second, other = pair(actor)
    for id_ in (first, second):
        actor.call("set-active", id_, "active")
    peer.sendall(b"data")
    other.close()
    until(lambda: actor.turns.qsize() == 2, "both callbacks to wait")
    actor.call("close", first)
    actor.call("close", second)

    assert actor.is_idle
    assert read_all(peer) == b""


def test_between_the_end_and_on_close(actor: Actor) -> None:
    """The id is known until the guest is told; what it asks for is refused with the reason."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.close()
    until(lambda: not actor.turns.empty(), "the end")
    for function, rest in (("send", (b"x",)), ("receive", (1,)), ("set-active", ("once",))):
        with pytest.raises(Refused, match="the connection is over: eof"):
            actor.call(function, id_, *rest)

    assert actor.turn() == ("on-close", id_, "eof")


def test_a_connection_that_is_over_takes_no_room(make: Callable[..., Actor]) -> None:
    """Its socket is closed before the guest hears of it."""
    actor = make(connections_max=1)
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.close()
    until(lambda: not actor.turns.empty(), "the end")

    assert pair(actor)


def test_no_on_data_to_call(actor: Actor) -> None:
    """Data that cannot be given away ends the connection, and says why."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"data")
    actor.turn(Rejected("function_not_found", ("on-data",)))

    assert actor.turn() == ("on-close", id_, f"{TCP}-client.on-data cannot be called")
    assert peer.recv(1) == b""


def test_an_application_error_of_on_data(actor: Actor) -> None:
    """The guest's own affair: the data was its, and the connection goes on."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"one")
    actor.turn(Declined("no"))
    peer.sendall(b"two")

    assert actor.turn() == ("on-data", id_, b"two")


# -- ends --------------------------------------------------------------------------------------------------------------


def test_an_orderly_end_closes_everything(make: Callable[..., Actor]) -> None:
    """Peers see the end, the port is free, and the thread is gone."""
    actor = make()
    _, peer = pair(actor)
    _, place = listening(actor)
    dial(place)
    actor.turn()
    actor.close()

    assert peer.recv(1) == b""
    assert is_refused(place)
    until(lambda: not any(thread.name == "tcp" for thread in threading.enumerate()), "the thread to end")


def test_no_thread_before_it_is_needed(make: Callable[..., Actor]) -> None:
    """Connecting, sending and receiving need none."""
    actor = make()
    id_, peer = pair(actor)
    actor.call("send", id_, b"x")
    peer.sendall(b"y")
    actor.call("receive", id_, 1)
    actor.call("close", id_)

    assert not any(thread.name == "tcp" for thread in threading.enumerate())
    assert actor.service(Tcp) is actor.service(Tcp)


def test_everything_is_recorded(actor: Actor) -> None:
    """Answers and refusals alike, with what was asked."""
    id_, peer = pair(actor)
    peer.sendall(b"x")
    actor.call("receive", id_, 1)
    with pytest.raises(Refused):
        actor.call("connect", "10.0.0.1:1")

    assert [function for _, function, _, _ in actor.recorded] == ["connect", "receive", "connect"]
