"""Addresses of TCP (``db.example.com:5432``, ``[::1]:8080``) and patterns of those that may be used.

A pattern's host is ``*``, a name, ``*.`` and a name (every host below it), an IP address or a network
(``10.0.0.0/8``); its port is a number, a range ``8000-8099``, or ``*``. Names are compared as names, and never match an
address or a network: what a name leads to is not known before it is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from theater.patterns import BadPattern
from theater.patterns.hosts import PORT_MAX, covers_name, port_of, split

ANY: Final = "*"
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?\Z")
_WANTED: Final = "an address such as db.example.com:5432 or [::1]:8080"
_WANTED_PATTERN: Final = "a pattern such as db.example.com:5432, *.example.com:443, 10.0.0.0/8:* or 127.0.0.1:8000-8099"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Address(msgspec.Struct, frozen=True):
    """Host (in small letters) and port; ``ip`` is the host as a network of one address, None if it is a name."""

    host: str
    port: int
    ip: Network | None = None

    def __str__(self) -> str:
        return shown(self.host, self.port)


class Pattern(msgspec.Struct, frozen=True):
    """Hosts and ports. ``name`` is ``*``, a name or ``*.name``; None if it is a network."""

    name: str | None
    network: Network | None
    first: int
    last: int

    def covers(self, other: Pattern) -> bool:
        """Whether everything the other one matches is matched by this one."""
        return self.first <= other.first and other.last <= self.last and self._covers_host(other)

    def _covers_host(self, other: Pattern) -> bool:
        if self.name == ANY:
            return True
        if self.network is not None:
            return other.network is not None and _is_inside(other.network, self.network)
        if self.name is None or other.name is None or other.name == ANY:
            return False
        return covers_name(self.name, other.name)


def parse(text: str) -> Address:
    """Take an address apart. Raises BadPattern."""
    host, ports = _split(text, _WANTED)
    port = port_of(ports)
    if port is None:
        raise _no(text, _WANTED)
    ip = _network(host)
    if ip is not None and ip.num_addresses == 1 and "/" not in host:
        return Address(str(ip.network_address), port, ip)
    if not _NAME.match(host):
        raise _no(text, _WANTED)
    return Address(host.lower().rstrip("."), port)


def pattern(text: str) -> Pattern:
    """Take a pattern apart. Raises BadPattern."""
    host, ports = _split(text, _WANTED_PATTERN)
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", ports, re.ASCII)
    first, last = (0, PORT_MAX) if ports == ANY else (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last <= PORT_MAX:
        raise _no(text, _WANTED_PATTERN)
    network = _network(host)
    if network is not None:
        return Pattern(None, network, first, last)
    if host != ANY and not _NAME.match(host.removeprefix("*.")):
        raise _no(text, _WANTED_PATTERN)
    return Pattern(host.lower().rstrip("."), None, first, last)


def check(text: str) -> None:
    """Raise BadPattern for what is no pattern."""
    pattern(text)


def allows(patterns: Iterable[str], address: Address) -> bool:
    """Whether an address is one of those that the patterns stand for."""
    name = address.host if address.ip is None else None
    wanted = Pattern(name, address.ip, address.port, address.port)
    return any(pattern(each).covers(wanted) for each in patterns)


def covers(held: str, asked: str) -> bool:
    """Whether everything that ``asked`` stands for is also something that ``held`` stands for."""
    return pattern(held).covers(pattern(asked))


def shown(host: str, port: int) -> str:
    """Host and port as one text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(text: str, wanted: str) -> tuple[str, str]:
    host, port, is_bracketed = split(text)
    if not host or (":" in host) is not is_bracketed:
        raise _no(text, wanted)
    return host, port


def _no(text: str, wanted: str) -> BadPattern:
    return BadPattern(f"expected {wanted}, found {text[:300]!r}")


def _network(host: str) -> Network | None:
    """The network a host is; an IPv4 address in the form of IPv6 is the IPv4 address. None: not one."""
    if "%" in host:
        return None
    try:
        found = ipaddress.ip_network(host)
    except ValueError:
        return None
    mapped = found.network_address.ipv4_mapped if isinstance(found, ipaddress.IPv6Network) else None
    return found if mapped is None or found.prefixlen < 96 else ipaddress.ip_network(f"{mapped}/{found.prefixlen - 96}")


def _is_inside(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False
