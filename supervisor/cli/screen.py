"""The table of ``theater top`` as lines that fit a terminal: aligned, cut where it ends, coloured last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from unicodedata import combining, east_asian_width

from supervisor.cli.nodes import UNWELL, Node
from supervisor.cli.output import BAD, DIM, GOOD, paint, size
from supervisor.shown import shown

PATH_MIN: Final = 16
PATH_PART: Final = 3
"""In a terminal a path gets a third of the line: its end tells most, and the figures matter."""
CUT: Final = ".."
FULL_PERCENT: Final = 90
"""A budget that is nearly used up is shown as bad."""


def _one_digit(value: Any) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


COLUMNS: Final[tuple[tuple[str, str, Callable[[Any], str]], ...]] = (
    ("PATH", "path", str),
    ("STATE", "state", str),
    ("INC", "incarnation", str),
    ("PID", "pid", str),
    ("CPU%", "cpu_percent", _one_digit),
    ("MEMORY", "memory", size),
    ("GUEST", "guest_memory", size),
    ("QUEUE", "queued", str),
    ("CALLS/S", "calls_per_second", _one_digit),
    ("FAILED", "failed", str),
    ("HOST/S", "host_calls_per_second", _one_digit),
    ("EVENTS/S", "events_per_second", _one_digit),
    ("RESTARTS", "restarts", str),
    ("BUDGET", "budget", str),
)
TO_THE_LEFT: Final = frozenset(("path", "state", "budget"))
STATE: Final = 1
BUDGET: Final = len(COLUMNS) - 1


def frame(tree: dict[str, Any], rows: Sequence[Node], width: int | None = None, height: int | None = None) -> list[str]:
    """Return a headline, a heading and a line for each row, none wider than ``width`` and no more than ``height``.

    Rows that find no place are counted in the headline.
    """
    shown = rows if height is None else rows[: max(0, height - 2)]
    lines = [cut(_headline(tree, rows, len(rows) - len(shown)), width)]
    cells = [[_cell(row, field, say) for _, field, say in COLUMNS] for row in shown]
    if width is not None:
        longest = max(PATH_MIN, width // PATH_PART)
        for line in cells:
            line[0] = cut_front(line[0], longest)
    widths = [max(columns(each) for each in column) for column in zip(_heading(), *cells, strict=True)]
    lines.append(paint(_line(_heading(), widths, width), DIM))
    lines += [_line(line, widths, width, _colours(row)) for row, line in zip(shown, cells, strict=True)]
    return lines if height is None else lines[: max(1, height)]


def _headline(tree: dict[str, Any], rows: Sequence[Node], hidden: int) -> str:
    def total(field: str) -> float:
        return sum(row[field] or 0 for row in rows)

    words = [
        shown(f"{tree['name']}: {tree['state']}"),
        "1 actor" if len(rows) == 1 else f"{len(rows)} actors",
        f"cpu {_one_digit(total('cpu_percent'))}%",
        f"memory {size(total('memory'))}",
        f"{_one_digit(total('calls_per_second'))} calls/s",
        time.strftime("%H:%M:%S"),
    ]
    if hidden:
        words.insert(2, f"{hidden} not shown")
    return ", ".join(words)


def _heading() -> list[str]:
    return [title for title, _, _ in COLUMNS]


def _cell(row: Node, field: str, say: Callable[[Any], str]) -> str:
    value = row[field]
    text = "-" if value is None else shown(say(value))
    return f"{text}?" if field == "state" and row["answers"] is False else text


def _colours(row: Node) -> dict[int, str]:
    is_bad = row["state"] in UNWELL or row["answers"] is False
    colours = {STATE: BAD if is_bad else GOOD if row["state"] == "running" else DIM}
    if row["budget"] is not None and int(row["budget"].rpartition(" ")[2].rstrip("%")) >= FULL_PERCENT:
        colours[BUDGET] = BAD
    return colours


def _line(cells: Sequence[str], widths: Sequence[int], width: int | None, colours: dict[int, str] | None = None) -> str:
    """Return cells with two blanks between them; colours take no place, so cutting comes before colouring."""
    parts: list[str] = []
    left = width
    for place, (text, wide) in enumerate(zip(cells, widths, strict=True)):
        blanks = " " * (wide - columns(text))
        is_left = COLUMNS[place][1] in TO_THE_LEFT
        part = cut(f"{text}{blanks}" if is_left else f"{blanks}{text}", left)
        parts.append(paint(part, (colours or {}).get(place, "")))
        if left is not None:
            left -= columns(part) + 2
            if left <= 0:
                break
    return "  ".join(parts).rstrip()


# -- how wide text is --------------------------------------------------------------------------------------------


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    return 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1


def cut(text: str, width: int | None) -> str:
    """Return as much of the beginning of a text as fits."""
    while width is not None and columns(text) > max(0, width):
        text = text[:-1]
    return text


def cut_front(text: str, width: int) -> str:
    """Return as much of the end of a text as fits, with a sign that there was more."""
    if columns(text) <= width:
        return text
    while columns(text) > width - len(CUT):
        text = text[1:]
    return f"{CUT}{text}"
