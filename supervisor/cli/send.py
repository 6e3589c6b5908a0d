"""Send a call to an actor without waiting for it: its result, and an error of it, are seen only in its history."""

from __future__ import annotations

import argparse

from supervisor.cli import exits
from supervisor.cli.call import add_call_arguments, params_of
from supervisor.cli.options import add_run_dir, connected, examples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater send /indexer rebuild
  theater send /mailer deliver '{"to": "ann@example.org"}'
""",
    )
    add_call_arguments(parser, None)
    add_run_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with connected(args) as client:
        client.actor(args.actor).send(args.function, params_of(args.params))
    return exits.OK
