"""Arguments that several verbs share, said once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theater.client import Client

FORMATS = ("table", "json", "jsonl", "yaml")
SECONDS_MAX = 1e9
COUNT_DIGITS_MAX = 18


def add_run_dir(parser: argparse.ArgumentParser) -> None:
    """Which supervisor is meant."""
    parser.add_argument(
        "--run-dir", metavar="DIR", help="run directory of the supervisor (default: $THEATER_RUN_DIR, or the only one)"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """In which form data is printed."""
    parser.add_argument(
        "-o", "--output", choices=FORMATS, help="form of the output (default: table on a terminal, else jsonl)"
    )


def add_timeout(parser: argparse.ArgumentParser, default: str) -> None:
    """How long to wait."""
    parser.add_argument("--timeout", type=seconds, metavar="TIME", help=f"give up after so long (default: {default})")


def examples(parser: argparse.ArgumentParser, text: str, codes: str | None = None) -> None:
    """Put examples and exit codes below the help; ``codes`` where a verb has meanings of its own."""
    from supervisor.cli import exits

    parser.epilog = f"examples:\n{text.rstrip()}\n\n{codes or exits.DESCRIPTION}"


def seconds(text: str) -> float:
    """Read a time in seconds: ``5``, ``0.5``, also ``500ms``, ``5s``, ``2m``."""
    number, factor = text, 1.0
    for unit, its_factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if text.endswith(unit):
            number, factor = text.removesuffix(unit), its_factor
            break
    try:
        value = float(number) * factor
    except ValueError:
        value = -1.0
    if not 0 <= value < SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"expected a time such as 5, 0.5, 500ms, 5s or 2m, got {text!r}")
    return value


def count(text: str) -> int:
    """Read how many, or a number of an event."""
    if not text.isascii() or not text.isdigit() or len(text) > COUNT_DIGITS_MAX:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up, got {text!r}")
    return int(text)


def connected(args: argparse.Namespace) -> Client:
    """Return a client of the supervisor meant."""
    from theater.client import connect

    return connect(args.run_dir)
