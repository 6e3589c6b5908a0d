"""``wasi:sockets``: TCP with real sockets: what the grant allows, every order of calls, and how connections end."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.calling import Host, anything
from tests.worker.enginekit import FakeContext
from theater import fitting, types, values
from theater.grants import WASI
from theater.values import U8, U16, U32, U64, Bool, Record, String, Tuple, Value, Variant, bytes_of
from worker.engine.errors import Trap
from worker.interfaces import registry
from worker.interfaces.wasi import waiting
from worker.interfaces.wasi.resources import Resources
from worker.interfaces.wasi.socket_rights import SOCKETS_MAX, Sockets
from worker.interfaces.wasi.streams import CHUNK_BYTES
from worker.interfaces.wasi.waiting import Waker

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


@pytest.fixture
def make() -> Iterator[Callable[..., Guest]]:
    """Guests that are ended with the test."""
    made: list[Guest] = []

    def guest(options: dict[str, Any] | None) -> Guest:
        made.append(Guest(options))
        return made[-1]

    yield guest
    for each in made:
        each.host.close()


@pytest.fixture
def guest(make: Callable[..., Guest]) -> Guest:
    """A guest that may do all on 127.0.0.1."""
    return make(LOCAL)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(WAIT_S)
        yield made


def accepted(server: socket.socket) -> socket.socket:
    """Who has connected."""
    peer, _ = server.accept()
    peer.settimeout(WAIT_S)
    return peer


def port(server: socket.socket) -> int:
    """Where it listens."""
    return int(server.getsockname()[1])


# -- connect -----------------------------------------------------------------------------------------------------------


def test_connect_and_echo(guest: Guest, server: socket.socket) -> None:
    """Bytes go both ways."""
    sock, reader, writer = guest.connected(port(server))
    with accepted(server) as peer:
        assert guest.write(writer, b"hello") == 5
        assert peer.recv(100) == b"hello"
        peer.sendall(b"world")
        assert guest.read(reader) == b"world"
        assert port_of(guest.tcp("remote-address", sock)) == port(server)
        assert port_of(guest.tcp("local-address", sock)) == peer.getpeername()[1]


def test_nobody_there(guest: Guest, server: socket.socket) -> None:
    """The machine's answer comes with finish-connect; then the socket is of no use."""
    nobody = port(server)
    server.close()
    sock = guest.create()
    assert guest.start_connect(sock, at(nobody)) == "begun"

    assert guest.finish_connect(sock) == "connection-refused"
    assert guest.tcp("finish-connect", sock) == "not-in-progress"
    assert guest.start_connect(sock, at(nobody)) == "invalid-state"


def test_much_data(guest: Guest, server: socket.socket) -> None:
    """More than the kernel takes: check-write says nothing for a while, and nothing is lost."""
    _, _, writer = guest.connected(port(server))
    peer = accepted(server)
    sent = 0
    while room := guest.call(STREAMS, "[method]output-stream.check-write", writer).value:
        piece = bytes(each % 251 for each in range(sent, sent + room))
        guest.call(STREAMS, "[method]output-stream.write", writer, bytes_of(piece))
        sent += room
    received = bytearray()
    while len(received) < sent:
        received += peer.recv(1 << 20)
    guest.block(guest.call(STREAMS, "[method]output-stream.subscribe", writer))

    assert received == bytes(each % 251 for each in range(sent))
    assert guest.call(STREAMS, "[method]output-stream.check-write", writer) == U64(CHUNK_BYTES)
    peer.close()


def test_what_was_written_is_sent_after_the_drop(guest: Guest, server: socket.socket) -> None:
    """A guest may let go of a connection at once; the peer gets all of it, and then the end."""
    sock, reader, writer = guest.connected(port(server))
    sent = 0
    while room := guest.call(STREAMS, "[method]output-stream.check-write", writer).value:
        guest.call(STREAMS, "[method]output-stream.write", writer, bytes_of(bytes(room)))
        sent += room
    for kind, handle in (("input-stream", reader), ("output-stream", writer), ("tcp-socket", sock)):
        guest.drop(kind, handle)
    with accepted(server) as peer:
        received = 0
        while data := peer.recv(1 << 20):
            received += len(data)

    assert received == sent


def test_peer_closes(guest: Guest, server: socket.socket) -> None:
    """What it sent is read; then the stream is closed, and stays so."""
    _, reader, _ = guest.connected(port(server))
    with accepted(server) as peer:
        peer.sendall(b"bye")

    assert guest.read(reader) == b"bye"
    assert guest.read(reader) == "closed"
    assert guest.read(reader) == "closed"


