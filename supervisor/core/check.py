"""What is wrong with a supervisor's flags or a child's specification, in OTP's words and in OTP's order.

(supervisor.erl: check_flags/1, check_startspec/2, check_childspec/2.) Specifications arrive unvalidated, so every value
may be of any type here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from theater.spec import (
    AUTO_SHUTDOWNS,
    BRUTAL_KILL,
    DEFAULT_SHUTDOWN_MS,
    INFINITY,
    RESTARTS,
    STRATEGIES,
    ChildSpec,
    SupervisorSpec,
)


def flags_error(spec: SupervisorSpec) -> Any:
    """Why a supervisor with these flags is refused, None if it is not."""
    if spec.strategy not in STRATEGIES:
        return {"invalid_strategy": spec.strategy}
    if not _is_integer(spec.intensity, minimum=0):
        return {"invalid_intensity": spec.intensity}
    if not _is_integer(spec.period_ms, minimum=1):
        return {"invalid_period": spec.period_ms}
    if spec.auto_shutdown not in AUTO_SHUTDOWNS:
        return {"invalid_auto_shutdown": spec.auto_shutdown}
    return None


def childspecs_error(specs: Iterable[ChildSpec], auto_shutdown: str) -> Any:
    """Why this list of children is refused, None if it is not."""
    ids = set()
    for spec in specs:
        error = childspec_error(spec, auto_shutdown)
        if error is not None:
            return error
        if spec.id in ids:
            return {"duplicate_child_name": spec.id}
        ids.add(spec.id)
    return None


def childspec_error(spec: ChildSpec, auto_shutdown: str) -> Any:
    """Why a supervisor with this ``auto_shutdown`` refuses the child, None if it does not."""
    full = with_defaults(spec)
    if full.id is None:
        return "missing_id"
    if full.restart not in RESTARTS:
        return {"invalid_restart_type": full.restart}
    if full.significant is True and auto_shutdown == "never":
        return {"bad_combination": {"auto_shutdown": "never", "significant": True}}
    if full.significant is True and full.restart == "permanent":
        return {"bad_combination": {"restart": "permanent", "significant": True}}
    if not isinstance(full.significant, bool):
        return {"invalid_significant": full.significant}
    if full.type not in ("worker", "supervisor"):
        return {"invalid_child_type": full.type}
    if full.shutdown not in (BRUTAL_KILL, INFINITY) and not _is_integer(full.shutdown, minimum=1):
        return {"invalid_shutdown": full.shutdown}
    return None


def with_defaults(spec: ChildSpec) -> ChildSpec:
    """The specification with ``type`` and ``shutdown`` filled in."""
    kind = spec.type if spec.type is not None else ("worker" if spec.supervisor is None else "supervisor")
    default = INFINITY if kind == "supervisor" else DEFAULT_SHUTDOWN_MS
    shutdown = spec.shutdown if spec.shutdown is not None else default
    return msgspec.structs.replace(spec, type=kind, shutdown=shutdown)


def plain_childspec(spec: ChildSpec) -> dict[str, Any]:
    """The answer of get_childspec."""
    return {
        "id": spec.id,
        "restart": spec.restart,
        "significant": spec.significant,
        "shutdown": spec.shutdown,
        "type": spec.type,
    }


def _is_integer(value: Any, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum
