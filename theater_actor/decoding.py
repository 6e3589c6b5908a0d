"""Values as Python objects, node by node, in whatever order an encoder has written them (pack-abi section 2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from theater_actor import tags
from theater_actor.plain import Err, Ok, Some
from theater_actor.tags import COUNT, ValueFormError

NODES_MAX: Final = 1_000_000
"""A node that several others refer to counts each time."""


class Reader:
    """The nodes of one value."""

    def __init__(self, data: bytes) -> None:
        if len(data) < tags.HEADER.size or data[:4] != tags.MAGIC:
            raise ValueFormError("expected a value: the bytes do not begin with CGRF")
        _, version, _, count, self.root = tags.HEADER.unpack_from(data)
        if version != tags.VERSION:
            raise ValueFormError(f"expected a value of version {tags.VERSION}, got {version}")
        self._data = data
        self._nodes: list[tuple[int, int, int]] = []
        self._left = NODES_MAX
        at = tags.HEADER.size
        for _ in range(count):
            if at + tags.NODE.size > len(data):
                raise ValueFormError("expected a value: it ends too early")
            kind, size = tags.NODE.unpack_from(data, at)
            at += tags.NODE.size + size
            self._nodes.append((kind, at - size, at))
        if at != len(data):
            raise ValueFormError("expected a value: it is not as long as it says")

    def read(self, number: int, depth: int = 0) -> tuple[int, Any]:
        """A node's kind and the object it stands for."""
        self._left -= 1
        if number >= len(self._nodes) or depth >= tags.DEPTH_MAX or not self._left:
            raise ValueFormError("expected a value: it refers to what is not there, nests too deep, or is too large")
        kind, at, end = self._nodes[number]
        payload = Payload(self._data, at, end)
        value = self._value(kind, payload, lambda child: self.read(child, depth + 1))
        if payload.at != end:
            raise ValueFormError("expected a value: a part of it is not as long as it says")
        return kind, value

    def _value(self, kind: int, payload: Payload, read: Callable[[int], tuple[int, Any]]) -> Any:
        match kind:
            case tags.STRING:
                return payload.text()
            case tags.TUPLE:
                return tuple(read(child)[1] for child in payload.counts())
            case tags.LIST:
                payload.skip_type()
                return [read(child)[1] for child in payload.counts()]
            case tags.ARRAY:
                return payload.array()
            case tags.RECORD:
                payload.text()
                names = [payload.text() for _ in range(payload.count())]
                return {name: read(payload.count())[1] for name in names}
            case tags.VARIANT:
                payload.text()
                case_name, _ = payload.text(), payload.count()
                items = tuple(read(child)[1] for child in payload.counts())
                return (case_name, *items) if items else case_name
            case tags.OPTION:
                payload.skip_type()
                if payload.octet() != 1:
                    return None
                inner, value = read(payload.count())
                return Some(value) if inner == tags.OPTION else value
            case tags.RESULT:
                payload.skip_type()
                payload.skip_type()
                tag, _ = payload.count(), payload.octet()
                return (Err if tag else Ok)(read(payload.count())[1])
            case _:
                return payload.number(kind)


class Payload:
    """One node's payload, read from its beginning on."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data, self.at, self._end = data, at, end

    def _take(self, size: int) -> bytes:
        at, self.at = self.at, self.at + size
        if self.at > self._end:
            raise ValueFormError("expected a value: a part of it ends too early")
        return self._data[at : self.at]

    def octet(self) -> int:
        return self._take(1)[0]

    def count(self) -> int:
        number: int = COUNT.unpack(self._take(4))[0]
        return number

    def counts(self) -> list[int]:
        """A number of numbers of nodes."""
        data = self._take(4 * self.count())
        return [each for (each,) in COUNT.iter_unpack(data)]

    def text(self) -> str:
        try:
            return self._take(self.count()).decode()
        except UnicodeDecodeError:
            raise ValueFormError("expected a value: a text of it is not UTF-8") from None

    def number(self, kind: int) -> Any:
        width = tags.WIDTHS.get(kind)
        if width is None:
            raise ValueFormError(f"expected a value: there is no kind {kind:#x}")
        return _plain(kind, width.unpack(self._take(width.size))[0])

    def array(self) -> Any:
        kind, count = self.octet(), self.count()
        width = tags.WIDTHS.get(kind)
        if width is None:
            raise ValueFormError(f"expected a value: there are no arrays of kind {kind:#x}")
        data = self._take(count * width.size)
        if bytes((tags.LIST, kind)) == tags.BYTES:
            return data
        return [_plain(kind, each) for (each,) in width.iter_unpack(data)]

    def skip_type(self) -> None:
        """Leave out a declared type: the value itself says what it is."""
        left = 1
        while left:
            left -= 1
            match self.octet():
                case tags.LIST | tags.OPTION:
                    left += 1
                case tags.RESULT:
                    left += 2
                case tags.VARIANT | tags.RECORD:
                    self.text()
                case tags.TUPLE:
                    left += self.count()
                case _:
                    pass


def _plain(kind: int, number: Any) -> Any:
    if kind != tags.CHAR:
        return number
    try:
        return chr(number)
    except (ValueError, OverflowError):
        raise ValueFormError("expected a value: a character of it is none") from None
