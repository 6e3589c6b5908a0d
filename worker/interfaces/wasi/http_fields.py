"""Headers and trailers: ``fields`` of ``wasi:http/types`` (RFC 9110, section 5)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from theater import types
from theater.values import U32, UNIT, Bool, List, String, Tuple, Value, bytes_of, items_of
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Failure, Maker
from worker.interfaces.wasi.http_names import HEADER
from worker.interfaces.wasi.resources import drop, resources

FIELDS_MAX: Final = 1_000
"""Headers of one message."""
TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
BAD_VALUE: Final = re.compile(rb"[\x00\r\n]")
FORBIDDEN: Final = frozenset(
    ("connection", "host", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding")
) | {"upgrade"}
"""Names that belong to the connection, not to the message: a guest may not set them."""
SECRET: Final = frozenset(["authorization", "cookie", "proxy-authorization", "x-api-key", "api-key", "x-auth-token"])
"""Headers whose values the chain shows only as digests."""

Pairs = tuple[tuple[str, bytes], ...]


class Fields:
    """Headers in order, with duplicates. Those of a message are immutable once they belong to it."""

    def __init__(self, pairs: Iterable[tuple[str, bytes]] = (), is_fixed: bool = False) -> None:
        self.pairs = list(pairs)
        self.is_fixed = is_fixed

    def of(self, name: str) -> list[bytes]:
        """The values under a name."""
        wanted = name.lower()
        return [value for each, value in self.pairs if each.lower() == wanted]

    def remove(self, name: str) -> None:
        """Forget a name."""
        wanted = name.lower()
        self.pairs = [pair for pair in self.pairs if pair[0].lower() != wanted]

    def add(self, name: str, values: Iterable[bytes]) -> None:
        """Add values under a name."""
        self.pairs += [(name, value) for value in values]
        if len(self.pairs) > FIELDS_MAX:
            raise Failure("invalid-syntax")


def checked(name: str, values: Iterable[bytes]) -> list[bytes]:
    """The values, if they may stand under that name. Raises Failure."""
    found = list(values)
    if not TOKEN.fullmatch(name) or any(BAD_VALUE.search(value) for value in found):
        raise Failure("invalid-syntax")
    if name.lower() in FORBIDDEN:
        raise Failure("forbidden")
    return found


def _of(context: Context, handle: U32) -> Fields:
    return resources(context).get(handle, Fields)


def _open(context: Context, handle: U32) -> Fields:
    found = _of(context, handle)
    if found.is_fixed:
        raise Failure("immutable")
    return found


def _values(values: List) -> list[bytes]:
    return [bytes(each.items) for each in items_of(values)]  # type: ignore[attr-defined]


def new(context: Context) -> Value:
    """No headers."""
    return resources(context).add(Fields())


def from_list(context: Context, entries: List) -> Value:
    """Headers from pairs."""
    made = Fields()
    for entry in items_of(entries):
        name, value = entry.items  # type: ignore[attr-defined]
        made.add(name.value, checked(name.value, [bytes(value.items)]))
    return resources(context).add(made)


def get(context: Context, handle: U32, name: String) -> Value:
    """The values under a name."""
    return List(types.BYTES, tuple(map(bytes_of, _of(context, handle).of(name.value))))


def has(context: Context, handle: U32, name: String) -> Value:
    """Whether there are any."""
    return Bool(bool(_of(context, handle).of(name.value)))


def set_(context: Context, handle: U32, name: String, values: List) -> Value:
    """Replace the values under a name."""
    fields, given = _open(context, handle), checked(name.value, _values(values))
    fields.remove(name.value)
    fields.add(name.value, given)
    return UNIT


def delete(context: Context, handle: U32, name: String) -> Value:
    """Forget a name."""
    fields = _open(context, handle)
    checked(name.value, ())
    fields.remove(name.value)
    return UNIT


def append(context: Context, handle: U32, name: String, value: List) -> Value:
    """Add a value."""
    _open(context, handle).add(name.value, checked(name.value, [bytes(value.items)]))
    return UNIT


def entries(context: Context, handle: U32) -> Value:
    """All of them."""
    return pairs_value(_of(context, handle).pairs)


def clone(context: Context, handle: U32) -> Value:
    """A copy that may be changed."""
    return resources(context).add(Fields(_of(context, handle).pairs))


def pairs_value(pairs: Iterable[tuple[str, bytes]]) -> List:
    """Headers as a value."""
    return List(HEADER, tuple(Tuple((String(name), bytes_of(value))) for name, value in pairs))


def pairs_of(value: Value) -> Pairs:
    """Headers from a value."""
    assert isinstance(value, List)
    return tuple((name.value, bytes(data.items)) for name, data in (each.items for each in items_of(value)))  # type: ignore[attr-defined]


def headers_bytes(pairs: Iterable[tuple[str, bytes]]) -> int:
    """How long headers are: names and values."""
    return sum(len(name) + len(value) for name, value in pairs)


# -- what the chain may show -------------------------------------------------------------------------------------------


def digested(value: Any) -> Value:
    """A value of a secret header, as the chain has it: the same for the same value, and no way back."""
    digest = hashlib.sha256(bytes(value.items)).hexdigest()[:16]
    return bytes_of(f"redacted:{digest}".encode())


def _hiding(place: int, hide: Callable[[Any], Value]) -> Callable[[Value], Value]:
    """Hide an argument if the name before it is that of a secret header."""

    def secrets(given: Value) -> Value:
        items = list(given.items)  # type: ignore[attr-defined]
        if len(items) > place and isinstance(items[1], String) and items[1].value.lower() in SECRET:
            items[place] = hide(items[place])
        return Tuple(tuple(items))

    return secrets


def _hide_all(values: Any) -> Value:
    return List(values.element, tuple(digested(each) for each in items_of(values)))


def _hide_listed(given: Value) -> Value:
    shown = []
    for entry in items_of(given):  # type: ignore[arg-type]
        name, value = entry.items  # type: ignore[attr-defined]
        shown.append(Tuple((name, digested(value))) if name.value.lower() in SECRET else entry)
    return List(HEADER, tuple(shown))


def declare(made: Maker) -> None:
    """Add ``fields`` to the interface."""
    done = "result<_, header-error>"
    made.add("[constructor]fields", "() -> u32", new)
    made.add("[static]fields.from-list", "(entries: list<header>) -> result<u32, header-error>", from_list,
             secrets=_hide_listed)  # fmt: skip
    made.methods(
        "fields",
        [
            ("get", "(name: string) -> list<list<u8>>", get),
            ("has", "(name: string) -> bool", has),
            ("delete", f"(name: string) -> {done}", delete),
            ("entries", "() -> list<header>", entries),
            ("clone", "() -> u32", clone),
        ],
    )
    made.add("[method]fields.set", f"(self: u32, name: string, value: list<list<u8>>) -> {done}", set_,
             secrets=_hiding(2, _hide_all))  # fmt: skip
    made.add("[method]fields.append", f"(self: u32, name: string, value: list<u8>) -> {done}", append,
             secrets=_hiding(2, digested))  # fmt: skip
    made.drop("fields", drop)
