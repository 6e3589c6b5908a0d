"""Clients at the gate: let in, answered within a message's limits, owed a bounded number of answers."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from proto import control, info
from proto.limits import HEADER_BYTES_MAX
from supervisor.core.ref import Ref
from supervisor.gate import clients as module
from supervisor.gate.clients import ANSWERS_OWED_MAX, Clients, plain

CLIENT = b"client"


class Scene:
    """A gate socket that remembers, and peers of any user."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[Any] = []
        self.counted: list[str] = []
        self.peer: tuple[int, int] | None = (1, os.getuid())
        self.looks = 0
        monkeypatch.setattr(module, "send", self._send)
        monkeypatch.setattr(module, "credentials", self._credentials)
        services: Any = SimpleNamespace(sockets=SimpleNamespace(gate=None))
        refusals: Any = SimpleNamespace(count=lambda place, reason, text: self.counted.append(reason))
        self.clients = Clients(services, refusals)

    def _send(self, sock: object, client: bytes, header: bytes, bodies: tuple[bytes, ...] = ()) -> bool:
        self.sent.append((info.ANSWERS if header[3] == 2 else control.TO_CLIENT).decode(header))
        return True

    def _credentials(self, frame: object) -> tuple[int, int] | None:
        self.looks += 1
        return self.peer


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_another_user_is_not_let_in(scene: Scene) -> None:
    """SO_PEERCRED: ours and root's processes only; the others are counted."""
    scene.peer = (1, os.getuid() + 1)

    assert not scene.clients.admit(CLIENT, None)
    assert scene.counted == ["credentials"]


def test_a_client_is_looked_at_once(scene: Scene) -> None:
    """On first contact; among many others it is forgotten and looked at again."""
    for _ in range(3):
        assert scene.clients.admit(CLIENT, None)
    assert scene.looks == 1
    for number in range(module.KNOWN_CLIENTS_MAX):
        scene.clients.admit(b"%d" % number, None)
    scene.clients.admit(CLIENT, None)

    assert scene.looks == module.KNOWN_CLIENTS_MAX + 2


def test_an_answer_that_does_not_fit_a_header_travels_as_a_body(scene: Scene) -> None:
    """A large tree is shown like a small one."""
    scene.clients.inform(CLIENT, 1, {"text": "x" * HEADER_BYTES_MAX})
    scene.clients.outcome(CLIENT, 2, "x" * HEADER_BYTES_MAX)
    question, order = scene.sent

    assert (question.id, question.wide, question.data) == (1, True, {})
    assert (order.id, order.wide, order.value) == (2, True, None)


def test_answers_owed_are_bounded(scene: Scene) -> None:
    """Past the limit the asker hears so at once; an answer that is given makes room."""
    clients = scene.clients
    assert all(clients.may_owe(CLIENT, number, clients.refuse_info) for number in range(ANSWERS_OWED_MAX))
    assert not clients.may_owe(CLIENT, 7, clients.refuse_info)
    clients.paid()

    assert [(message.id, message.kind) for message in scene.sent] == [(7, "unexpected")]
    assert clients.may_owe(CLIENT, 8, clients.refuse_info)


def test_process_references_go_out_as_text() -> None:
    """Whatever the core answers can be sent."""
    value = plain({"ok": Ref("/a", 3), "list": (Ref("/b", 1), None, 1.5), 7: b"bytes"})

    assert value == {"ok": str(Ref("/a", 3)), "list": [str(Ref("/b", 1)), None, 1.5], "7": b"bytes"}
