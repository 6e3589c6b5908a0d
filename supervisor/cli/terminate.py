"""Kill actors at once, whatever they are doing. Their supervisor then does what it does after a crash."""

from __future__ import annotations

import argparse

from supervisor.cli import exits
from supervisor.cli.options import add_output, add_run_dir, connected, examples
from supervisor.cli.output import show
from supervisor.cli.reports import COLUMNS, report_row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(parser, "  theater terminate /planner\n")
    parser.add_argument("actor", nargs="+", metavar="ACTOR", help="path or id")
    add_output(parser)
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with connected(args) as client:
        rows = [report_row(actor, client.actor(actor).terminate()) for actor in args.actor]
    show(rows, COLUMNS, args.output)
    return exits.OK
