"""Links and monitors of clients: who stands at the gate is a process among the others, one that traps exits.

What follows from what is decided by supervisor.core.bonds. A client's life ends with its Leave, in order, or with that
of its process, which is followed by a pidfd as long as the client has any link or monitor: then it was lost
(``noconnection``, as a node is in Erlang). Nothing here waits for a client.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from proto import control
from proto.limits import HEADER_BYTES_MAX
from supervisor.core import bonds as core
from supervisor.core import signals
from supervisor.fleet.bonds import REASON_CHARS_MAX, Bonds, process_of
from supervisor.fleet.lives import Actor
from supervisor.fleet.services import Services
from supervisor.gate.clients import Clients
from supervisor.gate.whom import Serve
from supervisor.sockets import credentials
from supervisor.sockets import process_of as peer_of

BONDS_MAX: Final = 1000
"""Links and monitors of one client."""
TIED_CLIENTS_MAX: Final = 1000
"""Clients with links or monitors: a descriptor each."""
LAST_WORDS_MS: Final = 100
"""A Leave that was sent before the process ended may still be on its way through our own I/O thread."""
FRAMED: Final = (control.Link, control.Monitor, control.Signal)
"""Orders for which it matters which process has sent them."""

Bonded = signals.Process | None
"""The other end of a bond; None: there was nobody."""


class _Tied:
    """A client with links or monitors, its process, and who is at the other end of each, by number."""

    __slots__ = ("by_sender", "client", "links", "monitors", "pidfd", "process")

    def __init__(self, client: bytes, process: signals.Process, pidfd: int) -> None:
        self.client = client
        self.process = process
        self.pidfd = pidfd
        self.links: dict[int, Bonded] = {}
        self.by_sender: dict[str, int] = {}
        """Whom a signal comes from -> the link's number."""
        self.monitors: dict[int, Bonded] = {}

    @property
    def count(self) -> int:
        return len(self.links) + len(self.monitors)


