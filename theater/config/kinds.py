"""What the keys of the configuration may want: each kind reads a node and describes itself as JSON Schema."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from theater.config import units
from theater.config.environment import Wrong
from theater.config.limits import COUNT_MAX, DATA_LEVELS_MAX, DURATION_MS_MAX, NAME_BYTES_MAX, SIZE_BYTES_MAX
from theater.config.node import BOOL, DATE, FLOAT, INT, LIST, MAP, TEXT, Node, inside, quoted
from theater.config.reader import Reader, Section, nearest, read_section, section_schema
from theater.patterns.actors import is_id, is_plain

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")

VARIABLE = {"type": "string", "pattern": r"\$\{"}
"""In the schema: where a number is wanted, a text with a variable may stand."""


class Text(msgspec.Struct, frozen=True):
    """Any text."""

    wanted: str = "a text"

    def read(self, node: Node, path: str, reader: Reader) -> str:
        if node.kind != TEXT:
            hint = " (quotes make it a text)" if node.kind in (INT, FLOAT, BOOL, DATE) else ""
            raise Wrong(f"expected {self.wanted}, found {reader.found(node)}{hint}")
        return reader.text(node)

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class Name(msgspec.Struct, frozen=True):
    """An id or a name: it becomes part of paths such as /fleet/planner."""

    wanted: str = "an id"

    def read(self, node: Node, path: str, reader: Reader) -> str:
        name = Text(self.wanted).read(node, path, reader)
        if not name or name in (".", ".."):
            raise Wrong(f"expected {self.wanted} that can be part of a path, found {reader.found(node)}")
        if "/" in name or not is_plain(name):
            wanted = f"{self.wanted} without /, # and characters that cannot be seen"
            raise Wrong(f"expected {wanted}, found {reader.found(node)}")
        if is_id(name):
            raise Wrong(f"expected {self.wanted} that does not look like an actor's, found {reader.found(node)}")
        if len(name.encode()) > NAME_BYTES_MAX:
            raise Wrong(
                f"expected {self.wanted} of at most {NAME_BYTES_MAX} bytes, found {len(name.encode())}"
            )
        return name

    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": NAME_BYTES_MAX,
            "pattern": "^[^/#\\u0000-\\u001f]+$",
        }


class FilePath(msgspec.Struct, frozen=True):
    """A path with one of these endings (any, if none are given)."""

    wanted: str
    endings: tuple[str, ...] = ()

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text(self.wanted).read(node, path, reader)
        if not text or _CONTROL.search(text) or (self.endings and not text.endswith(self.endings)):
            raise Wrong(f"expected {self.wanted}, found {reader.found(node)}")
        return text

    def schema(self) -> dict[str, Any]:
        if not self.endings:
            return {"type": "string", "minLength": 1}
        endings = "|".join(ending.replace(".", "\\.") for ending in self.endings)
        return {"type": "string", "pattern": f"({endings}|\\}})$"}


class Digest(msgspec.Struct, frozen=True):
    """A SHA-256 in hexadecimal digits."""

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = reader.text(node) if node.kind == TEXT else ""
        if not _DIGEST.fullmatch(text):
            raise Wrong(f"expected a SHA-256 of 64 hexadecimal digits, found {reader.found(node)}")
        return text.lower()

    def schema(self) -> dict[str, Any]:
        return _or_variable({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"})


class Flag(msgspec.Struct, frozen=True):
    """true or false."""

    def read(self, node: Node, path: str, reader: Reader) -> bool:
        kind, value = reader.scalar(node)
        if kind != BOOL:
            raise Wrong(f"expected true or false, found {reader.found(node)}")
        return bool(value)

    def schema(self) -> dict[str, Any]:
        return _or_variable({"type": "boolean"})


class Whole(msgspec.Struct, frozen=True):
    """A whole number within bounds; or ``none``, where that is allowed."""

    least: int = 0
    most: int = COUNT_MAX
    or_none: bool = False

    def read(self, node: Node, path: str, reader: Reader) -> int | None:
        kind, value = reader.scalar(node)
        if self.or_none and value == "none":
            return None
        if kind != INT or not self.least <= value <= self.most:
            none = " or none" if self.or_none else ""
            raise Wrong(
                f"expected a whole number from {self.least} to {self.most}{none}, found {reader.found(node)}"
            )
        return int(value)

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return _or_variable({"anyOf": [number, {"const": "none"}]} if self.or_none else number)


class Number(msgspec.Struct, frozen=True):
    """A number within bounds, whole or not."""

    least: float
    most: float

    def read(self, node: Node, path: str, reader: Reader) -> float:
        kind, value = reader.scalar(node)
        if kind not in (INT, FLOAT) or not self.least <= value <= self.most:
            raise Wrong(f"expected a number from {self.least:g} to {self.most:g}, found {reader.found(node)}")
        return float(value)

    def schema(self) -> dict[str, Any]:
        return _or_variable({"type": "number", "minimum": self.least, "maximum": self.most})


class Exactly(msgspec.Struct, frozen=True):
    """One value and no other; ``because`` says why."""

    value: Any
    because: str

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        _, value = reader.scalar(node)
        if value != self.value or type(value) is not type(self.value):
            wanted = str(self.value).lower()
            raise Wrong(f"expected {wanted} ({self.because}), found {reader.found(node)}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"const": self.value}


class Choice(msgspec.Struct, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = reader.text(node) if node.kind == TEXT else None
        if text in self.words:
            return text
        near = nearest(text, dict.fromkeys(self.words)) if text is not None and len(self.words) > 1 else None
        hint = f"; did you mean {near}?" if near else ""
        raise Wrong(f"expected {_alternatives(self.words)}, found {reader.found(node)}{hint}")

    def schema(self) -> dict[str, Any]:
        return _or_variable({"enum": list(self.words)})


class Quantity(msgspec.Struct, frozen=True):
    """A number with a unit, within bounds, or one of a few words that stand for a value of their own."""

    what: str
    examples: str
    units: dict[str, int]
    least: int
    most: int
    words: dict[str, Any] = {}

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        text = reader.text(node) if node.kind == TEXT else ""
        if text in self.words:
            return self.words[text]
        amount = units.parse(text, self.units)
        if amount is None:
            raise Wrong(f"expected {self._wanted()}, found {reader.found(node)}{self._hint(node)}")
        if not self.least <= amount <= self.most:
            bounds = f"from {units.shown(self.least, self.units)} to {units.shown(self.most, self.units)}"
            raise Wrong(f"expected a {self.what} {bounds}, found {reader.found(node)}")
        return amount

    def _wanted(self) -> str:
        words = "".join(f", or {word}" for word in self.words)
        return f"a {self.what} with its unit, such as {self.examples}{words}"

    def _hint(self, node: Node) -> str:
        if node.kind in (INT, FLOAT):
            return " without a unit"
        guess = units.meant(node.value, self.units) if node.kind == TEXT else None
        near = guess or (node.kind == TEXT and nearest(node.value, self.words))
        return f"; did you mean {near}?" if near else ""

    def schema(self) -> dict[str, Any]:
        pattern = f"^[0-9]+(\\.[0-9]+)?({'|'.join(self.units)})$"
        quantity: dict[str, Any] = {"type": "string", "pattern": pattern}
        return _or_variable(quantity, {"enum": list(self.words)}) if self.words else _or_variable(quantity)


def duration(least_ms: int = 1, **words: Any) -> Quantity:
    """A time in milliseconds, at least ``least_ms``."""
    return Quantity("time", "500ms, 10s or 5m", units.MILLISECONDS, least_ms, DURATION_MS_MAX, words)


def size(least_bytes: int = 1, most_bytes: int = SIZE_BYTES_MAX, **words: Any) -> Quantity:
    """A size in bytes."""
    return Quantity("size", "64KiB, 64MiB or 1GiB", units.BYTES, least_bytes, most_bytes, words)


class Data(msgspec.Struct, frozen=True):
    """Plain data of any shape: it becomes a value of the type the actor declares."""

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        return _plain(node, path, reader, DATA_LEVELS_MAX)

    def schema(self) -> dict[str, Any]:
        return {}


def _plain(node: Node, path: str, reader: Reader, levels_left: int) -> Any:
    try:
        match node.kind:
            case "text":
                return reader.text(node)
            case "date":
                raise Wrong("expected data without dates, found a date (quotes make it a text)")
            case "int" if not -(2**63) <= node.value < 2**64:
                raise Wrong(f"expected a number of at most 64 bits, found {reader.found(node)}")
            case "list" | "map" if levels_left == 0:
                raise Wrong(f"expected at most {DATA_LEVELS_MAX} levels of data, found more")
            case "list":
                items = enumerate(node.value)
                return [_plain(item, f"{path}[{index}]", reader, levels_left - 1) for index, item in items]
            case "map":
                entries = node.value.items()
                return {key: _plain(e.node, inside(path, key), reader, levels_left - 1) for key, e in entries}
            case _:
                return node.value  # BAD too: it is reported already
    except Wrong as error:
        reader.report(node, path, str(error))
        return None


class Inner(msgspec.Struct, frozen=True):
    """A mapping or a list that is read later, with more knowledge: here only its outer shape is checked."""

    kind: str
    wanted: str
    shape: dict[str, Any]

    def read(self, node: Node, path: str, reader: Reader) -> Node:
        if node.kind != self.kind:
            raise Wrong(f"expected {self.wanted}, found {reader.found(node)}")
        return node

    def schema(self) -> dict[str, Any]:
        return self.shape


class Part(msgspec.Struct, frozen=True):
    """A mapping with keys of its own, read at once."""

    section: Section

    def read(self, node: Node, path: str, reader: Reader) -> dict[str, Any]:
        return read_section(self.section, node, path, reader)

    def schema(self) -> dict[str, Any]:
        return section_schema(self.section)


def mapping_of(section: str, wanted: str) -> Inner:
    """A mapping that the named section describes."""
    return Inner(MAP, wanted, {"$ref": f"#/$defs/{section}"})


def list_of(section: str, wanted: str) -> Inner:
    """A list of what the named section describes."""
    return Inner(LIST, wanted, {"type": "array", "items": {"$ref": f"#/$defs/{section}"}})


def _or_variable(*schemas: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*schemas, {"$ref": "#/$defs/variable"}]}


def _alternatives(words: tuple[str, ...]) -> str:
    shown = [word if word.replace("_", "").isalnum() else quoted(word) for word in words]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
