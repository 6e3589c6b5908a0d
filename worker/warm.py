"""What the template process does once so that its forks need not: late imports, first-time set-up, warmed code paths.

CPython specialises code as it runs and keeps caches beside it; pages written before the fork are shared by all workers,
pages written after it are not. Runs no guest, compiles nothing, leaves no thread behind.
"""

from __future__ import annotations

from typing import Final

import msgspec
import zmq

from proto import control, info, operation, stream
from theater import cgrf, metadata, types
from theater.actor import ActorOptions
from theater.cause import Cause
from theater.chain import encode_frame, event_hash, iter_batch, payload
from theater.metadata import FunctionSig, Metadata
from theater.values import U32, Result, Tuple, bytes_of
from worker import machine_notices as n
from worker.actor_store import ActorStore
from worker.engine.contract import Contract
from worker.logs import Logs
from worker.machine import Machine
from worker.machine_state import Rules
from worker.metrics import Metrics

ROUNDS: Final = 16
FUNCTION: Final = "a.b"
COMMON: Final = ("theater:simple/runtime", "theater:simple/supervisor")
"""Host interfaces that are there for every actor; others come with the first package that imports them."""


def warm() -> None:
    """Do it."""
    _host_functions()
    _sockets()
    for _ in range(ROUNDS):
        once()


def once() -> None:
    """Run through what every worker runs through."""
    _wire()
    _machine()
    _values()
    _chain()
    Metrics().record()
    Logs(ROUNDS).guest("info", "")


def _host_functions() -> None:
    """Types and hashes of common host functions, and the verdict on the fast calls into the engine."""
    from worker.engine import raw, stock  # noqa: F401
    from worker.engine.config import make_engine
    from worker.interfaces import registry

    raw.unusable(make_engine())
    registry.warm(COMMON)


def _sockets() -> None:
    """A context that came and went is fine before a fork; a live one would not be."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sender, receiver = context.socket(zmq.DEALER), context.socket(zmq.ROUTER)
    receiver.bind("inproc://warm")
    sender.connect("inproc://warm")
    poller = zmq.Poller()
    poller.register(receiver, zmq.POLLIN)
    for _ in range(ROUNDS):
        sender.send_multipart([b"", b""])
        poller.poll()
        receiver.send_multipart(receiver.recv_multipart(zmq.NOBLOCK), zmq.NOBLOCK)
        sender.recv_multipart()
    context.destroy(linger=0)


def _wire() -> None:
    msgspec.convert(msgspec.to_builtins(ActorOptions()), ActorOptions)
    operation.REQUESTS.decode(operation.REQUESTS.encode(operation.Call(1, FUNCTION)))
    operation.ANSWERS.encode(operation.Returned(1))
    control.TO_WORKER.decode(control.TO_WORKER.encode(control.Ping(1)))
    control.FROM_WORKER.encode(control.Pong(1))
    info.QUESTIONS.decode(info.QUESTIONS.encode(info.GetStatus(1)))
    info.ANSWERS.encode(info.Info(1, {}))
    stream.UP.encode(stream.EventBatch(0, 0, None, b""))
    stream.DOWN.decode(stream.DOWN.encode(stream.Ack(0)))


def _machine() -> None:
    machine = Machine(Rules(), 0)
    for notice in (
        n.StepReached("link"),
        n.Loaded(),
        n.Returned(),
        n.Call(function=FUNCTION, waiter=1),
        n.Returned(),
        n.Pause(1),
        n.Call(function=FUNCTION, waiter=1),
        n.Resume(1),
        n.Returned(),
    ):
        machine.feed(notice, 0)
    machine.status(0)


def _values() -> None:
    params = (("state", types.U32), ("by", types.U32))
    signature = FunctionSig("a", "b", params, (types.Result(types.VALUE, types.STRING),))
    hashes = {"a": bytes(32)}
    metadata.decode(metadata.encode(Metadata((signature,), (signature,), hashes, hashes)))
    contract = Contract({FUNCTION: signature}, ActorOptions())
    one = cgrf.encode(U32(1))
    contract.input(FUNCTION, one, cgrf.encode(Tuple((U32(2),))))
    contract.outcome(FUNCTION, cgrf.encode(Result(types.STRING, types.STRING, True, Tuple((U32(1), bytes_of(b""))))))


def _chain() -> None:
    value = cgrf.encode(Tuple((U32(1),)))
    store = ActorStore("", 0, None, 1, 1)
    data = (
        payload.genesis("", "", "", value),
        payload.call(FUNCTION, value),
        payload.host_call("a", "b", value, value),
        payload.result(FUNCTION, value, value),
        payload.error(FUNCTION, ""),
        payload.shutdown(Cause(kind="stopped", by="").plain()),
    )
    for seq, each in enumerate(data):
        digest = event_hash(bytes(32), "wasm", each)
        frame = encode_frame(seq, 0, "wasm", each, digest)
        store.keep(frame, digest)
        list(iter_batch(frame, None))
