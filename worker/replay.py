"""The throwaway process that replays a chain: ``python -m worker.replay``, one job as JSON on standard input.

    {"chain": FILE, "package": FILE, "cache": DIR, "options": {…}, "until": INDEX | HASH | null, "debug": false,
     "force": false, "begin": NUMBER | "newest" | null, "state": TEXT | null}

It answers with JSON lines: ``{"progress": [done, total]}`` now and then, at the end one ``{"summary": …, "state": …}``.
SIGINT stops it, also in the middle of a call; the summary is given all the same. It ends with the process that
began it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from theater import cgrf, replay, text
from theater.actor import ActorOptions
from theater.chain import ChainEvent, files
from theater.chain.files import ChainFileError
from theater.chain.payloads import SNAPSHOT
from theater.replay import ReplaySummary
from worker.cache import CacheError
from worker.child_events import given_of
from worker.engine import config
from worker.engine.clock import TICK_MS, GuestClock
from worker.engine.crossing import Answers
from worker.engine.doors import Door, load_artefact, open_door
from worker.prepare import Preparer
from worker.replay_spans import BEGINNINGS
from worker.replay_words import needs_fuel
from worker.replaying import Replayer

JOB_BYTES_MAX: Final = 16 << 20


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to replay, and with what."""

    chain: str
    package: str
    cache: str
    options: dict[str, Any] = {}
    until: int | str | None = None
    debug: bool = False
    """Note differences and go on where that is possible."""
    force: bool = False
    """With another package than the chain was recorded with."""
    begin: int | str | None = None
    """At the snapshot with this number, or at the ``newest`` one; else with the first event that tells a state."""
    children: str | None = None
    """File with events of children by hash (MessagePack: hash -> [type, data])."""
    state: str | None = None
    """State before the first event, in the text form of values (chains that do not tell)."""


class Impossible(Exception):
    """The job cannot be begun; the text says why."""


def main() -> int:
    """Do the job; return 0 verified, 1 diverged, 2 incompatible or error, 130 stopped."""
    began_by = os.getppid()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # from here on there is somebody to answer it
        job = msgspec.json.decode(sys.stdin.buffer.read(JOB_BYTES_MAX), type=Job)
        summary, replayer = _replay(job, began_by)
    except KeyboardInterrupt:
        summary, replayer = ReplaySummary.failure(0, 0, "stopped before the first event", replay.STOPPED), None
    except (Impossible, ChainFileError, CacheError, OSError) as error:
        summary, replayer = ReplaySummary.failure(0, 0, str(error), replay.INCOMPATIBLE), None
    _say(
        {
            "summary": summary,
            "text": str(summary),
            "state": None if replayer is None else _shown(replayer.state),
            "snapshots": 0 if replayer is None else replayer.snapshots,
            "initialised": replayer is not None and replayer.is_initialised,
            "call": None if replayer is None else replayer.call_in_progress,
            "divergences": [] if replayer is None else [str(each) for each in replayer.divergences],
            "kinds": [] if replayer is None else [each.kind for each in replayer.divergences],
        }
    )
    return {replay.VERIFIED: 0, replay.DIVERGED: 1, replay.STOPPED: 130}.get(summary.status, 2)


def _replay(job: Job, began_by: int) -> tuple[ReplaySummary, Replayer]:
    events = files.open_file(job.chain)
    report = files.verify_events(events)
    if not report.ok:
        raise Impossible(f"the chain is broken: {report.first_bad}")
    until = _index(events, job.until)
    begin = _begin(events[:until], job)
    options = msgspec.convert(job.options, ActorOptions)
    counts_fuel = options.counts_fuel or any(needs_fuel(event) for event in events)
    preparer = Preparer(job.cache)
    answer = preparer.prepare(job.package, counts_fuel)
    if answer.error is not None:
        raise Impossible(answer.error)
    engine = config.make_engine(counts_fuel)
    module, clock = load_artefact(engine, answer.artefact), GuestClock(engine, counts_fuel)

    def door(answers: Answers) -> Door:
        return open_door(
            engine, module, options=options, grants={}, answers=answers, clock=clock, is_replay=True
        )

    replayer = Replayer(
        door,
        events[begin:until],
        options,
        package=None if job.force else answer.digest,
        state=_state(job.state),
        children=given_of(job.children),
        stop_on_divergence=not job.debug,
        progress=lambda done, total: _say({"progress": [begin + done, begin + total]}),
    )
    signal.signal(signal.SIGINT, lambda *_: replayer.stop())
    with _Ticking(clock, began_by):
        return _of(replayer.run(), begin, len(events)), replayer


def _of(summary: ReplaySummary, begin: int, total: int) -> ReplaySummary:
    """The summary, of all the events there are; those before the beginning count as behind."""
    return msgspec.structs.replace(summary, total_events=total, events_replayed=begin + summary.events_replayed)


def _begin(events: Sequence[ChainEvent], job: Job) -> int:
    """Where to begin: at the snapshot asked for, else where the kept part of a chain first tells a state."""
    if job.begin == "newest":
        places = range(len(events) - 1, -1, -1)
        return next((at for at in places if events[at].event_type == SNAPSHOT), 0)
    if job.begin is not None:
        at = job.begin - events[0].seq if isinstance(job.begin, int) and events else -1
        if not 0 <= at < len(events) or events[at].event_type != SNAPSHOT:
            raise Impossible(f"event {job.begin} is no snapshot, or not there")
        return at
    is_cut = events and job.state is None and (events[0].seq > 0 or events[0].parent_hash is not None)
    if not is_cut:
        return 0
    return next((at for at, event in enumerate(events) if event.event_type in (SNAPSHOT, *BEGINNINGS)), 0)


def _index(events: Sequence[ChainEvent], until: int | str | None) -> int | None:
    """The place of the event to stop before: a sequence number, or the beginning of a hash."""
    if until is None:
        return None
    if isinstance(until, int):
        first = events[0].seq if events else 0
        return max(0, until - first)
    found = [at for at, event in enumerate(events) if event.hash.hex().startswith(until.lower())]
    if len(found) != 1:
        raise Impossible(f"{until}: expected the number of an event or a hash of one, {len(found)} events fit")
    return found[0]


def _state(given: str | None) -> bytes | None:
    if given is None:
        return None
    try:
        return cgrf.encode(text.parse(given))
    except ValueError as error:
        raise Impossible(f"state: expected a value in the text form: {error}") from None


def _shown(state: bytes) -> str:
    return str(cgrf.decode(state)) if state else ""


def _say(record: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
    sys.stdout.buffer.flush()


class _Ticking:
    """Guest time goes by while a replay runs, and as long as somebody waits for it."""

    def __init__(self, clock: GuestClock, began_by: int) -> None:
        self._clock = clock
        self._began_by = began_by
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._over.wait(TICK_MS / 1000):
            self._clock.tick()
            if os.getppid() != self._began_by:
                os._exit(2)


if __name__ == "__main__":
    sys.exit(main())
