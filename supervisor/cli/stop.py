"""Stop the tree, in reverse start order, and its supervisor with it; or gracefully stop some of its actors."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from supervisor.cli import exits
from supervisor.cli.options import add_output, add_run_dir, add_timeout, connected, examples
from supervisor.cli.output import say, show

if TYPE_CHECKING:
    from theater.client import Client

POLL_S = 0.01
SILENCE_S = 1.0
"""After so long, people are told what they wait for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater stop                        everything; returns when it has ended
  theater stop --force                everything, without waiting for running calls
  theater stop /planner               one actor (its supervisor may start it again)
  theater stop /planner --timeout 2s  and kill it after 2 seconds
""",
    )
    parser.add_argument("actor", nargs="*", metavar="ACTOR", help="stop only these")
    parser.add_argument("--force", action="store_true", help="kill instead of waiting for running calls")
    parser.add_argument("--no-wait", action="store_true", help="return when the order is accepted")
    add_timeout(parser, "for the tree: wait as long as it takes; for an actor: its own shutdown time")
    add_output(parser)
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with connected(args) as client:
        return _stop_actors(client, args) if args.actor else _stop_tree(client, args)


def _stop_actors(client: Client, args: argparse.Namespace) -> int:
    from supervisor.cli.reports import COLUMNS, report_row

    rows = []
    for actor in args.actor:
        handle = client.actor(actor)
        rows.append(report_row(actor, handle.terminate() if args.force else handle.shutdown(args.timeout)))
    show(rows, COLUMNS, args.output)
    return exits.OK


def _stop_tree(client: Client, args: argparse.Namespace) -> int:
    from theater.wires import SupervisorGone

    run = client.run
    try:
        client.stop(force=args.force)
    except SupervisorGone:
        return exits.OK
    if args.no_wait:
        return exits.OK
    if _await_end(run.path, args.timeout, f"{run.name} is stopping; what does not end can be killed with --force"):
        return exits.OK
    say(f"theater: {run.name} (pid {run.pid}) is still stopping after {args.timeout:g} s; try --force")
    return exits.TIMED_OUT


def _await_end(path: str, timeout: float | None, words: str) -> bool:
    """Wait until nobody holds the run directory any more (its lock is the one sure sign); say so if that takes long."""
    from theater.rundir import is_alive

    began = time.monotonic()
    is_told = not sys.stderr.isatty()
    while is_alive(path):
        waited_s = time.monotonic() - began
        if timeout is not None and waited_s > timeout:
            return False
        if waited_s > SILENCE_S and not is_told:
            is_told = True
            say(words)
        time.sleep(POLL_S)
    return True
