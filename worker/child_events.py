"""Events of a subscribed child, on their way to the guest's handle-child-event callback (lifecycle 10.3, V6).

The guest receives type and data by value; the parent's own chain records only which event it was, else chains would
grow by one level of nesting with every generation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from proto import control
from theater import cgrf
from theater.chain import iter_batch
from theater.values import U64, Record, String, Tuple, bytes_of
from worker.logs import Logs
from worker.machine_notices import HostCall

HANDLE_CHILD_EVENT: Final = "theater:simple/supervisor-handlers.handle-child-event"
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
        between = Record("gap", (("first-seq", U64(event.seq)), ("last-seq", U64(last.seq))))
        given = Tuple((child, String(GAP_TYPE), bytes_of(cgrf.encode(between))))
        return cgrf.encode(given), cgrf.encode(Tuple((child, between)))
    reference = Record("event-ref", (("seq", U64(event.seq)), ("hash", bytes_of(event.hash))))
    given = Tuple((child, String(event.event_type), bytes_of(event.data)))
    return cgrf.encode(given), cgrf.encode(Tuple((child, reference)))
