"""Channels, and what is recorded of all of it, between real workers (theater:simple/message-server-host)."""

from __future__ import annotations

import os
import signal

import pytest

from tests.system.running import RunningTree
from tests.system.talking import Talk, Talker
from theater.values import U32


def test_a_channel_carries_messages_both_ways(pair: tuple[Talker, Talker]) -> None:
    """In order, until it is closed; the other side is told."""
    a, b = pair
    channel = a.ask("open", b.path, "hello")
    assert channel.startswith("ch_")
    assert len(channel) == 19
    a.ask("say", channel, "one")
    a.ask("say", channel, "two")
    b.ask("say", channel, "three")
    b.ask("close", channel)

    b.wait_notes(f"open {channel} hello", f"said {channel} one", f"said {channel} two")
    a.wait_notes(f"said {channel} three", f"closed {channel}")
    for talker in pair:
        assert talker.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"


def test_a_channel_may_be_refused(pair: tuple[Talker, Talker]) -> None:
    """Who offered it is told, and neither side has it."""
    a, b = pair

    assert a.refused("open", b.path, "no") == f"{b.path} has refused the channel"
    channel = b.notes()[0].split()[1]
    assert b.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"


def test_only_participants_use_a_channel(talk: Talk) -> None:
    """A third actor that knows the id is refused, whatever it tries."""
    a, b, c = talk.talker(), talk.talker(), talk.talker()
    channel = a.ask("open", b.path, "hello")

    for function, more in (("say", ("hi",)), ("close", ())):
        assert c.refused(function, channel, *more) == f"Handler error: there is no channel {channel}"
    a.ask("say", channel, "still open")
    b.wait_notes(f"open {channel} hello", f"said {channel} still open")


@pytest.mark.parametrize("dies", [0, 1])
def test_the_end_of_one_side_closes_the_channel(pair: tuple[Talker, Talker], dies: int) -> None:
    """The other is told once, and cannot send any more."""
    channel = pair[0].ask("open", pair[1].path, "hello")
    survivor = pair[1 - dies]
    before = survivor.notes()
    os.kill(survivor.tree.pid(pair[dies].path), signal.SIGKILL)

    survivor.wait_notes(*before, f"closed {channel}")
    assert survivor.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"


def test_as_many_channels_as_granted(talk: Talk) -> None:
    """One more cannot be opened, nor accepted."""
    a, b, c = talk.talker(), talk.talker(), talk.talker()
    for _ in range(3):
        a.ask("open", b.path, "hello")

    assert a.refused("open", c.path, "hello") == "Operation queue is full (3)"
    assert c.refused("open", b.path, "hello") == "Operation queue is full (3)"


def test_whom_a_grant_does_not_reach(talk: Talk, tree: RunningTree) -> None:
    """What is not allowed is refused, and nothing arrives."""
    shy, brief = Talker(tree, "/shy"), talk.talker(under="/gone")

    for function in ("send", "request", "open"):
        assert shy.refused(function, brief.path, "hello") == f"Not permitted: message-server ({brief.path})"
    assert brief.notes() == []
    assert shy.ask("request", talk.talker().path, "hello") == "you said hello"


def test_whatever_was_said_replays(talk: Talk, tree: RunningTree) -> None:
    """Every function and callback is answered from the record: answers, refusals, and what the other side did."""
    a, b = talk.talker(), talk.talker()
    a.ask("name", f"n-{b.id[:8]}")
    a.ask("join", f"g-{b.id[:8]}", "broadcast")
    a.ask("members", f"g-{b.id[:8]}")
    a.ask("whereis", "n-nobody")
    a.ask("send", b.path, "hello")
    a.refused("send", "/t/nobody", "hello")
    a.ask("request", b.path, "which")
    a.ask("request", b.path, "inside")
    a.refused("request", b.path, "decline")
    assert a.rpc(b.path, "add", U32(1), U32(2)) == ("ok", 3)
    assert a.rpc(b.path, "nothing")[0] == "err"
    a.ask("exports", b.path)
    channel = a.ask("open", b.path, "hello")
    a.ask("say", channel, "one")
    b.ask("say", channel, "two")
    b.ask("close", channel)
    a.wait_notes(f"said {channel} two", f"closed {channel}")

    for talker in (a, b):
        tree.cli("replay", talker.path)  # ends with an error where anything differs


def test_one_rebuilt_by_replay_is_registered(talk: Talk, tree: RunningTree) -> None:
    """It goes on where it was, takes messages and has its name; channels of its earlier life are gone."""
    a, deep = talk.talker(), Talker(tree, "/deep")
    deep.ask("name", "n-deep")
    a.ask("send", "n-deep", "before")
    deep.wait_notes("send before")
    channel = deep.ask("open", a.path, "hello")
    os.kill(tree.pid("/deep"), signal.SIGKILL)
    tree.wait_incarnation("/deep", 2)
    a.ask("send", "n-deep", "after")

    deep.wait_notes("send before", "send after")
    assert deep.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"
    assert deep.refused("register") == "Already registered"
    assert deep.ask("request", a.path, "hello") == "you said hello"
