"""Answers to info questions, given by the post thread in every state, never by the guest (lifecycle 2, 3, 13)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from proto import info
from worker.incarnation import Incarnation
from worker.limits import FLUSHES_MAX
from worker.saving import FORMATS, save
from worker.uplink import Uplink

Answered = tuple[Any, Sequence[bytes]]

NOT_READY: Final = "not ready"


class Questions:
    """Looks at what is committed; changes nothing."""

    def __init__(self, inc: Incarnation, uplink: Uplink, send: Callable[[Any, Sequence[bytes]], None]) -> None:
        self._inc = inc
        self._uplink = uplink
        self._send = send
        self._flushes: list[tuple[int, int]] = []
        """(question, the last event it waits for)"""
        self._table: dict[type, Callable[[Any], Answered | None]] = {
            info.GetStatus: self._status,
            info.GetState: self._state,
            info.GetChain: self._chain,
            info.GetMetrics: self._metrics,
            info.GetExportHashes: self._hashes,
            info.GetInterface: self._interface,
            info.SaveChain: self._save,
            info.Flush: self._flush,
        }

    def answer(self, question: Any) -> None:
        """Answer a question now, or as soon as what it waits for has happened."""
        ask = self._table.get(type(question))
        if ask is None:
            name = type(question).__name__
            self._send(info.Refused(question.id, "unexpected", (f"a worker does not answer {name}",)), ())
            return
        answered = ask(question)
        if answered is not None:
            self._send(*answered)

    def settle(self) -> None:
        """Answer the flushes whose events are in the store."""
        if not self._flushes:
            return
        stored = self._uplink.stored_seq
        done = [flush for flush in self._flushes if flush[1] <= stored]
        self._flushes = [flush for flush in self._flushes if flush[1] > stored]
        for number, last_seq in done:
            self._send(info.Info(number, {"last_seq": last_seq}), ())

    # -- one function a question ----------------------------------------------------------------

    def _status(self, question: info.GetStatus) -> Answered:
        inc = self._inc
        with inc.lock:
            now = time.monotonic_ns()
            status = inc.machine.status(now)
        data = {
            "state": status.state,
            "text": status.text,
            "detail": status.detail,
            "since_ns": time.time_ns() - (now - status.since_ns),
            "operation": status.operation,
            "elapsed_ms": status.elapsed_ms,
            "queued": status.queued,
            "incarnation": inc.init.incarnation,
            "pid": os.getpid(),
            "cause": status.cause.plain() if status.cause else None,
        }
        return info.Info(question.id, data), ()

    def _state(self, question: info.GetState) -> Answered:
        state = self._inc.state
        return (info.Info(question.id), (state,)) if state else self._not_ready(question)

    def _chain(self, question: info.GetChain) -> Answered:
        part = self._inc.recorder.store.part(question.since, question.limit)
        data = {"first_seq": part.first_seq, "base_hash": part.base_hash, "count": part.count}
        return info.Info(question.id, data), (part.batch,)

    def _metrics(self, question: info.GetMetrics) -> Answered:
        inc = self._inc
        door = inc.door
        record = inc.metrics.record(
            queued=inc.machine.queued,
            peak_queued=inc.machine.peak_queued,
            guest_memory=door.memory_bytes if door is not None else 0,
            events=inc.recorder.seq + 1 - inc.init.chain_seq,
            events_dropped=inc.recorder.store.forgotten,
            incarnation=inc.init.incarnation,
            limits=_limits(inc),
        )
        return info.Info(question.id, record), ()

    def _hashes(self, question: info.GetExportHashes) -> Answered:
        door = self._inc.door
        if door is None:
            return self._not_ready(question)
        hashes = door.metadata.export_hashes if door.metadata is not None else {}
        return info.Info(question.id, {"hashes": [[name, digest] for name, digest in hashes.items()]}), ()

    def _interface(self, question: info.GetInterface) -> Answered:
        door = self._inc.door
        if door is None:
            return self._not_ready(question)
        return info.Info(question.id, {"package": self._inc.init.digest}), (door.metadata_bytes,)

    def _save(self, question: info.SaveChain) -> Answered:
        inc = self._inc
        if question.format not in FORMATS:
            why = f"chain format {question.format!r}: expected {' or '.join(FORMATS)}"
            return info.Refused(question.id, "unexpected", (why,)), ()
        beside = os.path.join(os.path.dirname(os.path.dirname(inc.init.ring)), "chains", f"{inc.init.actor_id}.chain")
        try:
            saved = save(inc.recorder.store, question.path or beside, question.format)
        except (OSError, ValueError) as error:
            return info.Refused(question.id, "unexpected", (f"cannot save the chain: {error}",)), ()
        return info.Info(question.id, {"path": saved.path, "count": saved.count, "head": saved.head}), ()

    def _flush(self, question: info.Flush) -> Answered | None:
        if len(self._flushes) >= FLUSHES_MAX:
            return info.Refused(question.id, "unexpected", (f"more than {FLUSHES_MAX} flushes are waiting",)), ()
        self._flushes.append((question.id, self._inc.recorder.seq))
        return None

    def _not_ready(self, question: Any) -> Answered:
        return info.Refused(question.id, "unexpected", (NOT_READY,)), ()


def _limits(inc: Incarnation) -> dict[str, Any]:
    """How much is used of the budgets, and of the limits of a call that are counted."""
    used = inc.budgets.usage() if inc.budgets is not None else {}
    return used if inc.fuel is None else {**inc.fuel.usage(), **used}
