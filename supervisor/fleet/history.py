"""Chains on their way into the store: batches from workers, acknowledgements back, the rest of a dead worker's ring.

The root never decodes an event: it checks that a batch continues what it has (number and hash), hands it to the store's
writer, and tells the worker once it is stored. A ring file is removed only when the store holds all of it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from proto import control, stream
from proto.envelope import WireError
from proto.limits import TEXT_BYTES_MAX
from supervisor.fleet.lives import Actor, Life
from supervisor.fleet.services import Services
from supervisor.refusals import Refusals
from supervisor.sockets import send
from supervisor.store import StoreReader, StoreWriter
from supervisor.store.packages import keep_package
from supervisor.store.references import Reference, given, references
from supervisor.store.results import Broken, Recovered, Stored, Trimmed, Trouble
from supervisor.store.rings import remove_ring
from theater.cause import Cause, from_plain
from theater.chain.keyed import repeats
from theater.committed import committed_at, state_path, underway_at
from theater.retention import Retention
from theater.ring import RingError, RingReader

CLOSE_S = 10.0
PAGE_EVENTS_MAX = 4096
FLUSH_EVENTS = 4096

LETTER_BYTES_MAX = 1 << 20
"""A larger message that was not delivered is noted, but not kept."""

T = TypeVar("T")
OnEvents = Callable[[Life, int, int, bytes | None, bytes], None]


class Identity(msgspec.Struct, frozen=True):
    """What the store knows of an actor: its id, number of lives, last event (-1: none) and that one's hash."""

    id: str
    incarnations: int
    last_seq: int
    head_hash: bytes | None


class _Ring:
    """A ring file that may go once the store holds everything up to ``last_seq``."""

    __slots__ = ("last_seq", "path")

    def __init__(self, path: str, last_seq: int) -> None:
        self.path = path
        self.last_seq = last_seq


