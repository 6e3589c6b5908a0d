"""Say what changed in an actor's state between two events of its history."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from supervisor.cli import exits
from supervisor.cli.history import add_store
from supervisor.cli.inspect import add_replay_arguments, look
from supervisor.cli.options import add_output, examples
from supervisor.cli.output import form_of, say, show
from supervisor.cli.playing import job_of

COLUMNS = ("place", "before", "after")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater diff /counter 100 120
  theater diff /ledger 5fd60a31 d1d5ab01 --tree tree.yaml
""",
    )
    parser.add_argument("what", metavar="ACTOR|FILE", help="path or id of an actor, or a chain in a file")
    parser.add_argument("before", metavar="N|HASH", help="the event before which to look first")
    parser.add_argument("after", metavar="N|HASH", help="and then")
    add_replay_arguments(parser)
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with job_of(args.what, args) as job:
        before = look(job, args.before)
        after = before if isinstance(before, int) else look(job, args.after)
    for found in (before, after):
        if isinstance(found, int):
            return found
    assert isinstance(before, dict) and isinstance(after, dict)
    rows = list(differences(before["state"], after["state"], "state"))
    show(rows, COLUMNS, args.output)
    if not rows and form_of(args.output) == "table":
        say("the same state")
    return exits.OK


def differences(before: Any, after: Any, place: str) -> Iterator[dict[str, Any]]:
    """Yield every place where two pieces of plain data differ, innermost."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from differences(before.get(key), after.get(key), f"{place}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (ours, theirs) in enumerate(zip(before, after, strict=True)):
            yield from differences(ours, theirs, f"{place}[{at}]")
    elif before != after:
        yield {"place": place, "before": before, "after": after}
