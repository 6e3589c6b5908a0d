"""Remove the oldest history of actors, by age, number or size, and give the space back.

What stays verifies from the number and hash of the last event removed. Without bounds, those of the tree file hold
(`retention`). Works while the tree runs, a little at a time. A chain that is broken is left alone. Without actors,
packages that the store keeps and nothing kept refers to any more are removed, too."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

from supervisor.cli import exits
from supervisor.cli.history import add_store
from supervisor.cli.options import add_output, count, examples
from supervisor.cli.output import say, show, size
from supervisor.cli.playing import Bar
from supervisor.cli.stores import directory_of, refused
from theater.errors import NotFound

if TYPE_CHECKING:
    import sqlite3

    from supervisor.store import StoreReader
    from supervisor.store.reader import StoredActor
    from supervisor.store.trimming import Steps
    from theater.retention import Retention

COLUMNS = ("actor", "removed", "bytes", "kept", "begins")
PAUSE_S = 0.005
"""Between two steps while a tree runs: its own writer comes first."""
UNUSED_S = 3600.0
"""While a tree runs, a package that nothing refers to yet may be about to be started."""
CODES = """\
exit codes: 0 ok, 4 unknown actor, 8 a chain is broken and was left alone; 2, 3 and 5 as with other verbs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater vacuum                             as the tree file says; give free space back
  theater vacuum --age 30d                   of every actor, what was stored more than 30 days ago
  theater vacuum /counter --events 100000    all but its last hundred thousand events
  theater vacuum --size 256MiB --tree tree.yaml
""",
        CODES,
    )
    parser.add_argument("actor", nargs="*", metavar="ACTOR", help="path or id (default: all)")
    parser.add_argument("--age", type=age, metavar="TIME", help="remove what was stored longer ago: 12h, 30d")
    parser.add_argument("--events", type=count, metavar="N", help="keep so many of an actor's events")
    parser.add_argument("--size", type=bytes_of, metavar="SIZE", help="keep so much of an actor's events: 64MiB, 1GiB")
    parser.add_argument(
        "--unreplayable", action="store_true", help="also what `recover: replay` would need to rebuild an actor"
    )
    add_output(parser)
    add_store(parser)


def age(text: str) -> int:
    """Read a time in milliseconds."""
    return _quantity(text, "MILLISECONDS", "a time such as 12h or 30d")


def bytes_of(text: str) -> int:
    """Read a size in bytes."""
    return _quantity(text, "BYTES", "a size such as 64MiB or 1GiB")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from supervisor.store import StoreReader
    from supervisor.store.stopped import is_in_use

    directory = directory_of(args)
    with refused(), StoreReader(directory) as reader:
        actors = _meant(reader, args.actor)
        retention = _retention(args, directory)
        broken = [] if retention.keeps_all else _broken(reader, actors)
        sound = [actor for actor in actors if actor.path not in broken]
        in_use = is_in_use(directory)
        trimming = _trim_live if in_use else _trim_stopped
        gone = trimming(directory, retention, frozenset(actor.id for actor in sound))
        rows = [_row(reader, actor, *gone[actor.path]) for actor in sound if actor.path in gone]
    show(rows, COLUMNS, args.output)
    if not args.actor:
        _remove_packages(directory, UNUSED_S if in_use else 0)
    for path in broken:
        say(f"theater: {path}: its chain is broken, nothing of it was removed; theater verify {path} says where")
    return exits.CHAIN_INVALID if broken else exits.OK


def _meant(reader: StoreReader, targets: list[str]) -> list[StoredActor]:
    if not targets:
        return reader.actors()
    found = []
    for target in targets:
        actor = reader.find(target)
        if actor is None:
            raise NotFound(target)
        found.append(actor)
    return found


def _retention(args: argparse.Namespace, directory: str) -> Retention:
    """Bounds of the command line, else of the tree file; what has to stay replayable as the tree file says."""
    from theater.retention import Bounds, Retention

    written = _of_tree(args, directory)
    given = Bounds(age_ms=args.age, events=args.events, size_bytes=args.size)
    replayable = () if args.unreplayable else ("*",) if written is None else written.replayable
    if not given.keeps_all or written is None:
        return Retention(bounds=given, replayable=replayable)
    return msgspec.structs.replace(written, replayable=replayable)


def _of_tree(args: argparse.Namespace, directory: str) -> Retention | None:
    """What the tree file says; None if nobody knows the file."""
    from theater.config import load_tree

    file = args.tree or _tree_that_runs(args, directory)
    return load_tree(file).retention if file is not None else None


def _tree_that_runs(args: argparse.Namespace, directory: str) -> str | None:
    from theater.client import connect
    from theater.errors import TheaterError

    try:
        with connect(args.run_dir) as client:
            is_that = os.path.realpath(client.run.store) == os.path.realpath(directory)
            return client.run.tree if is_that and os.path.exists(client.run.tree) else None
    except TheaterError:
        return None


def _broken(reader: StoreReader, actors: list[StoredActor]) -> list[str]:
    """Paths of the actors whose chains do not verify: they are evidence."""
    bar = Bar("events")
    total, before, broken = sum(actor.events for actor in actors), 0, []
    for actor in actors:
        report = reader.verify(actor.id, lambda done, before=before: bar.show(before + done, total))  # type: ignore[misc]
        before += actor.events
        if not report.ok:
            broken.append(actor.path)
    bar.clear()
    return broken


# -- trimming ----------------------------------------------------------------------------------------------------------


def _trim_live(directory: str, retention: Retention, actors: frozenset[str]) -> dict[str, tuple[int, int]]:
    """Beside the supervisor's writer, which goes first."""
    from supervisor.store.schema import open_beside
    from supervisor.store.trimming import give_back, trim

    db = open_beside(directory)
    try:
        gone = _gone(trim(db, retention, time.time_ns(), actors), PAUSE_S)
        for _ in give_back(db):
            time.sleep(PAUSE_S)
        return gone
    finally:
        db.close()


