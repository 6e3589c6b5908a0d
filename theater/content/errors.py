"""What can be wrong with a store, a content or a label. Every text is fit for a guest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from theater.errors import TheaterError


class ContentError(TheaterError):
    """Base of the errors of the content-addressed store."""


class BadName(ContentError):
    """A content-ref or a label is none."""


class NoSuchStore(ContentError):
    """There is no such store, or not for this actor: which of both is not told."""

    def __init__(self, store: str) -> None:
        super().__init__(f"no such store, or not for this actor: {store}")


class NotThere(ContentError):
    """The store has no such content."""


class QuotaReached(ContentError):
    """The store would become larger than its user's grant allows."""


class Damaged(ContentError):
    """A content is not what it was: its file is gone, or has changed."""


class Unusable(ContentError):
    """The environment fails: no room on the disk, a damaged database, a lock that is held for too long."""


@contextmanager
def told(directory: str) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into Unusable."""
    import sqlite3

    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:  # the last: a damaged database's own error text
        raise Unusable(f"the contents in {directory} cannot be used: {error}") from error
