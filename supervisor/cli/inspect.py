"""Show an actor's state at any event of its history, and the call it was in.

The history is replayed up to that event, without the outside world (see: theater replay --help)."""

from __future__ import annotations

import argparse
from typing import Any

from supervisor.cli import exits
from supervisor.cli.history import add_store
from supervisor.cli.options import add_output, examples
from supervisor.cli.output import say, show_one
from supervisor.cli.playing import job_of, place_of, play


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater inspect /counter --at 120                   before event 120 of the running tree's history
  theater inspect /counter --at 5fd60a31              the event with that hash
  theater inspect /counter --at 120 --tree tree.yaml  the tree has been stopped
""",
    )
    parser.add_argument("what", metavar="ACTOR|FILE", help="path or id of an actor, or a chain in a file")
    parser.add_argument("--at", required=True, metavar="N|HASH", help="the event before which to look")
    add_replay_arguments(parser)
    add_output(parser)
    add_store(parser)


def add_replay_arguments(parser: argparse.ArgumentParser) -> None:
    """With what to replay."""
    parser.add_argument("--package", metavar="FILE", help="the actor's package (default: what its tree file says)")
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with job_of(args.what, args) as job:
        found = look(job, args.at)
    if isinstance(found, int):
        return found
    show_one(found, args.output)
    return exits.OK


def look(job: dict[str, Any], at: str) -> dict[str, Any] | int:
    """Return state and call at an event as plain data, or the exit code after saying why not."""
    last = play(job | {"until": place_of(at), "begin": "newest"})
    if last is None:
        return exits.INTERRUPTED
    if not last["summary"]["success"]:
        say(f"theater: {last['text']}")
        return {"diverged": 1, "stopped": exits.INTERRUPTED}.get(last["summary"]["status"], 2)
    return {"events": last["summary"]["events_replayed"], "call": last["call"], "state": plain(last["state"])}


def plain(state: str | None) -> Any:
    """A state in the text form as Python data."""
    from theater import convert, text

    return None if not state else convert.from_value(text.parse(state))
