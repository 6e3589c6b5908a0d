"""What workers of a supervisor that was killed had recorded: read from their rings by the next one (design D7).

Workers die with their supervisor, within milliseconds; a ring whose writer still lives is waited for. A ring goes when
the store holds all of it; one that cannot be read to its end is kept under another name, for people.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any, Final

import msgspec

from supervisor.store.journal import Batch, Journal, Note, State
from supervisor.store.results import Broken
from supervisor.store.schema import StoreError
from theater.chain.batch import frame_seq
from theater.committed import committed_at, state_path
from theater.ring import RingError, RingReader

DIRECTORY: Final = "rings"
SUFFIX: Final = ".ring"
DYING_S_MAX: Final = 5.0
"""So long a worker of a dead supervisor may take to die."""
LOOK_AGAIN_S: Final = 0.01

END: Final = "UPDATE incarnations SET ended_ns = ?, cause = ? WHERE actor = ? AND number = ? AND ended_ns IS NULL"
END_ALL: Final = "UPDATE incarnations SET ended_ns = ?, cause = ? WHERE ended_ns IS NULL"
LOST: Final = {"kind": "crashed", "text": "ended with its supervisor"}


class Leftover(msgspec.Struct, frozen=True):
    """A ring that no supervisor has taken into the store yet, and what is in it."""

    path: str
    actor: str
    incarnation: int
    events: int
    first_seq: int
    last_seq: int
    problem: str | None = None


def leftovers(directory: str) -> list[Leftover]:
    """List the rings in a store that nobody writes to: what the next supervisor will adopt."""
    return [_leftover(path) for path in _ring_paths(directory)]


def adopt_rings(directory: str, journal: Journal) -> list[Broken]:
    """Take the rest of every ring into the store; return what could not be taken.

    Raises:
        StoreError: the store cannot be written, or a worker of an earlier supervisor does not die.
    """
    broken: list[Broken] = []
    try:
        for path in _in_order(_ring_paths(directory), broken):
            problem = _adopt(path, journal)
            if problem is None:
                remove_ring(path)
            else:
                broken.append(problem)
                os.replace(path, path + ".kept")
        journal.commit([Note(END_ALL, (time.time_ns(), _json(LOST)))])
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"{directory}: what workers of a killed supervisor had recorded cannot be stored: {error}"
        ) from None
    return broken


def remove_ring(path: str) -> None:
    """Remove a ring and what lies beside it; the store holds all of it."""
    RingReader.remove(path)
    try:
        os.unlink(state_path(path))
    except FileNotFoundError:
        pass


def _ring_paths(directory: str) -> list[str]:
    rings = os.path.join(directory, DIRECTORY)
    try:
        return [os.path.join(rings, name) for name in sorted(os.listdir(rings)) if name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []


def _in_order(paths: list[str], broken: list[Broken]) -> list[str]:
    """Sort rings by their first event: an actor may have left more than one."""
    order = []
    for path in paths:
        _await_death(path)
        try:
            with RingReader.open(path) as ring:
                first = next(ring.frames(), None)
        except RingError as error:
            broken.append(Broken("", str(error)))
            os.replace(path, path + ".kept")
            continue
        order.append((-1 if first is None else frame_seq(first), path))
    return [path for _, path in sorted(order)]


def _await_death(path: str) -> None:
    deadline = time.monotonic() + DYING_S_MAX
    while RingReader.has_writer(path):
        if time.monotonic() > deadline:
            raise StoreError(f"{path}: a worker of an earlier supervisor still writes to it; end that process first")
        time.sleep(LOOK_AGAIN_S)


def _adopt(path: str, journal: Journal) -> Broken | None:
    with RingReader.open(path) as ring:
        if not ring.actor_id:
            return None  # never begun
        if journal.db.execute("SELECT 1 FROM actors WHERE id = ?", (ring.actor_id,)).fetchone() is None:
            return Broken(ring.actor_id, f"{path}: belongs to an actor that the store does not know")
        last_seq, _ = journal.tip(ring.actor_id)
        rest = ring.batch_after(last_seq)
        works: list[Batch | State | Note] = []
        if rest is not None:
            prev = journal.tip(ring.actor_id)[1] if rest.first_seq == last_seq + 1 else None
            works.append(
                Batch(
                    ring.actor_id, ring.incarnation, rest.first_seq, rest.last_seq, prev, rest.head_hash, rest.payload
                )
            )
        kept = committed_at(state_path(path), rest.last_seq if rest is not None else last_seq)
        if kept is not None:
            works.append(State(ring.actor_id, *kept))
        cause = _json(_last_words(ring))
        works.append(Note(END, (time.time_ns(), cause, ring.actor_id, ring.incarnation)))
        refused = [result for result in journal.commit(works) if isinstance(result, Broken)]
        if refused:
            return Broken(ring.actor_id, f"{path}: {refused[0].text}")
        return Broken(ring.actor_id, ring.torn) if ring.torn else None


def _last_words(ring: RingReader) -> dict[str, Any]:
    """Return the cause a worker left, without its state."""
    words = ring.last_words()
    try:
        cause = msgspec.msgpack.decode(words, type=dict[str, Any]) if words else LOST
    except msgspec.DecodeError:
        return LOST
    return {key: value for key, value in cause.items() if key != "state"}


def _json(cause: dict[str, Any]) -> str:
    return msgspec.json.encode(cause).decode()


def _leftover(path: str) -> Leftover:
    try:
        with RingReader.open(path) as ring:
            seqs = [frame_seq(frame) for frame in ring.frames()]
            first, last = (seqs[0], seqs[-1]) if seqs else (0, -1)
            return Leftover(path, ring.actor_id, ring.incarnation, len(seqs), first, last, ring.torn)
    except (OSError, RingError) as error:
        return Leftover(path, "", 0, 0, 0, -1, str(error))
