"""Build the actors in directories that `theater new` has begun (or ones like it), or of single files in C or Rust."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from supervisor.cli import exits
from supervisor.cli.options import examples
from supervisor.cli.output import say, size, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(parser, "  theater build\n  theater build my-actor\n  theater build counter.c\n")
    parser.add_argument("paths", nargs="*", default=["."], metavar="DIR|FILE", help="default: this directory")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from supervisor.kits.kit import build

    for path in args.paths:
        began = time.monotonic()
        say(f"building {path} …")
        package = build(Path(path).resolve())
        say(f"built in {time.monotonic() - began:.1f} s, {size(package.stat().st_size)}")
        write(f"{package}\n")
    return exits.OK
