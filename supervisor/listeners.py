"""Sockets that listen for actors, and outlive their incarnations: while one is restarted or exchanged, clients wait.

The root opens the address that a grant names when the first worker asks for it, and gives each worker of that actor a
descriptor of its own over a socket in the run directory. Whose worker asks is known from the kernel (SO_PEERCRED).
The root never accepts a connection. When the actor is over, so is the address.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

from supervisor.fleet.ends import Ends
from supervisor.fleet.lives import Actor, Life
from supervisor.fleet.services import Services
from theater.grants.http import GRANT
from theater.patterns import BadPattern
from theater.patterns.listening import split

NAME: Final = "listen"
"""Of the socket in the run directory."""
BACKLOG: Final = 1024
"""Connections that may wait while nobody accepts."""
ACCEPTS_MAX: Final = 64
"""In one pass of the loop."""
_peer: Final = struct.Struct("3i")


class Listeners:
    """All of them, by the id of their actor."""

    def __init__(self, services: Services) -> None:
        self._s = services
        self._held: dict[str, tuple[str, socket.socket]] = {}
        self._ends = Ends(services, self._over)
        self.path = os.path.join(services.dirs.run, NAME)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._door.bind(self.path)
        os.chmod(self.path, 0o600)
        self._door.listen(BACKLOG)
        services.loop.add_reader(self._door.fileno(), self._on_readable)

    def close(self) -> None:
        """Close everything."""
        self._s.loop.remove_reader(self._door.fileno())
        self._door.close()
        for _, held in self._held.values():
            held.close()
        self._held.clear()

    def on_end(self, life: Life) -> None:
        """A life has ended: if nothing follows, nobody listens any more."""
        if life.actor.id in self._held:
            self._s.loop.call_soon(lambda: self._ends.look(life.actor))

    def _over(self, actor: Actor) -> None:
        held = self._held.pop(actor.id, None)
        if held is not None:
            held[1].close()

    # -- workers that ask ------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        for _ in range(ACCEPTS_MAX):
            try:
                asking, _ = self._door.accept()
            except OSError:
                return
            with asking:
                self._answer(asking)

    def _answer(self, asking: socket.socket) -> None:
        """A descriptor, or why there is none. What is sent stays readable although we hang up at once."""
        asking.setblocking(False)
        pid, uid, _ = _peer.unpack(asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _peer.size))
        life = next((each for each in self._s.register.processes() if each.pid == pid), None)
        try:
            if life is None or uid != os.geteuid():
                asking.send(b"this process is no worker of this supervisor")
                return
            socket.send_fds(asking, [b"ok"], [self._of(life.actor).fileno()])
        except OSError as error:
            _say(asking, f"{error.strerror or error}".encode())
        except BadPattern as error:
            _say(asking, str(error).encode())

    def _of(self, actor: Actor) -> socket.socket:
        """The socket of an actor, opened if it is not there; raises OSError if it cannot be."""
        address = GRANT.of(actor.spec.grants.get(GRANT.name, {}))["listen"] or ""
        known = self._held.get(actor.id)
        if known is not None and known[0] == address:
            return known[1]
        opened = _open(address)
        if known is not None:
            known[1].close()
        self._held[actor.id] = address, opened
        self._s.log.info("listening", actor=actor.path, address=address)
        return opened


def _open(address: str) -> socket.socket:
    host, port = split(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened


def _say(asking: socket.socket, words: bytes) -> None:
    try:
        asking.send(words)
    except OSError:
        return  # it does not wait any more


