"""Arguments that several verbs share, said once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theater.client import Client

FORMATS = ("table", "json", "jsonl", "yaml")


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
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help=f"give up after so long (default: {default})"
    )


def examples(parser: argparse.ArgumentParser, text: str) -> None:
    """Put examples and exit codes below the help."""
    from supervisor.cli import exits

    parser.epilog = f"examples:\n{text.rstrip()}\n\n{exits.DESCRIPTION}"


def seconds(text: str) -> float:
    """Read a time in seconds: ``5``, ``0.5``, also ``500ms``, ``5s``, ``2m``."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0}
    for unit, factor in units.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit():
            return float(number) * factor
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


def connected(args: argparse.Namespace) -> Client:
    """Return a client of the supervisor meant."""
    from theater.client import connect

    return connect(args.run_dir)
