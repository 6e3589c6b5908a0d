"""Try a new version of a package against recorded histories, before deploying it.

Every history is replayed with the new package: no outside world, nothing changed. An actor's verdict is *identical*,
*same results* (what callers got is the same, the state is another), or *diverged* (and where)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from supervisor.cli import exits
from supervisor.cli.history import History, add_store, opened
from supervisor.cli.options import add_output, examples
from supervisor.cli.output import BAD, GOOD, show
from supervisor.cli.playing import Bar, end, follow, job_of_actor, start

if TYPE_CHECKING:
    from supervisor.store.reader import StoredActor

COLUMNS = ("actor", "verdict", "events", "where")
IDENTICAL, SAME_RESULTS, DIVERGED, FAILED = "identical", "same results", "diverged", "failed"
GOOD_ENOUGH = (IDENTICAL, SAME_RESULTS)
COLOURS = {IDENTICAL: GOOD, DIVERGED: BAD, FAILED: BAD}
INSIDE = ("state", "hash")
"""Kinds of differences no caller has seen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater rehearse --package new.wasm /counter
  theater rehearse --package new.wasm /sessions/a /sessions/b --tree tree.yaml
""",
        "exit codes: 0 all identical or with the same results, 1 one diverged, 2 one could not be replayed;\n"
        "3 to 5 as with other verbs.",
    )
    parser.add_argument("actor", nargs="+", metavar="ACTOR", help="path or id")
    parser.add_argument("--package", required=True, metavar="FILE", help="the new package")
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    rows = rehearsed(args)
    show(rows, COLUMNS, args.output, COLOURS)
    verdicts = {row["verdict"] for row in rows}
    if FAILED in verdicts:
        return exits.CONFIGURATION
    return exits.FAILED if DIVERGED in verdicts else exits.OK


def rehearsed(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Rehearse ``args.package`` with the histories of ``args.actor``; a row of COLUMNS for each."""
    with opened(args) as history:
        actors = [history.actor(target) for target in args.actor]
        return list(_rehearsed(history, actors, args))


def _rehearsed(history: History, actors: list[StoredActor], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row each, as many at once as there are processors. The store is read by this thread alone."""
    bar = Bar("actors")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        waiting = []
        for actor in actors:
            context = job_of_actor(history, actor, args)
            job = context.__enter__()
            waiting.append((actor, context, pool.submit(_verdict, actor.path, job | {"force": True, "debug": True})))
        for done, (_, context, future) in enumerate(waiting, 1):
            try:
                yield future.result()
            finally:
                context.__exit__(None, None, None)
            bar.show(done, len(waiting))
    bar.clear()


def _verdict(path: str, job: dict[str, Any]) -> dict[str, Any]:
    process = start(job)
    try:
        last = follow(process, lambda done, total: None)
    finally:
        end(process)
    if last is None:
        return {"actor": path, "verdict": FAILED, "events": 0, "where": "the replay ended without a word"}
    summary = last["summary"]
    row = {"actor": path, "events": summary["events_replayed"], "where": None}
    if summary["success"]:
        return row | {"verdict": IDENTICAL}
    if summary["status"] != "diverged":
        return row | {"verdict": FAILED, "where": last["text"]}
    differences = zip(last["kinds"], last["divergences"], strict=True)
    seen = next((text for kind, text in differences if kind not in INSIDE), None)
    return row | {"verdict": SAME_RESULTS if seen is None else DIVERGED, "where": seen or last["divergences"][0]}
