"""TCP of guests: ids are their owner's, and listeners with the connections they announce."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.interfaces.tcp.kit import NOBODY, is_refused
from tests.interfaces.tcpkit import LOCAL, Actor, Refused, dial, listening, pair
from tests.system.running import until
from worker.machine_notices import Declined, Rejected
from worker.tcp import listener as listeners
from worker.tcp.service import LISTENERS_MAX, Tcp

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
    until(lambda: is_refused(place), "the port to be closed")
