"""A guest that uses ``wasi:sockets``, and who it talks to."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from tests.interfaces.calling import Host
from theater.grants import WASI
from theater.values import U8, U16, U32, U64, Record, Tuple, Value, Variant, bytes_of
from worker.interfaces.wasi.socket_rights import Sockets

TCP, STREAMS, LOOKUP = "wasi:sockets/tcp", "wasi:io/streams", "wasi:sockets/ip-name-lookup"
IPV4, IPV6 = Variant("ip-address-family", "ipv4", 0), Variant("ip-address-family", "ipv6", 1)
LOCAL = {"connect": ["127.0.0.1:*"], "listen": ["127.0.0.1:*"]}
WAIT_S = 10


def at(port: int, host: str = "127.0.0.1") -> Variant:
    """An address of IPv4."""
    numbers = Tuple(tuple(U8(int(each)) for each in host.split(".")))
    record = Record("ipv4-socket-address", (("port", U16(port)), ("address", numbers)))
    return Variant("ip-socket-address", "ipv4", 0, (record,))


def at6(port: int, *groups: int) -> Variant:
    """An address of IPv6; ::1 without groups."""
    numbers = Tuple(tuple(U16(each) for each in groups or (0, 0, 0, 0, 0, 0, 0, 1)))
    fields = (("port", U16(port)), ("flow-info", U32(0)), ("address", numbers), ("scope-id", U32(0)))
    return Variant("ip-socket-address", "ipv6", 1, (Record("ipv6-socket-address", fields),))


def port_of(address: Any) -> int:
    """The port of an address."""
    return int(address.payload[0]["port"].value)


class Guest:
    """A guest with sockets."""

    def __init__(self, options: dict[str, Any] | None) -> None:
        self.host = Host({WASI: {} if options is None else {"sockets": options}})
        self.network: U32 = self.host.call("wasi:sockets/instance-network", "instance-network")

    def call(self, interface: str, function: str, *arguments: Value) -> Any:
        """What a function gives, or the name of its error."""
        answer = self.host.call(interface, function, *arguments)
        if not hasattr(answer, "is_ok"):
            return answer
        return answer.value if answer.is_ok else answer.value.case

    def create(self, family: Variant = IPV4) -> Any:
        """A socket."""
        return self.call("wasi:sockets/tcp-create-socket", "create-tcp-socket", family)

    def tcp(self, method: str, sock: U32, *arguments: Value) -> Any:
        """A method of a socket."""
        return self.call(TCP, f"[method]tcp-socket.{method}", sock, *arguments)

    def start_connect(self, sock: U32, address: Variant) -> Any:
        """Begin to connect; "begun" or an error."""
        answer = self.tcp("start-connect", sock, self.network, address)
        return answer if isinstance(answer, str) else "begun"

    def finish_connect(self, sock: U32) -> Any:
        """Wait for the end of it: the streams, or an error."""
        self.wait(sock)
        answer = self.tcp("finish-connect", sock)
        return answer if isinstance(answer, str) else answer.items

    def wait(self, sock: U32) -> None:
        """Wait until a socket is ready."""
        self.block(self.tcp("subscribe", sock))

    def block(self, pollable: U32) -> None:
        """Wait for something, and forget it."""
        self.host.call("wasi:io/poll", "[method]pollable.block", pollable)
        self.host.call("wasi:io/poll", "[resource-drop]pollable", pollable)

    def connected(self, port: int) -> tuple[U32, U32, U32]:
        """A socket with its streams."""
        sock = self.create()
        assert self.start_connect(sock, at(port)) == "begun"
        reader, writer = self.finish_connect(sock)
        return sock, reader, writer

    def bind(self, sock: U32, address: Variant) -> Any:
        """Begin to bind; "begun" or an error."""
        answer = self.tcp("start-bind", sock, self.network, address)
        return answer if isinstance(answer, str) else "begun"

    def listening(self, address: Variant | None = None) -> tuple[U32, int]:
        """A listener and its port."""
        sock = self.create()
        assert self.bind(sock, address or at(0)) == "begun"
        for method in ("finish-bind", "start-listen", "finish-listen"):
            assert not isinstance(self.tcp(method, sock), str), method
        return sock, port_of(self.tcp("local-address", sock))

    def read(self, stream: U32, size: int = 100) -> Any:
        """Wait for bytes; "closed", or "last-operation-failed"."""
        answer = self.call(STREAMS, "[method]input-stream.blocking-read", stream, U64(size))
        return answer if isinstance(answer, str) else bytes(answer.items)

    def write(self, stream: U32, data: bytes) -> Any:
        """Write, and wait until it is passed on."""
        answer = self.call(STREAMS, "[method]output-stream.blocking-write-and-flush", stream, bytes_of(data))
        return answer if isinstance(answer, str) else len(data)

    def drop(self, kind: str, handle: U32) -> None:
        """Be done with something."""
        interface = TCP if kind == "tcp-socket" else STREAMS
        self.host.call(interface, f"[resource-drop]{kind}", handle)


def accepted(server: socket.socket) -> socket.socket:
    """Who has connected."""
    peer, _ = server.accept()
    peer.settimeout(WAIT_S)
    return peer


def port(server: socket.socket) -> int:
    """Where it listens."""
    return int(server.getsockname()[1])


def descriptors(guest: Guest) -> int:
    """How many are open when the IO thread has done what it was to do."""
    done = threading.Event()
    guest.host.context.service(Sockets)._loop.call(done.set)
    assert done.wait(WAIT_S)
    return len(os.listdir("/proc/self/fd"))
