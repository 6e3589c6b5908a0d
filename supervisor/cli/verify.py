"""Check that recorded history is complete and unchanged: every link and every hash, naming the first bad event.

Without arguments, the history of every actor is checked. Files are chains that were saved, or recorded by Theater."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from supervisor.cli import exits
from supervisor.cli.history import History, add_store, opened
from supervisor.cli.options import add_output, examples
from supervisor.cli.output import BAD, GOOD, form_of, say, show

if TYPE_CHECKING:
    from theater.chain import Report

COLUMNS = ("chain", "result", "events", "head", "problem")
COLOURS = {"ok": GOOD, "broken": BAD}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater verify                        everything the running tree has recorded
  theater verify /counter               one actor
  theater verify --tree tree.yaml       the tree has been stopped
  theater verify counter.json           a chain in a file, also one that Theater recorded
""",
    )
    parser.add_argument("what", nargs="*", metavar="ACTOR|FILE", help="path or id of an actor, or a file")
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    files = [what for what in args.what if os.path.isfile(what)]
    actors = [what for what in args.what if what not in files]
    rows = [_file_row(path) for path in files]
    for what in actors:
        if not what.startswith("/") and ("/" in what or "." in what):
            say(f"theater: {what}: no file of that name, and expected an actor's path to begin with /, or its id")
            return exits.UNKNOWN_NAME
    if actors or not files:
        with opened(args) as history:
            rows += _actor_rows(history, actors)
    show(rows, COLUMNS, args.output, COLOURS)
    broken = [row for row in rows if row["result"] != "ok"]
    if form_of(args.output) == "table" and not rows:
        say("nothing has been recorded")
    return exits.CHAIN_INVALID if broken else exits.OK


def _actor_rows(history: History, targets: list[str]) -> list[dict[str, Any]]:
    known = [history.actor(target) for target in targets] if targets else history.reader.actors()
    return [_row(actor.path, history.reader.verify(actor.id)) for actor in known]


def _file_row(path: str) -> dict[str, Any]:
    from theater.chain import files

    events = files.read_file(path)
    return _row(path, files.verify_events(events), files.rule_of(events))


def _row(name: str, report: Report, algorithm: str = "sha256") -> dict[str, Any]:
    bad = report.first_bad
    return {
        "chain": name,
        "result": "ok" if report.ok else "broken",
        "events": report.events,
        "head": report.head.hex() if report.head else None,
        "problem": str(bad) if bad else None,
        "first_bad": bad,
        "algorithm": algorithm,
    }
