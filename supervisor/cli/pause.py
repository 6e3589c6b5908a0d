"""Pause actors. Each finishes its current call first; calls that come meanwhile wait."""

from __future__ import annotations

import argparse

from supervisor.cli import exits
from supervisor.cli.options import add_run_dir, add_timeout, connected, examples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater pause /planner
  theater pause /planner --if-idle       refuse if it is in the middle of a call
""",
    )
    parser.add_argument("actor", nargs="+", metavar="ACTOR", help="path or id")
    parser.add_argument("--if-idle", action="store_true", help="refuse instead of waiting for the current call")
    add_timeout(parser, "5 s")
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from theater.conversation import DEFAULT

    timeout = DEFAULT if args.timeout is None else args.timeout
    with connected(args) as client:
        for actor in args.actor:
            client.actor(actor).pause("if_idle" if args.if_idle else "after_call", timeout=timeout)
    return exits.OK
