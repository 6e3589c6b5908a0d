"""What a client reads from the supervisor's gate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from proto import control, info
from theater.wires import _decode

LARGE = {"text": "x" * 300_000}


def test_data_beside_the_header_is_put_back() -> None:
    """Callers do not notice that an answer was wide; other bodies stay."""
    packed = msgspec.msgpack.encode(LARGE)
    message, bodies = _decode([info.ANSWERS.encode(info.Info(1, wide=True)), b"state", packed]) or (None, [])
    order, _ = _decode([control.TO_CLIENT.encode(control.Outcome(2, wide=True)), packed]) or (None, [])

    assert (message.data, bodies) == (LARGE, [b"state"])
    assert order.value == LARGE


@pytest.mark.parametrize("bodies", [[], [b"\xc1"]], ids=["missing", "not MessagePack"])
def test_a_wide_answer_without_its_data_is_dropped(bodies: list[bytes]) -> None:
    """As any frame that makes no sense."""
    assert _decode([info.ANSWERS.encode(info.Info(1, wide=True)), *bodies]) is None


CLOSES_LATE = """
import sys, time
from types import SimpleNamespace
from theater import wires
wires.RECONNECT_MS, wires.ROOT_RECONNECT_MS_MAX = 1, 0
pool = wires.Pool()
wire = wires.Wires(pool, SimpleNamespace(gate="ipc://" + sys.argv[1] + "/gate", path=sys.argv[1]))
poll = __import__("select").poll()
poll.poll(4000)
wire.close()
pool.destroy()
"""


def test_who_has_not_looked_for_long_closes_at_once(tmp_path: Path) -> None:
    """Thousands of tries to reach a supervisor that is gone, noted and never read, are in nobody's way."""
    subprocess.run([sys.executable, "-c", CLOSES_LATE, str(tmp_path)], check=True, timeout=30)
