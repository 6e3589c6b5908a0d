"""Nonsense on every socket of a running root: refused, counted, and nobody is harmed."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections import Counter
from functools import partial

import pytest
import zmq

from proto import control, info, limits, operation, stream
from tests.system.gate.raw import TREE, Raw, refusals
from tests.system.running import RunningTree, Start, until

BAD_HEADERS = {
    "nothing": (b"", "foreign"),
    "another protocol": (b"GET / HTTP/1.1\r\n", "foreign"),
    "half a prefix": (b"TH\x01", "malformed"),
    "another version": (b"TH\x02\x02\x92\xa6status\x01", "version"),
    "no class": (b"TH\x01\x09\x92\xa6status\x01", "malformed"),
    "another class": (operation.REQUESTS.encode(operation.Call(1, "f")), "malformed"),
    "no record": (b"TH\x01\x02", "malformed"),
    "half a record": (b"TH\x01\x02\x93\xa6status\x01", "malformed"),
    "a record of nobody's": (b"TH\x01\x02\x92\xa6mystic\x01", "malformed"),
    "wrong field types": (b"TH\x01\x02\x93\xa6status\xa1x\x01", "malformed"),
    "nested without end": (b"TH\x01\x02" + b"\x91" * 200_000, "malformed"),
    "not UTF-8": (b"TH\x01\x02\x93\xa6status\x01\xa2\xff\xfe", "malformed"),
    "too large": (b"TH\x01\x02" + b"\0" * limits.HEADER_BYTES_MAX, "oversized"),
}

GOOD = [
    *(kind(1, "/counter") for kind in (info.Resolve, info.GetStatus, info.GetState, info.GetMetrics)),
    info.GetInterface(1, "/counter"),
    info.GetExportHashes(1, "/counter"),
    info.GetChain(1, "/counter", 0, 100),
    info.Flush(1, "/counter"),
    info.GetTree(1, "/pool"),
    info.Explain(1, "/counter"),
    info.WhichChildren(1, "/pool"),
    info.CountChildren(1, "/pool"),
    info.GetChildspec(1, "/pool", "one"),
    info.Subscribe(1, "/counter", 0, 100, "drop"),
    info.Unsubscribe(1, 1),
    info.Received(1, 10),
    control.Pause(1, "/nobody", "if_idle"),
    control.Resume(1, "/counter"),
    control.Shutdown(1, "/nobody", 1000),
    control.StartChild(1, "/counter", "name", {"count": 1}, True),
    control.TerminateChild(1, "/pool", "none"),
    control.RestartChild(1, "/", "counter"),
    control.DeleteChild(1, "/pool", "none"),
    control.Restart(1, "/nobody"),
]

FUZZED = 3000


@pytest.mark.parametrize("what", BAD_HEADERS)
def test_a_bad_frame_at_the_gate_is_answered_and_counted(tree: RunningTree, raw: Raw, what: str) -> None:
    """Whoever sent it hears why, under no question's number, and goes on as before."""
    header, reason = BAD_HEADERS[what]
    before = tree.pid("/counter")
    raw.send(header)
    refused, _ = raw.next()

    assert (refused.id, refused.kind) == (0, "serialization")
    assert raw.ask(info.GetStatus(7, "/counter"))[0].data["pid"] == before
    until(lambda: refusals(tree, "gate", reason), f"the {reason} frame to be logged")


@pytest.mark.parametrize("door", ["control", "stream"])
@pytest.mark.parametrize("what", BAD_HEADERS)
def test_a_bad_frame_at_the_workers_doors_is_counted_and_ignored(tree: RunningTree, door: str, what: str) -> None:
    """Nobody is there to be answered; the workers behind that door are not harmed."""
    header, reason = BAD_HEADERS[what]
    before = tree.pid("/counter")
    stranger = Raw(tree, door)
    stranger.send(header)

    until(lambda: refusals(tree, door, reason), f"the {reason} frame to be logged")
    assert tree.pid("/counter") == before
    assert not stranger.socket.poll(0)
    stranger.close()


def test_more_bodies_than_allowed_are_refused(raw: Raw) -> None:
    """A message has at most three, in the gate's eyes too."""
    raw.send(info.QUESTIONS.encode(info.GetStatus(1, "/counter")), *[b""] * (limits.BODIES_MAX + 1))

    assert "body frames" in raw.next()[0].data[0]


