"""Operations that were set aside because they ended one incarnation after the other (`poison: dead_letter`).

list shows them, show one with its parameters; retry lets the actor take the operation again and sends it once more;
drop forgets it, so that the actor takes it again should a caller send it."""

from __future__ import annotations

import argparse
from datetime import UTC
from typing import TYPE_CHECKING, Any

from supervisor.cli import exits
from supervisor.cli.history import History, add_store, opened
from supervisor.cli.options import add_output, add_timeout, count, examples
from supervisor.cli.output import say, show, show_one
from theater.errors import TheaterError

if TYPE_CHECKING:
    from supervisor.store.reader import DeadLetter
    from theater.chain import ChainEvent
    from theater.client import Client

COLUMNS = ("actor", "seq", "function", "tries", "since")
ACTIONS = ("list", "show", "retry", "drop")


class LetterError(TheaterError):
    """What was asked for cannot be done; the text says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater dead-letters                     all of them
  theater dead-letters show /planner 120   the operation whose call is event 120
  theater dead-letters retry /planner 120  the cause is gone: send it again
  theater dead-letters drop /planner 120   forget it
""",
    )
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="default: list")
    parser.add_argument("actor", nargs="?", metavar="ACTOR", help="path or id (list: default all)")
    parser.add_argument("seq", nargs="?", type=count, metavar="N", help="number of its call event, as list shows it")
    add_timeout(parser, "the actor's call deadline and 5 s")
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with opened(args) as history:
        if args.action == "list":
            letters = _letters(history, args.actor)
            show([_row(letter) for letter in letters], COLUMNS, args.output)
            return exits.OK
        letter = _letter(history, args.actor, args.seq)
        if args.action == "show":
            show_one(_row(letter) | {"params": _params(history, letter)}, args.output)
            return exits.OK
        return _act(history, letter, args)


def _letters(history: History, target: str | None) -> list[DeadLetter]:
    actor = None if target is None else history.actor(target)
    return history.reader.dead_letters(None if actor is None else actor.id)


def _letter(history: History, target: str | None, seq: int | None) -> DeadLetter:
    if target is None or seq is None:
        raise LetterError("which letter? name ACTOR and N, as `theater dead-letters` lists them")
    found = next((each for each in _letters(history, target) if each.seq == seq), None)
    if found is None:
        raise LetterError(f"{target} has no dead letter with the call event {seq}; `theater dead-letters` lists them")
    return found


def _act(history: History, letter: DeadLetter, args: argparse.Namespace) -> int:
    client = history.client
    if client is None:
        raise LetterError(f"{args.action} needs the running tree: leave --store and --tree out")
    call = _call(history, letter)
    client.drop_dead_letter(letter.path, letter.seq)
    if args.action == "drop":
        return exits.OK
    return _retry(client, letter, call, args)


def _retry(client: Client, letter: DeadLetter, call: Any, args: argparse.Namespace) -> int:
    """Send it again; should it end the actor, it becomes a letter again after so many tries."""
    from theater import cgrf
    from theater.conversation import DEFAULT

    timeout = DEFAULT if args.timeout is None else args.timeout
    answer = client.actor(letter.path).call(letter.function, cgrf.encode(call.params), timeout=timeout)
    say(f"{letter.function} of {letter.path} has returned")
    show_one({"actor": letter.path, "function": letter.function, "result": answer}, args.output)
    return exits.OK


def _row(letter: DeadLetter) -> dict[str, Any]:
    from datetime import datetime

    since = datetime.fromtimestamp(letter.set_aside_ns / 1e9, UTC).isoformat(timespec="seconds")
    return {
        "actor": letter.path,
        "seq": letter.seq,
        "function": letter.function,
        "tries": letter.tries,
        "since": since,
    }


def _call(history: History, letter: DeadLetter) -> Any:
    """The call that was recorded."""
    from theater.chain import payloads

    event = _event(history, letter)
    said = None if event is None else payloads.read(event.data)
    if not isinstance(said, payloads.Call):
        raise LetterError(f"event {letter.seq} of {letter.path} is not kept any more: its parameters are not known")
    return said


def _event(history: History, letter: DeadLetter) -> ChainEvent | None:
    return next(history.reader.events(letter.actor, letter.seq, letter.seq), None)


def _params(history: History, letter: DeadLetter) -> Any:
    from theater import convert

    return convert.from_value(_call(history, letter).params)
