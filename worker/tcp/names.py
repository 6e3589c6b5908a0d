"""Names to addresses. The resolver of the C library cannot be told to hurry, so it is asked in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from typing import Any, Final

from theater.patterns.hostports import Address
from worker.bell import PassingBell
from worker.interfaces.registry import Refusal
from worker.tcp.streams import words
from worker.tcp.waiting import READ, Deadline, Waits

LOOKUPS_MAX: Final = 4
"""Lookups under way: those nobody waits for any more included, as they cannot be ended."""
ADDRESSES_MAX: Final = 8
"""Addresses of one name that are tried."""

Found = tuple[int, Any]
"""Address family, and the address as ``socket.connect`` takes it."""


class Lookup:
    """One name being looked up."""

    def __init__(self, address: Address, done: PassingBell) -> None:
        self.found: Sequence[Found] | None = None
        self.error = ""
        self._address = address
        self._done = done
        self.thread = threading.Thread(target=self._run, name="tcp-name", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            host, port = self._address.host, self._address.port
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            self.found = [(family, place) for family, _, _, _, place in answers][:ADDRESSES_MAX]
        except (OSError, UnicodeError) as error:
            self.error = words(error) if isinstance(error, OSError) else str(error)
            self.found = []
        self._done.ring()


class Names:
    """Looks names up for the guest, one at a time."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._bell = PassingBell()
        self._under_way: list[Lookup] = []

    def addresses(self, address: Address, deadline: Deadline) -> Sequence[Found]:
        """Where a host is. Raises Refusal: nowhere, or nobody could say in time."""
        if address.ip is not None:
            family = socket.AF_INET if address.ip.version == 4 else socket.AF_INET6
            return [(family, (address.host, address.port))]
        self._under_way = [each for each in self._under_way if each.thread.is_alive()]
        if len(self._under_way) >= LOOKUPS_MAX:
            raise Refusal(f"{LOOKUPS_MAX} names are being looked up already, and have not been answered")
        lookup = Lookup(address, self._bell)
        self._under_way.append(lookup)
        while lookup.found is None:
            self._waits.until(self._bell.fd, READ, deadline)
            self._bell.silence()
        if not lookup.found:
            raise Refusal(f"{address.host} was not found: {lookup.error}")
        return lookup.found

    def close(self) -> None:
        """Nobody waits any more."""
        self._bell.close()