def _trim_stopped(directory: str, retention: Retention, actors: frozenset[str]) -> dict[str, tuple[int, int]]:
    """With the store to ourselves: the file is written anew without its gaps."""
    from supervisor.store.schema import path_of
    from supervisor.store.stopped import stopped
    from supervisor.store.trimming import trim

    before = os.path.getsize(path_of(directory))
    with stopped(directory) as db:
        gone = _gone(trim(db, retention, time.time_ns(), actors), 0)
        _compact(db)
    say(f"{path_of(directory)}: {size(before)} before, {size(os.path.getsize(path_of(directory)))} now")
    return gone


def _remove_packages(directory: str, age_s: float) -> None:
    """What guests have handed over, and what actors were updated to, once nothing tells of it any more."""
    from supervisor.store.packages import remove_unused
    from supervisor.store.schema import open_for_reading

    db = open_for_reading(directory)
    try:
        removed = remove_unused(directory, db, time.time(), age_s)
    finally:
        db.close()
    if removed.packages:
        say(f"removed {removed.packages} packages that nothing refers to, {size(removed.bytes)} given back")


def _gone(steps: Steps, pause_s: float) -> dict[str, tuple[int, int]]:
    """Do everything; return (events, bytes) removed, by path."""
    bar, removed = Bar("bytes removed"), 0
    gone = {}
    for trimmed in steps:
        if trimmed is not None:
            gone[trimmed.path] = (trimmed.events, trimmed.bytes)
            removed += trimmed.bytes
        bar.show(removed, removed)
        if pause_s:
            time.sleep(pause_s)
    bar.clear()
    return gone


def _compact(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _row(reader: StoreReader, actor: StoredActor, events: int, removed: int) -> dict[str, Any]:
    now = reader.find(actor.id) or actor
    return {
        "actor": actor.path,
        "removed": events,
        "bytes": removed,
        "kept": now.events,
        "begins": now.base_seq + 1,
        "base_hash": (reader.base(actor.id)[1] or b"").hex() or None,
    }


def _quantity(text: str, unit: str, wanted: str) -> int:
    from theater.config import units

    amount = units.parse(text, getattr(units, unit))
    if not amount:
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")
    return amount
