"""What an event says: building its ``data`` from encoded values (pack-abi 12.2, lifecycle 8.2).

Calls, results, errors and host calls have the very bytes the Rust Theater writes. Genesis, incarnation, shutdown and
runtime events are records of our own. Builders join what is encoded already and decode nothing; give them canonical
encodings, which they keep canonical. ``theater.chain.payloads`` reads all of them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from struct import Struct
from struct import error as StructError
from typing import Any, Final

from theater import cgrf
from theater.values import S64, Bool, Record, String, Value, Variant, bytes_of, unit

NAMES_MAX: Final = 1024
"""Encoded names kept: functions and interfaces come again and again."""
START_REFUSED: Final = "start-refused"
"""The runtime event of a life that never began, since it is not granted what it wants."""

_HEADER: Final = Struct("<4sHHII")
_U32: Final = Struct("<I")
_U32_PAIR: Final = Struct("<II")
_COUNT_AT: Final = 8
_ROOT_AT: Final = 12
_HEADER_BYTES: Final = 16
_NODE_BYTES: Final = 8
_ONE: Final = _U32.pack(1)
_TUPLE: Final = 0x0B
_RECORD: Final = 0x09
_VARIANT: Final = 0x08
_LEAVES: Final = frozenset((*range(0x01, 0x07), *range(0x0C, 0x14), 0x15))
"""Kinds of nodes that have no children."""
_LEAVES_MAX: Final = 16
_ONE_LEAF: Final = _U32_PAIR.pack(2, 1)
"""Count and root of a tuple of one leaf."""
_OF_ONE: Final = bytes((_TUPLE, 0, 0, 0)) + _U32.pack(8) + _U32_PAIR.pack(1, 0)
"""Its last node."""
_STRING_HEAD: Final = Struct("<4sHHIIBxxxII")

_UNIT: Final = cgrf.encode(unit())
_DIGEST_HEAD: Final = cgrf.encode(bytes_of(bytes(32)))[:-32]
"""A ``list<u8>`` of 32 bytes, without them."""


def call(function: str, params: bytes, idempotency_key: str | None = None) -> bytes:
    """The guest is about to be entered with these parameters (without the state)."""
    if idempotency_key is None:
        return _CALL.build((_name(function), params))
    return _KEYED_CALL.build((_name(function), params, _text(idempotency_key)))


def result(function: str, state: bytes, response: bytes) -> bytes:
    """The guest has returned; of the state only the SHA-256 of its encoding is kept (``state-hash``)."""
    return _RESULT.build((_name(function), state_hash(state), response))


def result_full(function: str, state: bytes, response: bytes) -> bytes:
    """The guest has returned; the state is kept by value, as Theater does."""
    return _RESULT_FULL.build((_name(function), state or _UNIT, response))


def error(function: str, message: str) -> bytes:
    """The guest has declined or was stopped."""
    return _ERROR.build((_name(function), _text(message)))


def host_call(interface: str, function: str, input: bytes, output: bytes) -> bytes:
    """A host function has completed."""
    return _HOST.build((_name(interface), _name(function), input, output))


def state_hash(state: bytes) -> bytes:
    """Return the encoded ``list<u8>`` of 32 bytes that stands for a state."""
    return _DIGEST_HEAD + sha256(state).digest()


def genesis(
    package: str, abi: str, manifest: str, state: bytes, origin: Mapping[str, Any] | None = None
) -> bytes:
    """The origin of a chain: digests of package and manifest, ABI version, initial state (empty: none).

    ``origin`` is there where the actor is a fork of another one: its ``actor`` (path), ``id``, and the ``seq`` and
    ``hash`` (hex) of the last event that the state comes from.
    """
    facts: dict[str, Any] = {"package": package, "abi": abi, "manifest": manifest, "origin": origin}
    return _begin("genesis", facts, state)


def incarnation(
    number: int,
    package: str,
    abi: str,
    manifest: str,
    state: bytes,
    previous_end: Mapping[str, Any] | None,
    recovered: str = "initial",
) -> bytes:
    """A later life begins: as ``genesis``, with its number and, where known, the cause of the end before.

    ``recovered`` is ``last`` where the state is one that was committed before, ``replay`` where it was computed anew.
    """
    facts: dict[str, Any] = {"number": number, "package": package, "abi": abi, "manifest": manifest}
    if recovered != "initial":
        facts["recovered"] = recovered
    if previous_end is not None:
        facts["previous-end"] = previous_end
    return _begin("incarnation", facts, state)


def shutdown(cause: Mapping[str, Any]) -> bytes:
    """The last event of an orderly end, with its cause as plain data (``theater.cause.Cause.plain``)."""
    return cgrf.encode(_record("shutdown", {"cause": cause}))


def runtime(event_type: str, value: Value) -> bytes:
    """An event of the runtime itself, stored under the type ``theater-runtime/EVENT_TYPE``."""
    return cgrf.encode(Record("runtime", (("event", String(event_type)), ("value", value))))


def replay_summary(total: int, replayed: int, mismatches: int, success: bool, error: str | None) -> bytes:
    """How a replay went (pack-abi 12.2)."""
    from theater import types
    from theater.values import U64, Option

    fields: tuple[tuple[str, Value], ...] = (
        ("total-events", U64(total)),
        ("events-replayed", U64(replayed)),
        ("mismatches", U64(mismatches)),
        ("success", Bool(success)),
        ("error", Option(types.STRING, None if error is None else String(error))),
    )
    return cgrf.encode(Variant("chain-event-payload", "replay-summary", 2, (Record("replay-summary", fields),)))


# -- joining ---------------------------------------------------------------------------------------------------------


class _Shape:
    """A record of given fields inside variants of one payload each, all but the fields' values encoded beforehand."""

    __slots__ = ("_by_count", "_flat_header", "_flat_tail", "_record_head", "_width", "_wraps")

    def __init__(self, record: str, fields: tuple[str, ...], *wraps: tuple[str, str, int]) -> None:
        names = _counted(record) + _U32.pack(len(fields)) + b"".join(map(_counted, fields))
        self._width = 4 * len(fields)
        self._record_head = _node_head(_RECORD, len(names) + self._width) + names
        self._wraps = tuple(map(_variant_head, wraps))
        self._by_count: dict[int, tuple[bytes, bytes]] = {}
        # Where every field is one node, everything but the fields' nodes is known beforehand.
        self._flat_header = _header(len(fields) + 1 + len(wraps))
        self._flat_tail = self._tail(_numbers(0, len(fields)), len(fields))

    def build(self, parts: tuple[bytes, ...]) -> bytes:
        """Return the encoding with these field values."""
        nodes = [self._flat_header]
        for part in parts:
            if part[_COUNT_AT:_ROOT_AT] != _ONE:
                return self._joined(nodes[1:], parts)
            nodes.append(part[_HEADER_BYTES:])
        nodes.append(self._flat_tail)
        return b"".join(nodes)

    def _joined(self, flat: list[bytes], parts: tuple[bytes, ...]) -> bytes:
        """``encode_tuple`` numbers the nodes; its last node, the tuple, gives way to the record with its children."""
        if len(flat) == len(parts) - 1:
            count, nodes = _shifted_leaves(parts[-1], len(flat))
            if count:
                header, tail = self._last_is_shifted(count)
                return b"".join((header, *flat, nodes, tail))
        joined = cgrf.encode_tuple(parts)
        record_at = _U32.unpack_from(joined, _ROOT_AT)[0]
        nodes = joined[_HEADER_BYTES : -(_NODE_BYTES + 4 + self._width)]
        tail = self._tail(joined[-self._width :], record_at)
        return b"".join((_header(record_at + 1 + len(self._wraps)), nodes, tail))

    def _last_is_shifted(self, count: int) -> tuple[bytes, bytes]:
        """Return header and tail where all fields are one node but the last, which is so many."""
        found = self._by_count.get(count)
        if found is None:
            flat = self._width // 4 - 1
            record_at = flat + count
            tail = self._tail(_numbers(0, flat) + _U32.pack(record_at - 1), record_at)
            found = self._by_count[count] = (_header(record_at + 1 + len(self._wraps)), tail)
        return found

    def _tail(self, children: bytes, record_at: int) -> bytes:
        """The record's node, and behind it the variants around it."""
        wraps = [wrap + _U32.pack(record_at + number) for number, wrap in enumerate(self._wraps)]
        return b"".join((self._record_head, children, *wraps))


