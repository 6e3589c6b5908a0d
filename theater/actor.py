"""What one actor is: its package, grants, limits and switches, as the configuration produces them for the root.

The same options travel to the worker (proto.control.Init.options) as plain data.
"""

from __future__ import annotations

from typing import Any

import msgspec

from theater.budgets import Budget
from theater.grants import RUNTIME, SUPERVISOR

__all__ = ["RUNTIME", "SUPERVISOR", "ActorOptions", "ActorSpec", "Supervision"]


class ActorOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits and switches of one actor (lifecycle section 12): bytes, milliseconds, None for no limit."""

    memory_bytes: int = 64 * 1024 * 1024
    """Linear memory of the guest."""
    table_elements: int = 100_000
    init_deadline_ms: int | None = 60_000
    """Guest computing time of ``init``."""
    call_deadline_ms: int | None = 300_000
    """Guest computing time of one call."""
    operation_queue_max: int = 100
    message_bytes_max: int = 64 * 1024 * 1024
    """Largest parameter or response body."""
    shutdown_ms: int | None = 5_000
    orphan_ms: int = 5_000
    init_warn_ms: int = 30_000
    heartbeat_ms: int = 1_000
    heartbeat_misses: int = 5
    child_notices_max: int = 1_000
    log_per_second: int = 200
    """Log records a second passed upward; the rest is counted and dropped."""
    guest_time: Budget | None = None
    """Computing time of the guest, in milliseconds."""
    host_calls: Budget | None = None
    outgoing: Budget | None = None
    """Bytes given to host functions that send or write."""
    chain_events: Budget | None = None
    chain_bytes: Budget | None = None
    children_max: int | None = None
    """Living children of its guest's; None: as many as the host allows."""
    descendants_max: int = 1_000
    """Living actors below it: children of its guest's, their children, and so on."""
    files_max: int | None = None
    """Open files of the worker process (RLIMIT_NOFILE); None: as many as the supervisor may have."""
    process_memory_bytes: int | None = None
    """Writable memory of the worker process (RLIMIT_DATA)."""
    core_dumps: bool = False
    """A worker that crashes may leave a core file, with all that was in its memory."""
    cgroup_memory_bytes: int | None = None
    cgroup_cpu_percent: int | None = None
    """Of one processor."""
    cgroup_processes: int | None = None
    """Processes and threads."""
    idempotency_keys: int = 1_000
    """Keys of calls that are remembered with their answers."""
    idempotency_ms: int = 3_600_000
    """For so long."""
    keep_events: int = 10_000
    keep_bytes: int = 16 * 1024 * 1024
    """Events kept in the worker's memory: whichever bound is reached first."""
    chain_state: str = "hash"
    """hash | full: what result events say of the state."""
    durability: str = "process"
    """process | group: what an answer survives. ``group``: it is held until the store has written it to the disk."""
    snapshot_events: int | None = None
    """A snapshot after so many events (worker.snapshots); None: no bound."""
    snapshot_bytes: int | None = None
    """Or after so many bytes of them, whichever comes first."""
    on_paused: str = "queue"
    """queue | reject"""
    on_application_error: str = "continue"
    """continue | crash"""
    nested_params: bool = False
    """Call shape of before April 2026: (state, params-tuple) instead of (state, p1, p2 …) (pack-abi 9.1)."""
    interface_hashes: str = "strict"
    """strict | lenient: whether a differing interface hash refuses the start (pack-abi 8)."""
    require_metadata: bool = True
    """Refuse modules without __pack_types."""
    check_types: bool = True
    """Check state and result against the declared types around every call (pack-abi 9.4)."""


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """How an actor behaves as a guest-spawned child, and how its own spawned children are supervised."""

    restart: str = "temporary"
    shutdown: str | int | None = None
    strategy: str = "one_for_one"
    intensity: int = 1
    period_ms: int = 5_000
    state_on_restart: str = "last"
    """last | initial: what restart-child begins from (lifecycle 10.1)."""


class ActorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One actor, ready to be started. ``package`` is an absolute path, ``origin`` where it was declared."""

    name: str
    package: str
    version: str = ""
    sha256: str | None = None
    """Lower-case hex digest the package must have."""
    state: Any = None
    state_kind: str = "none"
    """none | text (manifest initial_state, a string value) | plain (converted to the declared type)."""
    grants: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Host interfaces by full name, each with its options."""
    grant_places: dict[str, str] = msgspec.field(default_factory=dict)
    """Where each grant is written: ``file:line``."""
    passes: dict[str, Any] = msgspec.field(default_factory=dict)
    """What its children may hold of the grants, by full name or ``others``: inherit, disallow, or narrower options."""
    options: ActorOptions = msgspec.field(default_factory=ActorOptions)
    supervision: Supervision = msgspec.field(default_factory=Supervision)
    recover: str = "initial"
    """initial | last | replay: what a restart begins from."""
    poison: str = "none"
    """none | dead_letter: what becomes of an operation that ends one incarnation after the other."""
    poison_tries: int = 3
    """So many incarnations ended by it in a row."""
    manifest_digest: str = ""
    """SHA-256 hex of the normalised declaration, for the chain's genesis event."""
    origin: str = ""
    base_dir: str = ""
    """Directory of the declaration: what relative paths in manifests given by its guest are relative to."""
