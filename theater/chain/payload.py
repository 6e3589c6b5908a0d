"""What the data of events says: encoded values of the variant ``chain-event-payload`` (pack-abi 12.2), and our markers.

Builders take parts that are encoded already and put nodes around them, without decoding. ``read`` turns data back into
a record people and tools can use.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from struct import Struct
from typing import Any, Final

import msgspec

from theater import cgrf
from theater.cgrf import layout
from theater.cgrf.layout import HEADER, HEADER_BYTES, MAGIC, NODE, VERSION
from theater.cgrf.splicing import shift
from theater.values import List, Record, String, Tuple, Value, Variant

_U32 = Struct("<I")

PAYLOAD: Final = "chain-event-payload"
WASM_DATA: Final = "wasm-event-data"
UNIT: Final = cgrf.encode(Tuple(()))


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """Decoded data of an event. ``kind``: call, result, error, host, genesis, incarnation, shutdown, replay-summary,
    runtime or unknown; ``fields`` by name, as values."""

    kind: str
    fields: dict[str, Any]


# -- building -----------------------------------------------------------------------------------------------------------


def call(function: str, params: bytes) -> bytes:
    """A call is about to enter the guest."""
    return _wrap(_CALL, _text(function), params)


def result(function: str, state: bytes, response: bytes) -> bytes:
    """A call has returned; the state is represented by its SHA-256 (``chain.state: hash``)."""
    return _wrap(_RESULT_HASH, _text(function), _digest(hashlib.sha256(state).digest()), response)


def result_full(function: str, state: bytes, response: bytes) -> bytes:
    """A call has returned; the state is held whole (``chain.state: full``), as Theater does."""
    return _wrap(_RESULT_FULL, _text(function), state, response)


def error(function: str, message: str) -> bytes:
    """A call has failed. The input is never part of it."""
    return _wrap(_ERROR, _text(function), _text(message, keep=False))


def host_call(interface: str, function: str, data: bytes, output: bytes) -> bytes:
    """A host function has completed."""
    return _wrap(_HOST, _text(interface), _text(function), data, output)


def genesis(package: str, abi: str, manifest: str, state: bytes | None) -> bytes:
    """The first event of a chain."""
    return _wrap(_GENESIS, _text(package), _text(abi), _text(manifest), _maybe(state))


def incarnation(
    number: int, package: str, abi: str, manifest: str, state: bytes | None, previous_end: dict[str, Any] | None
) -> bytes:
    """The first event of a later incarnation; says how the one before it ended."""
    ended = _text(_json(previous_end), keep=False)
    return _wrap(
        _INCARNATION, _text(str(number), keep=False), _text(package), _text(abi), _text(manifest), _maybe(state), ended
    )


def shutdown(cause: dict[str, Any]) -> bytes:
    """The last event of an orderly end."""
    return _wrap(_SHUTDOWN, _text(_json(cause), keep=False))


# -- reading ------------------------------------------------------------------------------------------------------------


def read(event_type: str, data: bytes) -> Payload:
    """Decode the data of an event; what is not understood is of kind ``unknown``, never an error."""
    try:
        value = cgrf.decode(data)
    except cgrf.CgrfError:
        return _read_json(data)
    match value:
        case Variant(type_name="chain-event-payload", payload=(Variant(case=case, payload=(Record() as body,)),)):
            return Payload(kind=case.removeprefix("wasm-"), fields=_fields(body))
        case Variant(type_name="chain-event-payload", case="host-function", payload=(Record() as body,)):
            return Payload(kind="host", fields=_fields(body))
        case Variant(type_name="chain-event-payload", case=case, payload=(Record() as body,)):
            return Payload(kind=case, fields=_fields(body))
        case Record(name=name) if name in ("genesis", "incarnation", "shutdown"):
            return Payload(kind=name, fields=_fields(value))
        case _:
            kind = "runtime" if event_type.startswith("theater-runtime/") else "unknown"
            return Payload(kind=kind, fields={"value": value})


def _read_json(data: bytes) -> Payload:
    """Chains of January 2026 hold JSON with a category."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return Payload(kind="unknown", fields={"data": data})
    if not isinstance(body, dict):
        return Payload(kind="unknown", fields={"data": data})
    kinds = {"WasmCall": "call", "WasmResult": "result", "WasmError": "error"}
    for name, kind in kinds.items():
        if isinstance(body.get(name), dict):
            return Payload(kind=kind, fields={key.replace("_", "-"): item for key, item in body[name].items()})
    kind = "host" if body.get("category") == "HostFunction" else "unknown"
    return Payload(kind=kind, fields={key.replace("_", "-"): item for key, item in body.items() if key != "category"})


