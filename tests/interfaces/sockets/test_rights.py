"""``wasi:sockets``: what the grant allows, addresses and names."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.interfaces.sockets.guest import IPV4, IPV6, LOOKUP, Guest, at, at6, port
from theater.values import U8, String, Tuple, Variant
from worker.interfaces.wasi.socket_rights import SOCKETS_MAX

# -- what the grant allows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [None, {}, {"connect": [], "listen": []}])
def test_nothing_without_addresses(make: Callable[..., Guest], options: dict[str, Any] | None) -> None:
    """Neither a socket nor a name."""
    guest = make(options)
    assert guest.create() == "access-denied"
    assert guest.call("wasi:sockets/udp-create-socket", "create-udp-socket", IPV4) == "access-denied"
    assert guest.call(LOOKUP, "resolve-addresses", guest.network, String("localhost")) == "access-denied"


def test_udp_is_refused(guest: Guest) -> None:
    """Whatever is granted of TCP."""
    assert guest.call("wasi:sockets/udp-create-socket", "create-udp-socket", IPV4) == "access-denied"


def test_other_ports_and_hosts(make: Callable[..., Guest], server: socket.socket) -> None:
    """Only what a pattern has; the socket may try another one."""
    guest = make({"connect": [f"127.0.0.1:{port(server)}", "[::2]:5"]})
    sock = guest.create()
    assert guest.start_connect(sock, at(1)) == "access-denied"
    assert guest.start_connect(sock, at(port(server), "127.0.0.2")) == "access-denied"
    assert guest.start_connect(guest.create(IPV6), at6(5)) == "access-denied"
    assert guest.bind(sock, at(0)) == "access-denied"
    assert guest.start_connect(sock, at(port(server))) == "begun"


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (IPV4, at6(1)),
        (IPV6, at(1)),
        (IPV4, at(0)),
        (IPV4, at(1, "0.0.0.0")),
        (IPV4, at(1, "224.0.0.1")),
        (IPV4, at(1, "255.255.255.255")),
        (IPV6, at6(1, 0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1)),
        (IPV6, at6(1, 0, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_addresses_nobody_has(make: Callable[..., Guest], family: Variant, address: Variant) -> None:
    """Even if everything is granted: of the other family, of everybody, of nobody, in disguise."""
    guest = make({"connect": ["*:*"]})
    assert guest.start_connect(guest.create(family), address) == "invalid-argument"


def test_as_many_as_there_may_be(guest: Guest) -> None:
    """One that is dropped makes room."""
    made = [guest.create() for _ in range(SOCKETS_MAX)]
    assert guest.create() == "new-socket-limit"
    guest.drop("tcp-socket", made[0])
    assert not isinstance(guest.create(), str)


# -- names -------------------------------------------------------------------------------------------------------------


def looked_up(guest: Guest, name: str) -> Any:
    """The addresses of a name, or the name of the error."""
    stream = guest.call(LOOKUP, "resolve-addresses", guest.network, String(name))
    if isinstance(stream, str):
        return stream
    guest.block(guest.call(LOOKUP, "[method]resolve-address-stream.subscribe", stream))
    found: list[Any] = []
    while True:
        answer = guest.call(LOOKUP, "[method]resolve-address-stream.resolve-next-address", stream)
        if isinstance(answer, str):
            return answer
        if answer.value is None:
            return found
        found.append(answer.value)


def test_a_name_leads_to_addresses(make: Callable[..., Guest], server: socket.socket) -> None:
    """Those are connected to by the name's pattern, once it was looked up, and at its ports only."""
    guest = make({"connect": [f"localhost:{port(server)}"]})
    sock = guest.create()
    assert guest.start_connect(sock, at(port(server))) == "access-denied"
    found = looked_up(guest, "LocalHost")

    assert Variant("ip-address", "ipv4", 0, (Tuple((U8(127), U8(0), U8(0), U8(1))),)) in found
    assert guest.start_connect(sock, at(port(server) ^ 1)) == "access-denied"
    assert guest.start_connect(sock, at(port(server))) == "begun"


def test_other_names(make: Callable[..., Guest]) -> None:
    """Names that no pattern has are not looked up; nonsense is none; an address is its own answer."""
    guest = make({"connect": ["localhost:1", "*.invalid:1"]})
    assert looked_up(guest, "example.com") == "access-denied"
    assert looked_up(guest, "no name") == "invalid-argument"
    assert looked_up(guest, "") == "invalid-argument"
    assert looked_up(guest, "ä" * 300) == "invalid-argument"
    assert looked_up(guest, "nowhere.invalid") in ("name-unresolvable", "temporary-resolver-failure")
    (found,) = looked_up(guest, "::1")
    assert found.case == "ipv6"
