"""A state that another package left: migrated by the guest's ``migrate``, or found to fit its types (hot update).

``theater:simple/actor.migrate`` is called like any function of an actor, with the old state and no parameters, and
returns ``ok((new-state,))`` or an error. It computes only: the host answers nothing, as nothing of it is recorded, but
what runtimes of languages ask for before anything runs, which is told a world without variables, arguments and chance.
The instance it ran in is of no further use: the guest goes on in one that knows nothing of it, as a replay has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from theater import cgrf, types
from theater.actor import ActorOptions
from theater.errors import ActorError
from theater.fitting import fits
from theater.values import U64, List, Tuple, Value, bytes_of
from worker.engine import contract
from worker.engine.clock import ticks
from worker.engine.contract import INIT, MIGRATE
from worker.engine.crossing import GuestError
from worker.engine.doors import Door
from worker.engine.errors import CONTRACT, StartError, Trap
from worker.engine.fuel import INIT_FUEL, used_up

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


def _zeros(size: Value) -> Value:
    count = size.value if isinstance(size, U64) else 0
    return bytes_of(bytes(min(count, ZEROS_MAX)))


ZEROS_MAX: Final = 1 << 16
_STILL: Final[dict[str, Callable[[Value], Value]]] = {
    "wasi:cli/environment.get-environment": lambda _: List(types.Tuple((types.STRING, types.STRING))),
    "wasi:cli/environment.get-arguments": lambda _: List(types.STRING),
    "wasi:random/random.get-random-bytes": _zeros,
    "wasi:random/random.get-random-u64": lambda _: U64(0),
    "wasi:random/insecure-seed.insecure-seed": lambda _: Tuple((U64(0), U64(0))),
}


class _Silence:
    """The host while a state is migrated."""

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        still = _STILL.get(f"{interface}.{function}")
        if still is not None:
            return cgrf.encode(still(cgrf.decode(data)))
        raise Trap(f"{MIGRATE} must not call the host ({interface}.{function})", CONTRACT)


def _migrated(door: Door, state: bytes, options: ActorOptions) -> bytes:
    outcome: Any
    door.answer_from(_Silence())
    try:
        call = contract.Contract(door.functions, options)
        data = call.input(MIGRATE, state, contract.UNIT)
        door.arm(ticks(options.init_deadline_ms))
        door.clock.fill(options.init_fuel, used_up(INIT_FUEL, options.init_fuel))
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
