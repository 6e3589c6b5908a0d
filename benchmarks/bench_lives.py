"""Births and deaths: request → first answered call, kill -9 → next incarnation answering, against a bare fork.

Targets: a start ≤ 1.5 × a bare template fork with one ZeroMQ round trip; kill -9 → answering ≤ 10 ms.
"""

from __future__ import annotations

import os
import signal
from time import perf_counter_ns

from benchmarks.floors import BareZygote
from benchmarks.table import Table, settle, spread
from benchmarks.trees import COUNTER, tree
from theater.errors import ActorError

ROUNDS = 60

SESSIONS = COUNTER + """
  - id: sessions
    supervisor:
      strategy: simple_one_for_one
      child: {id: session, actor: counter.wasm, restart: temporary, grants: {runtime: {}}}
"""


def main() -> None:
    """Interleave rounds and print medians."""
    floor, questions, starts, restarts = [], [], [], []
    bare = BareZygote()
    with tree(SESSIONS) as running:
        counter = running.actor("/counter")
        counter.call("bump", (1,))
        for number in range(ROUNDS):
            floor.append(_bare(bare))
            questions.append(_ask(running))
            starts.append(_start(running, number))
            restarts.append(_restart(running, counter))
    bare.close()
    table = Table("measure", "median ms", "p95 ms")
    table.add("bare template fork + one ZeroMQ round trip", *spread(floor))
    table.add("a question to the supervisor and its answer", *spread(questions))
    table.add("start_child → first answered call", *spread(starts))
    table.add("kill -9 → next incarnation answering", *spread(restarts))
    table.show()
    base, start, question = spread(floor)[0], spread(starts)[0], spread(questions)[0]
    print(f"\nstart / floor, from the client's request: {start / base:.2f}")
    print(f"start / floor, from the supervisor's request: {(start - question) / base:.2f} (target ≤ 1.5)")
    print(f"restart: {spread(restarts)[0]:.1f} ms (target ≤ 10)")


def _bare(bare: BareZygote) -> float:
    settle()
    began = perf_counter_ns()
    pid = bare.fork_and_ask()
    took = (perf_counter_ns() - began) / 1e6
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return took


def _ask(running: object) -> float:
    """What a client pays to reach the supervisor and come back, start or no start."""
    client = running.client  # type: ignore[attr-defined]
    settle()
    began = perf_counter_ns()
    client.count_children("/sessions")
    return (perf_counter_ns() - began) / 1e6


def _start(running: object, number: int) -> float:
    client = running.client  # type: ignore[attr-defined]
    settle()
    began = perf_counter_ns()
    client.start_child("/sessions", f"s{number}")
    client.actor(f"/sessions/s{number}").call("bump", (1,))
    took = (perf_counter_ns() - began) / 1e6
    client.terminate_child("/sessions", f"s{number}")
    return took


def _restart(running: object, counter: object) -> float:
    """A killed process answers nothing more, so the first answer is the next incarnation's."""
    pid = running.pid("/counter")  # type: ignore[attr-defined]
    settle()
    began = perf_counter_ns()
    os.kill(pid, signal.SIGKILL)
    while True:
        try:
            counter.call("bump", (1,))  # type: ignore[attr-defined]
            return (perf_counter_ns() - began) / 1e6
        except ActorError:
            continue


if __name__ == "__main__":
    main()
