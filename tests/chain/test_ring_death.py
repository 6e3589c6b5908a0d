"""A writer that is killed loses nothing it has published."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.chain.chains import batch, chain, frame
from theater.chain import iter_batch, verify
from theater.ring import RingFull, RingReader, RingWriter


@pytest.mark.parametrize("after", [1, 100, 1500])
def test_sigkill_loses_nothing_published(tmp_path: Path, after: int) -> None:
    """A real process is killed while it writes; every event it had told of is there, and what is there is sound."""
    path = str(tmp_path / "k.ring")
    told_out, told_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        _record(path, told_in)
    os.close(told_in)
    told = b""
    while len(told) < after:
        told += os.read(told_out, 65536)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    while more := os.read(told_out, 65536):
        told += more
    os.close(told_out)
    reader = RingReader.open(path)
    events = list(iter_batch(b"".join(reader.frames()), None))

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert not RingReader.has_writer(path)
    assert len(events) >= len(told)
    assert verify(events, base_seq=-1).ok
    assert reader.torn is None


@pytest.mark.parametrize("after", [50, 500, 1000, 1700, 3000])
def test_sigkill_amid_acknowledgements_leaves_a_whole_rest(tmp_path: Path, after: int) -> None:
    """The ring has been used many times over, with large events beside it: what is not acknowledged is there."""
    path = str(tmp_path / "k.ring")
    told_out, told_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        _record_and_acknowledge(path, told_in)
    os.close(told_in)
    told = b""
    while len(told) < after:
        told += os.read(told_out, 512)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while more := os.read(told_out, 65536):
        told += more
    os.close(told_out)
    appended, acknowledged = told.count(b"."), told.count(b"a")
    reader = RingReader.open(path)
    seqs = [event.seq for event in iter_batch(b"".join(reader.frames()), None)]

    assert reader.torn is None
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else appended - acknowledged <= 5
    assert not seqs or (acknowledged <= seqs[0] <= acknowledged + 5 and seqs[-1] >= appended - 1)


def test_two_threads_share_a_ring_without_a_lock(tmp_path: Path) -> None:
    """One appends, one sends and acknowledges; everything comes through, once and in order."""
    ring = RingWriter.create(str(tmp_path / "t.ring"), 8192, actor_id="t", incarnation=1)
    events, room, work = chain(3000), threading.Event(), threading.Event()
    sent: list[bytes] = []

    def post() -> None:
        position, last = ring.start, -1
        while last < events[-1].seq:
            work.wait(1)
            work.clear()
            while (unsent := ring.unsent(position, 1000)) is not None:
                position, last = unsent.position, unsent.last_seq
                sent.append(unsent.data)
                ring.ack(last)
                room.set()

    thread = threading.Thread(target=post)
    thread.start()
    for event in events:
        _append(ring, frame(event), room)
        work.set()
    thread.join(10)

    assert b"".join(sent) == batch(events)
    ring.close()


def _append(ring: RingWriter, data: bytes, room: threading.Event) -> None:
    while True:
        room.clear()
        try:
            ring.append(data)
            return
        except RingFull:
            assert room.wait(10)


def _record_and_acknowledge(path: str, told: int) -> None:
    """In the child: tell "." for every event published, "a" for every event acknowledged."""
    try:
        ring = RingWriter.create(path, 8192, actor_id="k", incarnation=1)
        position = ring.start
        for seq in range(100_000):
            (event,) = chain(1, seq, None if seq == 0 else bytes(32), 4000 if seq % 10 == 9 else 40)
            ring.append(frame(event))
            os.write(told, b".")
            if seq % 5 == 4:
                unsent = ring.unsent(position, 1 << 20)
                assert unsent is not None
                position = unsent.position
                ring.ack(unsent.last_seq)
                os.write(told, b"a" * 5)
    finally:
        os._exit(1)


def _record(path: str, told: int) -> None:
    """In the child: write events, and tell of each one after it is published, until we are killed."""
    try:
        ring = RingWriter.create(path, 1 << 20, actor_id="k", incarnation=1)
        for event in chain(4000):
            ring.append(frame(event))
            os.write(told, b".")
        signal.pause()
    except RingFull:
        signal.pause()
    finally:
        os._exit(1)
