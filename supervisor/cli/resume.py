"""Let paused actors go on."""

from __future__ import annotations

import argparse

from supervisor.cli import exits
from supervisor.cli.options import add_run_dir, connected, examples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(parser, "  theater resume /planner\n")
    parser.add_argument("actor", nargs="+", metavar="ACTOR", help="path or id")
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with connected(args) as client:
        for actor in args.actor:
            client.actor(actor).resume()
    return exits.OK