def _fields(record: Record) -> dict[str, Any]:
    return dict(record.fields)


# -- nodes --------------------------------------------------------------------------------------------------------------


class _Shape:
    """A record with these fields, and the variants around it, innermost first: what is the same in every event."""

    def __init__(self, record: str, fields: tuple[str, ...], *around: tuple[str, str, int]) -> None:
        names = _name(record) + _U32.pack(len(fields)) + b"".join(_name(field) for field in fields)
        self.record = NODE.pack(layout.RECORD, len(names) + 4 * len(fields)) + names
        self.children = Struct(f"<{len(fields)}I")
        self.around = [
            NODE.pack(layout.VARIANT, len(head) + 4) + head
            for head in (
                _name(type_name) + _name(case) + _U32.pack(tag) + _U32.pack(1) for type_name, case, tag in around
            )
        ]


def _name(text: str) -> bytes:
    data = text.encode()
    return _U32.pack(len(data)) + data


_WASM = (PAYLOAD, "wasm", 1)
_CALL = _Shape("wasm-call", ("function-name", "params"), (WASM_DATA, "wasm-call", 0), _WASM)
_RESULT_FULL = _Shape("wasm-result", ("function-name", "state", "response"), (WASM_DATA, "wasm-result", 1), _WASM)
_RESULT_HASH = _Shape(
    "wasm-result", ("function-name", "state-hash", "response"), (WASM_DATA, "wasm-result", 1), _WASM
)
_ERROR = _Shape("wasm-error", ("function-name", "message"), (WASM_DATA, "wasm-error", 2), _WASM)
_HOST = _Shape("host-function-call", ("interface", "function", "input", "output"), (PAYLOAD, "host-function", 0))
_GENESIS = _Shape("genesis", ("package", "abi", "manifest", "state"))
_INCARNATION = _Shape("incarnation", ("number", "package", "abi", "manifest", "state", "previous-end"))
_SHUTDOWN = _Shape("shutdown", ("cause",))


def _wrap(shape: _Shape, *parts: bytes) -> bytes:
    """Encode a shape around encoded parts: their nodes in order, the record, the variants."""
    nodes, roots, base = [b""], [], 0
    for part in parts:
        _, _, _, count, root = HEADER.unpack_from(part)
        nodes.append(part[HEADER_BYTES:] if base == 0 or count == 1 else shift(part, base, count))
        roots.append(base + root)
        base += count
    nodes.append(shape.record)
    nodes.append(shape.children.pack(*roots))
    for variant in shape.around:
        nodes.append(variant)
        nodes.append(_U32.pack(base))
        base += 1
    nodes[0] = HEADER.pack(MAGIC, VERSION, 0, base + 1, base)
    return b"".join(nodes)


@lru_cache(maxsize=256)
def _known_text(text: str) -> bytes:
    return cgrf.encode(String(text))


def _text(text: str, keep: bool = True) -> bytes:
    return _known_text(text) if keep else cgrf.encode(String(text))


def _digest(digest: bytes) -> bytes:
    return _DIGEST + digest


def _digest_head() -> bytes:
    from theater import types

    value: Value = List(types.U8, bytes(32))
    return cgrf.encode(value)[:-32]


_DIGEST: Final = _digest_head()


def _maybe(value: bytes | None) -> bytes:
    return UNIT if value is None else cgrf.encode_tuple((value,))


def _json(data: dict[str, Any] | None) -> str:
    return msgspec.json.encode(data).decode()
