"""Reading what events say: from ``data`` back to one record per kind of event (pack-abi 12.2, lifecycle 8.2).

Reads what ``theater.chain.payload`` writes, what the Rust Theater writes, and its JSON of before April 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from theater import cgrf
from theater.cause import Cause, from_plain
from theater.chain.events import ChainError
from theater.chain.payload import START_REFUSED as REFUSED
from theater.values import S64, U64, Bool, List, Option, Record, String, Value, Variant, bytes_of

RUNTIME_PREFIX: Final = "theater-runtime/"
SNAPSHOT: Final = "theater-runtime/snapshot"
"""Type of the events that hold a state a replay can begin from."""
START_REFUSED: Final = f"{RUNTIME_PREFIX}{REFUSED}"
"""Type of the events that say what a life was not granted that therefore never began."""


class Call(msgspec.Struct, frozen=True):
    """The guest was entered."""

    function: str
    params: Value
    idempotency_key: str | None = None


class Result(msgspec.Struct, frozen=True):
    """The guest returned. Either ``state`` or ``state_hash`` (SHA-256 of the encoded state) is there."""

    function: str
    response: Value
    state: Value | None = None
    state_hash: bytes | None = None


class Error(msgspec.Struct, frozen=True):
    """The guest declined, or was stopped."""

    function: str
    message: str


class HostCall(msgspec.Struct, frozen=True):
    """A host function completed."""

    interface: str
    function: str
    input: Value
    output: Value


class ReplaySummary(msgspec.Struct, frozen=True):
    """How a replay went."""

    total_events: int
    events_replayed: int
    mismatches: int
    success: bool
    error: str | None


class Genesis(msgspec.Struct, frozen=True):
    """The origin of a chain: digests of package and manifest, ABI version, initial state."""

    package: str
    abi: str
    manifest: str
    state: Value | None
    origin: dict[str, Any] | None = None
    """Of a fork: actor, id, seq and hash of the event its state comes from."""


class Incarnation(msgspec.Struct, frozen=True):
    """A later life began."""

    number: int
    package: str
    abi: str
    manifest: str
    state: Value | None
    previous_end: Cause | None
    recovered: str = "initial"
    """initial | last | replay | update | fork: where the state comes from."""


class Shutdown(msgspec.Struct, frozen=True):
    """The orderly end of a life."""

    cause: Cause


class Runtime(msgspec.Struct, frozen=True):
    """An event of the runtime itself."""

    event: str
    value: Value


Payload = Call | Result | Error | HostCall | ReplaySummary | Genesis | Incarnation | Shutdown | Runtime


def read(data: bytes) -> Payload:
    """Return what the data of an event say.

    Raises:
        ChainError: they are none of the payloads of a chain.
    """
    try:
        return _read_json(data) if data.startswith(b"{") else _read_value(cgrf.decode(data))
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
        raise ChainError(f"the data of an event cannot be read: {error}") from None


def event_type_of(data: bytes) -> str | None:
    """Return the event type that goes with the data, None if they do not say."""
    try:
        payload = read(data)
    except ChainError:
        return None
    match payload:
        case HostCall(interface=interface, function=function):
            return f"{interface}/{function}"
        case Runtime(event=event):
            return RUNTIME_PREFIX + event
        case Genesis() | Incarnation() | Shutdown():
            return type(payload).__name__.lower()
        case ReplaySummary():
            return "replay-summary"
        case _:
            return "wasm"


# -- values ----------------------------------------------------------------------------------------------------------


def _read_value(value: Value) -> Payload:
    record = value
    while isinstance(record, Variant) and len(record.payload) == 1:
        record = record.payload[0]
    if not isinstance(record, Record) or record.name not in _READERS:
        raise ValueError(f"expected one of the records {', '.join(_READERS)}")
    return _READERS[record.name](dict(record.fields))


Fields = dict[str, Value]


def _call(fields: Fields) -> Payload:
    key = _text(fields, "idempotency-key") if "idempotency-key" in fields else None
    return Call(_text(fields, "function-name"), fields["params"], key)


def _result(fields: Fields) -> Payload:
    digest = fields.get("state-hash")
    found = digest.items if isinstance(digest, List) and isinstance(digest.items, bytes) else None
    return Result(_text(fields, "function-name"), fields["response"], fields.get("state"), found)


def _error(fields: Fields) -> Payload:
    return Error(_text(fields, "function-name"), _text(fields, "message"))


def _host_call(fields: Fields) -> Payload:
    return HostCall(_text(fields, "interface"), _text(fields, "function"), fields["input"], fields["output"])


def _summary(fields: Fields) -> Payload:
    error = fields["error"]
    return ReplaySummary(
        _plain(fields["total-events"], U64),
        _plain(fields["events-replayed"], U64),
        _plain(fields["mismatches"], U64),
        _plain(fields["success"], Bool),
        _plain(error.value, String) if isinstance(error, Option) and error.value is not None else None,
    )


def _genesis(fields: Fields) -> Payload:
    return Genesis(
        _text(fields, "package"),
        _text(fields, "abi"),
        _text(fields, "manifest"),
        fields.get("initial-state"),
        _origin(fields["origin"]) if "origin" in fields else None,
    )


def _origin(value: Value) -> dict[str, Any]:
    if not isinstance(value, Record):
        raise TypeError("origin: expected a record")
    return {name: field.value if isinstance(field, String | S64) else None for name, field in value.fields}


def _incarnation(fields: Fields) -> Payload:
    end = fields.get("previous-end")
    return Incarnation(
        _plain(fields["number"], S64),
        _text(fields, "package"),
        _text(fields, "abi"),
        _text(fields, "manifest"),
        fields.get("initial-state"),
        None if end is None else _cause(end),
        _text(fields, "recovered") if "recovered" in fields else "initial",
    )


def _shutdown(fields: Fields) -> Payload:
    return Shutdown(_cause(fields["cause"]))


def _runtime(fields: Fields) -> Payload:
    return Runtime(_text(fields, "event"), fields["value"])


_READERS: Final[dict[str, Callable[[Fields], Payload]]] = {
    "wasm-call": _call,
    "wasm-result": _result,
    "wasm-error": _error,
    "host-function-call": _host_call,
    "replay-summary": _summary,
    "genesis": _genesis,
    "incarnation": _incarnation,
    "shutdown": _shutdown,
    "runtime": _runtime,
}


def _cause(value: Value) -> Cause:
    if not isinstance(value, Record):
        raise TypeError(f"expected a record that holds a cause, got {value}")
    return from_plain({name: _natural(field) for name, field in value.fields})


def _natural(value: Value) -> Any:
    match value:
        case List(items=bytes() as data):
            return data
        case String() | Bool() | S64():
            return value.value
        case _:
            raise TypeError(f"expected a text, number, truth value or bytes, got {value}")


def _text(fields: Fields, name: str) -> str:
    text: str = _plain(fields[name], String)
    return text


def _plain(value: Value, kind: type[Value]) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected a {kind.__name__}, got {value}")
    return value.value  # type: ignore[attr-defined]


# -- JSON of before April 2026 -----------------------------------------------------------------------------------------


def _read_json(data: bytes) -> Payload:
    """Parameters and results were lists of byte numbers then, holding whatever encoding the guest used."""
    plain = msgspec.json.decode(data, type=dict[str, Any])
    match plain:
        case {"category": "Wasm", "WasmCall": {"function_name": function, "params": params}}:
            return Call(str(function), bytes_of(bytes(params)))
        case {"category": "Wasm", "WasmResult": {"function_name": function, "result": found}}:
            state, response = found if len(found) == 2 else (None, found)
            return Result(str(function), _json_bytes(response), None if state is None else _json_bytes(state))
        case {"category": "Wasm", "WasmError": {"function_name": function, "message": message}}:
            return Error(str(function), str(message))
        case {"category": "HostFunction", "interface": interface, "function": function, **rest}:
            return HostCall(str(interface), str(function), _json_bytes(rest["input"]), _json_bytes(rest["output"]))
        case _:
            raise ValueError("expected JSON with the category Wasm or HostFunction")


def _json_bytes(items: Any) -> Value:
    return bytes_of(bytes(items or ()))
