"""Look at a store: is the database sound, is every chain complete and unchanged, has anything been left over?

Every finding says what can be done. On the store of a running tree it only looks; --repair needs a stopped one, and
does only what is safe: reads leftover rings in, cuts torn ends off and keeps them, puts away what belongs to nobody."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from supervisor.cli import exits
from supervisor.cli.history import add_store
from supervisor.cli.options import add_output, examples
from supervisor.cli.output import BAD, form_of, say, show
from supervisor.cli.playing import Bar
from supervisor.cli.stores import directory_of, refused

if TYPE_CHECKING:
    from supervisor.store.doctor import Finding

COLUMNS = ("severity", "where", "finding", "repair")
COLOURS = {"error": BAD}
CODES = """\
exit codes: 0 all is well (notes at most), 7 something is to be done, 8 a chain is not valid;
2 to 5 as with other verbs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater doctor                            the store of the running tree
  theater doctor --tree tree.yaml           that of a stopped one
  theater doctor --store /srv/fleet -o json
  theater doctor --tree tree.yaml --repair  mend what can safely be mended
""",
        CODES,
    )
    parser.add_argument("--repair", action="store_true", help="mend what is safe to mend (the tree has to be stopped)")
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    directory = directory_of(args)
    if args.repair:
        _repair(directory)
    rows = list(_rows(directory))
    show(rows, COLUMNS, args.output, COLOURS)
    if form_of(args.output) == "table" and not rows:
        say(f"{directory}: all is well")
    return _code(rows)


def _repair(directory: str) -> None:
    from supervisor.store.repairing import repair

    done = 0
    with refused():
        for line in repair(directory):
            done += 1
            say(line)
    if not done:
        say("there was nothing that could be repaired")


def _rows(directory: str) -> Iterator[dict[str, Any]]:
    from supervisor.store.doctor import examine

    bar = Bar("events")
    with refused():
        for finding in examine(directory, lambda _, done, total: bar.show(done, total)):
            bar.clear()
            yield _row(finding)
    bar.clear()


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "where": finding.where,
        "finding": finding.text,
        "repair": finding.repair,
        "kind": finding.kind,
    }


def _code(rows: list[dict[str, Any]]) -> int:
    if any(row["kind"] == "chain" for row in rows):
        return exits.CHAIN_INVALID
    return exits.UNHEALTHY if any(row["severity"] != "note" for row in rows) else exits.OK