def test_peer_resets(guest: Guest, server: socket.socket) -> None:
    """That is a failure of reading, in words."""
    _, reader, writer = guest.connected(port(server))
    peer = accepted(server)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    answer = guest.host.call(STREAMS, "[method]input-stream.blocking-read", reader, U64(1))
    text = guest.host.call("wasi:io/error", "[method]error.to-debug-string", answer.value.payload[0])

    assert text == String("Connection reset by peer")
    assert guest.read(reader) == "closed"
    assert guest.write(writer, b"x") == "closed"


def test_an_idle_connection_wakes_nobody(guest: Guest, server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told once that something came, however long it is left unread."""
    _, reader, _ = guest.connected(port(server))
    told: list[int] = []
    sockets = guest.host.context.service(Sockets)
    wire = next(iter(sockets._wires))
    changed = guest.host.context.service(Waker).changed

    def tell() -> None:
        told.append(1)
        changed()

    monkeypatch.setattr(wire, "_changed", tell)
    with accepted(server) as peer:
        pollable = guest.call(STREAMS, "[method]input-stream.subscribe", reader)
        assert guest.host.call("wasi:io/poll", "[method]pollable.ready", pollable) == Bool(False)
        peer.sendall(b"x")
        guest.block(pollable)
        assert not threading.Event().wait(0.2)  # long enough for a loop that runs hot

    assert told == [1]


def test_shutdown(guest: Guest, server: socket.socket) -> None:
    """Each direction ends for itself."""
    sock, reader, writer = guest.connected(port(server))
    with accepted(server) as peer:
        guest.tcp("shutdown", sock, Variant("shutdown-type", "send", 1))
        assert peer.recv(1) == b""
        assert guest.write(writer, b"x") == "closed"
        peer.sendall(b"still")
        assert guest.read(reader) == b"still"
        guest.tcp("shutdown", sock, Variant("shutdown-type", "receive", 0))
        assert guest.read(reader) == "closed"
        assert not isinstance(guest.tcp("shutdown", sock, Variant("shutdown-type", "both", 2)), str)


# -- what the grant allows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [None, {}, {"connect": [], "listen": []}])
def test_nothing_without_addresses(make: Callable[..., Guest], options: dict[str, Any] | None) -> None:
    """Neither a socket nor a name."""
    guest = make(options)
    assert guest.create() == "access-denied"
    assert guest.call("wasi:sockets/udp-create-socket", "create-udp-socket", IPV4) == "access-denied"
    assert guest.call(LOOKUP, "resolve-addresses", guest.network, String("localhost")) == "access-denied"


def test_udp_is_refused(guest: Guest) -> None:
    """Whatever is granted of TCP."""
    assert guest.call("wasi:sockets/udp-create-socket", "create-udp-socket", IPV4) == "access-denied"


def test_other_ports_and_hosts(make: Callable[..., Guest], server: socket.socket) -> None:
    """Only what a pattern has; the socket may try another one."""
    guest = make({"connect": [f"127.0.0.1:{port(server)}", "[::2]:5"]})
    sock = guest.create()
    assert guest.start_connect(sock, at(1)) == "access-denied"
    assert guest.start_connect(sock, at(port(server), "127.0.0.2")) == "access-denied"
    assert guest.start_connect(guest.create(IPV6), at6(5)) == "access-denied"
    assert guest.bind(sock, at(0)) == "access-denied"
    assert guest.start_connect(sock, at(port(server))) == "begun"


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (IPV4, at6(1)),
        (IPV6, at(1)),
        (IPV4, at(0)),
        (IPV4, at(1, "0.0.0.0")),
        (IPV4, at(1, "224.0.0.1")),
        (IPV4, at(1, "255.255.255.255")),
        (IPV6, at6(1, 0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1)),
        (IPV6, at6(1, 0, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_addresses_nobody_has(make: Callable[..., Guest], family: Variant, address: Variant) -> None:
    """Even if everything is granted: of the other family, of everybody, of nobody, in disguise."""
    guest = make({"connect": ["*:*"]})
    assert guest.start_connect(guest.create(family), address) == "invalid-argument"


def test_as_many_as_there_may_be(guest: Guest) -> None:
    """One that is dropped makes room."""
    made = [guest.create() for _ in range(SOCKETS_MAX)]
    assert guest.create() == "new-socket-limit"
    guest.drop("tcp-socket", made[0])
    assert not isinstance(guest.create(), str)


# -- listen ------------------------------------------------------------------------------------------------------------


def test_listen_and_accept(guest: Guest) -> None:
    """A connection and its streams; would-block when there is none."""
    sock, at_port = guest.listening()
    assert guest.tcp("is-listening", sock) == Bool(True)
    assert guest.tcp("accept", sock) == "would-block"
    with socket.create_connection(("127.0.0.1", at_port), WAIT_S) as client:
        guest.wait(sock)
        connection, reader, writer = guest.tcp("accept", sock).items
        client.sendall(b"hello")
        assert guest.read(reader) == b"hello"
        assert guest.write(writer, b"world") == 5
        assert client.recv(100) == b"world"
        assert port_of(guest.tcp("remote-address", connection)) == client.getsockname()[1]
        assert guest.tcp("is-listening", connection) == Bool(False)


def test_a_waiting_guest_is_woken(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the connection, not by looking again from time to time."""
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 3600)
    sock, at_port = guest.listening()
    client = socket.socket()
    timer = threading.Timer(0.1, lambda: client.connect(("127.0.0.1", at_port)))
    timer.start()
    guest.wait(sock)
    assert not isinstance(guest.tcp("accept", sock), str)
    timer.join()
    client.close()


