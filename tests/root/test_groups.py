"""Where the members of a group are, as the root tells one that asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from proto import control
from supervisor.fleet.lives import STARTING, Actor, Life
from supervisor.fleet.names import MEMBERS_MAX, Directory
from supervisor.fleet.peers import Peers
from theater.actor import ActorSpec
from theater.grants import MESSAGES


class Root:
    """The part of it that knows names, and one actor that asks."""

    def __init__(self) -> None:
        self.sent: list[list[bytes]] = []
        self.names = Directory()
        socket = SimpleNamespace(send_multipart=lambda frames, flags=0, **_: self.sent.append(list(frames)))
        services: Any = SimpleNamespace(
            names=self.names,
            register=SimpleNamespace(by_path={}, by_id={}, by_routing={}),
            sockets=SimpleNamespace(control=socket),
        )
        self.peers = Peers(services)
        self.asker = self.born(0)

    def born(self, number: int) -> Life:
        """An actor, and its life."""
        spec: Any = ActorSpec(package="x.wasm", name=f"a{number}", grants={MESSAGES: {}})
        actor = Actor(f"/a-path-of-some-length/{number}", f"00000000-0000-0000-0000-{number:012}", spec, "/", None)
        life = actor.life = Life(actor, "/", None, 1, 0)
        life.phase, life.init_sent = STARTING, True
        life.endpoint, life.package = f"ipc:///run/user/1000/theater/w/{number:016}", "0" * 64
        return life

    def find(self, name: str) -> tuple[Any, list[Any]]:
        """What the root answers: the message, and whom it finds in the body."""
        arguments = {"target": name, "grant": MESSAGES, "everyone": True}
        self.peers.on_ask(self.asker, control.Ask(1, "find-peer", arguments), [])
        _, header, *bodies = self.sent.pop()
        return control.TO_WORKER.decode(header), [each for body in bodies for each in msgspec.msgpack.decode(body)]


def test_as_many_as_a_group_may_have_are_found() -> None:
    """They do not fit a header: they are in a body."""
    root = Root()
    members = [root.born(1 + number) for number in range(MEMBERS_MAX)]
    for life in members:
        root.names.join(life.actor, "g", "broadcast")
    message, found = root.find("g")

    assert message == control.Answered(1, {"peers": [], "keeps": False})
    assert [each["actor_id"] for each in found] == [life.actor.id for life in members]
    assert all(root.asker.routing in life.peers for life in members)


def test_a_member_that_is_down_has_no_endpoint() -> None:
    """It is in the answer all the same: what it would have got is a dead letter."""
    root = Root()
    down, up = root.born(1), root.born(2)
    down.actor.life = None
    for life in (down, up):
        root.names.join(life.actor, "g", "broadcast")
    _, found = root.find("g")

    assert [each["endpoint"] for each in found] == ["", up.endpoint]


def test_a_member_that_is_being_updated_is_where_it_was() -> None:
    """Its worker sends on what comes."""
    root = Root()
    moving, up = root.born(1), root.born(2)
    moving.actor.update = SimpleNamespace(is_handing=True)
    for life in (moving, up):
        root.names.join(life.actor, "g", "broadcast")
    _, found = root.find("g")

    assert [each["endpoint"] for each in found] == [moving.endpoint, up.endpoint]
