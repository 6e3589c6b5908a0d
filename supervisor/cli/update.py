"""Have actors go on with another package: state, callers and supervision stay (hot update).

The new package is tried beside the old one first; on any failure the old one keeps serving, and the error says why.
With --rehearse the recorded history is replayed with it before, and a package that would have done otherwise is not
deployed."""

from __future__ import annotations

import argparse
import os

from supervisor.cli import exits
from supervisor.cli.options import add_output, add_run_dir, add_timeout, connected, examples
from supervisor.cli.output import say, show

COLUMNS = ("actor", "incarnation", "package")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater update /counter --package new.wasm
  theater update /sessions/a /sessions/b --package new.wasm --rehearse
""",
    )
    parser.add_argument("actor", nargs="+", metavar="ACTOR", help="path or id")
    parser.add_argument("--package", required=True, metavar="FILE", help="the new package")
    parser.add_argument("--rehearse", action="store_true", help="replay the recorded history with it first")
    parser.add_argument("--force", action="store_true", help="with --rehearse: also if it diverges")
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")
    add_timeout(parser, "60s for each")
    add_output(parser)
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.rehearse and not _is_rehearsed(args):
        return exits.FAILED
    package = os.path.abspath(args.package)
    with connected(args) as client:
        rows = []
        for actor in args.actor:
            number = client.actor(actor).update_package(package, timeout=args.timeout)
            rows.append({"actor": actor, "incarnation": number, "package": package})
    show(rows, COLUMNS, args.output)
    return exits.OK


def _is_rehearsed(args: argparse.Namespace) -> bool:
    """Whether the package does what the recorded one did, or is wanted all the same."""
    from supervisor.cli import rehearse

    args.store = args.tree = None
    rows = rehearse.rehearsed(args)
    for row in rows:
        say(f"rehearsal of {row['actor']}: {row['verdict']}" + (f" at {row['where']}" if row["where"] else ""))
    is_good = all(row["verdict"] in rehearse.GOOD_ENOUGH for row in rows)
    if not is_good and not args.force:
        say("theater: nothing was updated; --force updates all the same")
    return is_good or bool(args.force)
