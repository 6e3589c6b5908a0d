"""The recorded history of an actor: every call, result, error and host call, oldest first.

Without an actor, the actors that have one are listed. Works on the store of a stopped tree, too (--tree, --store)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from supervisor.cli import exits
from supervisor.cli.history import History, add_store, opened
from supervisor.cli.options import add_output, count, examples
from supervisor.cli.output import BAD, DIM, form_of, one_line, paint, plain, say, show, write
from supervisor.shown import shown

if TYPE_CHECKING:
    from supervisor.store.reader import StoredActor
    from theater.chain import ChainEvent
    from theater.chain.payloads import Payload

COLUMNS = ("seq", "time", "incarnation", "type", "what")
ACTOR_COLUMNS = ("path", "events", "last_seq", "head")
WHAT_CHARS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater events                                    whose history is there?
  theater events /counter                           all of it
  theater events /counter -n 20 --follow            the last 20, and then as they happen
  theater events /counter --since 100 --type wasm   calls and results from number 100 on
  theater events /counter --tree tree.yaml          the tree has been stopped
  theater events /counter -o jsonl | jq .what
""",
    )
    parser.add_argument("actor", nargs="?", metavar="ACTOR", help="path or id")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with events as they happen")
    parser.add_argument("--since", type=count, metavar="N", help="from this number on")
    parser.add_argument("--type", action="append", metavar="TYPE", help="only events of this type (may be repeated)")
    parser.add_argument(
        "-n", "--limit", type=count, metavar="N", help="at most N: the newest, or with --since the first ones"
    )
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with opened(args) as history:
        if args.actor is None:
            show([_actor_row(actor) for actor in history.reader.actors()], ACTOR_COLUMNS, args.output)
            return exits.OK
        actor = history.actor(args.actor)
        chosen = list(_chosen(history, actor, args)) if args.limit and args.since is None else None
        rows = (row_of(event) for event in (chosen if chosen is not None else _chosen(history, actor, args)))
        _show(rows, args)
        if args.follow:
            _follow(history, actor, args)
    return exits.OK


def row_of(event: ChainEvent) -> dict[str, Any]:
    """Return what there is to say of an event; ``what`` is a line for people, ``fields`` are the decoded data."""
    payload = _payload(event.data)
    fields = {name: getattr(payload, name) for name in payload.__struct_fields__} if payload is not None else {}
    return {
        "seq": event.seq,
        "time": datetime.fromtimestamp(event.time_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "time_ns": event.time_ns,
        "incarnation": event.incarnation,
        "type": event.event_type,
        "kind": type(payload).__name__.lower() if payload is not None else "unknown",
        "what": _in_words(payload),
        "fields": {name: _field(value) for name, value in fields.items()},
        "hash": event.hash.hex(),
        "parent": event.parent_hash.hex() if event.parent_hash else None,
    }


def _payload(data: bytes) -> Payload | None:
    from theater.chain import ChainError
    from theater.chain.payloads import read

    try:
        return read(data)
    except ChainError:
        return None


def _chosen(history: History, actor: StoredActor, args: argparse.Namespace) -> Iterator[ChainEvent]:
    if args.limit is not None and args.limit <= 0:
        return iter(())
    if args.limit is None or args.since is not None:
        return history.reader.events(actor.id, since=args.since, types=args.type, limit=args.limit)
    newest = history.reader.events(actor.id, types=args.type, limit=args.limit, reverse=True)
    return reversed(list(newest))


def _show(rows: Iterator[dict[str, Any]], args: argparse.Namespace) -> None:
    if form_of(args.output) != "table":
        show(rows, COLUMNS, args.output)
        return
    for row in rows:
        write(_line(row))


def _line(row: dict[str, Any]) -> str:
    """One event in one line; no table, for nobody knows how long it gets."""
    words = f"{row['seq']:>6}  {row['time'][11:23]}  {row['incarnation']}  {shown(row['type'])}"
    if row["kind"] == "error":
        return f"{paint(words, DIM)}  {paint(shown(one_line(row['what'])), BAD)}\n"
    return f"{paint(words, DIM)}  {shown(row['what'])}\n"


def _follow(history: History, actor: StoredActor, args: argparse.Namespace) -> None:
    from theater.records import Ended, Gap

    if history.client is None:
        say("theater: the store of a stopped tree does not grow: nothing to follow")
        return
    since = max(actor.last_seq + 1, args.since or 0)
    with history.client.actor(actor.path).subscribe(since=since) as subscription:
        for item in subscription:
            if isinstance(item, Gap):
                say(f"events {item.first_seq} to {item.last_seq} were not delivered (they are in the store)")
            elif isinstance(item, Ended):
                say(f"{actor.path} has ended" + (f": {_cause(item)}" if item.cause else ""))
            elif args.type is None or item.event_type in args.type:
                _show(iter((row_of(item),)), args)
                _flush()


def _flush() -> None:
    import sys

    sys.stdout.flush()


def _cause(ended: Any) -> str:
    from theater.cause import describe

    return one_line(describe(ended.cause))


def _actor_row(actor: StoredActor) -> dict[str, Any]:
    return {
        "path": actor.path,
        "events": actor.events,
        "last_seq": actor.last_seq,
        "head": actor.head_hash.hex() if actor.head_hash else None,
        "id": actor.id,
    }


def _in_words(payload: Payload | None) -> str:
    from theater.chain import payloads

    match payload:
        case payloads.Call():
            return f"→ {payload.function} {_text(payload.params)}"
        case payloads.Result():
            return f"← {payload.function} {_text(payload.response)}"
        case payloads.Error():
            return f"✗ {payload.function}: {payload.message}"
        case payloads.HostCall():
            return f"{payload.function} {_text(payload.input)} → {_text(payload.output)}"
        case payloads.Genesis():
            fork = f"fork of {payload.origin['actor']} at {payload.origin['seq']}, " if payload.origin else ""
            return f"{fork}package {payload.package[:12]}, state {_text(payload.state)}"
        case payloads.Incarnation():
            end = payload.previous_end
            return f"incarnation {payload.number}, after: {_text(end)}"
        case payloads.Shutdown():
            return _text(payload.cause)
        case payloads.Runtime():
            return f"{payload.event} {_text(payload.value)}"
        case payloads.ReplaySummary():
            return f"{payload.events_replayed} of {payload.total_events} replayed, {payload.mismatches} mismatches"
        case None:
            return "data that cannot be read"


def _text(value: Any) -> str:
    """Return a value in its text form, cut to a line; a cause in words."""
    from theater.cause import Cause, describe

    if isinstance(value, Cause):
        return describe(value)
    if value is None:
        return "none"
    from theater import text

    return text.format(value, WHAT_CHARS)


def _field(value: Any) -> Any:
    from theater import convert
    from theater.cause import Cause
    from theater.values import Value

    if isinstance(value, Value):
        return plain(convert.from_value(value))
    if isinstance(value, Cause):
        return plain(value.plain())
    return value.hex() if isinstance(value, bytes) else plain(value)
