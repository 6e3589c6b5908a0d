"""Build the actor in a directory that `theater new` has begun (or one like it)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from supervisor.cli import exits
from supervisor.cli.options import examples
from supervisor.cli.output import say, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(parser, "  theater build\n  theater build my-actor\n")
    parser.add_argument("directory", nargs="?", default=".", metavar="DIR", help="default: this one")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from supervisor.kits.kit import build

    began = time.monotonic()
    say(f"building {args.directory} …")
    package = build(Path(args.directory).resolve())
    say(f"built in {time.monotonic() - began:.1f} s, {package.stat().st_size / 1e6:.1f} MB")
    write(f"{package}\n")
    return exits.OK
