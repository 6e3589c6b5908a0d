"""What actors use, as rows: figures of one moment, rates between two, and budgets in words. Asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from supervisor.cli.gauges import Figures, Life, Sample, life_of
from supervisor.cli.nodes import Node
from supervisor.cli.output import size
from theater.records import ActorMetrics

Budget = Mapping[str, Any]
"""The use of one budget, as a worker tells it (ActorMetrics.limits)."""

SORTS: Final[dict[str, str]] = {
    "cpu": "cpu_percent",
    "mem": "memory",
    "calls": "calls_per_second",
    "queue": "queued",
    "name": "path",
}
"""What rows can be sorted by, and the field that is."""

BYTES: Final = ("outgoing", "chain_bytes")
TIMES: Final = ("guest_time",)


def rows_of(sample: Sample, sort: str = "name") -> list[Node]:
    """Return one row for each actor; the largest first, those of which nothing is known last.

    What looks the same is in the order of names, so that idle actors keep their places.
    """
    rows = [row_of(node, sample.figures.get(life_of(node)), sample.silent) for node in sample.nodes]
    field = SORTS[sort]
    rows.sort(key=lambda row: row["path"])
    if field != "path":
        rows.sort(key=lambda row: -1.0 if row[field] is None else round(row[field], 1), reverse=True)
    return rows


def row_of(node: Node, figures: Figures | None, silent: frozenset[Life] = frozenset()) -> Node:
    """Return everything about one actor; what is not known is None, rates need two answers of one life."""
    now = figures.now if figures else None
    return {
        "path": node["path"],
        "state": node["state"],
        "incarnation": node.get("incarnation"),
        "pid": node.get("pid"),
        "cpu_percent": _rate(figures, lambda metrics: metrics.cpu_ns / 1e7),
        "memory": now.resource_metrics.memory_usage if now else None,
        "guest_memory": now.guest_memory if now else None,
        "queued": now.resource_metrics.operation_queue_size if now else None,
        "calls_per_second": _rate(figures, lambda metrics: metrics.operation_metrics.total_operations),
        "failed": now.operation_metrics.failed_operations if now else None,
        "host_calls_per_second": _rate(figures, lambda metrics: metrics.host_calls),
        "events_per_second": _rate(figures, lambda metrics: metrics.events),
        "restarts": node.get("restarts", 0),
        "budget": fullest(now.limits) if now else None,
        "limits": now.limits if now else {},
        "answers": life_of(node) not in silent if node.get("pid") is not None else None,
    }


def _rate(figures: Figures | None, count: Callable[[ActorMetrics], float]) -> float | None:
    """How much a count has grown in a second, by the worker's own clock."""
    if figures is None or figures.before is None or not figures.fresh:
        return None
    seconds = figures.now.uptime_secs - figures.before.uptime_secs
    if seconds <= 0:
        return None
    return round(max(0.0, count(figures.now) - count(figures.before)) / seconds, 3)


# -- budgets -----------------------------------------------------------------------------------------------------


def percent(budget: Budget) -> int:
    """How full a budget is; more than 100 where an operation ran past it."""
    return round(100 * budget["used"] / budget["limit"]) if budget["limit"] else 100


def fullest(limits: Mapping[str, Budget]) -> str | None:
    """Return the budget that will be used up first: ``host_calls 83%``; None without budgets."""
    if not limits:
        return None
    name = max(limits, key=lambda each: percent(limits[each]))
    return f"{name} {percent(limits[name])}%"


def budget_text(name: str, budget: Budget) -> str:
    """Return the use of a budget in words: ``67%, 2 of 3 per 10s or error, 1 refused``."""
    per = "" if budget["per_ms"] is None else f" per {_time(budget['per_ms'])}"
    text = f"{percent(budget)}%, {_amount(name, budget['used'])} of {_amount(name, budget['limit'])}{per}"
    words = [f"{text} or {budget['then']}"]
    if budget["refused"]:
        words.append(f"{budget['refused']} refused")
    if budget["waited_ns"]:
        words.append(f"waited {_time(round(budget['waited_ns'] / 1e6))}")
    return ", ".join(words)


def _amount(name: str, amount: int) -> str:
    return size(amount) if name in BYTES else _time(amount) if name in TIMES else str(amount)


def _time(ms: int) -> str:
    """A time as it would be written in a tree file, in its largest unit that has no fraction."""
    for unit, each_ms in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms and ms % each_ms == 0:
            return f"{ms // each_ms}{unit}"
    return f"{ms}ms"
