"""The functions of ``wasi:sockets`` for those who are granted sockets, with the values they take and give."""

from __future__ import annotations

import math
import socket
import threading
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from theater.values import U8, U16, U32, U64, UNIT, Bool, Record, String, Tuple, Value, Variant
from worker.interfaces.context import Context
from worker.interfaces.wasi.clocks import SECOND_NS
from worker.interfaces.wasi.declaring import Failure, case, record, some
from worker.interfaces.wasi.resources import resources
from worker.interfaces.wasi.socket_rights import Ip, Sockets, host_of
from worker.interfaces.wasi.sockets import NAMES, Network
from worker.interfaces.wasi.tcp_socket import LISTENING, Streams, TcpSocket
from worker.interfaces.wasi.waiting import Pollable

LOOKUPS_MAX: Final = 4
"""Names being looked up at one time."""
ADDRESSES_MAX: Final = 16
"""Of one name."""
KEEP_ALIVE_S_MAX: Final = 32_767
KEEP_ALIVE_COUNT_MAX: Final = 127
BUFFER_BYTES_MAX: Final = (1 << 31) - 1


def _tcp(context: Context, handle: U32) -> TcpSocket:
    return resources(context).get(handle, TcpSocket)


# -- addresses ---------------------------------------------------------------------------------------------------------


def _ip_value(ip: Ip) -> Variant:
    if isinstance(ip, IPv4Address):
        return case(NAMES["ip-address"], "ipv4", Tuple(tuple(U8(each) for each in ip.packed)))
    groups = (int.from_bytes(ip.packed[at : at + 2]) for at in range(0, 16, 2))
    return case(NAMES["ip-address"], "ipv6", Tuple(tuple(U16(each) for each in groups)))


def _address_value(name: Any) -> Variant:
    """An address as Python's sockets have it, for the guest."""
    host, port, *more = name
    if not more:
        inner = record(NAMES["ipv4-socket-address"], U16(port), _ip_value(IPv4Address(host)).payload[0])
        return case(NAMES["ip-socket-address"], "ipv4", inner)
    ip = _ip_value(IPv6Address(host.partition("%")[0])).payload[0]
    inner = record(NAMES["ipv6-socket-address"], U16(port), U32(more[0]), ip, U32(more[1]))
    return case(NAMES["ip-socket-address"], "ipv6", inner)


def _place(address: Variant) -> tuple[Ip, int, Any]:
    """IP address, port, and both as Python's sockets want them."""
    assert isinstance(address.payload[0], Record)
    found: dict[str, Any] = dict(address.payload[0].fields)
    port, numbers = found["port"].value, [each.value for each in found["address"].items]
    if address.case == "ipv4":
        ipv4 = IPv4Address(bytes(numbers))
        return ipv4, port, (str(ipv4), port)
    ipv6 = IPv6Address(b"".join(each.to_bytes(2) for each in numbers))
    flow = found["flow-info"].value & 0xFFFFF
    return ipv6, port, (str(ipv6), port, flow, found["scope-id"].value)


# -- making and connecting ---------------------------------------------------------------------------------------------


