"""What handles answer with: status, metrics, reports and references, as frozen records (lifecycle 9 and 13)."""

from __future__ import annotations

from typing import Any

import msgspec

from theater.cause import Cause, from_plain

NS_PER_SECOND = 1_000_000_000


class ActorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How an actor is, now (lifecycle section 13).

    ``text`` is Theater's word of lifecycle section 1 (``Running`` …), ``state`` the precise one in lower case
    (``idle``, ``processing`` …). ``detail`` says more for people: the start-up step, ``stopping`` …
    """

    state: str
    text: str = ""
    detail: str = ""
    since_ns: int | None = None
    """Epoch nanoseconds of when the state began."""
    operation: str | None = None
    """Name of the function that is running."""
    elapsed_ms: float | None = None
    queued: int = 0
    incarnation: int | None = None
    pid: int | None = None
    cause: Cause | None = None
    """Why the last incarnation ended, if none lives."""


class OperationMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Finished operations and the time they took, in nanoseconds. Failed ones are included in the total."""

    total_operations: int = 0
    failed_operations: int = 0
    total_processing_time: int = 0
    max_processing_time: int = 0
    min_processing_time: int | None = None


class ResourceMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the worker process in bytes (resident set), and the length of its queue."""

    memory_usage: int = 0
    operation_queue_size: int = 0
    peak_memory_usage: int = 0
    peak_queue_size: int = 0


class OperationStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures derived from metrics: ``success_rate`` in percent (100 when nothing ran), times in nanoseconds."""

    success_rate: float
    avg_processing_time: float
    operations_per_second: float
    total_operations: int
    failed_operations: int


class ActorMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one incarnation (lifecycle section 13).

    Instants are in epoch seconds, times in nanoseconds, memory in bytes.
    """

    operation_metrics: OperationMetrics = OperationMetrics()
    resource_metrics: ResourceMetrics = ResourceMetrics()
    last_update: float | None = None
    uptime_secs: float = 0.0
    start_time: float = 0.0
    cpu_ns: int = 0
    guest_memory: int = 0
    host_calls: int = 0
    events: int = 0
    events_dropped: int = 0
    queue_wait_ns: Any = None
    """Total and longest time operations waited in the queue."""
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    """Answers that were errors, by kind, refused ones included."""
    limits: dict[str, Any] = msgspec.field(default_factory=dict)
    """Use of each budget of the actor: used, limit, per_ms, then, refused, waited_ns."""
    restarts: int = 0
    incarnation: int | None = None

    def stats(self) -> OperationStats:
        """Return the derived figures."""
        done = self.operation_metrics
        total = done.total_operations
        return OperationStats(
            success_rate=100.0 * (total - done.failed_operations) / total if total else 100.0,
            avg_processing_time=done.total_processing_time / total if total else 0.0,
            operations_per_second=total / self.uptime_secs if self.uptime_secs > 0 else 0.0,
            total_operations=total,
            failed_operations=done.failed_operations,
        )


class StopReport(msgspec.Struct, frozen=True):
    """How an actor ended after a shutdown or terminate: the process is reaped when you hold this."""

    cause: Cause
    forced: bool
    """It had to be killed."""
    exit_status: int | None
    """Exit code, or the negative number of the signal that ended the process."""
    seconds: float
    """From the order to the end."""


class ChainRef(msgspec.Struct, frozen=True):
    """Where a saved chain is: file, number of events, and hash of the last one."""

    path: str
    count: int
    head: bytes | None


class InterfaceHash(msgspec.Struct, frozen=True):
    """An exported interface and its 32-byte hash (pack-abi section 8)."""

    name: str
    hash: bytes


class HttpResponse(msgspec.Struct, frozen=True):
    """Answer to an HTTP request. Headers are pairs; order and duplicates are kept."""

    status: int
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


class Gap(msgspec.Struct, frozen=True):
    """Events ``first_seq`` to ``last_seq`` of a subscription were not delivered: the subscriber was too slow."""

    first_seq: int
    last_seq: int


class Ended(msgspec.Struct, frozen=True):
    """Last item of a subscription: the actor is gone for good, or (cause None) the subscription was taken away."""

    cause: Cause | None


class Lagged(msgspec.Struct, frozen=True):
    """Last item of a subscription with policy ``disconnect``: the subscriber was ``count`` events behind."""

    count: int


def status_from(data: dict[str, Any]) -> ActorStatus:
    """Return the status in the answer to GetStatus."""
    return msgspec.convert(data, ActorStatus)


def metrics_from(data: dict[str, Any]) -> ActorMetrics:
    """Return the metrics in the answer to GetMetrics."""
    return msgspec.convert(data, ActorMetrics)


def cause_from(data: dict[str, Any] | None) -> Cause | None:
    """Return a cause that travelled as plain data."""
    return from_plain(data) if data else None
