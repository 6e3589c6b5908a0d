"""The stream upward: chain events out of the ring in batches, log records; acknowledgements back (design D7).

The ring is the buffer: nothing is copied aside. At most UNACKED_BYTES_MAX are under way; the store's acknowledgement
frees the ring. What was not sent when the process ends is read from the ring by the root.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import zmq

from proto import stream
from proto.envelope import WireError
from theater.ring import Unsent
from worker.incarnation import Incarnation
from worker.limits import BATCH_BYTES, LOGS_PER_PASS, UNACKED_BYTES_MAX

HASH_BYTES = 32


class Uplink:
    """Post thread only."""

    def __init__(self, inc: Incarnation, socket: Any) -> None:
        self.socket = socket
        self.stored_seq = inc.init.chain_seq - 1
        """The store holds everything up to here."""
        self._inc = inc
        self._sent_seq = self.stored_seq
        self._sent_at = inc.recorder.ring.start
        self._head = inc.init.chain_head
        self._unacked: deque[tuple[int, int]] = deque()
        """(last event, bytes) of each batch under way."""
        self._unacked_bytes = 0
        self._refused: Unsent | None = None
        """A batch the socket did not take; it is tried again."""

    @property
    def can_send(self) -> bool:
        """There is something to send and leave to send it."""
        inc = self._inc
        has_events = inc.recorder.seq > self._sent_seq and self._unacked_bytes < UNACKED_BYTES_MAX
        return has_events or bool(inc.logs.waiting)

    def send(self) -> None:
        """Send what there is, as far as the store keeps up."""
        while self._inc.recorder.seq > self._sent_seq and self._unacked_bytes < UNACKED_BYTES_MAX:
            if not self._send_batch():
                break
        self._send_logs()

    def send_last(self) -> None:
        """Send what fits before the end; the rest stays in the ring."""
        self.send()

    def receive(self) -> None:
        """Take acknowledgements."""
        while True:
            try:
                header, *_ = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._stored(stream.DOWN.decode(header).last_seq)
            except WireError as error:
                self._inc.metrics.frame_refused(error.reason)
                self._inc.logs.warn(f"stream {error.reason}", f"stream socket: {error.reason} frame refused: {error}")

    def _stored(self, last_seq: int) -> None:
        if not self.stored_seq < last_seq <= self._sent_seq:
            return  # old news, or more than was ever sent
        self.stored_seq = last_seq
        while self._unacked and self._unacked[0][0] <= last_seq:
            self._unacked_bytes -= self._unacked.popleft()[1]
        self._inc.recorder.stored(last_seq)
        holding = self._inc.holding
        if holding is not None:
            self._inc.replies.extend(holding.stored(last_seq))
            self._inc.guest_bell.ring()

    def _send_batch(self) -> bool:
        batch = self._refused or self._inc.recorder.ring.unsent(self._sent_at, BATCH_BYTES)
        if batch is None:
            return False
        head = batch.data[-HASH_BYTES:]  # a frame ends with its event's hash
        header = stream.UP.encode(stream.EventBatch(batch.first_seq, batch.last_seq, self._head, head))
        try:
            self.socket.send_multipart([header, batch.data], zmq.NOBLOCK)
        except zmq.Again:
            self._refused = batch
            return False
        self._refused = None
        self._sent_at, self._sent_seq, self._head = batch.position, batch.last_seq, head
        self._unacked.append((batch.last_seq, len(batch.data)))
        self._unacked_bytes += len(batch.data)
        return True

    def _send_logs(self) -> None:
        waiting = self._inc.logs.waiting
        for _ in range(LOGS_PER_PASS):
            if not waiting:
                return
            try:
                self.socket.send(stream.UP.encode(waiting[0]), zmq.NOBLOCK)
            except zmq.Again:
                return
            waiting.popleft()