def create(context: Context, family: Variant) -> Value:
    """A socket; 64 may be open at one time."""
    sockets = context.service(Sockets)
    sockets.require_room()
    kind = socket.AF_INET if family.case == "ipv4" else socket.AF_INET6
    sock = socket.socket(kind, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what a guest flushes leaves; accepted ones inherit it
    if kind == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return resources(context).add(TcpSocket(sockets, kind, sockets.wire(sock)))


def start_bind(context: Context, handle: U32, network: U32, address: Variant) -> Value:
    """To an address the grant has to listen on."""
    resources(context).get(network, Network)
    _tcp(context, handle).start_bind(*_place(address))
    return UNIT


def finish_bind(context: Context, handle: U32) -> Value:
    """At once."""
    _tcp(context, handle).finish_bind()
    return UNIT


def start_connect(context: Context, handle: U32, network: U32, address: Variant) -> Value:
    """To an address the grant has to connect to."""
    resources(context).get(network, Network)
    _tcp(context, handle).start_connect(*_place(address))
    return UNIT


def _added(context: Context, streams: Streams) -> tuple[Value, ...]:
    return tuple(resources(context).add(each) for each in streams)


def finish_connect(context: Context, handle: U32) -> Value:
    """The streams of the connection."""
    return Tuple(_added(context, _tcp(context, handle).finish_connect()))


def start_listen(context: Context, handle: U32) -> Value:
    """Where it is bound."""
    _tcp(context, handle).start_listen()
    return UNIT


def finish_listen(context: Context, handle: U32) -> Value:
    """At once."""
    _tcp(context, handle).finish_listen()
    return UNIT


def accept(context: Context, handle: U32) -> Value:
    """The next connection, and its streams."""
    made, streams = _tcp(context, handle).accept()
    return Tuple((resources(context).add(made), *_added(context, streams)))


def local_address(context: Context, handle: U32) -> Value:
    """This side."""
    tcp = _tcp(context, handle)
    tcp.require("local-address")
    return _address_value(tcp.sock.getsockname())


def remote_address(context: Context, handle: U32) -> Value:
    """The other side."""
    tcp = _tcp(context, handle)
    tcp.require("remote-address")
    return _address_value(tcp.sock.getpeername())


def is_listening(context: Context, handle: U32) -> Value:
    """Whether it accepts connections."""
    return Bool(_tcp(context, handle).state == LISTENING)


def address_family(context: Context, handle: U32) -> Value:
    """That it was made with."""
    is_4 = _tcp(context, handle).family == socket.AF_INET
    return case(NAMES["ip-address-family"], "ipv4" if is_4 else "ipv6")


def subscribe(context: Context, handle: U32) -> Value:
    """Ready when a finish, or an accept, would not block."""
    return resources(context).add(Pollable(_tcp(context, handle).is_ready))


def shutdown(context: Context, handle: U32, which: Variant) -> Value:
    """End one direction or both."""
    _tcp(context, handle).shutdown(which.case != "send", which.case != "receive")
    return UNIT


# -- settings ----------------------------------------------------------------------------------------------------------


def set_listen_backlog_size(context: Context, handle: U32, value: U64) -> Value:
    """A hint."""
    _tcp(context, handle).set_backlog(value.value)
    return UNIT


def _option(tcp: TcpSocket, name: str) -> tuple[int, int]:
    if name == "hop-limit":
        is_4 = tcp.family == socket.AF_INET
        return (socket.IPPROTO_IP, socket.IP_TTL) if is_4 else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    return {
        "keep-alive-enabled": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        "keep-alive-idle-time": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        "keep-alive-interval": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        "keep-alive-count": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        "receive-buffer-size": (socket.SOL_SOCKET, socket.SO_RCVBUF),
        "send-buffer-size": (socket.SOL_SOCKET, socket.SO_SNDBUF),
    }[name]


def _number(name: str, value: int) -> int:
    """What the system is told: seconds for nanoseconds, and no more than it takes."""
    if name in ("keep-alive-idle-time", "keep-alive-interval"):
        return min(math.ceil(value / SECOND_NS), KEEP_ALIVE_S_MAX)
    return min(value, KEEP_ALIVE_COUNT_MAX if name == "keep-alive-count" else BUFFER_BYTES_MAX)


def get_setting(name: str, context: Context, handle: U32) -> Value:
    """What the system has made of it."""
    tcp = _tcp(context, handle)
    found = tcp.sock.getsockopt(*_option(tcp, name))
    match name:
        case "keep-alive-enabled":
            return Bool(bool(found))
        case "keep-alive-idle-time" | "keep-alive-interval":
            return U64(found * SECOND_NS)
        case "keep-alive-count":
            return U32(found)
        case "hop-limit":
            return U8(found)
    return U64(found // 2)  # Linux tells twice what it was told


def set_setting(name: str, context: Context, handle: U32, value: Any) -> Value:
    """Zero is no setting."""
    tcp = _tcp(context, handle)
    if not value.value and name != "keep-alive-enabled":
        raise Failure("invalid-argument")
    tcp.sock.setsockopt(*_option(tcp, name), _number(name, int(value.value)))
    return UNIT


# -- names -------------------------------------------------------------------------------------------------------------


class Addresses:
    """``resolve-address-stream``: what a name leads to, when it is known."""

    def __init__(self, sockets: Sockets, found: list[Ip] | None = None) -> None:
        self._sockets = sockets
        self._found = found
        self._why: str | None = None

    def look_up(self, name: str) -> None:
        """Ask the resolver of the C library, which takes its time. In a thread of its own."""
        found: list[Ip] = []
        try:
            for family, _, _, _, place in socket.getaddrinfo(
                name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            ):
                host = str(place[0]).partition("%")[0]
                found.append(IPv4Address(host) if family == socket.AF_INET else IPv6Address(host))
        except socket.gaierror as error:
            self._why = {
                socket.EAI_AGAIN: "temporary-resolver-failure",
                socket.EAI_FAIL: "permanent-resolver-failure",
            }.get(error.errno or 0, "name-unresolvable")
        except (OSError, UnicodeError):
            self._why = "name-unresolvable"
        found = [ip for ip in found if getattr(ip, "ipv4_mapped", None) is None][:ADDRESSES_MAX]
        self._sockets.remember(name, found)
        self._found = found
        self._sockets.changed()

    def is_ready(self) -> bool:
        """The resolver has answered."""
        return self._found is not None

    def next(self) -> Ip | None:
        """The next address; None: there are no more."""
        if self._found is None:
            raise Failure("would-block")
        if self._why is not None:
            raise Failure(self._why)
        return self._found.pop(0) if self._found else None


class LookUps:
    """The service that bounds the threads: a lookup cannot be ended."""

    def __init__(self, context: Context) -> None:
        self._under_way: list[threading.Thread] = []

    def start(self, addresses: Addresses, name: str) -> None:
        """One more; raises Failure."""
        self._under_way = [each for each in self._under_way if each.is_alive()]
        if len(self._under_way) >= LOOKUPS_MAX:
            raise Failure("temporary-resolver-failure")
        thread = threading.Thread(target=addresses.look_up, args=(name,), name="wasi-name", daemon=True)
        thread.start()
        self._under_way.append(thread)


def resolve_addresses(context: Context, network: U32, name: String) -> Value:
    """A name that the grant allows to connect to; an address is its own answer."""
    resources(context).get(network, Network)
    sockets = context.service(Sockets)
    host = host_of(name.value)
    if not isinstance(host, str):
        return resources(context).add(Addresses(sockets, [host]))
    if not sockets.may_look_up(host):
        raise Failure("access-denied")
    addresses = Addresses(sockets)
    context.service(LookUps).start(addresses, host)
    return resources(context).add(addresses)


def resolve_next_address(context: Context, handle: U32) -> Value:
    """One by one."""
    found = resources(context).get(handle, Addresses).next()
    return some(None if found is None else _ip_value(found))


def subscribe_addresses(context: Context, handle: U32) -> Value:
    """Ready when the resolver has answered."""
    return resources(context).add(Pollable(resources(context).get(handle, Addresses).is_ready))
