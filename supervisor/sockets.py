"""The root's three ZeroMQ sockets, all ROUTERs bound inside the run directory.

``control`` (orders, info, what workers say of their life) is drained before ``gate`` (clients) and ``stream`` (chain
events and log records), so that orders do not wait behind events. ROUTER_MANDATORY: a send to a peer that is gone or
full fails aloud. Names are short: a path of 108 bytes does not bind.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

import zmq

from proto.limits import BODY_BYTES_MAX, HEADER_BYTES_MAX

MAX_SOCKETS: Final = 8192
BACKLOG: Final = 4096
SEND_HWM: Final = 10_000
RECEIVE_HWM: Final = {"control": 0, "gate": 1_000, "stream": 0}
"""Messages of one peer that may wait. Workers are bounded by their windows; a client that floods waits itself."""
FRAME_BYTES_MAX: Final = {
    "control": 2 * BODY_BYTES_MAX,
    "gate": 4 * HEADER_BYTES_MAX,
    "stream": 2 * BODY_BYTES_MAX,
}
"""Somewhat too large is counted and answered; a frame beyond this is never read into memory, its sender is cut off."""
LINGER_MS: Final = 200
PATH_BYTES_MAX: Final = 107
_UCRED: Final = struct.Struct("3i")


class Sockets:
    """Bind, send and close. Receiving is the loop's."""

    def __init__(self, run_dir: str) -> None:
        self.run_dir = run_dir
        self._context = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, MAX_SOCKETS)
        old_umask = os.umask(0o077)
        try:
            self.control = self._bind("control")
            self.gate = self._bind("gate")
            self.stream = self._bind("stream")
        finally:
            os.umask(old_umask)

    def endpoint(self, name: str) -> str:
        """The address of something in the run directory.

        Raises:
            ValueError: the run directory's path is too long for a socket.
        """
        path = os.path.join(self.run_dir, name)
        if len(os.fsencode(path)) > PATH_BYTES_MAX:
            raise ValueError(f"socket path {path!r} is longer than {PATH_BYTES_MAX} bytes; choose a shorter --run-dir")
        return f"ipc://{path}"

    def close(self) -> None:
        """Close everything. Last words (reports, ends) have a moment to get out; who does not read misses them."""
        self._context.destroy(linger=LINGER_MS)

    def _bind(self, name: str) -> zmq.Socket[bytes]:
        sock: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        sock.setsockopt(zmq.LINGER, 0)
        sock.setsockopt(zmq.ROUTER_MANDATORY, 1)
        sock.setsockopt(zmq.BACKLOG, BACKLOG)
        sock.setsockopt(zmq.RCVHWM, RECEIVE_HWM[name])
        sock.setsockopt(zmq.SNDHWM, SEND_HWM)
        sock.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX[name])
        sock.bind(self.endpoint(name))
        return sock


def send(sock: zmq.Socket[bytes], peer: bytes, header: bytes, bodies: Sequence[bytes] = ()) -> bool:
    """Send one message to a peer without waiting; False if it is gone or takes no more."""
    try:
        sock.send_multipart([peer, header, *bodies], zmq.NOBLOCK)
    except zmq.ZMQError as error:
        if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
            return False
        raise
    return True


def credentials(frame: Any) -> tuple[int, int] | None:
    """Return (pid, uid) of the process that sent a frame over ipc (SO_PEERCRED), None if it is gone already."""
    try:
        fd = os.dup(frame.get(zmq.SRCFD))
        with socket.socket(fileno=fd) as peer:
            data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except (OSError, zmq.ZMQError):
        return None
    pid, uid, _ = _UCRED.unpack(data)
    return pid, uid


def process_of(frame: Any) -> tuple[int, int] | None:
    """Return (pid, pidfd) of the process that sent a frame over ipc; None if it is gone, or cannot be followed.

    The connection is looked at once more when the pidfd is there: as long as its other end is open its process has not
    ended, so the pid is nobody else's.
    """
    try:
        fd = os.dup(frame.get(zmq.SRCFD))
    except (OSError, zmq.ZMQError):
        return None
    with socket.socket(fileno=fd) as peer:
        try:
            pid, _, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        if _is_hung_up(fd):
            os.close(pidfd)
            return None
    return pid, pidfd


def _is_hung_up(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))