def _shifted_leaves(data: bytes, base: int) -> tuple[int, bytes]:
    """Return number of nodes and nodes of a tuple of leaves, its children's numbers raised; 0 if it is not one.

    Most parameters are such a tuple, and ``encode_tuple`` takes three times as long over it.
    """
    is_one = data[_COUNT_AT:_HEADER_BYTES] == _ONE_LEAF and data[-len(_OF_ONE) :] == _OF_ONE
    if is_one and data[_HEADER_BYTES] in _LEAVES:  # the most frequent case, without its loop
        return 2, data[_HEADER_BYTES:-4] + _numbers(base, 1)
    try:
        count, root = _U32_PAIR.unpack_from(data, _COUNT_AT)
        at, leaves = _HEADER_BYTES, count - 1
        if root != leaves or leaves > _LEAVES_MAX:
            return 0, b""
        for _ in range(leaves):
            if data[at] not in _LEAVES:
                return 0, b""
            at += _NODE_BYTES + _U32.unpack_from(data, at + 4)[0]
        if data[at] != _TUPLE or data[at + _NODE_BYTES :] != _U32.pack(leaves) + _numbers(0, leaves):
            return 0, b""
    except (IndexError, StructError):
        return 0, b""  # encode_tuple says what is wrong
    return count, data[_HEADER_BYTES : at + _NODE_BYTES + 4] + _numbers(base, leaves)


