"""A life that begins without ``init``: the guest is told, before anything else, and may set again what it lost.

``theater:simple/recovery-handlers.handle-recovered`` is to such a life what ``init`` is to the others (akka's
RecoveryCompleted): the first operation, part of the start, recorded like any other. Without the export nothing is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theater import cgrf
from theater.chain import payloads
from theater.values import String, Tuple
from worker.engine.contract import INIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proto import control
    from theater.chain import ChainEvent

HANDLE_RECOVERED: Final = "theater:simple/recovery-handlers.handle-recovered"
STARTS: Final = (INIT, HANDLE_RECOVERED)
"""What a life begins with."""
STEP: Final = "handle-recovered"
"""What a start that fails there has failed at."""
LAST: Final = "last"
REPLAY: Final = "replay"
SNAPSHOT: Final = "snapshot"


def how(init: control.Init) -> str:
    """What a life goes on from: last, replay, update or fork. A child that was resumed goes on from a last state."""
    return LAST if init.recovered == "initial" else init.recovered


def how_replayed(events: Sequence[ChainEvent]) -> str:
    """The same of a life that was rebuilt from these events: ``snapshot`` where what came before one was not needed."""
    return SNAPSHOT if events and events[0].event_type == payloads.SNAPSHOT else REPLAY


def params(word: str) -> bytes:
    """The parameters of the call, encoded."""
    return cgrf.encode(Tuple((String(word),)))
