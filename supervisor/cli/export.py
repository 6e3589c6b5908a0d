"""Write an actor's recorded history into a file, or print it.

The form is told by --form or by the file's name: text (.txt) and jsonl (.jsonl) lose nothing, theater-json (.json) is
how Theater saves a chain, frames (.chain) are the smallest. A file appears when all of it is written."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from supervisor.cli import exits
from supervisor.cli.history import add_store, opened
from supervisor.cli.options import count, examples
from supervisor.cli.output import say
from supervisor.cli.playing import Bar
from theater.chain.forms import FORMS, LINES, LOSES, form_named, write

if TYPE_CHECKING:
    from supervisor.store.reader import StoredActor, StoreReader
    from theater.chain import ChainEvent

EVENTS_PER_LOOK = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater export /counter counter.jsonl                 lossless, for programs
  theater export /counter counter.txt                   lossless, for people
  theater export /counter counter.json                  as Theater saves a chain
  theater export /counter --since 1000 > events.jsonl   from event 1000 on
  theater export /counter counter.txt --tree tree.yaml  the tree has been stopped
""",
    )
    parser.add_argument("actor", metavar="ACTOR", help="path or id")
    parser.add_argument("file", nargs="?", metavar="FILE", help="where to (default: standard output)")
    parser.add_argument("--form", choices=FORMS, help="form of the chain (default: by the file's name, else jsonl)")
    parser.add_argument("--since", type=count, metavar="N", help="from this number on")
    parser.add_argument("--until", type=count, metavar="N", help="up to and with this number")
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    form = args.form or (form_named(args.file) if args.file else None) or LINES
    with opened(args) as history:
        actor = history.actor(args.actor)
        last = actor.last_seq if args.until is None else min(args.until, actor.last_seq)
        events = _Counted(history.reader, actor, args.since or 0, last)
        with _target(args.file) as put:
            write(form, events, put)
    _tell(args.file, form, actor, events)
    return exits.OK


class _Counted:
    """The events of an actor as they are read, with what there is to tell of them."""

    def __init__(self, reader: StoreReader, actor: StoredActor, first: int, last: int) -> None:
        self._reader = reader
        self._actor = actor
        self._first = first
        self._last = last
        self.count = 0
        self.gaps: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[ChainEvent]:
        bar, total = Bar("events"), self._last + 1 - self._first
        expected = self._first
        for event in self._reader.events(self._actor.id, since=self._first, until=self._last):
            if event.seq > expected:
                self.gaps.append((expected, event.seq - 1))
            expected = event.seq + 1
            self.count += 1
            if self.count % EVENTS_PER_LOOK == 0:
                bar.show(self.count, total)
            yield event
        bar.clear()


def _tell(file: str | None, form: str, actor: StoredActor, events: _Counted) -> None:
    if file is not None:
        say(f"{file}: {events.count} events of {actor.path}")
    for first, last in events.gaps:
        why = "not kept any more" if last <= actor.base_seq else "missing"
        say(f"theater: events {first} to {last} are {why}")
    if LOSES[form]:
        say(f"theater: the form {form} does not hold {LOSES[form]}")


@contextmanager
def _target(file: str | None) -> Iterator[Callable[[bytes], object]]:
    """Where to write to. A file is written aside, synced and renamed: it is there as a whole or not at all."""
    if file is None:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    aside = f"{file}.{os.getpid()}.new"
    try:
        with open(aside, "xb", opener=_private) as out:
            yield out.write
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, file)
    except BaseException:
        if os.path.exists(aside):
            os.unlink(aside)
        raise


def _private(path: str, flags: int) -> int:
    """History may hold secrets: its files are their owner's."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
