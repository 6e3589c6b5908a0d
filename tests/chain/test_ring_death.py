"""A writer that is killed loses nothing it has published."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.chain.chains import chain, frame
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
