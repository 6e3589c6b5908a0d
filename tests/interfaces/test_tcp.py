"""TCP of guests, with real sockets: every function of the interface, its refusals, and the callbacks."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interfaces.tcpkit import LOCAL, WAIT_S, Actor, Refused, dial, listening, pair, read_all
from tests.system.running import until
from theater.grants import TCP
from worker.machine_notices import Declined, Rejected, Returned
from worker.tcp import listener as listeners
from worker.tcp.service import LISTENERS_MAX, Tcp

NOBODY = "this actor has no connection"


@pytest.fixture
def make() -> Iterator[Callable[..., Actor]]:
    """Actors that are ended with the test."""
    made: list[Actor] = []

    def make_actor(options: dict[str, Any] | None = None, **more: Any) -> Actor:
        made.append(Actor(options, **more))
        return made[-1]

    yield make_actor
    for actor in made:
        actor.close()


@pytest.fixture
def actor(make: Callable[..., Actor]) -> Actor:
    return make()


# -- connect -----------------------------------------------------------------------------------------------------------


def test_connect_send_and_receive(actor: Actor) -> None:
    """A connection of one's own is activated and passive: bytes go both ways."""
    id_, peer = pair(actor)

    assert actor.call("send", id_, b"hello") == 5
    assert peer.recv(100) == b"hello"
    peer.sendall(b"world")
    assert actor.call("receive", id_, 100) == b"world"


def test_addresses_of_a_connection(actor: Actor) -> None:
    """Both sides of it can be asked for."""
    id_, peer = pair(actor)

    assert actor.call("peer-address", id_) == f"127.0.0.1:{peer.getsockname()[1]}"
    assert actor.call("local-address", id_) == f"127.0.0.1:{peer.getpeername()[1]}"


def test_names_are_looked_up(make: Callable[..., Actor]) -> None:
    """A name the grant allows is connected to, wherever it is."""
    actor = make(LOCAL | {"connect": ["localhost:*"]})
    with socket.create_server(("127.0.0.1", 0)) as server:
        id_ = actor.call("connect", f"LOCALHOST:{server.getsockname()[1]}")

    assert actor.call("peer-address", id_).startswith("127.0.0.1:")


def test_name_that_does_not_exist(make: Callable[..., Actor]) -> None:
    """It is an error, in words."""
    actor = make(LOCAL | {"connect": ["*:1"]})
    with pytest.raises(Refused, match=r"nowhere\.invalid was not found"):
        actor.call("connect", "nowhere.invalid:1")


def test_nobody_listens(actor: Actor) -> None:
    """The machine's own words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Refused, match=f"connecting to 127.0.0.1:{port}: Connection refused"):
        actor.call("connect", f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "address", ["127.0.0.2:80", "localhost:80", "[::1]:80", "10.0.0.1:80", "[::ffff:10.0.0.1]:80", "example.com:443"]
)
def test_connect_beyond_the_grant(actor: Actor, address: str) -> None:
    """Nothing is tried, not even a lookup."""
    with pytest.raises(Refused, match="is not granted"):
        actor.call("connect", address)


@pytest.mark.parametrize("address", ["", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:66666", "a b:1", "::1:80", "\0:1"])
@pytest.mark.parametrize("function", ["connect", "listen"])
def test_bad_addresses(actor: Actor, function: str, address: str) -> None:
    """The error says what an address looks like."""
    with pytest.raises(Refused, match="expected an address such as"):
        actor.call(function, address)


def test_too_many_connections(make: Callable[..., Actor]) -> None:
    """The grant's limit; closing one makes room."""
    actor = make(connections_max=1)
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="1 connections are open already"):
        pair(actor)
    actor.call("close", id_)

    assert pair(actor)


def test_without_a_grant_nothing_is_allowed(make: Callable[..., Actor]) -> None:
    """Empty options: no address at all."""
    actor = make({})
    for function in ("connect", "listen"):
        with pytest.raises(Refused, match="is not granted"):
            actor.call(function, "127.0.0.1:0")


# -- send and receive --------------------------------------------------------------------------------------------------


def test_end_of_the_stream(actor: Actor) -> None:
    """An empty list; the other direction still works."""
    id_, peer = pair(actor)
    peer.sendall(b"last")
    peer.shutdown(socket.SHUT_WR)

    assert actor.call("receive", id_, 100) == b"last"
    assert actor.call("receive", id_, 100) == b""
    assert actor.call("send", id_, b"answer") == 6
    assert peer.recv(100) == b"answer"


