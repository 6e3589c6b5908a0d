"""Run the actor in a directory while it is being written: built, started, and on every change built and updated.

The state goes on over updates (a package that cannot take it over is refused, and the one before serves on). Ctrl-C
stops the tree in order."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from supervisor.cli import exits
from supervisor.cli.options import examples
from supervisor.cli.output import say
from theater.errors import TheaterError

if TYPE_CHECKING:
    from theater.client import Client
    from theater.spec import SupervisorSpec

LOOK_S: Final = 0.2
"""Between two looks at the files; a change is acted on when two looks agree."""
NOT_SOURCES: Final = frozenset(("node_modules", "__pycache__"))
NOT_SOURCE_SUFFIXES: Final = (".wasm", ".new")

Stamps = dict[str, tuple[int, int]]
"""Time and size of every source, by path."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(parser, "  theater dev my-actor\n")
    parser.add_argument("directory", nargs="?", default=".", metavar="DIR", help="default: this one")
    parser.add_argument("--run-dir", metavar="DIR", help="where sockets go (default: one for the tree file)")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from supervisor.kits.kit import build
    from supervisor.rundir import default_run_dir
    from theater.config import load_tree

    directory = Path(args.directory).resolve()
    tree_file = directory / "tree.yaml"
    seen = stamps(directory)
    say(f"building {args.directory} …")
    package = build(directory)
    tree = load_tree(str(tree_file))
    run_dir = args.run_dir or os.environ.get("THEATER_RUN_DIR") or default_run_dir(tree.name, str(tree_file))
    paths = list(_paths(tree.spec, "", str(package)))
    with tempfile.TemporaryDirectory(prefix="theater-") as scratch:
        ready = os.path.join(scratch, "up")
        command = [sys.executable, "-m", "supervisor", "start", str(tree_file), "--run-dir", run_dir]
        process = subprocess.Popen([*command, "--ready-file", ready])
        try:
            return _follow(process, ready, run_dir, directory, paths, seen)
        except KeyboardInterrupt:
            return exits.OK
        finally:
            _end(process)


def stamps(directory: Path) -> Stamps:
    """Look at the sources: everything but what builds and runs leave behind."""
    found: Stamps = {}
    for root, directories, files in os.walk(directory):
        directories[:] = [each for each in directories if each not in NOT_SOURCES and not each.startswith(".")]
        for name in files:
            if name.endswith(NOT_SOURCE_SUFFIXES) or name.startswith("."):
                continue
            try:
                info = os.stat(os.path.join(root, name))
            except FileNotFoundError:
                continue
            found[os.path.join(root, name)] = (info.st_mtime_ns, info.st_size)
    return found


def _follow(
    process: subprocess.Popen[bytes], ready: str, run_dir: str, directory: Path, paths: list[str], seen: Stamps
) -> int:
    from theater.client import connect

    while not os.path.exists(ready):
        if process.poll() is not None:
            return exits.FAILED
        time.sleep(LOOK_S)
    say(f"watching {directory} (Ctrl-C ends it)")
    with connect(run_dir) as client:
        while process.poll() is None:
            time.sleep(LOOK_S)
            now = stamps(directory)
            if now != seen and _is_settled(directory, now):
                seen = now
                _again(client, directory, paths)
    return process.returncode


def _is_settled(directory: Path, now: Stamps) -> bool:
    """Whoever writes has finished."""
    time.sleep(LOOK_S)
    return stamps(directory) == now


def _again(client: Client, directory: Path, paths: list[str]) -> None:
    """Build and update; what goes wrong is told, and the package before serves on."""
    from supervisor.kits.kit import build

    began = time.monotonic()
    try:
        package = build(directory)
        for path in paths:
            number = client.actor(path).update_package(package)
            say(f"{path} updated in {time.monotonic() - began:.1f} s: incarnation {number}")
    except TheaterError as error:
        say(f"theater: {error}")


def _paths(spec: SupervisorSpec, above: str, package: str) -> Iterator[str]:
    """The actors of a tree that run this package."""
    for child in spec.children:
        path = f"{above}/{child.id}"
        if child.supervisor is not None:
            yield from _paths(child.supervisor, path, package)
        elif getattr(child.actor, "package", None) == package:
            yield path


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no tree behind. (A terminal's Ctrl-C has reached it already; a second one would be by force.)"""
    try:
        process.wait(LOOK_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        process.wait()
