"""One question to the supervisor, with as little machinery as can be: for the verbs that run in prompts and loops.

``status`` and ``tree`` need one answer of the root. The client with its handles would cost them more time to import
than everything else together, so they speak to the gate themselves, in the same words (proto.info).
"""

from __future__ import annotations

import argparse
from typing import Any

import msgspec
import zmq

from proto import envelope, info
from theater.errors import OperationTimeout, TheaterError, from_wire
from theater.rundir import Run, find, is_alive

TIMEOUT_S = 5.0
LOOK_MS = 250
"""How often to look whether the supervisor is still there while it does not answer."""


class GoneWhileAsking(TheaterError):
    """The supervisor ended before it answered."""


def ask_tree(args: argparse.Namespace, target: str = "/") -> dict[str, Any]:
    """Return the tree of the supervisor meant (info.GetTree).

    Raises:
        NotRunning, NotTrusted: as theater.rundir.find.
        ActorError: what the supervisor refused with; OperationTimeout if it did not answer.
    """
    return ask(find(args.run_dir), info.GetTree(1, target))


def ask(run: Run, question: envelope.Message) -> dict[str, Any]:
    """Return the data of the answer to a question with the id 1."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    gate = context.socket(zmq.DEALER)
    try:
        gate.connect(run.gate)
        gate.send(info.QUESTIONS.encode(question))
        return _answer(gate, run)
    finally:
        gate.close(0)
        context.term()


def _answer(gate: zmq.Socket[bytes], run: Run) -> dict[str, Any]:
    for _ in range(int(TIMEOUT_S * 1000 / LOOK_MS)):
        if gate.poll(LOOK_MS):
            frames = gate.recv_multipart()
            answer = info.ANSWERS.decode(frames[0])
            if isinstance(answer, info.Refused):
                raise from_wire(answer.kind, answer.data)
            return data_of(answer, frames)
        if not is_alive(run.path):
            raise GoneWhileAsking(f"the supervisor in {run.path} has ended")
    raise OperationTimeout(TIMEOUT_S)


def data_of(answer: Any, frames: list[bytes]) -> dict[str, Any]:
    """Return what an answer says; of a large one (a tree of many hundred actors) it is the last body."""
    data: dict[str, Any] = msgspec.msgpack.decode(frames[-1]) if answer.wide else answer.data
    return data
