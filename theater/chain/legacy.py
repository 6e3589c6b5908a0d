"""Chains the Rust Theater recorded: their hash rule and their files (pack-abi 12.1 and 12.3, lifecycle 8.3).

Events of such a chain have no number and no time: their place is their number. Verify them with ``rule=theater_hash``.
Theater's text files are read by ``theater.chain.textform``, like ours. Our chains are written in this form, too, with
our hashes, and without their numbers, times and incarnations.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Final

import msgspec

from theater.chain.events import ChainError, ChainEvent

THEATER_HASH_BYTES: Final = 20
ENTRY_BYTES_MAX: Final = 256 << 20
"""Of one event in a file that is read piece by piece."""

_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]


def theater_hash(parent_hash: bytes | None, event_type: str, data: bytes) -> bytes:
    """SHA-1 over the compact JSON object the Rust Theater hashes."""
    preimage = {
        "hash": [],
        "parent_hash": None if parent_hash is None else list(parent_hash),
        "event_type": event_type,
        "data": list(data),
    }
    text = json.dumps(preimage, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()


class _Entry(msgspec.Struct):
    hash: list[_Byte]
    parent_hash: list[_Byte] | None
    event_type: str
    data: list[_Byte]


def read_json(text: bytes) -> list[ChainEvent]:
    """Return the events of a saved chain: a JSON array of objects with hash, parent_hash, event_type and data.

    The hashes may be Theater's (20 bytes) or ours (32 bytes).

    Raises:
        ChainError: the text is not such an array; the error names the place.
    """
    try:
        entries = msgspec.json.decode(text, type=list[_Entry])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChainError(f"expected a JSON array of events: {error}") from None
    return [_event(seq, entry) for seq, entry in enumerate(entries)]


def _event(seq: int, entry: _Entry) -> ChainEvent:
    parent = None if entry.parent_hash is None else bytes(entry.parent_hash)
    return ChainEvent(seq, 0, 0, entry.event_type, bytes(entry.data), parent, bytes(entry.hash))


# -- piece by piece ----------------------------------------------------------------------------------------------------


def write_json(events: Iterable[ChainEvent], put: Callable[[bytes], object]) -> None:
    """Write events as Theater saves a chain, through ``put`` (a binary file's ``write``), one at a time."""
    before = b"["
    for event in events:
        put(before + b"\n" + _format(event))
        before = b","
    put(b"[]\n" if before == b"[" else b"\n]\n")


def iter_json(pieces: Iterable[bytes]) -> Iterator[ChainEvent]:
    """Yield the events of a saved chain, as ``read_json`` does, however long it is.

    Raises:
        ChainError: it is not a JSON array of events; the error names the place.
    """
    for seq, entry in enumerate(_objects(pieces)):
        try:
            yield _event(seq, _decode_entry(entry))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ChainError(f"$[{seq}]: expected an event: {error}") from None


_decode_entry = msgspec.json.Decoder(_Entry).decode
_MARKS: Final = re.compile(rb'[{}"]')
_STRING_END: Final = re.compile(rb'(?:[^"\\]|\\.)*+"', re.DOTALL)
_SPACE: Final = b" \t\r\n"


def _format(event: ChainEvent) -> bytes:
    return msgspec.json.encode(
        {
            "hash": list(event.hash),
            "parent_hash": None if event.parent_hash is None else list(event.parent_hash),
            "event_type": event.event_type,
            "data": list(event.data),
        }
    )


def _objects(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the objects of a JSON array, undecoded; what is between them is checked."""
    text = _Text(iter(pieces))
    text.expect(b"[", "the beginning of a JSON array")
    if text.next_byte() == b"]":
        text.expect(b"]", "its end")
    else:
        yield text.object()
        while text.next_byte() == b",":
            text.expect(b",", "a comma")
            yield text.object()
        text.expect(b"]", "a comma or the end of the array")
    if text.next_byte():
        raise ChainError(f"byte {text.position}: expected nothing after the array, got {text.next_byte()!r}")


class _Text:
    """JSON text of which only a part is in memory."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()
        self._at = 0
        self._passed = 0

    @property
    def position(self) -> int:
        """Where we are in the whole text."""
        return self._passed + self._at

    def next_byte(self) -> bytes:
        """The next byte that is not space; empty at the end. It is not taken."""
        while True:
            while self._at < len(self._held):
                found = bytes(self._held[self._at : self._at + 1])
                if found not in _SPACE:
                    return found
                self._at += 1
            if not self._more():
                return b""

    def expect(self, wanted: bytes, what: str) -> None:
        """Take one byte, which has to be this one."""
        found = self.next_byte()
        if found != wanted:
            raise ChainError(f"byte {self.position}: expected {what}, got {found!r}" if found else _CUT.format(what))
        self._at += 1

    def object(self) -> bytes:
        """Take one object."""
        if self.next_byte() != b"{":
            raise ChainError(f"byte {self.position}: expected an event, got {self.next_byte()!r}")
        self._passed += self._at
        del self._held[: self._at]
        self._at = 0
        end = self._object_end()
        self._at = end
        return bytes(self._held[:end])

    def _object_end(self) -> int:
        """Return where the object ends that begins what is held."""
        at = depth = 0
        while True:
            mark = self._find(_MARKS, at)
            at = mark.end()
            if mark[0] == b'"':
                at = self._find(_STRING_END, at, anchored=True).end()
            else:
                depth += 1 if mark[0] == b"{" else -1
                if depth == 0:
                    return at

    def _find(self, pattern: re.Pattern[bytes], at: int, anchored: bool = False) -> re.Match[bytes]:
        """Find a mark from a place on, holding more of the text until it is there."""
        search = pattern.match if anchored else pattern.search
        while (found := search(self._held, at)) is None:
            if not anchored:
                at = len(self._held)  # nothing of it is before here
            if not self._more():
                raise ChainError(_CUT.format("the end of an event"))
        return found

    def _more(self) -> bool:
        piece = next(self._pieces, b"")
        if len(self._held) - self._at > ENTRY_BYTES_MAX:
            raise ChainError(f"byte {self.position}: an event is larger than {ENTRY_BYTES_MAX} bytes")
        self._held += piece
        return bool(piece)


_CUT: Final = "it is cut short: expected {}"
