"""A client without manners, for the doors of a running root."""

from __future__ import annotations

from typing import Any

import zmq

from proto import control, info
from proto.envelope import Codec
from tests.system.running import RunningTree

TREE = """
version: 1
name: gate
intensity: 10000
period: 10s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}}
  - {id: idle, actor: counter.wasm, grants: {runtime: {}}}
  - id: pool
    supervisor:
      strategy: simple_one_for_one
      intensity: 1000
      child: {id: one, actor: counter.wasm, restart: permanent, grants: {runtime: {}}}
  - id: slow
    supervisor:
      strategy: simple_one_for_one
      child: {id: one, actor: spinning_init.wasm, restart: temporary, shutdown: brutal_kill, grants: {runtime: {}}}
"""

ANSWER_S = 10.0


class Raw:
    """A client without manners: it sends what it likes and reads what comes."""

    def __init__(self, tree: RunningTree, door: str = "gate", identity: bytes | None = None) -> None:
        self._context = zmq.Context()
        self._context.linger = 0
        self.socket = self._context.socket(zmq.DEALER)
        if identity is not None:
            self.socket.setsockopt(zmq.ROUTING_ID, identity)
        self.socket.connect(f"ipc://{tree.run_dir}/{door}")

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def ask(self, question: Any) -> tuple[Any, list[bytes]]:
        """Put a question and return its answer and bodies; what else comes meanwhile is passed over."""
        self.tell(question)
        while True:
            message, bodies = self.next()
            if getattr(message, "id", None) == question.id:
                return message, bodies

    def tell(self, message: Any) -> None:
        codec = info.QUESTIONS if type(message).__module__ == info.__name__ else control.FROM_CLIENT
        self.send(codec.encode(message))

    def next(self) -> tuple[Any, list[bytes]]:
        assert self.socket.poll(int(ANSWER_S * 1000)), "no answer"
        header, *bodies = self.socket.recv_multipart()
        codec: Codec = info.ANSWERS if header[3] == 2 else control.TO_CLIENT
        return codec.decode(header), bodies

    def close(self) -> None:
        self._context.destroy(linger=0)


def refusals(tree: RunningTree, door: str, reason: str, event: str = "refused") -> list[dict[str, Any]]:
    """The log's lines about refused messages of one kind."""
    lines = tree.log_lines(event)
    return [line for line in lines if (line.get("place"), line.get("reason")) == (door, reason)]
