"""Data on standard output, in the form asked for; talk on standard error. Colour and tables are for terminals.

All of it goes through ``write`` and ``say``, which let nothing pass that would steer a terminal but what is ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

import msgspec

from supervisor.shown import shown, shown_lines

Row = Mapping[str, Any]

GOOD: Final = "32"
BAD: Final = "31"
DIM: Final = "2"

DIGESTS: Final = frozenset(("head",))
"""Columns of hashes: a table shows their beginnings, enough to tell two apart; the other forms have all of them."""
DIGEST_CHARS: Final = 16
ESCAPE: Final = "\ud9ff"
"""Stands for the escape character in what we want a terminal to do. No text from elsewhere holds half a pair."""
LINE_CHARS: Final = 100
"""A value that takes more is indented."""


def form_of(wanted: str | None) -> str:
    """The form meant when none was given: tables for people, lines of JSON for programs."""
    return wanted or ("table" if sys.stdout.isatty() else "jsonl")


def show(
    rows: Iterable[Row], columns: Sequence[str], wanted: str | None, colours: Mapping[str, str] | None = None
) -> None:
    """Print rows; a table has only the columns named, the other forms have everything.

    ``colours`` are of cells of a table, by their text.
    """
    match form_of(wanted):
        case "json":
            write(msgspec.json.format(to_json(list(rows)), indent=2).decode() + "\n")
        case "jsonl":
            for row in rows:
                write(to_json(row).decode() + "\n")
                sys.stdout.flush()
        case "yaml":
            write(to_yaml([plain(row) for row in rows]))
        case _:
            write(table(list(rows), columns, colours or {}))


def show_one(value: Any, wanted: str | None) -> None:
    """Print one value: for people on one line if it is short, else indented; on one line for programs."""
    match form_of(wanted):
        case "jsonl":
            write(to_json(value).decode() + "\n")
        case "yaml":
            write(to_yaml(plain(value)))
        case "table" if len(line := msgspec.json.format(to_json(value), indent=0).decode()) <= LINE_CHARS:
            write(line + "\n")
        case _:
            write(msgspec.json.format(to_json(value), indent=2).decode() + "\n")


def table(rows: Sequence[Row], columns: Sequence[str], colours: Mapping[str, str]) -> str:
    """Return rows as aligned text with a heading."""
    if not rows:
        return ""
    cells = [
        [_cell(row.get(column), DIGEST_CHARS if column in DIGESTS else None) for column in columns] for row in rows
    ]
    widths = [max(len(column), *(len(line[place]) for line in cells)) for place, column in enumerate(columns)]
    heading = _line([column.upper() for column in columns], widths)
    lines = [paint(heading, DIM), *(_line(line, widths, colours) for line in cells)]
    return "".join(f"{line}\n" for line in lines)


def paint(text: str, colour: str, stream: Any = None) -> str:
    """Colour text, if it goes to a terminal that wants colours."""
    stream = stream or sys.stdout
    if not colour or not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"{ESCAPE}[{colour}m{text}{ESCAPE}[0m"


def write(text: str) -> None:
    """Write data; what the output's encoding has no characters for becomes escapes."""
    _write(sys.stdout, text)


def say(text: str) -> None:
    """Talk to people."""
    _write(sys.stderr, f"{text}\n")


def one_line(text: str) -> str:
    """Return what has several lines (an error of wasmtime, with its causes below) as one."""
    return " ".join(text.replace("\n\nCaused by:\n", ": ").split())


def age(seconds: float) -> str:
    """A length of time as people say it: ``850ms``, ``12s``, ``3m20s``, ``5h02m``, ``9d04h``."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def size(count: float) -> str:
    """Bytes as people say them: ``512B``, ``3.4MiB``."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f}{unit}" if unit == "B" or count >= 100 else f"{count:.1f}{unit}"
        count /= 1024
    return f"{count:.1f}GiB"


def to_json(value: Any) -> bytes:
    """Encode a value; bytes become lists of numbers, results ``{"ok": …}`` or ``{"err": …}``."""
    return msgspec.json.encode(plain(value))


def to_yaml(value: Any) -> str:
    """Encode plain data as YAML."""
    import yaml

    def dump(is_readable: bool) -> str:
        return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=is_readable, default_flow_style=False))

    text = dump(True)
    return text if shown_lines(text) == text else dump(False)  # which says everything in ASCII


def plain(value: Any) -> Any:
    """Return a value as JSON can say it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray):
        return list(value)
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    return _wrapped(value)


def _wrapped(value: Any) -> Any:
    kind = type(value).__name__
    if kind in ("Ok", "Err", "Some"):
        inner = plain(value.value)
        return inner if kind == "Some" else {kind.lower(): inner}
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    return str(value)


def _cell(value: Any, chars: int | None = None) -> str:
    if value is None:
        return "-"
    if chars is not None and len(value) > chars:
        return f"{value[:chars]}…"
    if isinstance(value, Mapping | list | tuple):
        return to_json(value).decode()
    return shown(str(value))


def _write(stream: TextIO, text: str) -> None:
    safe = "\x1b".join(map(shown_lines, text.split(ESCAPE)))
    try:
        stream.write(safe)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(safe.encode(encoding, "backslashreplace").decode(encoding))


def _line(cells: Sequence[str], widths: Sequence[int], colours: Mapping[str, str] | None = None) -> str:
    padded = (
        paint(cell.ljust(width), (colours or {}).get(cell, "")) for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()
