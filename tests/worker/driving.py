"""What tests have a real worker process do, and what they look at."""

from __future__ import annotations

from pathlib import Path

from proto import info
from tests.guests.pack import encode, tup, u32
from tests.worker.conftest import API
from tests.worker.fakeroot import Caller, FakeRoot

BY_5 = encode(tup(u32(5)))

AT_ONCE_S = 1.0
"""Generous, for busy machines; the fact tested is that nothing waits for the guest."""


def spinning(root: FakeRoot) -> tuple[Caller, int]:
    """Have the guest spin; who has called it, and the number of the call."""
    caller = root.caller()
    number: int = caller.send(f"{API}.spin", BY_5)
    root.until(lambda: status(root)["operation"] == f"{API}.spin")
    return caller, number


def status(root: FakeRoot) -> dict[str, object]:
    answer, _ = root.ask(info.GetStatus(0))
    assert isinstance(answer, info.Info)
    return answer.data


def events(root: FakeRoot) -> list[str]:
    """Types of the retained events of a running worker."""
    from theater.chain import iter_batch

    part, (batch,) = root.ask(info.GetChain(0))
    return [event.event_type for event in iter_batch(batch, part.data["base_hash"])]


def events_in_ring(root: FakeRoot) -> list[str]:
    """Types of all events whose frames are in what was sent up or still in the ring."""
    from theater.chain import iter_batch
    from theater.ring import RingReader

    sent = [event for header, body in root.batches for event in iter_batch(body, header.prev_hash)]
    last = sent[-1] if sent else None
    rest = b"".join(RingReader.open(root.ring).frames(last.seq if last else -1))
    tail = list(iter_batch(rest, last.hash if last else None)) if rest else []
    return [event.event_type for event in [*sent, *tail]]


def is_asleep(pid: int) -> bool:
    """Whether all threads of a process wait for something."""
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return set(states) == {"S"}


def wakeups(pid: int) -> int:
    """How often the threads of a process have gone to sleep."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total
