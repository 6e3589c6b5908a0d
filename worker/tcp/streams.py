"""A connection's bytes, without waiting: plain ones here, encrypted ones in ``worker.tcp.tls``."""

from __future__ import annotations

import socket
from typing import Protocol

from worker.tcp.waiting import READ, WRITE, NotNow


class Stream(Protocol):
    """What connections use. Reading and writing raise NotNow instead of waiting, and OSError when it is over."""

    is_tls: bool

    @property
    def sock(self) -> socket.socket:
        """The socket below."""

    def read(self, size: int) -> bytes:
        """Some bytes, at most ``size``; none when the peer has ended."""

    def write(self, data: memoryview) -> int:
        """Give some of it away; return how much."""

    def close(self) -> None:
        """End both directions, and give the descriptor back."""


class Plain:
    """TCP as it is."""

    is_tls = False

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)

    def read(self, size: int) -> bytes:
        """Some bytes, or none at the end."""
        try:
            return self.sock.recv(size)
        except BlockingIOError:
            raise NotNow(READ) from None

    def write(self, data: memoryview) -> int:
        """Give some of it to the kernel."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            raise NotNow(WRITE) from None

    def close(self) -> None:
        """The peer sees the end of the stream at once."""
        hang_up(self.sock)


def hang_up(sock: socket.socket) -> None:
    """End both directions, whoever else holds the socket, and close it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the peer has done so already
    sock.close()


def words(error: OSError) -> str:
    """What an error of a socket means, in short."""
    return error.strerror or str(error) or type(error).__name__