class History:
    """The store as the fleet sees it."""

    def __init__(self, services: Services, refusals: Refusals, retention: Retention) -> None:
        self._s = services
        self._refusals = refusals
        os.makedirs(services.dirs.rings, mode=0o700, exist_ok=True)
        shutil.rmtree(services.dirs.histories, ignore_errors=True)  # what an earlier run had no time to remove
        self._writer = StoreWriter(services.dirs.store, retention)
        self._reader_thread = ThreadPoolExecutor(1, "store-reader")
        self._reader: StoreReader | None = None
        self._read_done: deque[Callable[[], None]] = deque()
        self._read_wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._rings: dict[str, deque[_Ring]] = {}
        self._stored: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[int, Callable[[], None]]]] = {}
        self._awaited: dict[Life, tuple[int, Callable[[], None]]] = {}
        self.on_events: list[OnEvents] = []
        services.loop.add_reader(self._writer.fileno(), self._on_stored)
        services.loop.add_reader(self._read_wake, self._on_read)

    # -- identities and lives ----------------------------------------------------------------------------------------

    def identify(self, path: str) -> Identity:
        """Return who the actor at a path is, new or known from before."""
        actor_id, next_seq, head = self._writer.actor_for(path)
        self._stored.setdefault(actor_id, next_seq - 1)
        incarnations = self._writer.last_incarnation(actor_id) if next_seq else 0
        return Identity(actor_id, incarnations, next_seq - 1, head)

    def begin(self, life: Life, digest: str) -> None:
        """An incarnation was told to begin."""
        self._writer.begin_incarnation(
            life.actor.id,
            life.number,
            routing=life.routing,
            package=digest,
            manifest=life.actor.spec.manifest_digest,
            first_seq=life.last_seq + 1,
        )

    def end(self, life: Life, cause: Cause) -> None:
        """An incarnation is over; everything it recorded was handed to the writer before."""
        self._awaited.pop(life, None)
        if life.init_sent:
            self._writer.end_incarnation(life.actor.id, life.routing, msgspec.json.encode(cause).decode())

    def dead_letter(self, actor: Actor, seq: int, digest: str, function: str, tries: int) -> None:
        """An operation was set aside."""
        self._writer.dead_letter(actor.id, seq, digest, function, tries)

    def drop_dead_letter(self, actor: Actor, digest: str) -> None:
        """One is taken again."""
        self._writer.drop_dead_letter(actor.id, digest)

    def undelivered(self, actor: Actor, message: control.Undelivered, body: bytes) -> None:
        """A message of an actor was not delivered, or one to it whose sender is gone."""
        sender, target = (message.sender, actor.id) if message.sender else (actor.id, message.target)
        self._undelivered(sender, target, message, message.channel or None, body)

    def keep_letter(self, message: control.KeepLetter, body: bytes) -> None:
        """One that was taken out comes back."""
        self._undelivered(message.sender, message.target, message, None, body)

    def _undelivered(self, sender: str, target: str, message: Any, channel: str | None, body: bytes) -> None:
        kept = body if len(body) <= LETTER_BYTES_MAX else None
        reason = message.reason[:TEXT_BYTES_MAX] + ("" if kept is not None else f" ({len(body)} bytes: not kept)")
        self._writer.undelivered(sender, target, message.function, channel, kept, reason)

    def drop_undelivered(self, number: int) -> bool:
        """Forget one; whether it was there."""
        return self._writer.drop_undelivered(number)

    def name(self, actor_id: str, name: str, mode: str | None) -> None:
        """An actor was given a name, or has lost it."""
        self._writer.name(actor_id, name, mode)

    def names(self) -> list[tuple[str, str, str]]:
        """(Actor id, name, mode) of every name that an earlier run has left."""
        return self._writer.names()

    def dead_letters(self, actor: Actor) -> dict[str, int]:
        """Operations of an actor that were set aside, in this run or before: digest -> call event."""
        return self._writer.dead_letters(actor.id)

    def last_state(self, actor: Actor) -> bytes | None:
        """The state an actor had committed when its last incarnation ended, if it was kept."""
        kept = self._writer.last_state(actor.id)
        return None if kept is None else kept[1]

    # -- the stream --------------------------------------------------------------------------------------------------

    def on_frames(self, frames: list[bytes]) -> None:
        """One message from the stream socket."""
        life = self._s.register.by_routing.get(frames[0])
        try:
            message = stream.UP.decode(frames[1] if len(frames) > 1 else b"")
        except WireError as error:
            self._refusals.count("stream", error.reason, str(error))
            return
        if life is None:
            return  # a dying life's last batches: its ring was read, nothing is lost
        if isinstance(message, stream.LogRecord):
            self._log(life, message)
        elif len(frames) == 3:
            self._on_batch(life, message, frames[2])

    def catch_up(self, life: Life) -> None:
        """A life has become its actor's: take what it has sent before."""
        early, life.early = life.early, []
        for batch, body in early:
            self._on_batch(life, batch, body)

    def when_received(self, life: Life, last_seq: int, done: Callable[[], None]) -> None:
        """Call back once everything of a life up to ``last_seq`` has arrived."""
        if life.last_seq >= last_seq:
            done()
        else:
            self._awaited[life] = (last_seq, done)

    def _on_batch(self, life: Life, batch: stream.EventBatch, body: bytes) -> None:
        if life.update is not None:
            life.early.append((batch, body))
            return
        if batch.last_seq <= life.last_seq:
            return
        if batch.first_seq != life.last_seq + 1 or batch.prev_hash != life.head_hash:
            text = f"{life.actor.path}: batch {batch.first_seq}..{batch.last_seq} does not continue {life.last_seq}"
            self._refusals.count("stream", "continuity", text)
            return
        self._append(life, batch.first_seq, batch.last_seq, batch.head_hash, body)

    def _append(self, life: Life, first_seq: int, last_seq: int, head_hash: bytes, body: bytes) -> None:
        prev_hash = life.head_hash
        synced = life.actor.spec.options.durability == "group"
        self._writer.append(life.actor.id, life.number, first_seq, last_seq, prev_hash, head_hash, body, synced)
        life.last_seq, life.head_hash = last_seq, head_hash
        life.actor.last_seq, life.actor.head_hash = last_seq, head_hash
        for hook in self.on_events:
            hook(life, first_seq, last_seq, prev_hash, body)
        awaited = self._awaited.get(life)
        if awaited is not None and awaited[0] <= last_seq:
            del self._awaited[life]
            awaited[1]()

    def _log(self, life: Life, record: stream.LogRecord) -> None:
        level = record.level if record.level in ("debug", "info", "warning", "error") else "info"
        fields = {key: value for key, value in record.fields.items() if key not in ("event", "level", "actor")}
        if record.dropped:
            fields["dropped"] = record.dropped
        getattr(self._s.log, level)(
            record.message, actor=life.actor.path, incarnation=life.number, origin=record.origin, **fields
        )

    # -- the store's answers -----------------------------------------------------------------------------------------

    def _on_stored(self) -> None:
        for result in self._writer.completed():
            match result:
                case Stored(actor=actor_id, last_seq=last_seq):
                    self._acknowledge(actor_id, last_seq)
                case Broken(actor=actor_id, text=text):
                    self._s.log.error("chain_broken", actor=actor_id, text=text)
                case Trouble(text=text):
                    self._s.log.error("store_trouble", text=text, note="actors go on until their rings are full")
                case Recovered():
                    self._s.log.info("store_recovered")
                case Trimmed(path=path, events=events, bytes=size):
                    self._s.log.info("history_trimmed", actor=path, events=events, bytes=size)

    def _acknowledge(self, actor_id: str, last_seq: int) -> None:
        self._stored[actor_id] = max(last_seq, self._stored.get(actor_id, -1))
        actor = self._s.register.by_id.get(actor_id)
        if actor is not None and actor.life is not None and actor.life.is_alive:
            send(self._s.sockets.stream, actor.life.routing, stream.DOWN.encode(stream.Ack(last_seq)))
        self._drop_rings(actor_id, last_seq)
        waiting = self._waiting.pop(actor_id, [])
        still = [(wanted, done) for wanted, done in waiting if wanted > last_seq]
        if still:
            self._waiting[actor_id] = still
        for wanted, done in waiting:
            if wanted <= last_seq:
                done()

    def when_stored(self, actor: Actor, last_seq: int, done: Callable[[], None]) -> None:
        """Call back once the store holds everything of an actor up to ``last_seq``."""
        if last_seq <= self._stored.get(actor.id, -1):
            done()
        else:
            self._waiting.setdefault(actor.id, []).append((last_seq, done))

    # -- the end of a worker -----------------------------------------------------------------------------------------

    def bury(self, life: Life) -> Cause | None:
        """Read what a dead worker recorded and had not sent; return its last words, None if it had none."""
        try:
            with RingReader.open(life.ring) as ring:
                self._read_rest(life, ring)
                words = _last_words(ring, life)
        except FileNotFoundError:
            return None
        except (RingError, OSError) as error:
            self._s.log.error("ring_unreadable", actor=life.actor.path, incarnation=life.number, text=str(error))
            return None
        life.underway = underway_at(state_path(life.ring))
        self._rings.setdefault(life.actor.id, deque()).append(_Ring(life.ring, life.last_seq))
        if not self._keep_state(life):  # else the ring goes when that is stored
            self._drop_rings(life.actor.id, self._stored.get(life.actor.id, -1))
        return words

    def drop(self, life: Life) -> Cause | None:
        """Forget what a life has recorded that was never its actor's; return its last words."""
        try:
            with RingReader.open(life.ring) as ring:
                plain = msgspec.msgpack.decode(ring.last_words() or b"\xc0")
            remove_ring(life.ring)
            return from_plain({key: plain[key] for key in plain if key != "state"}) if plain else None
        except (OSError, RingError, msgspec.MsgspecError, TypeError, AttributeError):
            return None

    def retire(self, life: Life) -> None:
        """A life has ended that another has taken over from: its ring goes once it is stored."""
        self._rings.setdefault(life.actor.id, deque()).append(_Ring(life.ring, life.last_seq))
        self._drop_rings(life.actor.id, self._stored.get(life.actor.id, -1))

    def _read_rest(self, life: Life, ring: RingReader) -> None:
        rest = ring.batch_after(life.last_seq)
        if rest is not None:
            self._append(life, rest.first_seq, rest.last_seq, rest.head_hash, rest.payload)
        if ring.torn:
            self._s.log.warning("ring_torn", actor=life.actor.path, incarnation=life.number, text=ring.torn)

    def _keep_state(self, life: Life) -> bool:
        """Where the worker kept its committed state, that counts more than its last words: a killed one has none."""
        kept = committed_at(state_path(life.ring), life.last_seq)
        if kept is None:
            return False
        life.actor.last_state = kept[1]
        self._writer.put_state(life.actor.id, *kept)
        return True

    def _drop_rings(self, actor_id: str, stored_seq: int) -> None:
        rings = self._rings.get(actor_id)
        while rings and rings[0].last_seq <= stored_seq:
            remove_ring(rings.popleft().path)
        if rings is not None and not rings:
            del self._rings[actor_id]

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(
        self, actor: Actor, since: int | None, limit: int | None, done: Callable[[dict[str, Any], bytes], None]
    ) -> None:
        """Read events from the store on a thread of its own, once what is known now is stored."""
        count = min(limit if limit is not None else PAGE_EVENTS_MAX, PAGE_EVENTS_MAX)

        def start() -> None:
            future = self._reader_thread.submit(self._read_page, actor.id, since, count)
            future.add_done_callback(lambda finished: self._hand_over(finished, done))

        self.when_stored(actor, actor.last_seq, start)

    def write_past(self, life: Life, done: Callable[[str | None], None]) -> None:
        """Write what a worker must know of its actor's past into files; None, or a text saying why not.

        The chain it is rebuilt from (``life.history``), and the idempotency keys that were answered (``life.keys``).
        """
        actor = life.actor
        os.makedirs(self._s.dirs.histories, mode=0o700, exist_ok=True)

        def start() -> None:
            future = self._reader_thread.submit(self._write_past, life)
            future.add_done_callback(lambda finished: self._post(lambda: done(_trouble(finished.exception()))))

        self.when_stored(actor, actor.last_seq, start)

    def _write_past(self, life: Life) -> None:
        """In the reader's thread."""
        actor, reader = life.actor, self._opened()
        if life.history and not reader.has_begun(actor.id):
            life.history, life.begins = "", None  # all its starts were refused: it begins as declared
        if life.history:
            referenced: list[Reference] = []
            with open(life.history, "xb") as file:
                for batch in reader.since_recovery(actor.id):
                    file.write(batch)
                    referenced += references((batch,))
            if referenced:
                life.has_references = True
                with open(life.history + ".children", "xb") as file:
                    file.write(msgspec.msgpack.encode(given(reader, referenced)))
        if life.keys:
            options = actor.spec.options
            since_ns = time.time_ns() - options.idempotency_ms * 1_000_000
            found = repeats(reader.events(actor.id, reverse=True), options.idempotency_keys, since_ns)
            with open(life.keys, "xb") as file:
                file.write(msgspec.msgpack.encode(found))

    def keep_package(self, file: str, digest: str, done: Callable[[str | None, str], None]) -> None:
        """Keep a package in the store; ``done`` gets its path there, or None and why not."""
        self.in_background(
            lambda: keep_package(self._s.dirs.packages, file, digest),
            lambda kept, why: done(kept, f"the package cannot be kept: {why}" if why else ""),
        )

    def in_background(self, job: Callable[[], T], done: Callable[[T | None, str], None]) -> None:
        """Do something that waits for the disk, one after the other, on the reader's thread.

        ``done`` gets the result, in the loop, or None and why there is none.
        """

        def finished(future: Any) -> None:
            error = future.exception()
            result = None if error is not None else future.result()
            self._post(lambda: done(result, "" if error is None else str(error) or type(error).__name__))

        self._reader_thread.submit(job).add_done_callback(finished)

    def _opened(self) -> StoreReader:
        """The reader. In its thread."""
        if self._reader is None:
            self._reader = StoreReader(self._s.dirs.store)
        return self._reader

    def _read_page(self, actor_id: str, since: int | None, count: int) -> tuple[dict[str, Any], bytes]:
        return self._opened().page(actor_id, since, count)

    def _hand_over(self, finished: Any, done: Callable[[dict[str, Any], bytes], None]) -> None:
        """In the reader's thread: pass the result to the loop."""

        def deliver() -> None:
            error = finished.exception()
            if error is not None:
                self._s.log.error("store_unreadable", text=str(error))
                done({"count": 0, "first_seq": 0, "error": str(error)}, b"")
            else:
                done(*finished.result())

        self._post(deliver)

    def _post(self, deliver: Callable[[], None]) -> None:
        """In the reader's thread: have something done by the loop."""
        self._read_done.append(deliver)
        os.eventfd_write(self._read_wake, 1)

    def _on_read(self) -> None:
        os.eventfd_read(self._read_wake)
        while self._read_done:
            self._read_done.popleft()()

    # -- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Store what is still under way, remove rings that are stored, close everything."""
        self._s.loop.remove_reader(self._writer.fileno())
        self._s.loop.remove_reader(self._read_wake)
        deadline = time.monotonic() + CLOSE_S
        self._writer.close(CLOSE_S)
        for result in self._writer.completed():
            if isinstance(result, Stored):
                self._drop_rings(result.actor, result.last_seq)
        self._reader_thread.shutdown(wait=time.monotonic() < deadline, cancel_futures=True)
        if self._reader is not None:
            self._reader.close()
        os.close(self._read_wake)


def _trouble(error: BaseException | None) -> str | None:
    return None if error is None else f"the history cannot be read: {error}"


def _last_words(ring: RingReader, life: Life) -> Cause | None:
    """Decode what the worker said of its end; its last committed state is kept with the actor."""
    words = ring.last_words()
    if not words:
        return None
    try:
        plain = msgspec.msgpack.decode(words)
        life.actor.last_state = plain.pop("state", None) or life.actor.last_state
        return from_plain(plain)
    except (msgspec.MsgspecError, TypeError, AttributeError):
        return None
