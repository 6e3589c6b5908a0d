"""The root's loop: descriptors, timers, signals and edge-triggered sockets."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
import zmq

from supervisor.loop import Loop

DEADLINE_S = 5.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def run_until(loop: Loop, done: list[object], count: int = 1) -> None:
    """Turn the loop until ``done`` holds ``count`` things; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while len(done) < count:
        assert time.monotonic() < deadline, f"{len(done)} of {count} happened"
        loop.run_once(0.1)


def test_a_readable_descriptor_calls_back_until_it_is_read(loop: Loop) -> None:
    """Descriptors are level-triggered: unread data is told again."""
    read, write = os.pipe()
    seen: list[object] = []
    loop.add_reader(read, lambda: seen.append(1))
    os.write(write, b"x")

    run_until(loop, seen, 3)
    loop.remove_reader(read)
    os.close(read)
    os.close(write)


def test_timers_fire_in_order_and_cancelled_ones_never(loop: Loop) -> None:
    """Equal times keep the order in which they were set."""
    fired: list[object] = []
    now = loop.now_ns()
    loop.call_at(now + 2_000_000, lambda: fired.append("late"))
    loop.call_at(now + 1_000_000, lambda: fired.append("first"))
    loop.call_at(now + 1_000_000, lambda: fired.append("second"))
    loop.call_at(now + 1_500_000, lambda: fired.append("never")).cancel()

    run_until(loop, fired, 3)

    assert fired == ["first", "second", "late"]


def test_two_signals_of_a_kind_are_two_calls(loop: Loop) -> None:
    """Ctrl-C twice means twice."""
    seen: list[object] = []
    loop.on_signal(signal.SIGUSR1, lambda: seen.append("usr1"))
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)

    run_until(loop, seen, 2)


def test_no_message_is_left_behind_by_a_lost_edge(loop: Loop) -> None:
    """More messages than a burst, and sends that eat the edge, are all handed over."""
    context = zmq.Context()
    ours, theirs = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    port = ours.bind_to_random_port("tcp://127.0.0.1")
    theirs.connect(f"tcp://127.0.0.1:{port}")
    got: list[object] = []

    def handle(frames: list[bytes]) -> None:
        got.append(frames[1])
        ours.send_multipart([frames[0], b"reply"])

    loop.add_socket(ours, handle, burst=3)
    for number in range(500):
        theirs.send(b"%d" % number)
    run_until(loop, got, 500)

    assert got == [b"%d" % number for number in range(500)]
    context.destroy(linger=0)


def test_an_idle_loop_sleeps(loop: Loop) -> None:
    """Nothing to do costs no processor time."""
    before = time.process_time()
    loop.run_once(0.2)

    assert time.process_time() - before < 0.05


def test_a_time_beyond_what_epoll_counts_is_waited_for(loop: Loop) -> None:
    """A timer in a hundred days neither fires nor ends the loop."""
    fired: list[str] = []
    loop.call_later(100 * 86_400_000, lambda: fired.append("never"))
    loop.call_later(1, lambda: fired.append("soon"))
    while not fired:
        loop.run_once()
    loop.call_soon(loop.stop)
    loop.run()

    assert fired == ["soon"]


def test_cancelled_timers_are_thrown_out(loop: Loop) -> None:
    """Time-outs that never happen do not pile up."""
    for _ in range(100_000):
        loop.call_later(60_000, lambda: None).cancel()

    assert len(loop._timers) <= 1024
