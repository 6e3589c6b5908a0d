"""What should not be sent to a worker process, and is."""

from __future__ import annotations

import pytest

from proto import info, operation
from tests.guests.pack import encode, u32
from tests.worker.conftest import API
from tests.worker.driving import BY_5
from tests.worker.fakeroot import FakeRoot


@pytest.mark.parametrize(
    ("frames", "answered"),
    [
        ((b"",), False),
        ((b"garbage",), False),
        ((b"TH\x09\x01",), False),
        ((b"TH\x01\x01" + b"\xc1",), False),
        ((b"TH\x01\x01" + bytes.fromhex("93a463616c6c0705"),), True),
        ((b"TH\x01\x03" + bytes.fromhex("92a470696e6701"),), False),
        ((operation.REQUESTS.encode(operation.Call(7, "f")), b"", b"", b"", b""), True),
    ],
)
def test_bad_frames_on_the_operation_socket(root: FakeRoot, frames: tuple[bytes, ...], answered: bool) -> None:
    """Counted; answered if they are a request with a number; the actor goes on."""
    root.start()
    caller = root.caller()
    caller.raw(*frames)
    caller._ids = 7

    if answered:
        assert caller.error(7).kind == "serialization"
    assert caller.call(f"{API}.bump", BY_5) == encode(u32(5))
    assert sum(root.ask(info.GetMetrics(0))[0].data["frames_refused"].values()) == 1


@pytest.mark.parametrize(
    "frames",
    [
        (b"",),
        (b"garbage",),
        (b"TH\x01\x03\xc1",),
        (b"TH\x01\x02\xc1",),
        (b"TH\x01\x01\xc1",),
        (b"x", b"", b"", b"", b""),
    ],
)
@pytest.mark.parametrize("link", ["control", "stream"])
def test_bad_frames_of_the_root(root: FakeRoot, frames: tuple[bytes, ...], link: str) -> None:
    """Counted and otherwise ignored."""
    root.start()
    root.raw(*frames, link=link)

    root.until(lambda: sum(root.ask(info.GetMetrics(0))[0].data["frames_refused"].values()) == 1)
    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(5))


def test_parameters_past_the_limit_are_refused(root: FakeRoot) -> None:
    """message_bytes_max: an answer, not a lost connection."""
    root.start(options={"message_bytes_max": 1000})
    caller = root.caller()
    failed = caller.error(caller.send(f"{API}.bump", bytes(1001)))

    assert failed.kind == "serialization"
    assert "message_bytes_max" in failed.data[0]
