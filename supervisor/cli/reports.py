"""How actors ended, as rows."""

from __future__ import annotations

from typing import Any

from theater.cause import describe
from theater.records import StopReport

COLUMNS = ("path", "ended", "forced", "seconds")


def report_row(path: str, report: StopReport) -> dict[str, Any]:
    """Return a row about an actor that was ended."""
    return {
        "path": path,
        "ended": describe(report.cause),
        "forced": report.forced,
        "exit_status": report.exit_status,
        "seconds": round(report.seconds, 3),
        "cause": report.cause.plain(),
    }
