"""Run an actor's recorded history again, without its outside world, and say whether it does the same.

No host function is executed: the record answers. The first difference ends the replay (or, with --debug, is noted)."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from supervisor.cli import exits
from supervisor.cli.history import add_store
from supervisor.cli.options import examples
from supervisor.cli.output import say, write
from supervisor.cli.playing import job_of, place_of, play


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater replay /counter                          an actor of the running tree, with its own package
  theater replay /counter --tree tree.yaml         the tree has been stopped
  theater replay /counter --until 120              up to event 120 (not included): what was the state there?
  theater replay chain.json --package actor.wasm   a chain in a file, also one that Theater recorded
""",
        "exit codes: 0 everything as recorded, 1 it diverged (the first difference is named), 2 it cannot be replayed\n"
        "with this package, or an error, 130 interrupted; 3 to 5 as with other verbs.",
    )
    parser.add_argument("what", metavar="ACTOR|FILE", help="path or id of an actor, or a chain in a file")
    parser.add_argument("--package", metavar="FILE", help="the actor's package (default: what its tree file says)")
    parser.add_argument("--force", action="store_true", help="also if it was recorded with another package")
    chain = "chain of a child whose events the actor was given (may be said again; those in the store are found)"
    parser.add_argument("--chain", action="append", metavar="FILE", help=chain)
    parser.add_argument("--until", metavar="N|HASH", help="stop before this event, and show the state there")
    snapshot = "begin at the newest snapshot, or at event N, which is one, instead of the beginning"
    parser.add_argument("--from-snapshot", nargs="?", const="newest", metavar="N", help=snapshot)
    checks = "compare every snapshot with the state that was computed, from the beginning, and say how many"
    parser.add_argument("--check-snapshots", action="store_true", help=checks)
    parser.add_argument("--state", metavar="VALUE", help="state before the first event, where the chain does not tell")
    parser.add_argument("--debug", action="store_true", help="note differences and go on where that is possible")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.check_snapshots and args.from_snapshot:
        say("theater: --check-snapshots begins at the beginning: leave --from-snapshot out")
        return exits.CONFIGURATION
    wishes = {"until": place_of(args.until), "debug": args.debug, "force": args.force, "state": args.state}
    wishes["begin"] = place_of(args.from_snapshot)
    with job_of(args.what, args) as job:
        last = play(job | wishes)
    if last is None:
        return exits.INTERRUPTED
    _show(last, args)
    return {"verified": 0, "diverged": 1, "stopped": exits.INTERRUPTED}.get(last["summary"]["status"], 2)


def _show(last: dict[str, Any], args: argparse.Namespace) -> None:
    if args.json:
        write(msgspec.json.encode(last).decode() + "\n")
        return
    for each in last["divergences"][1:]:
        say(each)
    summary = last["summary"]
    if summary["status"] in ("verified", "stopped"):
        write(last["text"] + "\n")
    else:
        say(f"theater: {last['text']}")
    if args.check_snapshots and summary["status"] == "verified":
        write(f"{last['snapshots']} snapshots agree\n")
    if args.until is not None and last["state"] is not None:
        if last["call"]:
            write(f"in a call of {last['call']}\n")
        write(f"state: {last['state']}\n")
