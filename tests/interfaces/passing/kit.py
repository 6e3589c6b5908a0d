"""What is said of connections that are not there, and what is open."""

from __future__ import annotations

import os
import socket

import msgspec

from tests.interfaces.passingkit import Member
from tests.interfaces.tcpkit import WAIT_S
from worker.tcp import passing

GONE = "this actor has no connection"


def stays(giver: Member, id_: str, peer: socket.socket) -> None:
    """It is where it was, and works."""
    giver.call("send", id_, b"still here")
    assert peer.recv(100) == b"still here"


class Stranger:
    """Somebody at the taker's socket."""

    def __init__(self, taker: Member) -> None:
        _, self.token = taker.expects()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(taker.landing)

    def offer(self, token: bytes, *fds: int, held: bytes = b"") -> bytes:
        return self.say(msgspec.msgpack.encode(passing.Offer(token, held)), *fds)

    def say(self, data: bytes, *fds: int) -> bytes:
        socket.send_fds(self.sock, [data], list(fds))
        return self.hear()

    def hear(self) -> bytes:
        try:
            return self.sock.recv(1000)
        except ConnectionResetError:
            return b""


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))
