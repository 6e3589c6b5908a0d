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
from worker import machine_ends as end
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
    #                      Starting               Idle               Processing            Paused            ShuttingDown          Stopped
    n.Call:               (do.queue,              do.run,            do.queue,             do.hold,          do.refuse_stopping,   do.refuse_gone),
    n.HostCall:           (do.queue_host,         do.run,            do.queue_host,        do.queue_host,    do.drop,              do.drop),
    n.UpdatePackage:      (do.refuse_update,      do.ask_update,     do.ask_update,        do.ask_update,    do.refuse_stopping,   do.refuse_gone),
    n.Pause:              (do.pause_starting,     do.pause_now,      do.pause_processing,  do.pause_again,   do.refuse_order,      do.refuse_gone),
    n.Resume:             (do.resume_pending,     do.resume_idle,    do.resume_pending,    do.resume_now,    do.refuse_order,      do.refuse_gone),
    n.Shutdown:           (end.stop_pending,      end.stop_now,      end.stop_pending,     end.stop_now,     end.stop_joins,       end.stop_done),
    n.Terminate:          (end.kill,              end.kill,          end.kill,             end.kill,         end.kill,             do.drop),
    n.HandOver:           (do.refuse_hand_over,   do.hand_over_now,  do.hand_over_later,   do.refuse_hand_over, do.refuse_order,    do.refuse_gone),
    n.TakeBack:           (do.take_back_pending,  do.take_back,      do.take_back_pending, do.take_back,     do.refuse_order,      do.refuse_gone),
    n.Retire:             (end.no_retirement,     end.no_retirement, end.no_retirement,    end.retire,       do.refuse_order,      do.refuse_gone),
    n.Cancel:             (do.cancel_queued,      do.cancel_unknown, do.cancel_queued,     do.cancel_queued, do.cancel_unknown,    do.cancel_unknown),
    n.ParentLost:         (end.orphaned_starting, end.orphaned_now,  end.orphaned_pending, end.orphaned_now, end.orphaned_leaving, do.drop),
    n.StepReached:        (end.step,              NO,                NO,                   NO,               NO,                   do.drop),
    n.Loaded:             (end.loaded,            NO,                NO,                   NO,               NO,                   do.drop),
    n.SetupDone:          (end.started,           NO,                NO,                   NO,               NO,                   do.drop),
    n.SetupFailed:        (end.start_failed,      NO,                NO,                   NO,               NO,                   do.drop),
    n.Returned:           (end.started,           NO,                end.returned,         NO,               NO,                   do.drop),
    n.Declined:           (end.init_failed,       NO,                end.declined,         NO,               NO,                   do.drop),
    n.Rejected:           (NO,                    NO,                end.rejected,         NO,               NO,                   do.drop),
    n.Trapped:            (end.init_failed,       NO,                end.failed,           NO,               NO,                   do.drop),
    n.StopDeadline:       (end.escalate,          NO,                end.escalate,         NO,               end.escalate,         do.drop),
    n.GuestAskedShutdown: (end.guest_asks,        NO,                end.guest_asks,       NO,               NO,                   do.drop),
    n.Withdraw:           (do.withdraw,           NO,                do.withdraw,          NO,               NO,                   do.drop),
    n.TimePassed:         (do.expire,             do.expire,         do.expire,            do.expire,        do.drop,              do.drop),
    n.Left:               (NO,                    NO,                NO,                   NO,               end.left,             do.drop),
}
# fmt: on

TABLE: Final[dict[tuple[type, State], Cell]] = {
    (notice, state): cell for notice, cells in ROWS.items() for state, cell in zip(State, cells, strict=True) if cell
}
"""The same by (notice, state), for looking up."""