def descriptors(guest: Guest) -> int:
    """How many are open when the IO thread has done what it was to do."""
    done = threading.Event()
    guest.host.context.service(Sockets)._loop.call(done.set)
    assert done.wait(WAIT_S)
    return len(os.listdir("/proc/self/fd"))


def test_nothing_stays_open(guest: Guest, server: socket.socket) -> None:
    """Connections that were waited for, and are dropped in any order, leave no descriptor behind."""
    guest.connected(port(server))
    first = accepted(server)
    before = descriptors(guest)
    for turn in range(SOCKETS_MAX * 2):
        other = guest.connected(port(server))
        accepted(server).close()
        assert guest.read(other[1]) == "closed"
        kinds = list(zip(("tcp-socket", "input-stream", "output-stream"), other, strict=True))
        for kind, handle in kinds[turn % 3 :] + kinds[: turn % 3]:
            guest.drop(kind, handle)

    assert descriptors(guest) == before
    first.close()


def test_port_is_free_after_the_drop(guest: Guest) -> None:
    """Even if the listener was being waited for."""
    sock, at_port = guest.listening()
    pollable = guest.tcp("subscribe", sock)
    assert guest.host.call("wasi:io/poll", "[method]pollable.ready", pollable) == Bool(False)
    guest.drop("tcp-socket", sock)

    assert guest.listening(at(at_port))[1] == at_port


def test_listening_elsewhere(make: Callable[..., Guest]) -> None:
    """Binding is refused where listening is not granted; localhost is the loopback address."""
    guest = make({"listen": ["localhost:*", "10.0.0.1:80"]})
    assert guest.bind(guest.create(), at(0, "0.0.0.0")) == "access-denied"
    assert guest.bind(guest.create(), at(80, "10.0.0.1")) == "address-not-bindable"
    assert guest.bind(guest.create(), at(0)) == "begun"


def test_address_in_use(guest: Guest, server: socket.socket) -> None:
    """Somebody else listens there."""
    assert guest.bind(guest.create(), at(port(server))) == "address-in-use"


# -- wrong order -------------------------------------------------------------------------------------------------------

