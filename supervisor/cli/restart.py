"""Stop actors gracefully and start them again. This does not count towards the restart intensity."""

from __future__ import annotations

import argparse
from typing import Any

from supervisor.cli import exits
from supervisor.cli.options import add_run_dir, add_timeout, connected, examples
from supervisor.cli.output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(parser, "  theater restart /planner /indexer\n")
    parser.add_argument("actor", nargs="+", metavar="ACTOR", help="path or id")
    add_timeout(parser, "60 s")
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    code = exits.OK
    with connected(args) as client:
        for actor in args.actor:
            answer = client.restart(actor, timeout=60.0 if args.timeout is None else args.timeout)
            refusal = refused(answer)
            if refusal is not None:
                say(f"theater: {actor} was not restarted: {refusal}")
                code = exits.FAILED
    return code


def refused(answer: Any) -> Any:
    """Return the reason in an answer ``{error, Reason}`` of a supervisor, None if it is no refusal."""
    if isinstance(answer, list | tuple) and len(answer) == 2 and answer[0] == "error":
        return answer[1]
    if isinstance(answer, dict) and "error" in answer:
        return answer["error"]
    return None
