"""What actors use: cpu, memory, queue, calls and budgets, again every second until Ctrl-C.

Rates are of the time between two rounds. FAILED and RESTARTS are counts; BUDGET is the fullest of the actor's budgets
(limits: guest_time, host_calls …). A state with a question mark belongs to an actor that does not answer: what is shown
is what it said last, nobody waits for it. Without a terminal each round is printed as plain text."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from itertools import count as counted
from time import monotonic, sleep
from typing import Any, Final

from supervisor.cli import exits
from supervisor.cli.gauges import Gauges, Sample
from supervisor.cli.options import FORMATS, add_run_dir, count, examples, seconds
from supervisor.cli.output import ESCAPE, show, write
from supervisor.cli.screen import frame
from supervisor.cli.usage import SORTS, rows_of
from theater.rundir import find

INTERVAL_S: Final = 1.0
INTERVAL_MIN_S: Final = 0.1
FIRST_S: Final = 0.5
"""The first table comes so soon; its rates are of that time."""
HOME: Final = f"{ESCAPE}[H"
CLEAR: Final = f"{HOME}{ESCAPE}[2J"
CLEAR_LINE: Final = f"{ESCAPE}[K"
CLEAR_BELOW: Final = f"{ESCAPE}[J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater top                          all actors, until Ctrl-C
  theater top /fleet --sort mem        one branch, the largest first
  theater top --once                   one table
  theater top -n 60 > usage.txt        a minute of it, as text
  theater top -o json | jq '.[] | select(.queued > 10).path'
""",
    )
    parser.add_argument("path", nargs="*", metavar="PATH", help="only these actors, and what is below (default: all)")
    rounds = parser.add_mutually_exclusive_group()
    rounds.add_argument("-n", "--rounds", type=_rounds, metavar="N", help="end after so many tables")
    rounds.add_argument("--once", action="store_const", dest="rounds", const=1, help="one table")
    parser.add_argument("-i", "--interval", type=_interval, default=INTERVAL_S, metavar="TIME", help="default: 1s")
    parser.add_argument("-s", "--sort", choices=tuple(SORTS), default="cpu", help="what comes first (default: cpu)")
    parser.add_argument(
        "-o", "--output", choices=FORMATS, default="table", help="form (default: table; others: one round without -n)"
    )
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    rounds = args.rounds or (None if args.output == "table" else 1)
    with closing(Gauges(find(args.run_dir), tuple(args.path))) as gauges:
        gauges.sample()
        due = monotonic() + min(FIRST_S, args.interval)
        try:
            for number in counted(1):
                sleep(max(0.0, due - monotonic()))
                due = max(due, monotonic() - args.interval) + args.interval
                _print(gauges.sample(), args, number)
                if number == rounds:
                    return exits.OK
        except KeyboardInterrupt:
            _new_line()
            raise
    return exits.OK


def _print(sample: Sample, args: argparse.Namespace, number: int) -> None:
    rows = rows_of(sample, args.sort)
    if args.output != "table":
        show(rows, (), args.output)
    elif not sys.stdout.isatty():
        between = "\n" if number > 1 else ""
        _put(between + "".join(f"{line}\n" for line in frame(sample.tree, rows)))
    elif args.rounds == 1 or os.environ.get("TERM", "dumb") == "dumb":
        _put("".join(f"{line}\n" for line in frame(sample.tree, rows, _size()[0])))
    else:
        width, height = _size()
        lines = frame(sample.tree, rows, width, height - 1)
        text = "".join(f"{CLEAR_LINE}{line}\n" for line in lines)
        _put(f"{CLEAR if number == 1 else HOME}{text}{CLEAR_BELOW}")
    sys.stdout.flush()


def _put(text: str) -> None:
    """Write a table at once, so that it does not flicker; nothing of the terminal is changed that would have to be put
    back when somebody ends us."""
    write(text)


def _size() -> tuple[int, int]:
    """Columns and lines of the terminal, as they are now."""
    try:
        found: Any = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        found = (0, 0)
    return found[0] or 80, found[1] or 24


def _new_line() -> None:
    """The prompt does not belong beside the ^C."""
    if sys.stdout.isatty():
        sys.stdout.write("\n")
        sys.stdout.flush()


def _rounds(text: str) -> int:
    number = count(text)
    if number == 0:
        raise argparse.ArgumentTypeError("expected a whole number from 1 up, got '0'")
    return number


def _interval(text: str) -> float:
    value = seconds(text)
    if value < INTERVAL_MIN_S:
        raise argparse.ArgumentTypeError(f"expected at least {INTERVAL_MIN_S:g}s, got {text!r}")
    return value
