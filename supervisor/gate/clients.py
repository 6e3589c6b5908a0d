"""Who stands at the gate, and how they are told things: one answer to each question, within the limits of a message."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

from proto import control, info
from proto.limits import HEADER_BYTES_MAX
from supervisor.fleet.services import Services
from supervisor.refusals import Refusals
from supervisor.sockets import credentials, send

KNOWN_CLIENTS_MAX: Final = 4096
ANSWERS_OWED_MAX: Final = 10_000
"""Of all clients together: what waits for a supervisor that is busy, or for the store."""

Refuse = Callable[..., None]
"""Says no: to a client, about a question or order, with kind and data of lifecycle section 7."""


class Clients:
    """Lets clients in and answers them."""

    def __init__(self, services: Services, refusals: Refusals) -> None:
        self._s = services
        self._refusals = refusals
        self._known: dict[bytes, None] = {}
        self._owed = 0

    def admit(self, client: bytes, frame: Any) -> bool:
        """Whether a client may speak: processes of our own user, and of root."""
        if client in self._known:
            return True
        peer = credentials(frame)
        if peer is not None and peer[1] not in (os.getuid(), 0):
            self._refusals.count("gate", "credentials", f"process {peer[0]} of user {peer[1]}")
            return False
        self._known[client] = None
        while len(self._known) > KNOWN_CLIENTS_MAX:
            del self._known[next(iter(self._known))]
        return True

    # -- answers to questions ----------------------------------------------------------------------------------------

    def inform(self, client: bytes, asked: int, data: dict[str, Any], *bodies: bytes) -> None:
        """Answer a question."""
        header = info.ANSWERS.encode(info.Info(asked, data))
        if len(header) > HEADER_BYTES_MAX:
            header = info.ANSWERS.encode(info.Info(asked, wide=True))
            bodies = (*bodies, msgspec.msgpack.encode(data))
        self.tell(client, header, bodies)

    def refuse_info(self, client: bytes, asked: int, kind: str, *data: Any) -> None:
        """Say why a question is not answered."""
        self.tell(client, info.ANSWERS.encode(info.Refused(asked, kind, data)))

    # -- answers to orders -------------------------------------------------------------------------------------------

    def outcome(self, client: bytes, asked: int, value: Any) -> None:
        """Answer an order to the tree with what OTP answers."""
        data = plain(value)
        header = control.TO_CLIENT.encode(control.Outcome(asked, data))
        if len(header) > HEADER_BYTES_MAX:
            header = control.TO_CLIENT.encode(control.Outcome(asked, wide=True))
            self.tell(client, header, (msgspec.msgpack.encode(data),))
        else:
            self.tell(client, header)

    def refuse(self, client: bytes, asked: int, kind: str, *data: Any) -> None:
        """Say why an order is not obeyed."""
        self.tell(client, control.TO_CLIENT.encode(control.Refused(asked, kind, data)))

    def tell(self, client: bytes, header: bytes, bodies: tuple[bytes, ...] = ()) -> bool:
        """Send one message; False if the client is gone or takes no more."""
        return send(self._s.sockets.gate, client, header, bodies)

    # -- answers that have to wait -----------------------------------------------------------------------------------

    def may_owe(self, client: bytes, asked: int, refuse: Refuse) -> bool:
        """Whether one more may wait for its answer: True is followed by ``paid`` when it is given."""
        if self._owed >= ANSWERS_OWED_MAX:
            refuse(client, asked, "unexpected", f"{self._owed} questions are waiting already")
            return False
        self._owed += 1
        return True

    def paid(self) -> None:
        """An answer that was owed is about to be given."""
        self._owed -= 1


def plain(value: Any) -> Any:
    """A core answer as wire data: process references become their text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool | bytes):
        return value
    return str(value)
