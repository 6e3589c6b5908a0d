"""A worker without its sockets: records what a guest really does, as ``worker.guest`` does, then replays it."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from tests.guests import wat
from tests.guests.pack import ok, text, u32
from tests.worker.enginekit import ALL_GRANTS, FakeContext, compiled, engine, ticking
from theater import cgrf
from theater.actor import ActorOptions
from theater.chain import ChainEvent, event_hash, payload
from theater.replay import ReplaySummary
from theater.values import Tuple, Value
from worker.engine import contract
from worker.engine.clock import TICK_MS, GuestClock, ticks
from worker.engine.contract import INIT
from worker.engine.crossing import Answers, GuestError
from worker.engine.errors import Trap
from worker.engine.pack import PackDoor
from worker.interfaces.registry import Dispatcher
from worker.replaying import Replayer

API = "test:odd/api"
PLAIN = "(state: u32) -> result<tuple<u32>, string>"
COUNTS = "(state: u32) -> result<tuple<u32, u32>, string>"
ROUNDS = 700_000_000
"""Takes a few hundred milliseconds."""


def logs_for_ever() -> wat.Behaviour:
    """Call ``log`` in a loop that never ends."""
    once = wat.calls(wat.LOG, text("again"))
    return wat.Behaviour(f"(loop $again {once.code} (br $again))", once.canned)


def counts_in_memory() -> wat.Behaviour:
    """Answer how often it was called: a number in the guest's own memory, whatever the state says."""
    sum_ = wat.adds().canned[0]
    return wat.Behaviour(
        f"""(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
        (i32.store offset=24 (i32.const {{0}}) (i32.load (i32.const 8)))
        (i32.store offset=36 (i32.const {{0}}) (i32.load (i32.const 8)))
        (return (call $answer (i32.const {{0}}) (i32.const {len(sum_)}) (local.get $at) (local.get $len) (i32.const 0)))
        """,
        (sum_,),
    )


def guest() -> bytes:
    """An actor that ends its calls in every odd way."""
    log = wat.calls(wat.LOG, text("late"))
    return wat.build(
        functions=[
            wat.starts(u32(0)),
            wat.Function(f"{API}.chatter", PLAIN, logs_for_ever()),
            wat.Function(f"{API}.late", PLAIN, [wat.computes(ROUNDS), log, wat.spins()]),
            wat.Function(f"{API}.slow", PLAIN, [wat.computes(ROUNDS), wat.returns(ok(u32(5)))]),
            wat.Function(f"{API}.count", COUNTS, counts_in_memory()),
            wat.Function(f"{API}.log", PLAIN, [log, wat.returns(ok(u32(7)))]),
            wat.Function(f"{API}.misuse", PLAIN, [wat.grows(14), wat.calls(wat.LOG, u32(3)), wat.traps()]),
            wat.Function(f"{API}.spin", PLAIN, wat.spins()),
        ],
        imports=[wat.LOG],
    )


class Life(FakeContext):
    """An actor's lives, and the chain of what they did."""

    def __init__(
        self, package: bytes | None = None, allowed: dict[str, dict[str, Any]] | None = None, **options: Any
    ) -> None:
        super().__init__()
        self.options = ActorOptions(**options)
        self.package = package or guest()
        self.grants = allowed or ALL_GRANTS
        self.digest = hashlib.sha256(self.package).hexdigest()
        self.chain: list[ChainEvent] = []
        self.state = contract.NO_STATE
        self.has_times = True
        self._clock = GuestClock(engine())
        self._open()
        self.put("genesis", payload.genesis(self.digest, "pack-2", "", b""))
        self.call(INIT)

    def put(self, event_type: str, data: bytes) -> None:
        parent = self.chain[-1].hash if self.chain else None
        digest = event_hash(parent, event_type, data)
        now = time.time_ns() if self.has_times else 0
        self.chain.append(ChainEvent(len(self.chain), now, 1, event_type, data, parent, digest))

    def record_host_call(self, interface: str, function: str, data: bytes, output: bytes) -> None:
        self.put(f"{interface}/{function}", payload.host_call(interface, function, data, output))

    def begin_again(self, recovered: str, *, same_instance: bool = False) -> None:
        """A later incarnation, from the committed state."""
        if not same_instance:
            self._open()
        self.put("incarnation", payload.incarnation(2, self.digest, "pack-2", "", self.state, None, recovered))

    def snapshot(self) -> None:
        """As worker.snapshots does: the state becomes an event, a fresh instance goes on."""
        self.put("theater-runtime/snapshot", payload.runtime("snapshot", cgrf.decode(self.state)))
        self._open()

    def call(self, function: str, *params: Value, deadline_ms: int | None = None) -> Any:
        """Call, and record it; return the outcome."""
        name = function if "." in function else f"{API}.{function}"
        given = cgrf.encode(Tuple(params))
        data = self._contract.input(name, self.state, given)
        self.put("wasm", payload.call(name, given))
        outcome = self._outcome(name, data, deadline_ms or self.options.call_deadline_ms)
        if isinstance(outcome, contract.Ok):
            self.put("wasm", payload.result(name, outcome.state, outcome.response))
            self.state = outcome.state
        else:
            self.put("wasm", payload.error(name, outcome.text))
        return outcome

    def _outcome(self, name: str, data: bytes, deadline_ms: int | None) -> Any:
        with ticking(self._clock, TICK_MS / 1000):
            try:
                self._door.arm(ticks(deadline_ms))
                result = self._door.call(name, data)
                if isinstance(result, GuestError):
                    return result
                return self._contract.outcome(name, result.output)
            except Trap as trap:
                return trap

    def _open(self) -> None:
        self._door = PackDoor.load(
            engine(),
            compiled(self.package),
            options=self.options,
            grants=self.grants,
            answers=Dispatcher(self),
            clock=self._clock,
        )
        self._contract = contract.Contract(self._door.functions, self.options)


def replayer_of(life: Life, events: list[ChainEvent] | None = None, **how: Any) -> tuple[Replayer, GuestClock]:
    """A replayer of these events (all of the life's), and the clock that must tick meanwhile."""
    clock = GuestClock(engine())

    def door(answers: Answers) -> PackDoor:
        return PackDoor.load(
            engine(),
            compiled(life.package),
            options=life.options,
            grants={},
            answers=answers,
            clock=clock,
            is_replay=True,
        )

    record = life.chain if events is None else events
    return Replayer(door, record, life.options, package=life.digest, **how), clock


def replayed(life: Life, events: list[ChainEvent] | None = None, **how: Any) -> ReplaySummary:
    """Replay; return how it went."""
    replayer, clock = replayer_of(life, events, **how)
    with ticking(clock, TICK_MS / 1000):
        return replayer.run()
