"""Call a function of an actor and print its result.

Parameters are JSON, converted to the types the function declares; what is not JSON is taken as text. Without a
function, the functions of the actor are listed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import msgspec

from supervisor.cli import exits
from supervisor.cli.options import add_output, add_run_dir, add_timeout, connected, examples, seconds
from supervisor.cli.output import form_of, say, show_one, write
from supervisor.shown import shown_lines

if TYPE_CHECKING:
    from theater.client import Client
    from theater.handle import ActorHandle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater call /counter                          which functions are there?
  theater call /counter add 5
  theater call /hello hello:example/greeter.greet '"World"'
  theater call /store put key '{"name": "Ann", "tags": ["a", "b"]}'
  theater call /store get key --raw              the result as a value with its types
""",
    )
    add_call_arguments(parser, "?")
    add_timeout(parser, "the actor's call deadline and 5 s more")
    parser.add_argument("--deadline", type=seconds, metavar="TIME", help="computing time the guest may use")
    parser.add_argument("--retry", action="store_true", help="send once more if the actor restarts before it answers")
    parser.add_argument("--raw", action="store_true", help="print the result in the text form of values")
    add_output(parser)
    add_run_dir(parser)


def add_call_arguments(parser: argparse.ArgumentParser, function_count: str | None) -> None:
    """Whom, what, and with which parameters."""
    parser.add_argument("actor", metavar="ACTOR", help="path or id")
    parser.add_argument(
        "function", nargs=function_count, metavar="FUNCTION", help="interface.function, or function if that is clear"
    )
    parser.add_argument("params", nargs="*", default=[], metavar="JSON", help="parameters")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with connected(args) as client:
        handle = client.actor(args.actor)
        if args.function is None:
            _list(client, handle, args)
            return exits.OK
        result = _call(handle, args)
    if args.raw:
        write(shown_lines(f"{result}\n"))
    elif result != () or form_of(args.output) != "table":  # people need not be told that there is nothing to tell
        show_one(result, args.output)
    return exits.OK


def _list(client: Client, handle: ActorHandle, args: argparse.Namespace) -> None:
    """Print the functions, for people with what they take and give."""
    from supervisor.cli.functions import declaration, exported

    is_for_people = form_of(args.output) == "table"
    lines = [*map(declaration, exported(client, args.actor))] if is_for_people else handle.functions()
    write("".join(f"{line}\n" for line in lines))
    if not lines:
        say(f"{args.actor}: its package does not describe its functions; call them by their full names")


def params_of(texts: list[str]) -> tuple[Any, ...]:
    """Return parameters as Python values: JSON, or text where it is none."""
    return tuple(_param(text) for text in texts)


def _param(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _call(handle: ActorHandle, args: argparse.Namespace) -> Any:
    from theater.conversation import DEFAULT

    return handle.call(
        args.function,
        params_of(args.params),
        timeout=DEFAULT if args.timeout is None else args.timeout,
        deadline=args.deadline,
        retry_on_restart=args.retry,
        raw=args.raw,
    )
