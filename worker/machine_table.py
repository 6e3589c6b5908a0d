"""The lifecycle table (section 3): one row per notice, one column per state. A missing cell is a broken invariant.

The column Stopped is what this process says between its end and its exit; afterwards the root answers for it. So
are the rows that need no worker: info questions are answered from ``Machine.status`` and the committed state in every
state, Terminate and ParentForce are SIGKILLs of the root, process death is seen by the root.
"""

# ruff: noqa: E501  (a table is read by its columns)

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from worker import machine_cells as do
from worker import machine_notices as n
from worker.machine_actions import Action
from worker.machine_state import State

if TYPE_CHECKING:
    from worker.machine import Machine

Cell = Callable[["Machine", Any, int], list[Action]]

NO: Final = None
"""Impossible here."""

# fmt: off
ROWS: Final[dict[type, tuple[Cell | None, ...]]] = {
    #                     Starting              Idle               Processing           Paused             ShuttingDown         Stopped
    n.Call:               (do.queue,             do.run,            do.queue,            do.hold,           do.refuse_stopping,  do.refuse_gone),
    n.HostCall:           (do.queue_host,        do.run,            do.queue_host,       do.queue_host,     do.drop,             do.drop),
    n.UpdatePackage:      (do.update_later,      do.update_now,     do.update_later,     do.update_now,     do.refuse_stopping,  do.refuse_gone),
    n.Pause:              (do.pause_starting,    do.pause_now,      do.pause_processing, do.pause_again,    do.refuse_order,     do.refuse_gone),
    n.Resume:             (do.resume_pending,    do.resume_idle,    do.resume_pending,   do.resume_now,     do.refuse_order,     do.refuse_gone),
    n.Shutdown:           (do.stop_pending,      do.stop_now,       do.stop_pending,     do.stop_now,       do.stop_joins,       do.stop_done),
    n.Terminate:          (do.kill,              do.kill,           do.kill,             do.kill,           do.kill,             do.drop),
    n.Cancel:             (do.cancel_queued,     do.cancel_unknown, do.cancel_queued,    do.cancel_queued,  do.cancel_unknown,   do.cancel_unknown),
    n.ParentLost:         (do.orphaned_starting, do.orphaned_now,   do.orphaned_pending, do.orphaned_now,   do.orphaned_leaving, do.drop),
    n.StepReached:        (do.step,              NO,                NO,                  NO,                NO,                  do.drop),
    n.Loaded:             (do.loaded,            NO,                NO,                  NO,                NO,                  do.drop),
    n.SetupDone:          (do.started,           NO,                NO,                  NO,                NO,                  do.drop),
    n.SetupFailed:        (do.start_failed,      NO,                NO,                  NO,                NO,                  do.drop),
    n.Returned:           (do.started,           NO,                do.returned,         NO,                NO,                  do.drop),
    n.Declined:           (do.init_failed,       NO,                do.declined,         NO,                NO,                  do.drop),
    n.Rejected:           (NO,                   NO,                do.rejected,         NO,                NO,                  do.drop),
    n.Trapped:            (do.init_failed,       NO,                do.failed,           NO,                NO,                  do.drop),
    n.StopDeadline:       (do.escalate,          NO,                do.escalate,         NO,                do.escalate,         do.drop),
    n.GuestAskedShutdown: (do.guest_asks,        NO,                do.guest_asks,       NO,                NO,                  do.drop),
    n.TimePassed:         (do.expire,            do.expire,         do.expire,           do.expire,         do.drop,             do.drop),
    n.Left:               (NO,                   NO,                NO,                  NO,                do.left,             do.drop),
}
# fmt: on

TABLE: Final[dict[tuple[type, State], Cell]] = {
    (notice, state): cell for notice, cells in ROWS.items() for state, cell in zip(State, cells, strict=True) if cell
}
"""The same by (notice, state), for looking up."""
