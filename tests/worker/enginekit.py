"""What the engine's tests share: one engine, compiled fixtures, a context that remembers, a ticking clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import wasmtime

from theater.actor import RUNTIME, SUPERVISOR, ActorOptions
from theater.values import Value
from worker.alarms import Alarm, Alarms
from worker.asks import Asks
from worker.engine import config
from worker.engine.clock import GuestClock
from worker.engine.pack import PackDoor
from worker.interfaces.registry import Dispatcher

ALL_GRANTS: dict[str, dict[str, Any]] = {RUNTIME: {}, SUPERVISOR: {}}
TICK_SECONDS = 0.002


@cache
def engine() -> Any:
    """One engine for all tests; it starts no thread."""
    return config.make_engine()


@cache
def compiled(package: bytes | str) -> Any:
    """A module of these bytes, or of this text."""
    return wasmtime.Module(engine(), package)


MADE: list[FakeContext] = []
"""Contexts of the test that runs; tests/conftest.py closes them after it."""


class FakeContext:
    """A worker's side of host calls that remembers what was asked of it."""

    def __init__(self) -> None:
        MADE.append(self)
        self.actor_id = "6a1c0d9e-7d0a-4a50-9c61-5f5b0f1d2c3b"
        self.path = "/fleet/it"
        self.incarnation = 1
        self.is_stopping = False
        self.exchange: Any = None
        self.content = ""
        self.has_children = False
        self.recorded: list[tuple[str, str, bytes, bytes]] = []
        self.logged: list[tuple[str, str]] = []
        self.shutdowns: list[bytes | None] = []
        self.events: list[tuple[int, str, bytes]] = []
        self.asked: list[tuple[str, dict[str, Any], list[bytes]]] = []
        self.answers: dict[str, tuple[dict[str, Any], list[bytes]] | BaseException] = {}
        self.grants: dict[str, dict[str, Any]] = {}
        self.services: dict[Any, Any] = {}
        self.delivered: list[tuple[str, tuple[Value, ...]]] = []
        self.thens: list[Any] = []
        self.wanteds: list[Any] = []
        self.asks = Asks(lambda message, bodies: None)
        self.withdrawn: list[tuple[str, int]] = []
        self.alarms = Alarms(lambda: None)
        self.declared_hashes: dict[str, bytes] = {}
        self.directory = ""
        self.letters: list[tuple[str, str, str, bytes, str]] = []

    @cached_property
    def peers(self) -> Any:
        from tests.interfaces.talkkit import FakePeers

        return FakePeers()

    @cached_property
    def mailbox(self) -> Any:
        from tests.interfaces.talkkit import FakeWorker

        return FakeWorker(self.grants, self.peers).mailbox()

    def notes(self, name: str) -> str:
        return f"{self.directory}/{name}" if self.directory else ""

    def undelivered(self, target: str, function: str, reason: str, message: bytes, channel: str = "") -> None:
        self.letters.append((target, function, reason, message, channel))

    def record_host_call(self, interface: str, function: str, data: bytes, output: bytes) -> None:
        self.recorded.append((interface, function, data, output))

    def log(self, level: str, message: str) -> None:
        self.logged.append((level, message))

    def request_shutdown(self, value: bytes | None) -> None:
        self.shutdowns.append(value)

    def retained_events(self) -> Sequence[tuple[int, str, bytes]]:
        return self.events

    def ask(
        self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        self.asked.append((function, arguments, list(bodies)))
        answer = self.answers.get(function, ({}, []))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def grant(self, name: str) -> Mapping[str, Any]:
        return self.grants.get(name, {})

    def service(self, kind: Any) -> Any:
        if kind not in self.services:
            self.services[kind] = kind(self)
        return self.services[kind]

    def renew(self) -> None:
        for service in self.services.values():
            if hasattr(service, "renew"):
                service.renew()

    def deliver(
        self, function: str, *params: Value, merge_key: str | None = None, then: Any = None, wanted: Any = None
    ) -> None:
        self.delivered.append((function, params))
        self.thens.append(then)
        self.wanteds.append(wanted)

    def withdraw(self, function: str, key: int) -> None:
        self.withdrawn.append((function, key))

    def at(self, at_ns: int, ring: Any) -> Alarm:
        return self.alarms.at(at_ns, ring)

    @property
    def stop_fd(self) -> int:
        return self.asks.stop_fd

    def close(self) -> None:
        """End what interfaces keep, as an orderly end of an actor does."""
        for service in self.services.values():
            if hasattr(service, "close"):
                service.close()
        self.services.clear()
        self.asks.close()


@contextmanager
def ticking(clock: GuestClock, seconds: float = TICK_SECONDS) -> Iterator[GuestClock]:
    """Tick the clock from another thread, as a worker's post thread does."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(seconds):
            clock.tick()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield clock
    finally:
        done.set()
        thread.join()


def load(
    package: bytes | str,
    *,
    fast: bool | None = None,
    context: FakeContext | None = None,
    answers: Any = None,
    grants: dict[str, dict[str, Any]] | None = None,
    **options: Any,
) -> PackDoor:
    """A door to this guest, not yet armed for calls; its start code runs under a ticked clock."""
    with ticking(GuestClock(engine())) as clock:
        door = PackDoor.load(
            engine(),
            compiled(package),
            options=ActorOptions(**options),
            grants=ALL_GRANTS if grants is None else grants,
            answers=answers or Dispatcher(context or FakeContext()),
            clock=clock,
            fast=fast,
        )
    door.arm(None)
    return door