def test_receive_at_most(make: Callable[..., Actor]) -> None:
    """Never more than asked for, nor than the grant's chunk."""
    actor = make(chunk_bytes_max=4)
    id_, peer = pair(actor)
    peer.sendall(b"123456789")

    assert actor.call("receive", id_, 2) == b"12"
    assert actor.call("receive", id_, 4_000_000_000) == b"3456"


def test_receive_nothing(actor: Actor) -> None:
    """No bytes is no request."""
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="expected max-bytes of at least 1"):
        actor.call("receive", id_, 0)


def test_receive_has_an_end(make: Callable[..., Actor]) -> None:
    """The grant says how long it waits; the connection stays."""
    actor = make(wait_ms_max=20)
    id_, peer = pair(actor)
    with pytest.raises(Refused, match="receive: timed out after 20 ms"):
        actor.call("receive", id_, 1)
    peer.sendall(b"late")

    assert actor.call("receive", id_, 10) == b"late"


def test_large_data_is_sent_whole(actor: Actor) -> None:
    """However often the peer lets us wait."""
    id_, peer = pair(actor)
    data = bytes(range(256)) * 16_384
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(read_all(peer)))
    reader.start()

    assert actor.call("send", id_, data) == len(data)
    actor.call("close", id_)
    reader.join(WAIT_S)
    assert found == [data]


def test_peer_that_does_not_read(make: Callable[..., Actor]) -> None:
    """What could not be sent in time ends the connection: nobody knows how much has arrived."""
    actor = make(timeout_ms_max=50)
    id_, _peer = pair(actor)
    with pytest.raises(Refused, match="send: timed out after 50 ms"):
        actor.call("send", id_, bytes(16 << 20))
    with pytest.raises(Refused, match=NOBODY):
        actor.call("send", id_, b"more")


def test_send_too_much(make: Callable[..., Actor]) -> None:
    """The grant's limit; nothing of it is sent."""
    actor = make(send_bytes_max=3)
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="expected at most 3 bytes, found 4"):
        actor.call("send", id_, b"1234")


def test_reset_by_the_peer(actor: Actor) -> None:
    """An error, not an end."""
    id_, peer = pair(actor)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    with pytest.raises(Refused, match="Connection reset by peer"):
        actor.call("receive", id_, 1)


@pytest.mark.parametrize("wait", ["receive", "accept", "send"])
def test_a_stop_ends_every_wait(make: Callable[..., Actor], wait: str) -> None:
    """A guest that waits gets an error at once, and can return (L5.3)."""
    actor = make(timeout_ms_max=60_000, wait_ms_max=60_000)
    id_, _peer = pair(actor)
    arguments: dict[str, tuple[Any, ...]] = {
        "receive": (id_, 1),
        "accept": (listening(actor)[0],),
        "send": (id_, bytes(16 << 20)),
    }
    stopper = threading.Timer(0.05, actor.stop)
    stopper.start()
    with pytest.raises(Refused, match="shutting-down"):
        actor.call(wait, *arguments[wait])
    stopper.join()


def test_no_wait_after_a_stop(actor: Actor) -> None:
    """What would have to wait is refused from then on."""
    id_, _ = pair(actor)
    actor.stop()
    with pytest.raises(Refused, match="shutting-down"):
        actor.call("receive", id_, 1)


# -- ids ---------------------------------------------------------------------------------------------------------------

BY_ID: list[tuple[str, tuple[Any, ...]]] = [
    ("activate", ()),
    ("set-active", ("active",)),
    ("transfer", ("11111111-2222-4333-8444-555555555555",)),
    ("transfer-async", ("11111111-2222-4333-8444-555555555555",)),
    ("peer-address", ()),
    ("local-address", ()),
    ("send", (b"x",)),
    ("receive", (1,)),
    ("close", ()),
    ("upgrade-to-tls-server", ()),
    ("upgrade-to-tls-client", ("localhost",)),
]


@pytest.mark.parametrize(("function", "rest"), BY_ID)
def test_ids_of_others(make: Callable[..., Actor], function: str, rest: tuple[Any, ...]) -> None:
    """Another actor's connection, one that was closed, and nonsense: the same words, and nothing happens to it."""
    actor, other = make(), make()
    foreign, peer = pair(other)
    closed, _ = pair(actor)
    actor.call("close", closed)
    for id_ in (foreign, closed, "", "0", "x" * 1000):
        with pytest.raises(Refused, match=NOBODY):
            actor.call(function, id_, *rest)
    other.call("send", foreign, b"untouched")

    assert peer.recv(100) == b"untouched"


