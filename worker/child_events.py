"""Events of a subscribed child, on their way to the guest's handle-child-event callback (lifecycle 10.3, V6).

The guest receives type and data by value; the parent's own chain records only which event it was, else chains would
grow by one level of nesting with every generation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from proto import control
from theater import cgrf
from theater.chain import iter_batch
from theater.values import U64, List, Record, String, Tuple, Value, bytes_of
from worker.logs import Logs
from worker.machine_notices import HostCall

HANDLE_CHILD_EVENT: Final = "theater:simple/supervisor-handlers.handle-child-event"
GAP: Final = "gap"
REFERENCE: Final = "event-ref"
GAP_TYPE: Final = "theater-runtime/gap"
"""Event type a guest sees where events of its child were left out (L8); the data says which."""


class ChildEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of a child."""

    child: str
    seq: int
    event_type: str
    data: bytes
    hash: bytes


def notices(message: control.ChildEvents, bodies: list[bytes], logs: Logs) -> Iterator[HostCall]:
    """Turn a batch into host-originated operations, in order."""
    if not bodies:
        return
    now = time.monotonic_ns()
    try:
        for event in iter_batch(bodies[0], None):
            payload = ChildEvent(message.child_id, event.seq, event.event_type, event.data, event.hash)
            yield HostCall(
                function=HANDLE_CHILD_EVENT,
                payload=payload,
                received_ns=now,
                child=message.child_id,
                is_event=True,
            )
    except ValueError as error:
        logs.warn("child events", f"events of child {message.child_id} are not readable: {error}")


def params(operation: Any) -> tuple[bytes, bytes]:
    """Return the parameters for the guest, and what the chain records in their place."""
    event: ChildEvent = operation.payload
    child = String(event.child)
    if operation.is_gap:
        last: ChildEvent = operation.last
        between = Record(GAP, (("first-seq", U64(event.seq)), ("last-seq", U64(last.seq))))
        return cgrf.encode(_of_gap(child, between)), cgrf.encode(Tuple((child, between)))
    reference = Record(REFERENCE, (("seq", U64(event.seq)), ("hash", bytes_of(event.hash))))
    return cgrf.encode(_of_event(child, event.event_type, event.data)), cgrf.encode(Tuple((child, reference)))


def params_again(recorded: Value, known: Mapping[bytes, tuple[str, bytes]]) -> Value | None:
    """Return what the guest was given for what the chain recorded, for a replay; None where ``known`` lacks the event.

    ``known`` holds type and data of events of children by their hashes.
    """
    match recorded:
        case Tuple(items=(String() as child, Record(name="gap") as between)):
            return _of_gap(child, between)
        case Tuple(items=(String() as child, Record(name="event-ref", fields=(_, (_, List(items=bytes(digest))))))):
            event = known.get(digest)
            return None if event is None else _of_event(child, *event)
        case _:
            return recorded


def _of_gap(child: String, between: Record) -> Tuple:
    return Tuple((child, String(GAP_TYPE), bytes_of(cgrf.encode(between))))


def _of_event(child: String, event_type: str, data: bytes) -> Tuple:
    return Tuple((child, String(event_type), bytes_of(data)))


def given_of(path: str | None) -> dict[bytes, tuple[str, bytes]]:
    """Read events of children from a file, by hash; none if there is no file.

    Raises:
        OSError, msgspec.MsgspecError: it cannot be read.
    """
    if path is None:
        return {}
    with open(path, "rb") as file:
        return msgspec.msgpack.decode(file.read(), type=dict[bytes, tuple[str, bytes]])
