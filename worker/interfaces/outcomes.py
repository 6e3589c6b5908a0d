"""How a callback that the host made ended, for the interface that had it made."""

from __future__ import annotations

from typing import Any

from theater.errors import from_wire
from worker.machine_notices import Rejected, Returned


def failure(notice: Any) -> str | None:
    """Why a callback failed; None if it returned."""
    if isinstance(notice, Returned):
        return None
    return from_wire(notice.kind, notice.data).text() if isinstance(notice, Rejected) else str(notice.text)