ORDER = {
    "unbound": {
        "start-connect": "", "start-bind": "", "finish-bind": "not-in-progress", "finish-connect": "not-in-progress",
        "start-listen": "invalid-state", "finish-listen": "not-in-progress", "accept": "invalid-state",
        "local-address": "invalid-state", "remote-address": "invalid-state", "shutdown": "invalid-state",
        "set-listen-backlog-size": "",
    },
    "bind-in-progress": {
        "start-connect": "concurrency-conflict", "start-bind": "concurrency-conflict", "finish-bind": "",
        "finish-connect": "not-in-progress", "start-listen": "concurrency-conflict",
        "finish-listen": "not-in-progress", "accept": "concurrency-conflict", "local-address": "concurrency-conflict",
        "remote-address": "concurrency-conflict", "shutdown": "concurrency-conflict", "set-listen-backlog-size": "",
    },
    "bound": {
        "start-connect": "", "start-bind": "invalid-state", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "", "finish-listen": "not-in-progress",
        "accept": "invalid-state", "local-address": "", "remote-address": "invalid-state", "shutdown": "invalid-state",
        "set-listen-backlog-size": "",
    },
    "listen-in-progress": {
        "start-connect": "concurrency-conflict", "start-bind": "concurrency-conflict", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "concurrency-conflict", "finish-listen": "",
        "accept": "concurrency-conflict", "local-address": "", "remote-address": "concurrency-conflict",
        "shutdown": "concurrency-conflict", "set-listen-backlog-size": "",
    },
    "listening": {
        "start-connect": "invalid-state", "start-bind": "invalid-state", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "invalid-state", "finish-listen": "not-in-progress",
        "accept": "would-block", "local-address": "", "remote-address": "invalid-state", "shutdown": "invalid-state",
        "set-listen-backlog-size": "",
    },
    "connecting": {
        "start-connect": "concurrency-conflict", "start-bind": "concurrency-conflict", "finish-bind": "not-in-progress",
        "start-listen": "concurrency-conflict", "finish-connect": "", "finish-listen": "not-in-progress",
        "accept": "concurrency-conflict", "local-address": "", "remote-address": "concurrency-conflict",
        "shutdown": "concurrency-conflict", "set-listen-backlog-size": "concurrency-conflict",
    },
    "connected": {
        "start-connect": "invalid-state", "start-bind": "invalid-state", "finish-bind": "not-in-progress",
        "finish-connect": "not-in-progress", "start-listen": "invalid-state", "finish-listen": "not-in-progress",
        "accept": "invalid-state", "local-address": "", "remote-address": "", "shutdown": "",
        "set-listen-backlog-size": "invalid-state",
    },
}  # fmt: skip
"""What is answered to each call in each state; empty: it works."""
WAYS = {
    "unbound": (),
    "bind-in-progress": ("start-bind",),
    "bound": ("start-bind", "finish-bind"),
    "listen-in-progress": ("start-bind", "finish-bind", "start-listen"),
    "listening": ("start-bind", "finish-bind", "start-listen", "finish-listen"),
    "connecting": ("start-connect",),
    "connected": ("start-connect", "finish-connect"),
}


@pytest.mark.parametrize(("state", "method"), [(state, method) for state in ORDER for method in ORDER[state]])
def test_every_order(guest: Guest, server: socket.socket, state: str, method: str) -> None:
    """A call that comes too early, too late or twice is told so."""
    arguments = {
        "start-bind": (guest.network, at(0)),
        "start-connect": (guest.network, at(port(server))),
        "shutdown": (Variant("shutdown-type", "both", 2),),
        "set-listen-backlog-size": (U64(5),),
    }
    sock = guest.create()

    def ask(each: str) -> str:
        if each == "finish-connect" and "start-connect" in WAYS[state]:
            guest.wait(sock)
        answer = guest.tcp(each, sock, *arguments.get(each, ()))
        return answer if isinstance(answer, str) else ""

    for each in WAYS[state]:
        assert ask(each) == "", each
    assert ask(method) == ORDER[state][method]


def test_settings(guest: Guest) -> None:
    """What is set is what is told; zero is none."""
    sock = guest.create()
    assert guest.tcp("address-family", sock) == IPV4
    for name, value in (
        ("keep-alive-enabled", Bool(True)),
        ("keep-alive-idle-time", U64(7_000_000_000)),
        ("keep-alive-interval", U64(3_000_000_000)),
        ("keep-alive-count", U32(4)),
        ("hop-limit", U8(9)),
        ("receive-buffer-size", U64(65_536)),
        ("send-buffer-size", U64(65_536)),
    ):
        assert not isinstance(guest.tcp(f"set-{name}", sock, value), str), name
        assert guest.tcp(name, sock) == value, name
        if name != "keep-alive-enabled":
            assert guest.tcp(f"set-{name}", sock, type(value)(0)) == "invalid-argument", name  # type: ignore[arg-type]
    assert guest.tcp("set-listen-backlog-size", sock, U64(0)) == "invalid-argument"


# -- names -------------------------------------------------------------------------------------------------------------


