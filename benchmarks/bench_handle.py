"""What a call through the handle costs beyond a bare DEALER/ROUTER ping-pong over ipc.

    python -m benchmarks.bench_handle [--calls N]

The worker is a process that echoes; what the real one does is measured elsewhere. Rounds of the contenders alternate,
so that a busy machine disturbs all alike; shown is the median round trip of the best round, and its ratio to the floor.
Inside a call the conversion costs about twice what it costs alone: after every wait the caches are cold.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import zmq

from proto import info, operation
from proto.envelope import VERSION, Message
from theater import cgrf, convert, metadata, types
from theater.aio import AsyncClient
from theater.calling import Signatures
from theater.client import connect
from theater.rundir import Run

PACKAGE = "00" * 32
FUNCTION = "bench:echo/echo.echo"
PARAMS = (types.STRING, types.U32)
DECLARED = metadata.encode(
    metadata.Metadata(
        exports=(
            metadata.FunctionSig(
                "bench:echo/echo",
                "echo",
                (("state", types.VALUE), *(("p", kind) for kind in PARAMS)),
                (types.VALUE,),
            ),
        )
    )
)
ROUNDS = 15
ASYNCIO = "asyncio handle, void call"


def serve(run_dir: Path) -> None:
    """Be the gate, for as long as one client asks for the way, and then the worker, which returns what it is given."""
    context = zmq.Context()
    gate, worker = context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)
    gate.bind(f"ipc://{run_dir}/gate")
    worker.bind(f"ipc://{run_dir}/worker")
    poller = zmq.Poller()
    poller.register(gate, zmq.POLLIN)
    poller.register(worker, zmq.POLLIN)
    resolved = False
    while not resolved:
        peer, header, *_ = gate.recv_multipart()
        question = info.QUESTIONS.decode(header)
        answer: Message = info.Info(question.id, {})
        bodies = [DECLARED] if isinstance(question, info.GetInterface) else []
        if isinstance(question, info.Resolve):
            answer = info.Endpoint(question.id, "id", "/echo", 1, f"ipc://{run_dir}/worker", 300_000, PACKAGE)
        gate.send_multipart([peer, info.ANSWERS.encode(answer), *bodies])
        resolved = isinstance(question, info.GetInterface)
    while True:
        frames = worker.recv_multipart()
        if frames[1][:2] == b"TH":
            frames[1] = operation.ANSWERS.encode(operation.Returned(operation.REQUESTS.decode(frames[1]).id))
        worker.send_multipart(frames)


def times_of(trip: Callable[[], object], calls: int) -> list[int]:
    """Return the times of so many round trips, in nanoseconds."""
    times = []
    for _ in range(calls):
        began = perf_counter_ns()
        trip()
        times.append(perf_counter_ns() - began)
    return times


def conversion(params: tuple[object, ...], kind: types.Type) -> None:
    """What a call converts in Python: parameters to an encoded tuple, an encoded result to Python."""
    encoded = cgrf.encode(convert.to_value(params, kind))
    convert.from_value(cgrf.decode(encoded))


def main(calls: int = 500) -> None:
    """Run and print the table."""
    with tempfile.TemporaryDirectory(prefix="th") as name:
        run_dir = Path(name)
        about = {"pid": os.getpid(), "name": "bench", "started_ns": 0, "protocol": VERSION}
        (run_dir / "supervisor.json").write_text(json.dumps(about))
        lock = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        pid = os.fork()
        if pid == 0:
            serve(run_dir)
        try:
            measure(run_dir, calls)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def measure(run_dir: Path, calls: int) -> None:
    """Let the contenders take turns."""
    client = connect(run_dir)
    handle = client.actor("/echo")
    handle.call(FUNCTION, ("first", 1))
    bare: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    bare.connect(f"ipc://{run_dir}/worker")

    def ping() -> None:
        bare.send_multipart([b"h" * 40, b"b" * 40])
        bare.recv_multipart()

    kind = types.Tuple(PARAMS)
    contenders: dict[str, Callable[[], object]] = {
        "bare ping-pong": ping,
        "Python conversion alone": lambda: conversion(("first", 1), kind),
        "handle, void call": lambda: handle.call_void(FUNCTION, b"b" * 40),
        "handle, call with conversion": lambda: handle.call(FUNCTION, ("first", 1)),
    }
    rounds: dict[str, list[list[int]]] = {name: [] for name in (*contenders, ASYNCIO)}
    for _ in range(ROUNDS):
        for name, trip in contenders.items():
            rounds[name].append(times_of(trip, calls))
        rounds[ASYNCIO].append(asyncio.run(asyncio_times(client.run, calls)))
    show(rounds)
    bare.close(0)
    client.close()


async def asyncio_times(run: Run, calls: int) -> list[int]:
    """Return the times of calls awaited one after another."""
    client = AsyncClient(run)
    handle = client.actor("/echo")
    # The gate of this bench answers one client; the asyncio one is told what it would have asked.
    client.signatures[PACKAGE] = Signatures(DECLARED)
    link = client.link()
    where = info.Endpoint(0, "id", "/echo", 1, f"ipc://{run.path}/worker", 300_000, PACKAGE)
    link.attend(link.wires.route("/echo", where))
    times = []
    for _ in range(calls):
        began = perf_counter_ns()
        await handle.call_void(FUNCTION, b"b" * 40)
        times.append(perf_counter_ns() - began)
    client.close()
    return times


def show(rounds: dict[str, list[list[int]]]) -> None:
    """Print the best round of each contender."""
    best = {name: min(taken, key=statistics.median) for name, taken in rounds.items()}
    floor = statistics.median(best["bare ping-pong"])
    sys.stdout.write(f"{'':32}{'median us':>10}{'p99 us':>10}{'ratio':>8}\n")
    for name, times in best.items():
        median = statistics.median(times)
        p99 = sorted(times)[len(times) * 99 // 100]
        sys.stdout.write(f"{name:32}{median / 1000:10.1f}{p99 / 1000:10.1f}{median / floor:8.2f}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500, help="round trips in each of the rounds")
    main(parser.parse_args().calls)
