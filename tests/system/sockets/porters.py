"""Actors in a running tree that do with connections what a test tells them."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.system.noting import Noting
from tests.system.running import DEADLINE_S

GUESTS = Path(__file__).parent
API = "test:sockets/porter"

TREE = """
version: 1
name: sockets
intensity: 100
period: 10s
children:
  - id: gate
    actor: porter.wasm
    grants: {tcp: &all {connect: ["127.0.0.1:*"], listen: ["127.0.0.1:*"], tls: *tls, give: [/desk, /full, "/pool/*"]}}
  - {id: aside, actor: porter.wasm, grants: {tcp: {}}}
  - {id: desk, actor: porter.wasm, grants: {tcp: {tls: *tls}}}
  - {id: full, actor: porter.wasm, grants: {tcp: {connect: ["127.0.0.1:*"], max_connections: 1}}}
  - {id: other, actor: none.wasm, grants: {runtime: {}}}
  - id: pool
    supervisor:
      strategy: simple_one_for_one
      intensity: 100
      period: 10s
      child: {id: porter, actor: porter.wasm, grants: {tcp: *all}}
x-tls: &tls {ca: authority.pem, certificate: local.pem, key: local.key}
"""


class Porter(Noting):
    """One of the actors, and the peers it has."""

    api = f"{API}."

    def be(self, manner: str, target: Porter | None = None) -> None:
        self.ask("be", manner, "" if target is None else target.id)

    def dial(self) -> socket.socket:
        """A client of a listener of its own."""
        listener = self.ask("listen", "127.0.0.1:0")
        host, _, port = self.ask("local-address", listener).rpartition(":")
        return socket.create_connection((host, int(port)), timeout=DEADLINE_S)

    def pair(self) -> tuple[str, socket.socket]:
        """A connection it has made, and its other end."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            id_ = self.ask("connect", f"127.0.0.1:{server.getsockname()[1]}")
            peer, _ = server.accept()
        peer.settimeout(DEADLINE_S)
        return id_, peer
