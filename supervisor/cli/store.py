"""What actors keep in the tree's content-addressed store (theater:simple/store).

list shows the stores, show what is in one; get takes a content out, by content-ref or label; verify reads everything
and says what is damaged; gc takes away what nobody wants; drop removes a store. Works while the tree runs, and when it
is stopped."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from supervisor.cli import exits
from supervisor.cli.history import add_store
from supervisor.cli.options import add_output, examples
from supervisor.cli.output import say, show, size
from supervisor.cli.stores import directory_of
from supervisor.cli.vacuum import age
from theater import content
from theater.errors import TheaterError

if TYPE_CHECKING:
    from theater.content.stores import Store, Stores

ACTIONS = ("list", "show", "get", "verify", "gc", "drop")
STORES = ("store", "owner", "contents", "bytes", "labels", "created")
CONTENTS = ("content", "bytes", "labels")
DAMAGE = ("store", "owner", "content", "problem")
CODES = """\
exit codes: 0 ok, 4 no such store or content, 7 something is damaged; 1, 2, 3 and 5 as with other verbs."""


class ContentsError(TheaterError):
    """What was asked for cannot be done; the text says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater store                              every store, whose it is and how much is in it
  theater store show 3f0c4b1e                what is in one; the beginning of an id is enough
  theater store get 3f0c4b1e config > file   a content, by its label or content-ref
  theater store verify                       read everything, say what is damaged
  theater store gc --age 30d                 what has been without a label for 30 days, in every store
  theater store gc                           what the actors' grants let go, and files of killed writers
""",
        CODES,
    )
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="default: list")
    parser.add_argument("id", nargs="?", metavar="STORE", help="id of a store, or its beginning (default: all)")
    parser.add_argument("content", nargs="?", metavar="CONTENT", help="get: a content-ref or a label")
    parser.add_argument("--age", type=age, metavar="TIME", help="gc: without a label for so long (default: as granted)")
    parser.add_argument("--to", metavar="FILE", help="get: write a file (default: standard output)")
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    directory = os.path.join(directory_of(args), content.DIRECTORY)
    if not os.path.exists(directory):
        if args.id:
            raise _unknown(args.id)
        return exits.OK  # no actor has kept anything yet
    with _opened(directory) as stores:
        store = None if args.id is None else _store(stores, args.id)
        return int(_ACTIONS[args.action](stores, store, args))


@contextmanager
def _opened(directory: str) -> Iterator[Stores]:
    from theater.content.errors import told
    from theater.content.stores import Stores

    with told(directory):
        stores = Stores(directory)
        try:
            yield stores
        finally:
            stores.close()


def _store(stores: Stores, beginning: str) -> Store:
    found = [each for each in stores.all() if each.id.startswith(beginning)]
    if not found:
        raise _unknown(beginning)
    if len(found) > 1:
        raise ContentsError(f"{beginning}: expected one store, it is the beginning of {len(found)}")
    return found[0]


def _unknown(store: str) -> TheaterError:
    return UnknownContent(f"no such store: {store}; `theater store` lists them")


class UnknownContent(ContentsError):
    """There is no such store, or it has no such content."""


def _list(stores: Stores, store: Store | None, args: argparse.Namespace) -> int:
    show([_row(each) for each in ([store] if store else stores.all())], STORES, args.output)
    return exits.OK


def _show(stores: Stores, store: Store | None, args: argparse.Namespace) -> int:
    found = _named(store)
    show(_contents(stores, found), CONTENTS, args.output)
    return exits.OK


def _get(stores: Stores, store: Store | None, args: argparse.Namespace) -> int:
    from theater.content.errors import Damaged

    found = _named(store)
    if args.content is None:
        raise ContentsError("which content? name a content-ref or a label, as `theater store show STORE` lists them")
    ref = args.content if stores.has(found.id, args.content) else stores.ref_at(found.id, args.content)
    if ref is None:
        raise UnknownContent(f"store {found.id} has no content or label {args.content}")
    try:
        data = stores.get(found.id, ref)
    except Damaged as error:
        say(f"theater: {error}")
        return exits.UNHEALTHY
    if args.to:
        with open(args.to, "wb") as file:
            file.write(data)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
    return exits.OK


def _verify(stores: Stores, store: Store | None, args: argparse.Namespace) -> int:
    rows = list(_damage(stores, [store] if store else stores.all()))
    show(rows, DAMAGE, args.output)
    return exits.UNHEALTHY if rows else exits.OK


def _gc(stores: Stores, store: Store | None, args: argparse.Namespace) -> int:
    from theater.content.collecting import collect

    done = collect(stores, time.time_ns(), args.age, store.id if store else None)
    say(f"removed {done.contents} contents and {done.stores} empty stores, {size(done.bytes)} given back")
    return exits.OK


def _drop(stores: Stores, store: Store | None, args: argparse.Namespace) -> int:
    stores.drop(_named(store).id)
    return exits.OK


_ACTIONS = {"list": _list, "show": _show, "get": _get, "verify": _verify, "gc": _gc, "drop": _drop}


def _named(store: Store | None) -> Store:
    if store is None:
        raise ContentsError("which store? name one, as `theater store` lists them")
    return store


def _row(store: Store) -> dict[str, Any]:
    from datetime import UTC, datetime

    created = datetime.fromtimestamp(store.created_ns / 1e9, UTC).isoformat(timespec="seconds")
    return {
        "store": store.id,
        "owner": store.owner_path,
        "owner_id": store.owner,
        "contents": store.contents,
        "bytes": store.bytes,
        "labels": store.labels,
        "unlabelled_ms": store.unlabelled_ms,
        "created": created,
    }


def _contents(stores: Stores, store: Store) -> Iterator[dict[str, Any]]:
    """Contents with their labels; a table shows the labels in one cell."""
    labels: dict[str, list[str]] = {}
    for label, ref in stores.db.execute("SELECT label, ref FROM labels WHERE store = ? ORDER BY label", (store.id,)):
        labels.setdefault(ref, []).append(label)
    rows = stores.db.execute("SELECT ref, size FROM contents WHERE store = ? ORDER BY ref", (store.id,))
    for ref, count in rows.fetchall():
        yield {"content": ref, "bytes": count, "labels": labels.get(ref, [])}


def _damage(stores: Stores, wanted: list[Store]) -> Iterator[dict[str, Any]]:
    from theater.content.errors import Damaged, NotThere

    for store in wanted:
        for ref in stores.refs(store.id):
            try:
                stores.get(store.id, ref)
            except NotThere:
                continue  # collected meanwhile
            except Damaged as error:
                yield {"store": store.id, "owner": store.owner_path, "content": ref, "problem": str(error)}