def looked_up(guest: Guest, name: str) -> Any:
    """The addresses of a name, or the name of the error."""
    stream = guest.call(LOOKUP, "resolve-addresses", guest.network, String(name))
    if isinstance(stream, str):
        return stream
    guest.block(guest.call(LOOKUP, "[method]resolve-address-stream.subscribe", stream))
    found: list[Any] = []
    while True:
        answer = guest.call(LOOKUP, "[method]resolve-address-stream.resolve-next-address", stream)
        if isinstance(answer, str):
            return answer
        if answer.value is None:
            return found
        found.append(answer.value)


def test_a_name_leads_to_addresses(make: Callable[..., Guest], server: socket.socket) -> None:
    """Those are connected to by the name's pattern, once it was looked up, and at its ports only."""
    guest = make({"connect": [f"localhost:{port(server)}"]})
    sock = guest.create()
    assert guest.start_connect(sock, at(port(server))) == "access-denied"
    found = looked_up(guest, "LocalHost")

    assert Variant("ip-address", "ipv4", 0, (Tuple((U8(127), U8(0), U8(0), U8(1))),)) in found
    assert guest.start_connect(sock, at(port(server) ^ 1)) == "access-denied"
    assert guest.start_connect(sock, at(port(server))) == "begun"


def test_other_names(make: Callable[..., Guest]) -> None:
    """Names that no pattern has are not looked up; nonsense is none; an address is its own answer."""
    guest = make({"connect": ["localhost:1", "*.invalid:1"]})
    assert looked_up(guest, "example.com") == "access-denied"
    assert looked_up(guest, "no name") == "invalid-argument"
    assert looked_up(guest, "") == "invalid-argument"
    assert looked_up(guest, "ä" * 300) == "invalid-argument"
    assert looked_up(guest, "nowhere.invalid") in ("name-unresolvable", "temporary-resolver-failure")
    (found,) = looked_up(guest, "::1")
    assert found.case == "ipv6"


# -- ends --------------------------------------------------------------------------------------------------------------


def test_the_actor_ends(guest: Guest, server: socket.socket) -> None:
    """Peers see it, and no thread stays."""
    _, reader, _ = guest.connected(port(server))
    guest.call(STREAMS, "[method]input-stream.subscribe", reader)
    with accepted(server) as peer:
        guest.host.close()
        assert peer.recv(1) == b""
    assert not [each for each in threading.enumerate() if each.name == "tcp"]


def test_handles_of_an_earlier_life(guest: Guest, make: Callable[..., Guest]) -> None:
    """After a rebuild by replay a connection is no more; the network is, so that another may be made."""
    sock, _ = guest.listening()
    later = make(LOCAL)
    earlier = U32(guest.network.value + 1_000)
    later.host.dispatcher.revive("wasi:sockets/instance-network", "instance-network", values.UNIT, earlier)
    with pytest.raises(Trap, match="is no more"):
        later.tcp("accept", U32(sock.value + 1_000))
    later.network = earlier
    assert later.bind(later.create(), at(0)) == "begun"


class Impatient(FakeContext):
    """An actor that is to stop: nothing waits."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopping = True


FUZZED = [
    (name, function)
    for name in registry.known()
    if name.startswith("wasi:sockets/") or name in ("wasi:io/streams", "wasi:io/poll")
    for function in registry.known()[name].functions
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_call(data: st.DataObject) -> None:
    """Any values in any order: an answer of the declared type, or the end with words."""
    host = Host({WASI: {"sockets": {"connect": ["127.0.0.1:*"], "listen": ["127.0.0.1:*", "[::1]:*"]}}}, Impatient())
    places = st.sampled_from((at(0), at(1), at6(0), at6(1)))

    def near(kind: types.Type) -> st.SearchStrategy[Any]:
        if kind is types.U32:
            known = list(host.context.service(Resources)._found)
            return st.sampled_from(known).map(U32) if known else anything(kind)
        return places | anything(kind) if getattr(kind, "name", "") == "ip-socket-address" else anything(kind)

    try:
        host.call("wasi:sockets/instance-network", "instance-network")
        host.call("wasi:sockets/tcp-create-socket", "create-tcp-socket", IPV4)
        for interface, function in data.draw(st.lists(st.sampled_from(FUZZED), min_size=1, max_size=30)):
            arguments = [data.draw(near(each)) for each in function.variants[0].params]
            try:
                answer = host.call(interface, function.name, *arguments)
            except Trap as trap:
                assert trap.text
                continue
            results = function.variants[0].parsed.results
            assert fitting.fits(answer, results[0] if results else types.UNIT) is None, function.name
    finally:
        host.close()
