"""Operations that were set aside because they ended one incarnation after the other (`poison: dead_letter`), and
messages between actors that were not delivered (numbered m1, m2 ...).

list shows them, show one with its parameters; retry (or requeue) lets the actor take the operation again and sends it
once more; drop forgets it, so that the actor takes it again should a caller send it."""

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
    from supervisor.store.reader import DeadLetter, Undelivered
    from theater.chain import ChainEvent
    from theater.client import Client

COLUMNS = ("actor", "seq", "function", "tries", "since", "reason")
ACTIONS = ("list", "show", "retry", "requeue", "drop")
HANDLE_SEND = "theater:simple/message-server-client.handle-send"
MESSAGE = "m"
DOWN = ("stopped", "restarting")
"""Begins the number of a message that was not delivered."""


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
  theater dead-letters requeue /planner m7 deliver the message that was not
""",
    )
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="default: list")
    parser.add_argument("actor", nargs="?", metavar="ACTOR", help="path or id (list: default all)")
    parser.add_argument("seq", nargs="?", type=number, metavar="N", help="its number, as list shows it")
    add_timeout(parser, "the actor's call deadline and 5 s")
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with opened(args) as history:
        if args.action == "list":
            rows = [_row(letter) for letter in _letters(history, args.actor)]
            rows += [_message_row(message) for message in history.reader.undelivered(args.actor)]
            show(rows, COLUMNS, args.output)
            return exits.OK
        if str(args.seq).startswith(MESSAGE):
            return _with_message(history, args)
        letter = _letter(history, args.actor, args.seq)
        if args.action == "show":
            show_one(_row(letter) | {"params": _params(history, letter)}, args.output)
            return exits.OK
        return _act(history, letter, args)


def number(text: str) -> int | str:
    """The number of a letter: that of an event, or m and that of a message."""
    return f"{MESSAGE}{count(text[1:])}" if text.startswith(MESSAGE) else count(text)


def _with_message(history: History, args: argparse.Namespace) -> int:
    """show, requeue or drop a message that was not delivered."""
    wanted = int(args.seq.removeprefix(MESSAGE))
    message = next((each for each in history.reader.undelivered(args.actor) if each.number == wanted), None)
    if message is None:
        raise LetterError(f"no message {args.seq} for {args.actor} is kept; `theater dead-letters` lists them")
    if args.action == "show":
        show_one(_message_row(message) | {"message": _text(message.message), "channel": message.channel}, args.output)
        return exits.OK
    client = history.client
    if client is None:
        raise LetterError(f"{args.action} needs the running tree: leave --store and --tree out")
    if args.action == "drop":
        client.drop_undelivered(message.number)
    else:
        _requeue(client, message, args)
    return exits.OK


def _requeue(client: Client, message: Undelivered, args: argparse.Namespace) -> None:
    """Hand the message to whoever has the address now: taken out first, so that nobody else does the same.

    It is kept again if it was not delivered, or if that is not known: then its reason says so.
    """
    from theater import cgrf
    from theater.conversation import DEFAULT
    from theater.errors import ActorError, ChannelClosed, InternalError, OperationTimeout
    from theater.values import Tuple, bytes_of

    if message.function != HANDLE_SEND:
        raise LetterError(f"m{message.number} was sent on channel {message.channel}, which is closed: drop it")
    if message.message is None:
        raise LetterError(f"m{message.number} was too large to be kept: drop it")
    timeout = DEFAULT if args.timeout is None else args.timeout
    params = cgrf.encode(Tuple((bytes_of(message.message),)))
    if client.actor(message.path).get_status().state in DOWN:
        raise LetterError(f"{message.path} does not run: m{message.number} is kept")
    client.drop_undelivered(message.number)
    try:
        client.actor(message.path).call_void(HANDLE_SEND, params, timeout=timeout)
    except InternalError:
        raise  # it was handed over, and the guest has failed in it
    except ActorError as error:
        is_open = isinstance(error, (OperationTimeout, ChannelClosed))
        doubt = ", and may have been handled" if is_open else ""
        reason = f"{error.text()} (sent again as m{message.number}{doubt})"
        client.keep_undelivered(message.path, message.sender, HANDLE_SEND, reason, message.message)
        raise
    say(f"m{message.number} was delivered to {message.path}")


def _text(message: bytes | None) -> str | None:
    """A message as text, or in hexadecimal digits if it is none."""
    if message is None:
        return None
    try:
        return message.decode()
    except UnicodeDecodeError:
        return f"0x{message.hex()}"


def _message_row(message: Undelivered) -> dict[str, Any]:
    return {
        "actor": message.path,
        "seq": f"{MESSAGE}{message.number}",
        "function": message.function,
        "tries": None,
        "since": _time(message.refused_ns),
        "reason": message.reason,
        "from": message.sender,
    }


def _letters(history: History, target: str | None) -> list[DeadLetter]:
    actor = None if target is None else history.reader.find(target)
    if target is not None and actor is None:
        if history.reader.undelivered(target):
            return []  # a name that nobody had
        actor = history.actor(target)
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
    return {
        "actor": letter.path,
        "seq": letter.seq,
        "function": letter.function,
        "tries": letter.tries,
        "since": _time(letter.set_aside_ns),
        "reason": "it has ended one incarnation after the other",
    }


def _time(ns: int) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")


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
