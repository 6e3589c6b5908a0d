"""Where the recorded history is: in the store of the running tree, or in that of a stopped one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from supervisor.cli.options import add_run_dir
from theater.errors import NotFound, TheaterError

if TYPE_CHECKING:
    from supervisor.store import StoreReader
    from supervisor.store.reader import StoredActor
    from theater.client import Client
    from theater.rundir import NotRunning


class HistoryError(TheaterError):
    """The store cannot be read; the text says why."""


class History(NamedTuple):
    """A store to read, and the client of the tree that writes it, if it runs."""

    reader: StoreReader
    client: Client | None

    def actor(self, target: str) -> StoredActor:
        """Return an actor by path or id, with everything it has recorded up to now.

        Raises:
            NotFound: neither the running tree nor the store knows it.
        """
        known = None
        if self.client is not None:
            self._flush(self.client, target)
        known = self.reader.find(target)
        if known is None:
            raise NotFound(target)
        return known

    def _flush(self, client: Client, target: str) -> None:
        """Wait until the store has what the actor has recorded; one that runs no more has all of it there."""
        from proto import info
        from theater import conversation
        from theater.errors import ChannelClosed

        try:
            client.converse(conversation.question(conversation.Who(target), info.Flush, (), conversation.DEFAULT))
        except (ChannelClosed, NotFound):
            return


def add_store(parser: argparse.ArgumentParser) -> None:
    """Which store is meant."""
    group = parser.add_argument_group("which history (default: that of the running supervisor)")
    group.add_argument("--store", metavar="DIR", help="read this store; the tree may have been stopped")
    group.add_argument("--tree", metavar="FILE", help="read the store that belongs to this tree file")
    add_run_dir(parser)


def store_dir(args: argparse.Namespace) -> str | None:
    """Return the store named by the arguments, None if the running supervisor's is meant."""
    if args.store:
        return str(args.store)
    if args.tree:
        return store_of(args.tree)
    return None


def store_of(tree_file: str) -> str:
    """Return the store directory that belongs to a tree file: its ``store``, or ``.theater/NAME`` beside it."""
    from theater.config import load_tree

    tree = load_tree(tree_file)
    return tree.store or os.path.join(os.path.dirname(tree.path), ".theater", tree.name)


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[History]:
    """Open the history the arguments mean.

    Raises:
        NotRunning: no store was named and no supervisor runs.
        HistoryError: the store cannot be read.
    """
    directory = store_dir(args)
    if directory is not None:
        with _reader(directory) as reader:
            yield History(reader, None)
        return
    with _client(args) as client, _reader(client.run.store) as reader:
        yield History(reader, client)


def _client(args: argparse.Namespace) -> Client:
    from theater.client import connect
    from theater.rundir import NotRunning

    try:
        return connect(args.run_dir)
    except NotRunning as error:
        raise hinted(error) from None


def hinted(error: NotRunning) -> NotRunning:
    """The error, and how history is read all the same."""
    hint = "--tree FILE or --store DIR read the history of a stopped tree"
    return type(error)(f"{error}\n{hint}", error.candidates)


def _reader(directory: str) -> StoreReader:
    from supervisor.store import StoreError, StoreReader

    try:
        return StoreReader(directory)
    except StoreError as error:
        raise HistoryError(str(error)) from None