class ClientBonds:
    """Serves links, monitors and signals of clients, and tells clients of ends."""

    def __init__(self, services: Services, clients: Clients, bonds: Bonds) -> None:
        self._s = services
        self._clients = clients
        self._bonds = bonds
        self._tied: dict[bytes, _Tied] = {}
        self._serial = count(1)
        self._numbers = count(1)
        self.table: Mapping[type, Serve] = {
            control.Unlink: self._unlink,
            control.Demonitor: self._demonitor,
            control.Leave: self._leave,
        }

    def close(self) -> None:
        """Follow nobody any more."""
        for tied in self._tied.values():
            os.close(tied.pidfd)
        self._tied.clear()

    def serve(self, client: bytes, order: Any, frame: Any) -> None:
        """One order of those in FRAMED; ``frame`` is of the client's connection."""
        if isinstance(order, control.Signal):
            self._signal(client, order, frame)
        else:
            self._tie(client, order, frame)

    # -- what makes bonds --------------------------------------------------------------------------------------------

    def _tie(self, client: bytes, order: control.Link | control.Monitor, frame: Any) -> None:
        tied = self._tied.get(client) or self._follow(client, order.id, frame)
        if tied is None:
            return
        if tied.count >= BONDS_MAX:
            self._clients.refuse(client, order.id, "unexpected", f"a client has at most {BONDS_MAX} links and monitors")
            return
        actor = self._actor(order)
        if isinstance(order, control.Link):
            self._link(tied, order, actor)
        else:
            self._monitor(tied, order, actor)

    def _link(self, tied: _Tied, order: control.Link, actor: Actor | None) -> None:
        other = process_of(actor)
        number = None if other is None else tied.by_sender.get(other)
        if number is None:
            number = next(self._numbers)
            tied.links[number] = other
            tied.by_sender[other or str(number)] = number
        # The answer first: the client must know the number before it can be told of it.
        self._clients.outcome(tied.client, order.id, {"link": number, "actor_id": actor.id if actor else None})
        self._bonds.perform(signals.Link(tied.process, other, str(number)))

    def _monitor(self, tied: _Tied, order: control.Monitor, actor: Actor | None) -> None:
        ref, other = next(self._numbers), process_of(actor)
        tied.monitors[ref] = other
        self._clients.outcome(tied.client, order.id, {"ref": ref, "actor_id": actor.id if actor else None})
        self._bonds.perform(signals.Monitor(tied.process, ref, other, str(ref)))

    def _actor(self, order: Any) -> Actor | None:
        """The actor that is named, if the incarnation that is meant is its present one."""
        actor = self._s.register.find(order.target)
        if actor is None or order.incarnation is None:
            return actor
        return actor if actor.life is not None and actor.life.number == order.incarnation else None

    # -- what ends them ----------------------------------------------------------------------------------------------

    def _unlink(self, client: bytes, order: control.Unlink) -> None:
        tied = self._tied.get(client)
        was_there = tied is not None and order.link in tied.links
        if tied is not None and was_there:
            other = _drop_link(tied, order.link)
            self._bonds.perform(signals.Unlink(tied.process, other))
            self._release_if_free(tied)
        self._clients.outcome(client, order.id, was_there)

    def _demonitor(self, client: bytes, order: control.Demonitor) -> None:
        tied = self._tied.get(client)
        was_there = tied is not None and order.ref in tied.monitors
        if tied is not None and was_there:
            del tied.monitors[order.ref]
            self._bonds.perform(signals.Demonitor(tied.process, order.ref))
            self._release_if_free(tied)
        self._clients.outcome(client, order.id, was_there)

    def _signal(self, client: bytes, order: control.Signal, frame: Any) -> None:
        """It need not be followed for that."""
        if len(order.reason) > REASON_CHARS_MAX:
            why = f"expected a reason of at most {REASON_CHARS_MAX} characters, got {len(order.reason)}"
            self._clients.refuse(client, order.id, "unexpected", why)
            return
        peer = credentials(frame)
        who = "client" if peer is None else f"client:{peer[0]}"
        self._bonds.perform(signals.Exit(who, process_of(self._actor(order)), order.reason))
        self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))

    def _leave(self, client: bytes, order: control.Leave) -> None:
        tied = self._tied.get(client)
        if tied is not None:
            self._end(tied, order.reason[:REASON_CHARS_MAX])
        self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))

    # -- the client as a process -------------------------------------------------------------------------------------

    def _follow(self, client: bytes, asked: int, frame: Any) -> _Tied | None:
        """A client makes its first bond. None if it was refused: one that is gone already has made none."""
        if len(self._tied) >= TIED_CLIENTS_MAX:
            why = f"{len(self._tied)} clients have links and monitors already"
            self._clients.refuse(client, asked, "unexpected", why)
            return None
        peer = peer_of(frame)
        if peer is None:
            self._clients.refuse(client, asked, "unexpected", "the client's process cannot be followed")
            return None
        pid, pidfd = peer
        tied = self._tied[client] = _Tied(client, f"client:{pid}#{next(self._serial)}", pidfd)
        self._bonds.outside[tied.process] = lambda action: self._give(tied, action)
        self._bonds.perform(signals.TrapExit(tied.process, True))
        self._s.loop.add_reader(pidfd, lambda: self._on_process_end(tied))
        return tied

    def _on_process_end(self, tied: _Tied) -> None:
        self._s.loop.remove_reader(tied.pidfd)
        self._s.loop.call_later(LAST_WORDS_MS, lambda: self._lose(tied))

    def _lose(self, tied: _Tied) -> None:
        """Its process has ended, and it had not said so."""
        if self._tied.get(tied.client) is tied and tied.links:
            self._s.log.warning("client_lost", client=tied.process, links=len(tied.links))
        self._end(tied, core.NOCONNECTION)

    def _release_if_free(self, tied: _Tied) -> None:
        """Without a bond there is nobody to be told of its end."""
        if tied.count == 0:
            self._end(tied, core.NORMAL)

    def _end(self, tied: _Tied, reason: str) -> None:
        """It has ended; whoever is linked with it learns that."""
        if self._tied.get(tied.client) is not tied:
            return
        del self._tied[tied.client]
        self._s.loop.remove_reader(tied.pidfd)
        os.close(tied.pidfd)
        self._bonds.perform(signals.Ended(tied.process, reason))
        del self._bonds.outside[tied.process]

    # -- telling -----------------------------------------------------------------------------------------------------

    def _give(self, tied: _Tied, action: signals.Action) -> None:
        """A signal, or a DOWN, for the client; whatever becomes of the message, the bond is no more."""
        match action:
            case signals.GiveExit(sender=sender, reason=reason):
                number = tied.by_sender[sender]
                cause = self._cause(_drop_link(tied, number))
                self._tell(tied, control.LinkExit, number, reason, cause)
            case signals.GiveDown(ref=ref, reason=reason):
                cause = self._cause(tied.monitors.pop(ref))
                self._tell(tied, control.MonitorDown, ref, reason, cause)
        self._release_if_free(tied)

    def _tell(self, tied: _Tied, kind: Any, number: int, reason: str, cause: dict[str, Any] | None) -> None:
        header = control.TO_CLIENT.encode(kind(number, reason, cause))
        if cause is not None and len(header) > HEADER_BYTES_MAX:  # what an actor ended with may be of any size
            header = control.TO_CLIENT.encode(kind(number, reason, {**cause, "value": None}))
        self._clients.tell(tied.client, header)

    def _cause(self, process: Bonded) -> dict[str, Any] | None:
        cause = None if process is None else self._bonds.cause_of(process)
        return None if cause is None else cause.plain()


def _drop_link(tied: _Tied, number: int) -> Bonded:
    other = tied.links.pop(number)
    del tied.by_sender[other or str(number)]
    return other