@cache
def _numbers(first: int, count: int) -> bytes:
    return b"".join(map(_U32.pack, range(first, first + count)))


def _header(nodes: int) -> bytes:
    return _HEADER.pack(b"CGRF", 2, 0, nodes, nodes - 1)


def _counted(text: str) -> bytes:
    data = text.encode()
    return _U32.pack(len(data)) + data


def _node_head(kind: int, payload_bytes: int) -> bytes:
    return bytes((kind, 0, 0, 0)) + _U32.pack(payload_bytes)


def _variant_head(wrap: tuple[str, str, int]) -> bytes:
    """A variant node with one child, without the child's number."""
    type_name, case, tag = wrap
    payload = _counted(type_name) + _counted(case) + _U32.pack(tag) + _U32.pack(1)
    return _node_head(_VARIANT, len(payload) + 4) + payload


_WASM: Final = ("chain-event-payload", "wasm", 1)
_KEYED_CALL: Final = _Shape(
    "wasm-call", ("function-name", "params", "idempotency-key"), ("wasm-event-data", "wasm-call", 0), _WASM
)
_CALL: Final = _Shape("wasm-call", ("function-name", "params"), ("wasm-event-data", "wasm-call", 0), _WASM)
_RESULT_DATA: Final = ("wasm-event-data", "wasm-result", 1)
_RESULT: Final = _Shape("wasm-result", ("function-name", "state-hash", "response"), _RESULT_DATA, _WASM)
_RESULT_FULL: Final = _Shape("wasm-result", ("function-name", "state", "response"), _RESULT_DATA, _WASM)
_ERROR: Final = _Shape("wasm-error", ("function-name", "message"), ("wasm-event-data", "wasm-error", 2), _WASM)
_HOST: Final = _Shape(
    "host-function-call",
    ("interface", "function", "input", "output"),
    ("chain-event-payload", "host-function", 0),
)

_names: dict[str, bytes] = {}


def _name(text: str) -> bytes:
    """Return an encoded name, remembered."""
    encoded = _names.get(text)
    if encoded is None:
        encoded = _text(text)
        if len(_names) < NAMES_MAX:
            _names[text] = encoded
    return encoded


def _text(text: str) -> bytes:
    """Return an encoded string. What is no Unicode (lone surrogates) is replaced: an event must always be writable."""
    data = text.encode("utf-8", "replace")
    return _STRING_HEAD.pack(b"CGRF", 2, 0, 1, 0, 0x06, 4 + len(data), len(data)) + data


# -- records of our own ------------------------------------------------------------------------------------------------


def _begin(name: str, facts: Mapping[str, Any], state: bytes) -> bytes:
    """A record of facts and, if there is one, the initial state, by value: a replay starts from it."""
    record = _record(name, facts)
    fields = tuple(field for field, _ in record.fields)
    values = tuple(cgrf.encode(value) for _, value in record.fields)
    if not state:
        return _Shape(name, fields).build(values)
    return _Shape(name, (*fields, "initial-state")).build((*values, state))


def _record(name: str, facts: Mapping[str, Any]) -> Record:
    """Plain data as a record; what is None is left out."""
    return Record(name, tuple((key, _plain(key, value)) for key, value in facts.items() if value is not None))


def _plain(name: str, value: Any) -> Value:
    match value:
        case bool():
            return Bool(value)
        case int():
            return S64(value)
        case str():
            return String(value.encode("utf-8", "replace").decode())
        case bytes():
            return bytes_of(value)
        case Mapping():
            return _record(name, value)
        case _:
            raise TypeError(f"{name}: expected a text, number, truth value, bytes or a map, got {type(value).__name__}")
