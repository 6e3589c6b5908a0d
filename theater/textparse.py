"""Reading the text form of values back: ``theater.text.parse`` (pack-abi section 2.6).

A stack of the values still open takes the place of recursion. A list gets its element type from its first item, a
variant the tag 0, a bare type name is taken for a record's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from theater import floats, types, values
from theater.scanning import Scanner, TextError, named, read_type
from theater.types import Primitive, Type
from theater.values import Value

DEPTH_MAX: Final = 512
NUMBER_CHARS_MAX: Final = 1200
"""Characters of a number: the longest 64-bit float needs 1,076."""
FLAGS_MAX: Final = (1 << 64) - 1

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_SUFFIX: Final = re.compile(r"[a-z][a-z0-9]*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_CHAR: Final = re.compile(r"'(?:[^'\\]|\\.)'", re.DOTALL)
_MASK: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANING: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}

Make = Callable[[list[Value]], Value]


class _Open(msgspec.Struct):
    """A value whose inner values are being read."""

    close: str
    make: Make
    at: int
    names: list[str] | None = None
    """Field names so far, for a record."""
    items: list[Value] = []


def read(text: str) -> Value:
    """Return the value that a whole text stands for; a ``TextError`` names the column."""
    scanner = Scanner(text)
    value = _read(scanner)
    scanner.end()
    return value


def _read(scanner: Scanner) -> Value:
    stack: list[_Open] = []
    while True:
        begun = _begin(scanner)
        if isinstance(begun, _Open):
            if len(stack) >= DEPTH_MAX:
                scanner.refuse(f"the value nests deeper than {DEPTH_MAX} levels", begun.at)
            stack.append(begun)
            if _wants_more(scanner, begun):
                continue
            begun = _finish(scanner, stack.pop())
        while stack:
            stack[-1].items.append(begun)
            if scanner.accept(","):
                if _wants_more(scanner, stack[-1]):
                    break
            else:
                scanner.expect(stack[-1].close)
            begun = _finish(scanner, stack.pop())
        else:
            return begun


def _wants_more(scanner: Scanner, top: _Open) -> bool:
    """Whether another inner value comes; takes its field name, or the closing token."""
    if scanner.accept(top.close):
        return False
    if top.names is not None:
        top.names.append(scanner.name("a field name"))
        scanner.expect(":")
    return True


def _finish(scanner: Scanner, done: _Open) -> Value:
    try:
        return done.make(done.items)
    except (TypeError, ValueError) as error:
        raise TextError(done.at + 1, str(error)) from None


def _begin(scanner: Scanner) -> Value | _Open:
    """Read a whole value without inner ones, or the beginning of one with."""
    scanner.skip_space()
    at = scanner.at
    if scanner.accept("("):
        return _Open(")", _tuple, at)
    if scanner.accept("["):
        return _empty_list(scanner) if scanner.accept("]") else _Open("]", _list, at)
    if scanner.accept("{"):
        return _record(at, "")
    if scanner.accept("::"):
        return _variant(scanner, at, "")
    if scanner.sees('"'):
        return values.String(_quoted(scanner, _STRING, 'a string up to its closing "', '"'))
    if scanner.sees("'"):
        return values.Char(_quoted(scanner, _CHAR, "one character between single quotes", "'"))
    number = scanner.match(_NUMBER)
    if number is not None:
        return _with_suffix(scanner, at, number)
    return _begin_word(scanner, at, scanner.name("a value"))


def _begin_word(scanner: Scanner, at: int, word: str) -> Value | _Open:
    """Read on after a word; a type may have any name, also that of a keyword."""
    if scanner.accept("::"):
        return _variant(scanner, at, word)
    if scanner.accept("{"):
        return _record(at, word)
    match word:
        case "true" | "false":
            return values.Bool(word == "true")
        case "none":
            return values.Option(_types(scanner, 1)[0], None)
        case "some":
            return _some(scanner, at)
        case "ok" | "err":
            return _result(scanner, at, word == "ok")
        case "flags":
            return _flags(scanner)
        case _:
            return scanner.fail("a value", at)


def _tuple(items: list[Value]) -> Value:
    return values.Tuple(tuple(items))


def _list(items: list[Value]) -> Value:
    return values.list_of(values.type_of(items[0]), items)


def _empty_list(scanner: Scanner) -> Value:
    return values.list_of(_types(scanner, 1)[0], ())


def _record(at: int, name: str) -> _Open:
    names: list[str] = []

    def make(items: list[Value]) -> Value:
        return values.Record(name, tuple(zip(names, items, strict=True)))

    return _Open("}", make, at, names)


def _variant(scanner: Scanner, at: int, type_name: str) -> Value | _Open:
    case = scanner.name("the name of a case")
    if not scanner.accept("("):
        return values.Variant(type_name, case)
    return _Open(")", lambda items: values.Variant(type_name, case, 0, tuple(items)), at)


def _some(scanner: Scanner, at: int) -> _Open:
    (inner,) = _types(scanner, 1)
    scanner.expect("(")
    return _Open(")", lambda items: values.Option(inner, _only(items)), at)


def _result(scanner: Scanner, at: int, is_ok: bool) -> _Open:
    ok, err = _types(scanner, 2)
    scanner.expect("(")
    return _Open(")", lambda items: values.Result(ok, err, is_ok, _only(items)), at)


def _only(items: list[Value]) -> Value:
    if len(items) != 1:
        raise ValueError(f"expected one value in the parentheses, got {len(items)}")
    return items[0]


def _types(scanner: Scanner, count: int) -> list[Type]:
    """Read the declared types in angle brackets."""
    found: list[Type] = []
    scanner.expect("<")
    at = scanner.at
    scanner.items(">", lambda: found.append(types.tag_form(read_type(scanner, named))))
    if len(found) != count:
        scanner.refuse(f"expected {count} type{'s' if count > 1 else ''}, got {len(found)}", at)
    return found


def _quoted(scanner: Scanner, pattern: re.Pattern[str], expected: str, quote: str) -> str:
    at = scanner.at
    found = scanner.match(pattern)
    if found is None:
        scanner.fail(expected)

    def meaning(escape: re.Match[str]) -> str:
        letter = escape.group(1)
        if letter != quote and letter not in _MEANING:
            scanner.refuse(f"\\{letter} is not an escape", at + 1 + escape.start())
        return _MEANING.get(letter, letter)

    inner = found[1:-1]
    return _ESCAPE.sub(meaning, inner) if "\\" in inner else inner


def _flags(scanner: Scanner) -> Value:
    scanner.expect("(")
    mask = scanner.match(_MASK)
    if mask is None:
        scanner.fail("a hexadecimal number of at most 64 bits")
    scanner.expect(")")
    return values.Flags(int(mask, 16))


def _with_suffix(scanner: Scanner, at: int, number: str) -> Value:
    if len(number) > NUMBER_CHARS_MAX:
        scanner.refuse(f"a number of {len(number)} characters", at)
    suffix = _SUFFIX.match(scanner.text, scanner.at)
    kind = types.BY_NAME.get(suffix.group()) if suffix else None
    if kind is None or kind.name not in _READERS:
        scanner.fail("the number's type (such as u32)")
    assert suffix is not None and kind is not None
    scanner.at = suffix.end()
    try:
        return _READERS[kind.name](number, kind)
    except (ValueError, OverflowError) as error:
        raise TextError(at + 1, str(error)) from None


def _read_int(number: str, kind: Primitive) -> Value:
    if "." in number:
        raise ValueError(f"expected an integer before {kind.name}, got {number}")
    low, high = types.bounds(kind)
    if not low <= int(number) <= high:
        raise ValueError(f"{number} is out of range for {kind.name}, {low} to {high}")
    return values.CLASS_OF[kind](int(number))


_READERS: Final[dict[str, Callable[[str, Primitive], Value]]] = {
    **dict.fromkeys((kind.name for kind in types.INTEGERS), _read_int),
    "f32": lambda number, _: values.F32(floats.parse_f32(number)),
    "f64": lambda number, _: values.F64(floats.parse_f64(number)),
}
