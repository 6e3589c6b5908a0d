"""An actor behind any door that does nothing but call its host, and its chain; the host is live, or a record."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tests.interfaces.bothdoors import Form, opened, package
from tests.interfaces.family import Root
from tests.replay.recording import Life
from tests.worker.enginekit import ticking
from theater import cgrf, types
from theater.chain import ChainEvent, payloads
from theater.replay import ReplaySummary
from theater.types import Type
from theater.values import U32, UNIT, List, Option, Record, Result, Tuple, Value, Variant, bytes_of
from worker.engine.clock import TICK_MS, GuestClock
from worker.engine.contract import Ok
from worker.engine.errors import Trap
from worker.engine.pack import Answers
from worker.interfaces import registry
from worker.interfaces.registry import Dispatcher
from worker.replaying import Replayer


class Said(NamedTuple):
    """One host call, as the guest saw it."""

    form: Form
    arguments: tuple[Value, ...]
    answer: Value


class Actor(Life):
    """Its functions are those of the forms that its guest imports. ``answers``: who answers instead of this host."""

    def __init__(
        self,
        door: str,
        imported: Sequence[Form],
        grants: dict[str, dict[str, Any]] | None = None,
        *,
        root: Root | None = None,
        answers: Answers | None = None,
        actor_id: str = "",
    ) -> None:
        self.door = door
        self.imported = list(imported)
        self.forms = {(form.interface, form.name): form for form in imported}
        self.root = root or Root()
        self.said: list[Said] = []
        self.turns: deque[tuple[str, tuple[Value, ...], Any, Any]] = deque()
        """Callbacks of its guest that wait: function, parameters, ``then``, ``wanted``."""
        self._instead = answers
        super().__init__(package=package(door, imported))
        self.grants = grants or {}
        self.actor_id = actor_id or self.actor_id

    def host(self, interface: str, function: str, *arguments: Value) -> Value:
        """Have the guest call a host function; what it got. Raises Trap if that was its end."""
        form = self.forms[interface, function]
        given = arguments
        if self.door == "pack":
            given = (bytes_of(cgrf.encode(arguments[0] if len(arguments) == 1 else Tuple(arguments))),)
        outcome = self.call(form.exported, *given)
        if isinstance(outcome, Trap):
            raise outcome
        assert isinstance(outcome, Ok), outcome
        answer = UNIT if outcome.response is None else cgrf.decode(outcome.response)
        if self.door == "pack":
            assert isinstance(answer, List) and isinstance(answer.items, bytes)
            answer = cgrf.decode(answer.items)
        self.said.append(Said(form, arguments, answer))
        return answer

    @property
    def host_calls(self) -> list[payloads.HostCall]:
        """Host calls in the chain."""
        found = (payloads.read(event.data) for event in self.chain if event.event_type.partition("/")[2])
        return [each for each in found if isinstance(each, payloads.HostCall)]

    @property
    def host_events(self) -> list[tuple[str, bytes]]:
        """The events of host calls: type and data."""
        return [(event.event_type, event.data) for event in self.chain if "/" in event.event_type]

    def ask(
        self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        if self.asks.is_released:
            self.asks.ask(function, arguments, bodies)  # raises
        return self.root.ask(self.actor_id, function, arguments, bodies)

    def deliver(
        self, function: str, *params: Value, merge_key: str | None = None, then: Any = None, wanted: Any = None
    ) -> None:
        self.turns.append((function, params, then, wanted))

    def stop(self) -> None:
        """A stop of the actor comes."""
        self.is_stopping = True
        self.asks.release()

    def replayed(self, events: list[ChainEvent] | None = None) -> ReplaySummary:
        """Replay the chain, through the same door."""
        clock = GuestClock(self._engine)
        replayer = Replayer(
            lambda answers: opened(self.door, self.imported, answers, clock, is_replay=True),
            self.chain if events is None else events,
            self.options,
            package=self.digest,
        )
        with ticking(clock, TICK_MS / 1000):
            return replayer.run()

    @cached_property
    def _engine(self) -> Any:
        from tests.worker.enginekit import engine

        return engine()

    def _open(self) -> None:
        from worker.engine.contract import Contract

        self._door: Any = opened(self.door, self.imported, self._instead or Dispatcher(self), self._clock)
        self._contract = Contract(self._door.functions, self.options)


class FromRecord:
    """Answers from the record of another actor, which must have been asked the very same."""

    def __init__(self, record: Sequence[payloads.HostCall]) -> None:
        self._record = deque(record)

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        """The next answer."""
        said = self._record.popleft()
        given = registry.shown(interface, function, data)
        assert (interface, function, given) == (said.interface, said.function, cgrf.encode(said.input))
        return cgrf.encode(said.output)


def bare(value: Value) -> Any:
    """A value without what it says of its types: those a component knows, and a module's values carry."""
    match value:
        case List(items=bytes(data)):
            return ("list", *data)
        case List(items=items):
            return ("list", *(bare(each) if isinstance(each, Value) else each for each in items))
        case Option(value=item):
            return ("none",) if item is None else ("some", bare(item))
        case Result(is_ok=is_ok, value=item):
            return ("ok" if is_ok else "err", bare(item))
        case Tuple(items=items):
            return ("tuple", *map(bare, items))
        case Record(fields=fields):
            return {name: bare(item) for name, item in fields}
        case Variant(case=case, payload=payload):
            return (case, *map(bare, payload))
        case _:
            return value


def is_refusal(answer: Value) -> bool:
    """Whether a host function has answered an error, also one wrapped as in rpc."""
    match answer:
        case Result(is_ok=False):
            return True
        case Result(value=Variant(case="err")):
            return True
        case _:
            return False


def default(kind: Type) -> Value:
    """What stands for an argument that is not given."""
    match kind:
        case types.Option(item=item):
            return Option(types.tag_form(item))
        case types.List(item=item):
            return List(item, b"" if item == types.U8 else ())
        case types.STRING:
            from theater.values import String

            return String("")
        case types.VALUE:
            return UNIT
    return U32(0)
