"""Run an actor's recorded history again, without its outside world, and say whether it does the same.

No host function is executed: the record answers. The first difference ends the replay (or, with --debug, is noted)."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from supervisor.cli import exits
from supervisor.cli.check import cache_dir
from supervisor.cli.history import History, add_store, opened
from supervisor.cli.options import examples
from supervisor.cli.output import say, write
from theater.errors import TheaterError

if TYPE_CHECKING:
    from theater.actor import ActorSpec
    from theater.spec import SupervisorSpec

SILENCE_S = 1.0
"""After so long, a terminal is told how far it is."""


class ReplayProblem(TheaterError):
    """The replay cannot be begun; the text says why and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater replay /counter                          an actor of the running tree, with its own package
  theater replay /counter --tree tree.yaml         the tree has been stopped
  theater replay /counter --until 120              up to event 120 (not included): what was the state there?
  theater replay chain.json --package actor.wasm   a chain in a file, also one that Theater recorded

exit codes: 0 everything as recorded, 1 it diverged (the first difference is named), 2 it cannot be replayed with this
package, or an error, 130 interrupted.
""",
    )
    parser.add_argument("what", metavar="ACTOR|FILE", help="path or id of an actor, or a chain in a file")
    parser.add_argument("--package", metavar="FILE", help="the actor's package (default: what its tree file says)")
    parser.add_argument("--force", action="store_true", help="also if it was recorded with another package")
    parser.add_argument("--until", metavar="N|HASH", help="stop before this event, and show the state there")
    parser.add_argument("--state", metavar="VALUE", help="state before the first event, where the chain does not tell")
    parser.add_argument("--debug", action="store_true", help="note differences and go on where that is possible")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with _job(args) as job:
        last = _replay(job)
    if last is None:
        return exits.INTERRUPTED
    _show(last, args)
    return {"verified": 0, "diverged": 1, "stopped": exits.INTERRUPTED}.get(last["summary"]["status"], 2)


# -- what to replay ---------------------------------------------------------------------------------------------------


@contextmanager
def _job(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    until = int(args.until) if args.until and args.until.isdigit() and len(args.until) < 19 else args.until
    job: dict[str, Any] = {
        "cache": args.cache or cache_dir(),
        "until": until,
        "debug": args.debug,
        "force": args.force,
        "state": args.state,
    }
    if os.path.isfile(args.what):
        yield job | {"chain": os.path.abspath(args.what)} | _with(args, None)
        return
    with opened(args) as history, tempfile.NamedTemporaryFile(prefix="theater-", suffix=".chain") as file:
        actor = history.actor(args.what)
        for batch in history.reader.batches(actor.id):
            file.write(batch)
        file.flush()
        yield job | {"chain": file.name} | _with(args, _declared(history, actor.path, args))


def _with(args: argparse.Namespace, spec: ActorSpec | None) -> dict[str, Any]:
    """The package and its options."""
    package = args.package or (spec.package if spec is not None else None)
    if package is None:
        raise ReplayProblem(f"{args.what}: no tree file says which package it ran; name it with --package")
    options = {} if spec is None else msgspec.to_builtins(spec.options)
    return {"package": os.path.abspath(package), "options": options}


def _declared(history: History, path: str, args: argparse.Namespace) -> ActorSpec | None:
    """What the tree file says of the actor at a path; None for one that a guest has spawned."""
    tree_file = args.tree or (history.client.run.tree if history.client is not None else None)
    if tree_file is None or not os.path.exists(tree_file):
        return None
    from theater.config import load_tree

    return _at(load_tree(tree_file).spec, path.strip("/").split("/"))


def _at(spec: SupervisorSpec, names: list[str]) -> ActorSpec | None:
    if spec.strategy == "simple_one_for_one":
        found = spec.children[0] if spec.children else None
    else:
        found = next((child for child in spec.children if child.id == names[0]), None)
    if found is None:
        return None
    if found.supervisor is not None:
        return _at(found.supervisor, names[1:]) if len(names) > 1 else None
    return found.actor if len(names) == 1 else None  # type: ignore[return-value]


# -- the replay ----------------------------------------------------------------------------------------------------


def _replay(job: dict[str, Any]) -> dict[str, Any] | None:
    """Have a process replay; return its last line, None if it ended without one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.replay"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,  # a terminal's Ctrl-C comes to us; we pass it on
    )
    assert process.stdin is not None and process.stdout is not None
    before = signal.signal(signal.SIGINT, lambda *_: process.send_signal(signal.SIGINT))
    last, bar = None, _Bar()
    try:
        process.stdin.write(msgspec.json.encode(job))
        process.stdin.close()
        for line in process.stdout:
            said = msgspec.json.decode(line)
            if "progress" in said:
                bar.show(*said["progress"])
            else:
                last = said
        process.wait()
    finally:
        bar.clear()
        signal.signal(signal.SIGINT, before)
        if process.poll() is None:
            process.kill()
            process.wait()
    return last


class _Bar:
    """How far the replay is, on a terminal, once it takes long."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._is_shown = False

    def show(self, done: int, total: int) -> None:
        """Tell progress."""
        if sys.stderr.isatty() and time.monotonic() - self._began > SILENCE_S:
            self._is_shown = True
            sys.stderr.write(f"\r{done:>12,} of {total:,} events  {done * 100 // max(1, total):3} %")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line back."""
        if self._is_shown:
            sys.stderr.write("\r\033[K")


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
    if args.until is not None and last["state"] is not None:
        if last["call"]:
            write(f"in a call of {last['call']}\n")
        write(f"state: {last['state']}\n")
