"""From the JSON of a scenario to the specifications of the core; wrong values are passed on for the core to refuse."""

from __future__ import annotations

from typing import Any

import msgspec

from theater.spec import DEFAULT_START_TIMEOUT_MS, ChildSpec, SupervisorSpec

FLAGS = ("strategy", "intensity", "auto_shutdown")
CHILD_KEYS = ("restart", "shutdown", "type", "significant")


class Plan(msgspec.Struct, frozen=True):
    """How a test process behaves: the outcomes of its starts, and what it does when it is asked to stop."""

    start: tuple[str, ...] = ("ok",)
    stop_reason: str = "shutdown"
    stop_after_ms: int = 0


def supervisor_spec(data: dict[str, Any], timeouts: bool = False) -> SupervisorSpec:
    """The specification of a supervisor. ``timeouts``: workers have the default start timeout, else none."""
    flags = {key: data[key] for key in FLAGS if key in data}
    if "period" in data:
        flags["period_ms"] = _to_ms(data["period"])
    children = tuple(child_spec(child, timeouts) for child in data.get("children", ()))
    return SupervisorSpec(**flags, children=children)


def child_spec(data: dict[str, Any], timeouts: bool = False) -> ChildSpec:
    """The specification of a child; its plan is where an actor would be."""
    supervisor = supervisor_spec(data["supervisor"], timeouts) if "supervisor" in data else None
    return ChildSpec(
        id=data.get("id"),
        **{key: data[key] for key in CHILD_KEYS if key in data},
        supervisor=supervisor,
        actor=init_plan(data["supervisor"]) if supervisor is not None else worker_plan(data.get("worker", {})),
        start_timeout_ms=DEFAULT_START_TIMEOUT_MS if timeouts else None,
    )


def worker_plan(data: dict[str, Any]) -> Plan:
    """The plan of a test worker."""
    stop = data.get("stop", {})
    return Plan(tuple(data.get("start", ("ok",))), stop.get("reason", "shutdown"), stop.get("after_ms", 0))


def init_plan(data: dict[str, Any]) -> Plan:
    """The plan of a supervisor's init."""
    return Plan(tuple(data.get("init", ("ok",))))


def in_seconds(value: Any) -> Any:
    """An error of the core with the period as the scenario gave it."""
    if isinstance(value, dict):
        return {key: _to_s(item) if key == "invalid_period" else in_seconds(item) for key, item in value.items()}
    return value


def _to_ms(period: Any) -> Any:
    return period * 1000 if _is_integer(period) else period


def _to_s(period_ms: Any) -> Any:
    return period_ms // 1000 if _is_integer(period_ms) else period_ms


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Plans:
    """Which outcome each start attempt of a scenario has; attempts are counted by path through all of it."""

    def __init__(self) -> None:
        self._attempts: dict[str, int] = {}
        self._replaced: dict[str, tuple[str, ...]] = {}

    def replace(self, path: str, start: list[str]) -> None:
        """From its next attempt on, the path has this plan and no other."""
        self._replaced[path] = tuple(start)
        self._attempts[path] = 0

    def next(self, path: str, plan: Plan) -> str:
        """The outcome of the attempt that is made now."""
        outcomes = self._replaced.get(path, plan.start)
        attempt = self._attempts.get(path, 0)
        self._attempts[path] = attempt + 1
        return outcomes[min(attempt, len(outcomes) - 1)]
