"""Worlds to be careless in: actors that hold every grant, with small limits, and everything that guests can reach."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.interfaces import family, tcpkit
from tests.interfaces.bothdoors import DOORS, OWN, Form, forms
from tests.interfaces.calling import anything, one_of_those
from tests.interfaces.living import Actor
from tests.interfaces.staging import Place
from tests.interfaces.talkkit import took
from theater import cgrf, types
from theater.grants import (
    ENVIRONMENT,
    FILESYSTEM,
    HTTP_CLIENT,
    MESSAGES,
    PROCESS,
    RANDOM,
    RPC,
    STORE,
    TCP,
    TERMINAL,
    TIMER,
    TIMING,
)
from theater.types import Type
from theater.values import INNER, U8, U64, UNIT, List, String, Value
from worker.machine_notices import Declined, Rejected, Returned

GUESTS = [(door, number) for door in DOORS for number in range(3)]
"""Which door, and which form of each function. No function has more than three."""
RESPONSES = (None, cgrf.encode(UNIT), cgrf.encode(String("odd")))
ENDS = (*map(Returned, RESPONSES), Declined("no"), Rejected("function_not_found", ()))
"""How a callback may end."""
SECONDS_MAX = 5.0
"""No call may take longer, whatever it waits for: every limit below is far smaller."""

WORDS = {
    "manifest": (family.MANIFEST, "other.toml", ""),
    "path": ("/data/a", "/data/d", "/data", "/data/../secret", "/data/link", "a"),
    "old": ("/data/a", "/data/b", "/data/d", "/secret"),
    "new": ("/data/b", "/data/d/e", "/data", "../x"),
    "program": ("/bin/cat", "/bin/true", "/bin/sh", ""),
    "mode": ("active", "once", "passive", "broadcast", "round-robin", "x"),
    "method": ("GET", "POST", "get it", ""),
    "server-name": ("localhost", "127.0.0.1", "example.com", ""),
    "label": ("it", "a/b", "../x", ""),
    "name": ("A", "mine", "x" * 300, "\n"),
    "wat": ("(module)", "(", '(module (data "'),
    "reason": ("normal", "kill", "boom"),
    "function": ("test:other/api.f", "f", "."),
    "interface": ("test:other/api", ""),
}
"""Words that mean something, by the name of the parameter."""
COMMON = (family.NOBODY, "b", "other", "", "..", "a", "x" * 5000, "\0", "\N{SNOWMAN}")


class Step(NamedTuple):
    """One thing that happens."""

    actor: int
    what: Form | str
    """A call of a host function, or ``turn``, ``time``, ``mail``, ``dial``, ``stop``."""
    arguments: tuple[Value, ...] = ()
    number: int = 0


class World:
    """Two actors with one root, and whatever they have been told, for either to misuse."""

    def __init__(self, guests: Sequence[tuple[str, int]]) -> None:
        self._left = ExitStack()
        self.place = Place(self._left)
        self.seen: list[Value] = []
        self.over: set[int] = set()
        """Actors whose guest has ended."""
        self._addresses = [self.place.address, self.place.http, "127.0.0.1:0", "127.0.0.1:1", "nonsense"]
        self._sockets: list[Any] = []
        root = family.Root()
        os.mkdir(f"{self.place.directory}/data")
        os.symlink("/etc", f"{self.place.directory}/data/link")
        self.actors = [self._actor(door, number, place, root) for place, (door, number) in enumerate(guests)]

    def _actor(self, door: str, number: int, place: int, root: family.Root) -> Actor:
        actor = Actor(door, everything(door, number), self._grants(place), root=root, actor_id=f"actor-{place}")
        actor.content = f"{self.place.directory}/content"
        actor.path = f"/fleet/{place}"
        actor.peers.add("b")
        actor.peers.answer = cgrf.encode(String("the answer")) if place else b"\1"
        actor.mailbox.can_answer_later = True
        return actor

    def _grants(self, place: int) -> dict[str, dict[str, Any]]:
        here = {"host": f"{self.place.directory}/data", "guest": "/data", "write": True}
        quick = {"timeout_ms_max": 5, "wait_ms_max": 5, "connections_max": 4, "chunk_bytes_max": 8}
        assert self.place.terminal
        return {
            ENVIRONMENT: {"variables": {"A": "1"}},
            FILESYSTEM: {"directories": [here], "file_bytes_max": 100, "entries_max": 5},
            HTTP_CLIENT: {"allow": [f"http://{self.place.http}"], "timeout_ms": 100, "max_body": 1000},
            MESSAGES: {"timeout_ms": 5, "channels_max": 2, "requests_max": 2},
            PROCESS: {"programs": ["/bin/cat", "/bin/true"], "run_ms_max": 50, "processes_max": 1},
            RANDOM: {"bytes_max": 100},
            RPC: {"timeout_ms": 5},
            STORE: {"bytes_max": 100, "labels_max": 2, "stores_max": 2},
            TCP: tcpkit.LOCAL | quick,
            TERMINAL: {"device": self.place.device, "write_ms_max": 5} if place else {},
            TIMER: {"timers_max": 2},
            TIMING: {"sleep_ms_max": 3},
        }

    def close(self) -> None:
        for actor in self.actors:
            actor.close()
        for each in self._sockets:
            each.close()
        self._left.close()

    # -- what there is to say ------------------------------------------------------------------------------------------

    def arguments(self, actor: int, form: Form) -> st.SearchStrategy[tuple[Value, ...]]:
        """Any values of the declared types; often such as mean something, or have been somebody's answer."""
        is_module = self.actors[actor].door == "pack"
        return st.tuples(*(self._near(name, kind, is_module) for name, kind in form.variant.parsed.params))

    def _near(self, name: str, kind: Type, is_module: bool) -> st.SearchStrategy[Value]:
        found = anything(kind)
        if kind == types.STRING:
            found |= st.sampled_from((*WORDS.get(name, ()), *COMMON)).map(String)
            found |= one_of_those(lambda: [String("unknown"), *self._told(String)])
            if name == "address":
                found |= one_of_those(lambda: list(map(String, self._addresses)))
            if name == "url":
                paths = ("/", "/headers", "/cut", "/large", "/nonsense", "/redirect", "/a b")
                found |= one_of_those(lambda: [String(f"http://{self.place.http}{each}") for each in paths])
        if kind == types.U64:
            found |= one_of_those(lambda: [U64(0), *self._told(U64)])
        if kind == types.BYTES and is_module:
            found |= st.lists(st.integers(0, 255).map(U8), max_size=3).map(lambda items: List(types.UNIT, tuple(items)))
        return found

    def _told(self, kind: type[Value]) -> list[Value]:
        return [each for each in self.seen if isinstance(each, kind)]

    def learn(self, value: Value) -> None:
        """Remember what was told, and what is in it."""
        if isinstance(value, String | U64) and len(self.seen) < 200:
            self.seen.append(value)
        for inside in INNER.get(type(value), _nothing)(value):
            self.learn(inside)

    # -- what happens --------------------------------------------------------------------------------------------------

    def call(self, step: Step) -> tuple[Value, float]:
        """A host call; the answer, and how long it took."""
        assert isinstance(step.what, Form)
        began = time.monotonic()
        answer = self.actors[step.actor].host(step.what.interface, step.what.name, *step.arguments)
        took_s = time.monotonic() - began
        self.learn(answer)
        if step.what.name == "local-address":
            self._addresses += [each.value for each in (getattr(answer, "value", None),) if isinstance(each, String)]
        return answer, took_s

    def happen(self, step: Step) -> None:
        """Something that is no call."""
        actor = self.actors[step.actor]
        match step.what:
            case "turn" if actor.turns:
                _, params, then, wanted = actor.turns.popleft()
                if wanted is None or wanted():
                    for each in params:
                        self.learn(each)
                    if then is not None:
                        then(ENDS[step.number % len(ENDS)])
            case "time":
                actor.alarms.ring(time.monotonic_ns() + step.number * 10**9)
            case "mail" if actor.mailbox.is_open:
                self._mail(actor, ("send", "request", "open")[step.number % 3])
            case "dial":
                self._dial(self._addresses[step.number % len(self._addresses)])
            case "stop":
                actor.stop()

    def _mail(self, actor: Actor, kind: str) -> None:
        try:
            call = took(actor.mailbox, kind, channel=f"ch{len(self.seen)}")
        except AssertionError:
            return  # the mailbox has refused it
        delivery = getattr(call.waiter, "delivery", None)
        if delivery is not None:
            delivery.returned(cgrf.encode(types_none()))

    def _dial(self, address: str) -> None:
        import socket

        host, _, port = address.rpartition(":")
        if port.isdigit() and int(port) > 1:
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((host, int(port)))
            self._sockets.append(sock)


def types_none() -> Value:
    """What handle-request returns that will answer later."""
    from theater.values import NO_BYTES, Tuple

    return Tuple((NO_BYTES,))


_nothing: Callable[[Any], Sequence[Value]] = lambda value: ()  # noqa: E731


def everything(door: str, number: int) -> list[Form]:
    """Every function of every interface, in the form of this number."""
    return [form for interface in OWN for form in forms(door, interface, number)]
