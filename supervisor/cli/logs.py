"""Log lines of the supervisor, the workers and their guests, oldest first (from `logs.jsonl` in the store)."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from supervisor.cli import exits
from supervisor.cli.history import HistoryError, add_store, store_dir
from supervisor.cli.options import add_output, count, examples
from supervisor.cli.output import BAD, DIM, form_of, one_line, paint, say, show, write
from supervisor.shown import shown

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
COLOURS = {"warning": "33", "error": BAD, "critical": BAD, "debug": DIM}
KNOWN = ("timestamp", "level", "event", "actor", "incarnation", "logger")
POLL_S = 0.1
COLUMNS = ("timestamp", "level", "actor", "event")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater logs -n 50                  the last 50 lines
  theater logs --follow               and as they come
  theater logs /counter               of one actor and its guest
  theater logs --level warning        warnings and worse
  theater logs --tree tree.yaml       of a stopped tree
""",
    )
    parser.add_argument("-n", "--lines", type=count, metavar="N", help="only the last N")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with lines as they come")
    parser.add_argument("path", nargs="?", metavar="ACTOR", help="only of this actor (path)")
    parser.add_argument("--actor", metavar="ACTOR", help="the same")
    parser.add_argument("--level", choices=tuple(LEVELS), help="only of this level and above")
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    args.actor = args.actor or args.path
    path = os.path.join(_directory(args), "logs.jsonl")
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, after following it
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror}") from None
    with file:
        if args.lines is None or args.lines > 0:
            _show(_last(_wanted(_older(path), args), _wanted(_lines(file), args), args.lines), args)
        else:
            file.seek(0, os.SEEK_END)
        if args.follow:
            _follow(path, file, args)
    return exits.OK


def _directory(args: argparse.Namespace) -> str:
    named = store_dir(args)
    if named is not None:
        return named
    from supervisor.cli.history import hinted
    from theater.rundir import NotRunning, find

    try:
        return find(args.run_dir).store
    except NotRunning as error:
        raise hinted(error) from None


def _older(path: str) -> Iterator[dict[str, Any]]:
    """Yield what the file before this one holds (the supervisor begins a new one when it gets large)."""
    try:
        with open(f"{path}.1", "rb") as file:
            yield from _lines(file)
    except FileNotFoundError:
        return


def _lines(file: Any) -> Iterator[dict[str, Any]]:
    """Yield complete lines; one that is still being written is left for the next time."""
    while True:
        start = file.tell()
        line = file.readline()
        if not line.endswith(b"\n"):
            file.seek(start)
            return
        try:
            record = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(record, dict):
            yield record


def _wanted(records: Iterator[dict[str, Any]], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    least = LEVELS[args.level] if args.level else 0
    for record in records:
        if LEVELS.get(str(record.get("level")), 20) >= least and args.actor in (None, record.get("actor")):
            yield record


def _last(
    older: Iterator[dict[str, Any]], newer: Iterator[dict[str, Any]], count: int | None
) -> Iterator[dict[str, Any]]:
    if count is None:
        yield from older
        yield from newer
        return
    kept: deque[dict[str, Any]] = deque(newer, count)
    if len(kept) < count:
        missing = count - len(kept)
        yield from deque(older, missing)
    yield from kept


def _show(records: Iterator[dict[str, Any]], args: argparse.Namespace) -> None:
    if form_of(args.output) != "table":
        show(records, COLUMNS, args.output)
        return
    is_empty = True
    for record in records:
        write(_line(record))
        is_empty = False
    if is_empty and args.actor and not args.follow:
        say(f"no log lines of {args.actor}")


def _line(record: dict[str, Any]) -> str:
    level = str(record.get("level", ""))
    who, words, told = _in_words(record)
    rest = shown(" ".join(f"{key}={value}" for key, value in record.items() if key not in KNOWN and key not in told))
    time_of_day = str(record.get("timestamp", ""))[11:23]
    told_whole = f"{shown(words)} {paint(rest, DIM) if rest else ''}".rstrip()
    return f"{paint(time_of_day, DIM)} {paint(level.ljust(7), COLOURS.get(level, ''))}{shown(who)} {told_whole}\n"


def _in_words(record: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """Of whom a line is, what it says, and which of its fields that tells already."""
    who = f" {record['actor']}" if record.get("actor") else ""
    match record:
        case {"event": "ended", "cause": _, "text": text}:
            return who, f"ended: {one_line(str(text))}", ("cause", "text")
        case {"event": "supervisor_report", "supervisor": supervisor, "context": context, "reason": reason}:
            about = f" {record['child']}" if record.get("child") else ""
            told = ("supervisor", "context", "child", "reason")
            return f" {supervisor}", f"{context}{about}: {one_line(str(reason))}", told
        case {"event": "supervisor_gave_up", "supervisor": supervisor}:
            about = f" after {record['child']}" if record.get("child") else ""
            return f" {supervisor}", f"gave up: too many restarts{about}", ("supervisor", "child")
        case {"event": words, "origin": "guest"}:
            return who, str(words), ("origin",)
        case _:
            return who, str(record.get("event", "")), ()


def _follow(path: str, file: Any, args: argparse.Namespace) -> None:
    """Print what is appended, also across the beginning of a new file. Ends with Ctrl-C."""
    while True:
        _show(_wanted(_lines(file), args), args)
        sys.stdout.flush()
        if _is_replaced(path, file):
            file.close()
            file = open(path, "rb")  # noqa: SIM115
            continue
        time.sleep(POLL_S)


def _is_replaced(path: str, file: Any) -> bool:
    try:
        return os.stat(path).st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
