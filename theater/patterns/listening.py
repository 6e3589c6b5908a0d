"""Addresses to serve: ``127.0.0.1:8080``, ``[::1]:8080``."""

from __future__ import annotations

import ipaddress
from typing import Final

from theater.patterns import BadPattern
from theater.patterns.hosts import port_of

UNPRIVILEGED: Final = 1024
"""The first port that any program of the host may serve."""

_NAMES: Final = {"localhost": "127.0.0.1", "*": "0.0.0.0"}


def split(text: str) -> tuple[str, int]:
    """Host and port of an address; the host is a number, ``localhost`` or ``*``, so that no name is ever looked up.

    Raises:
        BadPattern: it is none.
    """
    host, _, port = text.rpartition(":")
    host, number = host.removeprefix("[").removesuffix("]"), port_of(port)
    try:
        if number is not None:
            return _NAMES.get(host) or str(ipaddress.ip_address(host)), number
    except ValueError:
        pass
    raise BadPattern(f"expected an address such as 127.0.0.1:8080, found {text!r}")


def check(text: str) -> None:
    """Raise BadPattern for what is no address."""
    split(text)


def covers(held: str, asked: str) -> bool:
    """Whether both are of one host, as written: who may serve one port of it may serve others without privilege."""
    (host, _, port), (asked_host, _, asked_port) = held.rpartition(":"), asked.rpartition(":")
    return host == asked_host and (int(port) == int(asked_port) or int(asked_port) >= UNPRIVILEGED)
