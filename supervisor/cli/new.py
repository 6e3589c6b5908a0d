"""Begin an actor: a directory with its source, its types, a tree file and a README.

`theater build` in that directory makes the package. The tools a language needs are named when they are missing."""

from __future__ import annotations

import argparse
from pathlib import Path

from supervisor.cli import exits
from supervisor.cli.options import examples
from supervisor.cli.output import say, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    from supervisor.kits.kit import KITS

    examples(parser, "  theater new my-actor --lang python\n")
    parser.add_argument("directory", metavar="NAME", help="the actor's name: a directory that is made")
    parser.add_argument("--lang", required=True, choices=sorted(KITS), help="the language it is written in")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from supervisor.kits.kit import new

    directory = Path(args.directory)
    for path in new(args.lang, directory.resolve()):
        write(f"{directory / path.relative_to(directory.resolve())}\n")
    say(f"next: theater build {directory}")
    return exits.OK