def test_a_frame_beyond_all_limits_cuts_its_sender_off_and_nobody_else(tree: RunningTree, raw: Raw) -> None:
    """It is never read into memory; the others' connections stay."""
    giant = Raw(tree)
    giant.send(b"TH\x01\x02" + b"\0" * (8 * 1024 * 1024))
    giant.tell(info.GetStatus(1, "/counter"))

    assert raw.ask(info.GetStatus(1, "/counter"))[0].data["state"] == "idle"
    giant.close()


def test_ten_thousand_bad_frames_are_one_line_and_one_number(start: Start) -> None:
    """A flood harms nobody, is logged once and counted to the last frame."""
    tree = start(TREE)
    before = tree.pid("/counter")
    flood = Raw(tree)
    flood.socket.setsockopt(zmq.SNDHWM, 0)
    for _ in range(10_000):
        flood.send(b"\xff nonsense")
    for _ in range(10_000):
        flood.next()

    assert tree.actor("/counter").call("bump", (1,)) == 1
    assert tree.pid("/counter") == before
    assert len(refusals(tree, "gate", "foreign")) <= 2  # one every ten seconds
    flood.close()
    assert tree.stop() == 0
    assert [line["count"] for line in refusals(tree, "gate", "foreign", "refused_in_all")] == [10_000]


def test_random_damage_to_good_messages_harms_nobody(tree: RunningTree, raw: Raw) -> None:
    """Bytes changed, lost and doubled in every question and order a client has, from one printed seed."""
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    chance = random.Random(seed)
    good = [
        (info.QUESTIONS if type(message).__module__ == info.__name__ else control.FROM_CLIENT).encode(message)
        for message in GOOD
    ]
    for _ in range(FUZZED):
        header = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(4, len(header))
            match chance.randrange(3):
                case 0:
                    header[place] = chance.randrange(256)
                case 1:
                    del header[place:]
                case _:
                    header[place:place] = header[4:place]
            if len(header) < 6:
                break
        raw.send(bytes(header))
    status, _ = raw.ask(info.GetStatus(2**40, "/counter"))

    assert isinstance(status, info.Info)
    assert tree.process.poll() is None
    tree.wait_incarnation("/counter", 1)


def test_a_hello_nobody_expects_is_refused(tree: RunningTree) -> None:
    """A routing id and a token of one's own make nobody a worker."""
    stranger = Raw(tree, "control", identity=secrets.token_bytes(16))
    stranger.send(control.FROM_WORKER.encode(control.Hello(secrets.token_bytes(16), os.getpid())))

    until(lambda: refusals(tree, "control", "stranger"), "the stranger to be logged")
    assert not stranger.socket.poll(0)
    stranger.close()


def test_every_bad_frame_is_counted(start: Start) -> None:
    """At each door, for what is wrong with it; the one that is too large comes last and is logged by itself."""
    tree = start(TREE)
    doors = ("gate", "control", "stream")
    strangers = [Raw(tree, door) for door in doors]
    for stranger in strangers:
        for header, _ in BAD_HEADERS.values():
            stranger.send(header)
    for door in doors:
        until(partial(refusals, tree, door, "oversized"), f"the last frame at {door} to be logged")
    for stranger in strangers:
        stranger.close()
    assert tree.stop() == 0

    for door in doors:
        counts = {line["reason"]: line["count"] for line in tree.log_lines("refused_in_all") if line["place"] == door}
        assert counts == Counter(reason for _, reason in BAD_HEADERS.values())


def test_nobody_speaks_for_a_worker_that_lives(start: Start) -> None:
    """A second connection under a living incarnation's routing id is not let in: its goodbye is not believed."""
    tree = start(TREE)
    incarnation = tree.status("/counter").incarnation
    rings = [bytes.fromhex(ring.stem) for ring in (tree.store_dir / "rings").glob("*.ring")]
    thieves = [Raw(tree, door, identity=routing) for routing in rings for door in ("control", "stream")]
    for thief in thieves:
        thief.send(control.FROM_WORKER.encode(control.StartFailed("init", "stolen")))
        thief.send(stream.UP.encode(stream.LogRecord(time.time_ns(), "error", "guest", "stolen")))
    for door in ("control", "stream"):  # who comes after the thieves is heard
        thieves.append(Raw(tree, door))
        thieves[-1].send(b"nonsense")
        until(partial(refusals, tree, door, "foreign"), f"the last frame at {door} to be logged")

    assert tree.actor("/counter").call("bump", (1,)) == 1
    assert tree.status("/counter").incarnation == incarnation
    assert "stolen" not in str(tree.log_lines())
    for thief in thieves:
        thief.close()
