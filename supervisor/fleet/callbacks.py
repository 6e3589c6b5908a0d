"""Callbacks to a parent's guest: interface ``theater:simple/supervisor-handlers`` (lifecycle 10.3, pack-abi 9.7).

Each is a host-originated operation; one the guest does not export is skipped. Sent only after the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from proto import control
from supervisor.fleet.lives import Life
from supervisor.fleet.services import Services
from supervisor.sockets import send
from theater import cgrf, types, values
from theater.cause import describe

HANDLERS = "theater:simple/supervisor-handlers"
INTERNAL_TAG = 5
BYTES = types.List(types.U8)


def tell_end(services: Services, parent: Life, life: Life) -> None:
    """handle-child-exit, -external-stop or -error, according to how the child ended."""
    cause = life.cause
    assert cause is not None
    child = values.String(life.actor.id)
    match cause.kind:
        case "completed":
            result = None if cause.value is None else values.List(types.U8, cause.value)
            _notify(services, parent, "handle-child-exit", child, values.Option(BYTES, result))
        case "stopped" | "parent_gone":
            _notify(services, parent, "handle-child-external-stop", child)
        case "exited" if cause.is_clean:
            _notify(services, parent, "handle-child-external-stop", child)
        case "killed" if not cause.escalated:
            _notify(services, parent, "handle-child-external-stop", child)
        case _:
            text = values.Option(BYTES, values.List(types.U8, describe(cause).encode()))
            kind = values.Variant("wit-error-type", "internal", INTERNAL_TAG, ())
            _notify(services, parent, "handle-child-error", child, values.Tuple((kind, text)))


def tell_restarted(services: Services, parent: Life, life: Life) -> None:
    """handle-child-restarted: an automatic restart is done."""
    _notify(services, parent, "handle-child-restarted", values.String(life.actor.id), values.U64(life.number))


def tell(services: Services, life: Life, function: str, *arguments: object, key: int | None = None) -> None:
    """Any other callback, by its full name. ``key``: by which the guest can take it back while it waits."""
    if _is_wanted(life, function):
        body = cgrf.encode(values.Tuple(arguments))  # type: ignore[arg-type]
        give(services, life, control.TO_WORKER.encode(control.Notify(function, key)), [body])


def takes_events(parent: Life) -> bool:
    """Whether the guest exports handle-child-event."""
    return _is_wanted(parent, f"{HANDLERS}.handle-child-event")


def _is_wanted(parent: Life, function: str) -> bool:
    """Until its ``init`` has returned nobody knows what it exports: then the worker skips what is not there."""
    return function in parent.callbacks or not parent.was_ready


def _notify(services: Services, parent: Life, name: str, *arguments: object) -> None:
    function = f"{HANDLERS}.{name}"
    if _is_wanted(parent, function):
        body = cgrf.encode(values.Tuple(arguments))  # type: ignore[arg-type]
        give(services, parent, control.TO_WORKER.encode(control.Notify(function)), [body])


def give(services: Services, life: Life, header: bytes, bodies: Sequence[bytes]) -> None:
    """Send the guest something of the host's; in the middle of an update it is for whichever serves in the end."""
    update = life.actor.update
    if update is not None and update.is_handing:
        update.hold(header, bodies)
    else:
        present = life.actor.life or life
        send(services.sockets.control, present.routing, header, bodies)
