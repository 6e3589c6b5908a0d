"""Start another actor from any event of an actor's history: the same package, beside it, with the state of that moment.

The history is replayed up to that event, without the outside world. The fork's own chain begins with where it comes
from. A call that was in progress there is not part of it: the state is the one committed before."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from supervisor.cli import exits
from supervisor.cli.history import add_store, opened
from supervisor.cli.inspect import add_replay_arguments
from supervisor.cli.options import add_output, examples
from supervisor.cli.output import say, show_one
from supervisor.cli.playing import ReplayProblem, job_of_actor, place_of, play
from supervisor.cli.restart import refused

if TYPE_CHECKING:
    from theater.chain import ChainEvent

START_TIMEOUT_S = 70.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater fork /counter --at 120 --as counter-before    from before event 120
  theater fork /counter --at 5fd60a31 --as attempt-2    from before the event with that hash
""",
    )
    parser.add_argument("actor", metavar="ACTOR", help="path or id")
    parser.add_argument("--at", required=True, metavar="N|HASH", help="the event before which the fork begins")
    name = "the fork's name under the same supervisor"
    parser.add_argument("--as", required=True, dest="name", metavar="NAME", help=name)
    add_replay_arguments(parser)
    add_output(parser)
    add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    with opened(args) as history:
        if history.client is None:
            raise ReplayProblem("a fork needs a running tree to be started in: leave --store and --tree out")
        actor = history.actor(args.actor)
        with job_of_actor(history, actor, args) as job:
            last = play(job | {"until": place_of(args.at), "begin": "newest"})
        if last is None:
            return exits.INTERRUPTED
        if not last["summary"]["success"]:
            say(f"theater: {last['text']}")
            return {"diverged": 1, "stopped": exits.INTERRUPTED}.get(last["summary"]["status"], 2)
        if not last["initialised"]:
            raise ReplayProblem(f"{actor.path}: before event {args.at} its init had not returned; a fork needs a state")
        if last["call"]:
            say(f"in a call of {last['call']} there: the fork begins from the state before that call")
        origin = _last_event(history.reader.events(actor.id), last["summary"]["events_replayed"])
        state = _encoded(last["state"])
        answer = history.client.fork(actor.path, args.name, state, origin.seq, origin.hash, timeout=START_TIMEOUT_S)
    why = refused(answer)
    if why is not None:
        say(f"theater: {args.name} was not started: {why}")
        return exits.FAILED
    path = actor.path.rpartition("/")[0] + "/" + args.name
    show_one({"actor": path, "origin": actor.path, "seq": origin.seq, "hash": origin.hash.hex()}, args.output)
    return exits.OK


def _last_event(events: Iterator[ChainEvent], count: int) -> ChainEvent:
    """The last one of the first ``count`` events."""
    from collections import deque
    from itertools import islice

    found: deque[ChainEvent] = deque(islice(events, count), maxlen=1)
    return found[0]


def _encoded(state: str) -> bytes:
    from theater import cgrf, text

    return cgrf.encode(text.parse(state))
