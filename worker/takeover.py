"""A state that another package left: migrated by the guest's ``migrate``, or found to fit its types (hot update).

``theater:simple/actor.migrate`` is called like any function of an actor, with the old state and no parameters, and
returns ``ok((new-state,))`` or an error. It computes only: the host answers nothing, as nothing of it is recorded.
"""

from __future__ import annotations

from typing import Any, Final

from theater import cgrf
from theater.actor import ActorOptions
from theater.errors import ActorError
from theater.fitting import fits
from worker.engine import contract
from worker.engine.clock import ticks
from worker.engine.doors import Door
from worker.engine.errors import CONTRACT, StartError, Trap
from worker.engine.pack import INIT, GuestError

MIGRATE: Final = "theater:simple/actor.migrate"
STEP: Final = "migrate"


def taken_over(door: Door, state: bytes, options: ActorOptions) -> bytes:
    """Return the state the package goes on with, encoded.

    Raises:
        StartError: ``migrate`` failed or refused, or there is none and the state does not fit.
    """
    if MIGRATE in door.functions:
        return _migrated(door, state, options)
    sig = door.functions.get(INIT)
    type_ = None if sig is None or not options.check_types else contract.returned_state(sig)
    wrong = None if type_ is None else fits(cgrf.decode(state), type_)
    if wrong is not None:
        text = f"the state does not fit the new package, which exports no {MIGRATE}"
        raise StartError(STEP, f"{text}: state{wrong.path}: {wrong.problem}")
    return state


class _Silence:
    """The host while a state is migrated."""

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        raise Trap(f"{MIGRATE} must not call the host ({interface}.{function})", CONTRACT)


def _migrated(door: Door, state: bytes, options: ActorOptions) -> bytes:
    outcome: Any
    door.answer_from(_Silence())
    try:
        call = contract.Contract(door.functions, options)
        data = call.input(MIGRATE, state, contract.UNIT)
        door.arm(ticks(options.init_deadline_ms))
        result = door.call(MIGRATE, data)
        if isinstance(result, GuestError):
            raise StartError(STEP, result.text)
        outcome = call.outcome(MIGRATE, result.output)
    except Trap as trap:
        raise StartError(STEP, trap.text) from None
    except ActorError as error:
        raise StartError(STEP, error.text()) from None
    if isinstance(outcome, contract.Declined):
        raise StartError(STEP, f"the new package refuses the state: {outcome.text}")
    migrated: bytes = outcome.state
    return migrated
