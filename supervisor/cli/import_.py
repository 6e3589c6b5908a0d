"""Take recorded history from a file into the store of a stopped tree, as an actor of its own under a new path.

Every form that `theater export` writes is read, and chains that Theater saved. All of it is verified on its way in. An
imported actor can be looked at as any other: events, verify, replay, inspect, diff, rehearse."""

from __future__ import annotations

import argparse
import os

from supervisor.cli import exits
from supervisor.cli.history import add_store
from supervisor.cli.options import examples
from supervisor.cli.output import say
from supervisor.cli.playing import Bar
from supervisor.cli.stores import directory_of, refused

CODES = """\
exit codes: 0 ok, 1 failed, 8 the chain is not valid, or none; 2 to 5 as with other verbs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater import counter.jsonl --as /imported/counter --tree tree.yaml
  theater import theater-chain.json --as /old/planner --store .theater/fleet
""",
        CODES,
    )
    parser.add_argument("file", metavar="FILE", help="the chain")
    parser.add_argument("--as", dest="path", required=True, metavar="PATH", help="the new actor's path, as /imported/x")
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from supervisor.store.importing import THEATER, ImportRefused, import_chain
    from theater.chain import ChainError, forms

    directory, bar = directory_of(args), Bar("bytes")
    total = os.path.getsize(args.file)
    try:
        with open(args.file, "rb") as file, refused():
            form = forms.form_of(file)
            events = forms.read(file)
            done = import_chain(directory, args.path, events, args.file, lambda _: bar.show(file.tell(), total))
    except ImportRefused as error:
        say(f"theater: {error}")
        return exits.CHAIN_INVALID if error.is_broken else exits.FAILED
    except ChainError as error:
        say(f"theater: {args.file}: expected a chain: {error}")
        return exits.CHAIN_INVALID
    finally:
        bar.clear()
    say(f"{done.path}: events {done.first_seq} to {done.last_seq}, {done.head_hash.hex()}")
    if done.rule == THEATER:
        say(f"its hashes were Theater's (the last one {done.origin_head.hex()}); in the store they are ours")
    if forms.LOSES[form]:
        say(f"the form {form} does not hold {forms.LOSES[form]}")
    return exits.OK
