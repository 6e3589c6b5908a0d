"""What answers hold for the user of a handle: values, events, hashes. Shared by the blocking and the asyncio handle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from theater import conversation
from theater.calling import Signatures, decode, to_python
from theater.conversation import DEFAULT, Talk, Timeout, Who
from theater.errors import FunctionNotFound, Moved, SerializationError, TypeMismatch
from theater.records import InterfaceHash
from theater.wires import Route

if TYPE_CHECKING:
    from theater.chain import ChainEvent

Data = dict[str, Any]


Known = dict[str, Signatures]
"""Signatures by package digest; all threads of a client share one."""


def encoder(
    known: Known, name: str, params: Any, note: Callable[[Route], None]
) -> Callable[[Route], Talk[tuple[str, bytes]]]:
    """Return what turns a name and parameters into full name and encoded parameters, for the package at a route.

    Parameters given as bytes are encoded already.
    """

    def encode(route: Route) -> Talk[tuple[str, bytes]]:
        note(route)
        if isinstance(params, bytes) and "." in name:
            return name, params
        signatures = known.get(route.package)
        if signatures is None:
            yield from learn(known, Who(route.path), DEFAULT)
            signatures = known.get(route.package)
        if signatures is None:
            raise Moved  # another package serves by now: that is to be asked for its functions
        return signatures.encode(name, params)

    return encode


def encoded(known: Known, route: Route, name: str, params: Any) -> tuple[str, bytes] | None:
    """Return full name and encoded parameters; None if they do not fit what is known of the package, or nothing is."""
    signatures = known.get(route.package)
    if signatures is None:
        return None
    try:
        return signatures.encode(name, params)
    except (FunctionNotFound, TypeMismatch):
        return None  # another package may have taken over


def learn(known: Known, who: Who, timeout: Timeout) -> Talk[Signatures]:
    """Ask for the signatures of the package that serves now and remember them, as those of that package."""
    package, encoded = yield from conversation.metadata(who, timeout)
    try:
        signatures = Signatures(encoded)
    except ValueError as error:
        raise SerializationError(f"metadata of {who.target}: {error}") from None
    known[package] = signatures
    return signatures


def functions(known: Known, who: Who, timeout: Timeout) -> Talk[tuple[str, ...]]:
    """Return the full names of the exported functions, of the package that serves now."""
    route = yield from conversation.locate(who, conversation.info_limit(timeout), again=True)
    signatures = known.get(route.package)
    if signatures is None:
        signatures = yield from learn(known, who, timeout)
    return signatures.names()


def result_from(bodies: list[bytes], raw: bool) -> Any:
    """Return the response of a call."""
    if not bodies:
        raise SerializationError("the answer has no value")
    value = decode(bodies[0])
    return value if raw else to_python(value)


def state_from(bodies: list[bytes], raw: bool) -> Any:
    """Return the committed state; None where there is none."""
    if not bodies or not bodies[0]:
        return None
    value = decode(bodies[0])
    return value if raw else to_python(value)


def chain_from(data: Data, bodies: list[bytes]) -> list[ChainEvent]:
    """Return the events in the answer to GetChain, oldest first."""
    from theater.chain import iter_batch

    return list(iter_batch(bodies[0], data.get("base_hash"))) if bodies else []


def is_sound(data: Data, bodies: list[bytes]) -> bool:
    """Say whether every hash and link of the events in the answer to GetChain is right."""
    from theater.chain import verify

    return verify(chain_from(data, bodies), data.get("base_hash")).ok


def hashes_from(data: Data) -> list[InterfaceHash]:
    """Return the answer to GetExportHashes."""
    return [InterfaceHash(name, digest) for name, digest in data["hashes"]]


def newest_first(events: list[ChainEvent], count: int) -> list[ChainEvent]:
    """Return the last ``count`` events, newest first."""
    if count < 0:
        raise ValueError(f"count: expected 0 or more, got {count}")
    return events[: -count - 1 : -1] if count else []


def of_type(events: list[ChainEvent], event_type: str) -> list[ChainEvent]:
    """Return the events of exactly this type, oldest first."""
    return [event for event in events if event.event_type == event_type]