@pytest.mark.parametrize("function", ["accept", "close-listener"])
def test_listener_ids_of_others(make: Callable[..., Actor], function: str) -> None:
    """So it is with listeners; a connection's id is none of a listener."""
    actor, other = make(), make()
    for id_ in (listening(other)[0], pair(actor)[0], "", "x" * 1000):
        with pytest.raises(Refused, match="this actor has no listener"):
            actor.call(function, id_)


def test_ids_cannot_be_guessed(actor: Actor) -> None:
    """128 random bits each."""
    ids = {pair(actor)[0] for _ in range(10)} | {listening(actor)[0] for _ in range(10)}

    assert len(ids) == 20
    assert {len(bytes.fromhex(id_)) for id_ in ids} == {16}


# -- listeners ---------------------------------------------------------------------------------------------------------


def test_connections_are_announced(actor: Actor) -> None:
    """A listener's connections come by handle-connection, pending; activated they can be used."""
    _, place = listening(actor)
    peer = dial(place)
    name, id_ = actor.turn()

    assert name == "handle-connection"
    assert actor.call("peer-address", id_) == f"127.0.0.1:{peer.getsockname()[1]}"
    actor.call("activate", id_)
    actor.call("send", id_, b"welcome")
    assert peer.recv(100) == b"welcome"


@pytest.mark.parametrize(
    ("function", "rest"), [("send", (b"x",)), ("receive", (1,)), ("set-active", ("active",)), ("set-active", ("once",))]
)
def test_pending_connections_are_not_used(actor: Actor, function: str, rest: tuple[Any, ...]) -> None:
    """Only after activate."""
    _, place = listening(actor)
    dial(place)
    _, id_ = actor.turn()
    with pytest.raises(Refused, match="is pending: activate it first"):
        actor.call(function, id_, *rest)


def test_activate_twice(actor: Actor) -> None:
    """Once is enough; connections of one's own are activated already."""
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="activated already"):
        actor.call("activate", id_)


def test_accept(actor: Actor) -> None:
    """The next connection, in the order they came, beginning with those that were to be announced; no announcement."""
    id_, place = listening(actor)
    peers = [dial(place)]
    until(lambda: not actor.turns.empty(), "an announcement")
    peers += [dial(place), dial(place)]
    found = [actor.call("accept", id_) for _ in peers]

    expected = [f"127.0.0.1:{peer.getsockname()[1]}" for peer in peers]
    assert [actor.call("peer-address", each) for each in found] == expected
    assert actor.is_idle


def test_accept_waits(actor: Actor) -> None:
    """Until somebody comes."""
    id_, place = listening(actor)
    dialling = threading.Timer(0.02, dial, (place,))
    dialling.start()

    assert actor.call("accept", id_)
    dialling.join()


def test_accept_has_an_end(make: Callable[..., Actor]) -> None:
    """As long as the grant says."""
    actor = make(wait_ms_max=20)
    id_, _ = listening(actor)
    with pytest.raises(Refused, match="accept: timed out after 20 ms"):
        actor.call("accept", id_)


def test_a_guest_without_handle_connection_accepts(actor: Actor) -> None:
    """An announcement that cannot be made waits for accept."""
    id_, place = listening(actor)
    peers = [dial(place), dial(place)]
    actor.turn(Rejected("function_not_found", ("handle-connection",)))
    found = [actor.call("peer-address", actor.call("accept", id_)) for _ in peers]

    assert found == [f"127.0.0.1:{peer.getsockname()[1]}" for peer in peers]


def test_a_callback_that_fails_closes_its_connection(actor: Actor) -> None:
    """The guest has not kept its id."""
    _, place = listening(actor)
    peer = dial(place)
    _, id_ = actor.turn(Declined("no"))

    assert peer.recv(1) == b""
    with pytest.raises(Refused, match=NOBODY):
        actor.call("activate", id_)


def test_announcements_are_bounded(actor: Actor) -> None:
    """So many are accepted ahead of the guest, and no more; none is lost."""
    _, place = listening(actor)
    peers = [dial(place) for _ in range(listeners.AHEAD_MAX + 5)]
    until(lambda: actor.turns.qsize() == listeners.AHEAD_MAX, "the announcements ahead")
    found = [actor.turn()[1] for _ in peers]

    assert len(set(found)) == len(peers)


