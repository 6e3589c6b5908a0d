"""Actors that hand connections to each other: a tree whose root answers as the real one does, and takers' turns."""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Sequence
from typing import Any

from proto import control
from tests.interfaces.tcpkit import LOCAL, WAIT_S, Actor
from worker.asks import RootRefusal
from worker.tcp.service import expect


class Member(Actor):
    """An actor of a tree whose root answers as the real one does."""

    def __init__(self, tree: dict[str, Member], directory: str, **more: Any) -> None:
        super().__init__(LOCAL | more)
        self.actor_id = str(uuid.uuid4())
        self.landing = f"{directory}/{len(tree)}"
        self.expires_ms = 10_000
        self._tree = tree
        tree[self.actor_id] = self

    def ask(
        self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        assert function == "pass-connection"
        target = self._tree.get(arguments["id"])
        if target is None:
            raise RootRefusal("no such actor")
        answer, token = target.expects()
        if isinstance(answer, control.Refused):
            raise RootRefusal(answer.data[0])
        return {"socket": target.landing, "token": token}, []

    def expects(self) -> tuple[Any, bytes]:
        """What its worker answers the root's word, and the token."""
        token = secrets.token_bytes(16)
        message = control.Expect(7, self.landing, token, self.expires_ms)
        return expect(self, message), token


class Turns(threading.Thread):
    """The taker's guest thread: one turn."""

    def __init__(self, actor: Actor, notice: Any = None) -> None:
        super().__init__()
        self._actor, self._notice = actor, notice
        self.found: tuple[Any, ...] = ()
        self.start()

    def run(self) -> None:
        self.found = self._actor.turn(self._notice)

    def done(self) -> tuple[Any, ...]:
        self.join(WAIT_S)
        return self.found
