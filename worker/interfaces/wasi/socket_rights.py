"""What the grant allows of ``wasi:sockets``, and what it keeps for one actor: its sockets, its names, its IO thread."""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from theater.grants.wasi import GRANT
from theater.patterns import BadPattern
from theater.patterns.hostports import Address, Pattern, allows, parse, pattern, shown
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Failure
from worker.interfaces.wasi.socket_wire import Wire
from worker.interfaces.wasi.waiting import Waker
from worker.tcp.loop import Loop

SOCKETS_MAX: Final = 64
"""Open at one time, those that are sending what they were given before they were dropped included."""
LEADS_MAX: Final = 1_024
"""Pairs of an address and a name that led to it that are remembered."""

NAME_MAX: Final = 255
"""Characters of a name; encoding longer ones takes its time."""

Ip = IPv4Address | IPv6Address


class Sockets:
    """The service behind all of ``wasi:sockets``."""

    def __init__(self, context: Context) -> None:
        options = GRANT.held_by(context)["sockets"]
        self._connect: list[str] = options["connect"]
        self._listen: list[str] = options["listen"]
        self.changed = context.service(Waker).changed
        self._loop = Loop()
        self._wires: set[Wire] = set()
        self._lock = threading.Lock()
        """Guards what names have led to."""
        self._leads: dict[tuple[Ip, str], None] = {}

    # -- rights --------------------------------------------------------------------------------------------------------

    def may_connect(self, ip: Ip, port: int) -> bool:
        """By its address, or by a name that was looked up and led to it."""
        with self._lock:
            names = [name for found, name in self._leads if found == ip]
        candidates = [_address(ip, port), *(Address(name, port) for name in names)]
        return any(allows(self._connect, each) for each in candidates)

    def may_listen(self, ip: Ip, port: int) -> bool:
        """By its address; the loopback addresses are ``localhost``, too."""
        candidates = [_address(ip, port), *([Address("localhost", port)] if ip.is_loopback else [])]
        return any(allows(self._listen, each) for each in candidates)

    def may_look_up(self, name: str) -> bool:
        """Whether a connection to some port of this host is granted."""
        hosts = map(pattern, self._connect)
        return any(each.covers(Pattern(name, None, each.first, each.first)) for each in hosts)

    def remember(self, name: str, found: list[Ip]) -> None:
        """A name has led to these addresses. Any thread."""
        with self._lock:
            for ip in found:
                self._leads.pop((ip, name), None)
                self._leads[ip, name] = None
            while len(self._leads) > LEADS_MAX:
                del self._leads[next(iter(self._leads))]

    # -- sockets -------------------------------------------------------------------------------------------------------

    def require_room(self) -> None:
        """Raises Failure: there are as many as there may be."""
        if len(self._wires) >= SOCKETS_MAX:
            raise Failure("new-socket-limit")

    def wire(self, sock: socket.socket) -> Wire:
        """Keep a socket of the system."""
        sock.setblocking(False)
        made = Wire(sock, self._loop, self.changed, self._wires.discard)
        self._wires.add(made)
        return made

    def renew(self) -> None:
        """A fresh instance of the guest has looked nothing up."""
        with self._lock:
            self._leads.clear()

    def close(self) -> None:
        """The actor ends: peers see it."""
        for each in list(self._wires):
            each.close()
        self._loop.close()


def _address(ip: Ip, port: int) -> Address:
    return parse(shown(str(ip).partition("%")[0], port))


def host_of(name: str) -> str | Ip:
    """What a guest wants looked up: a name as patterns have it, or an address, its own answer. Raises Failure."""
    try:
        return ip_address(name)
    except ValueError:
        pass
    if len(name) > NAME_MAX:
        raise Failure("invalid-argument")
    try:
        plain = name if name.isascii() else name.encode("idna").decode("ascii")
        return parse(f"{plain}:0").host
    except (BadPattern, UnicodeError):
        raise Failure("invalid-argument") from None
