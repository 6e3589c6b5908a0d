"""How a worker ends: last words into the ring, what was said out of the process, the exit code."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn

from proto import control
from theater import cause as causes
from theater.cause import Cause
from worker import machine_actions as act
from worker.control_line import ControlLine
from worker.incarnation import Incarnation
from worker.limits import EXIT_LINGER_MS, EXIT_STORE_MS
from worker.uplink import Uplink

EXIT_ORDERLY: Final = 0
EXIT_FAILED: Final = 1
EXIT_START_FAILED: Final = 3
EXIT_KILLED: Final = 4
EXIT_BROKEN: Final = 70

EXIT_CODES: Final[dict[str, int]] = {
    causes.FAILED: EXIT_FAILED,
    causes.START_FAILED: EXIT_START_FAILED,
    causes.KILLED: EXIT_KILLED,
    causes.CRASHED: EXIT_BROKEN,
}


class Ending:
    """Post thread only. ``clear_desk`` gives the last answers, with the desk's lock held."""

    def __init__(
        self, context: Any, inc: Incarnation, line: ControlLine, uplink: Uplink, clear_desk: Callable[[], None]
    ) -> None:
        self._context = context
        self._inc = inc
        self._line = line
        self._uplink = uplink
        self._clear_desk = clear_desk
        self._has_begun = False

    def exit(self, cause: Cause) -> NoReturn:
        """Say the last words, let what was said leave the process, end it."""
        self._last_words(cause)
        self._leave_devices()
        if not self._has_begun:
            self._has_begun = True
            self._flush(cause)
        os._exit(EXIT_CODES.get(cause.kind, EXIT_ORDERLY))

    def _leave_devices(self) -> None:
        try:
            self._inc.abandon_services()
        except Exception:
            traceback.print_exc()

    def _last_words(self, cause: Cause) -> None:
        recorder = getattr(self._inc, "recorder", None)
        if recorder is not None:
            recorder.last_words(cause)

    def _flush(self, cause: Cause) -> None:
        inc = self._inc
        try:
            if cause.kind == causes.START_FAILED:
                self._line.send(control.StartFailed(cause.step or "", cause.text or ""))
            elif cause.kind not in EXIT_CODES:
                self._line.send(control.Goodbye(cause.plain()))
            self._await_store()
            inc.work.append(act.Exit(cause))  # should the guest thread be at the desk, it leaves
            inc.guest_bell.ring()
            if inc.desk.lock.acquire(timeout=EXIT_LINGER_MS / 1000):
                self._clear_desk()
                self._say_undelivered()
                inc.desk.close(EXIT_LINGER_MS)
            self._uplink.send_last()
            for socket in (self._line.socket, self._uplink.socket):
                socket.close(EXIT_LINGER_MS)
            is_alone = inc.peers is None or inc.peers.close(EXIT_LINGER_MS)
            if inc.desk.is_closed and is_alone:
                self._context.term()
        except Exception:
            traceback.print_exc()

    def _say_undelivered(self) -> None:
        """What only became known while the desk was cleared for the last time."""
        for message, bodies in self._inc.outgoing:
            if isinstance(message, control.Undelivered):
                self._line.send(message, bodies)

    def _await_store(self) -> None:
        """Answers that wait for the store still go out, if it is not too slow."""
        holding = self._inc.holding
        deadline = time.monotonic() + EXIT_STORE_MS / 1000
        while holding and not self._inc.is_orphan and (left := deadline - time.monotonic()) > 0:
            self._uplink.send()
            if self._uplink.socket.poll(int(left * 1000)):
                self._uplink.receive()