def test_announcements_wait_for_room(make: Callable[..., Actor]) -> None:
    """Beyond the limit of connections the kernel keeps them; closing one makes room for the next."""
    actor = make(connections_max=1)
    _, place = listening(actor)
    dial(place), dial(place)
    _, first = actor.turn()
    actor.call("close", first)

    assert actor.turn()[0] == "handle-connection"


def test_accept_without_room(make: Callable[..., Actor]) -> None:
    """A refusal; the connection stays in the kernel's queue."""
    actor = make(connections_max=1)
    id_, place = listening(actor)
    dial(place)
    first = actor.call("accept", id_)
    dial(place)
    with pytest.raises(Refused, match="no room for another connection"):
        actor.call("accept", id_)
    actor.call("close", first)

    assert actor.call("accept", id_)


def test_listen_beyond_the_grant(actor: Actor) -> None:
    """Other addresses, the unspecified one above all."""
    for address in ("0.0.0.0:0", "[::]:0", "10.0.0.1:80", "localhost:80"):
        with pytest.raises(Refused, match="is not granted"):
            actor.call("listen", address)


def test_listen_by_name(make: Callable[..., Actor]) -> None:
    """An address is an address; localhost is one, other names are not."""
    actor = make(LOCAL | {"listen": ["*:*"]})
    id_ = actor.call("listen", "localhost:0")

    assert actor.call("local-address", id_).startswith("127.0.0.1:")
    with pytest.raises(Refused, match="expected an IP address to listen on"):
        actor.call("listen", "example.com:80")


def test_address_in_use(actor: Actor) -> None:
    """The machine's own words."""
    _, (host, port) = listening(actor)
    with pytest.raises(Refused, match="Address already in use"):
        actor.call("listen", f"{host}:{port}")


def test_too_many_listeners(actor: Actor) -> None:
    """A bound, and closing one makes room."""
    ids = [listening(actor)[0] for _ in range(LISTENERS_MAX)]
    with pytest.raises(Refused, match=f"at most {LISTENERS_MAX} listeners"):
        listening(actor)
    actor.call("close-listener", ids[0])

    assert listening(actor)


def answers(place: tuple[str, int]) -> bool:
    try:
        dial(place).close()
    except ConnectionRefusedError:
        return False
    return True


def test_another_package_listens_there(make: Callable[..., Actor]) -> None:
    """In an update the old one lets go of its addresses; what is connected stays so."""
    old, new = make(), make()
    _, place = listening(old)
    with dial(place) as early:
        (_, id_) = old.turn()
        old.service(Tcp).hand_over()
        new.call("listen", f"127.0.0.1:{place[1]}")
        with dial(place):
            assert new.turn()[0] == "handle-connection"
        old.call("activate", id_)
        old.call("send", id_, b"still")
        assert early.recv(100) == b"still"

    assert old.is_idle


def test_the_update_comes_to_nothing(make: Callable[..., Actor]) -> None:
    """The old one listens again, as soon as the other process is gone."""
    old, new = make(), make()
    id_, place = listening(old)
    old.service(Tcp).hand_over()
    new.call("listen", f"127.0.0.1:{place[1]}")
    old.service(Tcp).take_back()
    new.close()

    def is_back() -> bool:
        old.alarms.ring(time.monotonic_ns())
        return answers(place)

    until(is_back, "the old one to listen again")
    assert old.turn()[0] == "handle-connection"
    old.call("close-listener", id_)


def test_close_listener(actor: Actor) -> None:
    """Nobody gets in any more; who is in stays, who was not announced yet is out."""
    id_, place = listening(actor)
    known, unknown = dial(place), dial(place)
    _, connection = actor.turn()
    until(lambda: not actor.turns.empty(), "the second announcement")
    actor.call("close-listener", id_)
    actor.call("activate", connection)
    actor.call("send", connection, b"still here")

    assert known.recv(100) == b"still here"
    assert unknown.recv(1) == b""
    assert actor.is_idle
    with pytest.raises(Refused, match="this actor has no listener"):
        actor.call("close-listener", id_)
    until(lambda: _is_refused(place), "the port to be closed")


def _is_refused(place: tuple[str, int]) -> bool:
    try:
        dial(place).close()
    except ConnectionRefusedError:
        return True
    return False


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
    assert _is_refused(place)
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
