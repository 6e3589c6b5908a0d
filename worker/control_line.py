"""The control socket: orders and questions of the root come in, answers and our own questions go out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import zmq

from proto import control, info
from proto.envelope import MessageClass, WireError, check_bodies, class_of
from worker.desk import request_number
from worker.incarnation import Incarnation
from worker.limits import CONTROL_DRAIN_MAX


class ControlLine:
    """Post thread only."""

    def __init__(self, inc: Incarnation, socket: Any) -> None:
        self.socket = socket
        self._inc = inc

    def send(self, message: Any, bodies: Sequence[bytes] = ()) -> None:
        """Send the root a control message."""
        self._send_frames([control.FROM_WORKER.encode(message), *bodies])

    def send_info(self, message: Any, bodies: Sequence[bytes] = ()) -> None:
        """Send the answer to a question."""
        self._send_frames([info.ANSWERS.encode(message), *bodies])

    def receive(self, order: Callable[[Any, list[bytes]], None], question: Callable[[Any], None]) -> None:
        """Take what there is; frames that are not as they should be are refused."""
        for _ in range(CONTROL_DRAIN_MAX):
            try:
                header, *bodies = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                check_bodies(bodies)
                if class_of(header) is MessageClass.INFO:
                    question(info.QUESTIONS.decode(header))
                else:
                    order(control.TO_WORKER.decode(header), bodies)
            except WireError as error:
                self._refuse(header, error)

    def _refuse(self, header: bytes, error: WireError) -> None:
        self._inc.metrics.frame_refused(error.reason)
        self._inc.logs.warn(f"control {error.reason}", f"control socket: {error.reason} frame refused: {error}")
        number = request_number(header)
        if number is None:
            return
        if class_of(header) is MessageClass.INFO:
            self.send_info(info.Refused(number, "serialization", (str(error),)))
        elif class_of(header) is MessageClass.CONTROL:
            self.send(control.Refused(number, "serialization", (str(error),)))

    def _send_frames(self, frames: list[bytes]) -> None:
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            self._inc.logs.warn("control full", "the root takes no control messages: one was lost")
