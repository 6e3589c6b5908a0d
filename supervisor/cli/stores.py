"""Which store directory a verb works on, and the store's errors in the words of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from supervisor.cli.history import HistoryError, hinted, store_dir


def directory_of(args: argparse.Namespace) -> str:
    """Return the store the arguments name, else that of the running supervisor.

    Raises:
        NotRunning: none was named and no supervisor runs.
    """
    named = store_dir(args)
    if named is not None:
        return named
    from theater.client import connect
    from theater.rundir import NotRunning

    try:
        with connect(args.run_dir) as client:
            return client.run.store
    except NotRunning as error:
        raise hinted(error) from None


@contextmanager
def refused() -> Iterator[None]:
    """Turn errors of the store into those that end a verb."""
    import sqlite3

    from supervisor.store import StoreError

    try:
        yield
    except StoreError as error:
        raise HistoryError(str(error)) from None
    except sqlite3.Error as error:
        raise HistoryError(f"the store cannot be used: {error}; theater doctor says more") from None
