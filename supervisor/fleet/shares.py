"""The limits of a child that a guest spawns: never above its parent's (design D10; lifecycle section 12).

Its manifest comes from the guest. What it does not say of the budgets, and of the limits of its process, is as its
parent has it; any other limit may be what the parent has, or the default.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from theater.actor import ActorOptions

BUDGETS: Final = ("guest_time", "host_calls", "outgoing", "chain_events", "chain_bytes")
INHERITED: Final = (
    "children_max",
    "files_max",
    "process_memory_bytes",
    "cgroup_memory_bytes",
    "cgroup_cpu_percent",
    "cgroup_processes",
)
BOUNDED: Final = (
    "memory_bytes",
    "table_elements",
    "init_deadline_ms",
    "call_deadline_ms",
    "shutdown_ms",
    "orphan_ms",
    "heartbeat_ms",
    "heartbeat_misses",
    "operation_queue_max",
    "message_bytes_max",
    "child_notices_max",
    "log_per_second",
    "idempotency_keys",
    "keep_events",
    "keep_bytes",
)
_DEFAULTS: Final = ActorOptions()


def shares(parent: ActorOptions, child: ActorOptions) -> tuple[ActorOptions, list[str]]:
    """Return the child's options, completed by the parent's; and what of them is too much, one text each."""
    missing: dict[str, Any] = {}
    found: list[str] = []
    for name in (*BUDGETS, *INHERITED):
        held, asked = getattr(parent, name), getattr(child, name)
        if held is None:
            continue
        if asked is None:
            missing[name] = held
        elif not (held.covers(asked) if name in BUDGETS else asked <= held):
            found.append(f"limit {name}")
    for name in BOUNDED:
        most = _larger(getattr(parent, name), getattr(_DEFAULTS, name))
        asked = getattr(child, name)
        if most is not None and (asked is None or asked > most):
            found.append(f"limit {name} of {asked if asked is not None else 'none'} (at most {most})")
    if child.core_dumps and not parent.core_dumps:
        found.append("core_dumps")
    return (msgspec.structs.replace(child, **missing) if missing else child), found


def _larger(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
