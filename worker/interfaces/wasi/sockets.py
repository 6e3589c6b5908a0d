"""``wasi:sockets``: there, because toolchains import them unasked; every way to get a socket is refused."""

from __future__ import annotations

from typing import Final

from theater.values import Value
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Failure, Maker, enum, names_of
from worker.interfaces.wasi.resources import drop, resources

ERRORS: Final = enum(
    "error-code",
    "unknown access-denied not-supported invalid-argument out-of-memory timeout concurrency-conflict not-in-progress "
    "would-block invalid-state new-socket-limit address-not-bindable address-in-use remote-unreachable "
    "connection-refused connection-reset connection-aborted datagram-too-large name-unresolvable "
    "temporary-resolver-failure permanent-resolver-failure",
)
NAMES: Final = names_of(
    """
    ip-address-family = enum ip-address-family {ipv4, ipv6}
    ipv4 = tuple<u8, u8, u8, u8>
    ipv6 = tuple<u16, u16, u16, u16, u16, u16, u16, u16>
    ip-address = variant ip-address {ipv4(ipv4), ipv6(ipv6)}
    ipv4-socket-address = record ipv4-socket-address {port: u16, address: ipv4}
    ipv6-socket-address = record ipv6-socket-address {port: u16, flow-info: u32, address: ipv6, scope-id: u32}
    ip-socket-address = variant ip-socket-address {ipv4(ipv4-socket-address), ipv6(ipv6-socket-address)}
    incoming-datagram = record incoming-datagram {data: list<u8>, remote-address: ip-socket-address}
    outgoing-datagram = record outgoing-datagram {data: list<u8>, remote-address: option<ip-socket-address>}
    shutdown-type = enum shutdown-type {receive, send, both}
    """,
    {"error-code": ERRORS},
)


class Network:
    """What ``instance-network`` gives; nothing can be had from it."""


def instance_network(context: Context) -> Value:
    """A network from which everything is refused."""
    return resources(context).add(Network())


def denied(context: Context, *given: Value) -> Value:
    """Sockets are not granted by WASI here."""
    raise Failure("access-denied")


def impossible(context: Context, *given: Value) -> Value:
    """A method of something nobody was ever given."""
    raise Trap("there are no sockets", CONTRACT)


_GETS: Final = "() -> result<{0}, error-code>"
_SETS: Final = "(value: {0}) -> result<_, error-code>"
_SETTINGS: Final = (("receive-buffer-size", "u64"), ("send-buffer-size", "u64"))
_TCP_SETTINGS: Final = (
    ("keep-alive-enabled", "bool"),
    ("keep-alive-idle-time", "u64"),
    ("keep-alive-interval", "u64"),
    ("keep-alive-count", "u32"),
    ("hop-limit", "u8"),
    *_SETTINGS,
)
_DONE: Final = "result<_, error-code>"
Table = tuple[tuple[str, str], ...]
_ADDRESSES: Final = (
    ("start-bind", f"(network: u32, local-address: ip-socket-address) -> {_DONE}"),
    ("finish-bind", f"() -> {_DONE}"),
    ("local-address", "() -> result<ip-socket-address, error-code>"),
    ("remote-address", "() -> result<ip-socket-address, error-code>"),
    ("subscribe", "() -> u32"),
)
_TCP: Final = (
    *_ADDRESSES,
    ("start-connect", f"(network: u32, remote-address: ip-socket-address) -> {_DONE}"),
    ("finish-connect", "() -> result<tuple<u32, u32>, error-code>"),
    ("start-listen", f"() -> {_DONE}"),
    ("finish-listen", f"() -> {_DONE}"),
    ("accept", "() -> result<tuple<u32, u32, u32>, error-code>"),
    ("is-listening", "() -> bool"),
    ("address-family", "() -> ip-address-family"),
    ("set-listen-backlog-size", f"(value: u64) -> {_DONE}"),
    ("shutdown", f"(shutdown-type: shutdown-type) -> {_DONE}"),
)
_UDP: Final = (
    *_ADDRESSES,
    ("stream", "(remote-address: option<ip-socket-address>) -> result<tuple<u32, u32>, error-code>"),
    ("address-family", "() -> ip-address-family"),
    ("unicast-hop-limit", "() -> result<u8, error-code>"),
    ("set-unicast-hop-limit", f"(value: u8) -> {_DONE}"),
)


def _resource(made: Maker, name: str, methods: Table, settings: Table) -> None:
    table = [(each, signature, impossible) for each, signature in methods]
    for each, kind in settings:
        table.append((each, _GETS.format(kind), impossible))
        table.append((f"set-{each}", _SETS.format(kind), impossible))
    made.methods(name, table)
    made.drop(name, drop)


def _network() -> Maker:
    made = Maker(NAMES, ERRORS)
    made.drop("network", drop)
    return made


def _tcp() -> Maker:
    made = Maker(NAMES, ERRORS)
    _resource(made, "tcp-socket", _TCP, _TCP_SETTINGS)
    return made


def _udp() -> Maker:
    made = Maker(NAMES, ERRORS)
    _resource(made, "udp-socket", _UDP, _SETTINGS)
    incoming = ("receive", "(max-results: u64) -> result<list<incoming-datagram>, error-code>")
    _resource(made, "incoming-datagram-stream", (incoming, ("subscribe", "() -> u32")), ())
    outgoing = (
        ("check-send", "() -> result<u64, error-code>"),
        ("send", "(datagrams: list<outgoing-datagram>) -> result<u64, error-code>"),
        ("subscribe", "() -> u32"),
    )
    _resource(made, "outgoing-datagram-stream", outgoing, ())
    return made


def _lookup() -> Maker:
    made = Maker(NAMES, ERRORS)
    made.add("resolve-addresses", "(network: u32, name: string) -> result<u32, error-code>", denied)
    following = ("resolve-next-address", "() -> result<option<ip-address>, error-code>")
    _resource(made, "resolve-address-stream", (following, ("subscribe", "() -> u32")), ())
    return made


def _one(name: str, signature: str, call: object) -> Maker:
    made = Maker(NAMES, ERRORS)
    made.add(name, signature, call)  # type: ignore[arg-type]
    return made


_CREATE: Final = "(address-family: ip-address-family) -> result<u32, error-code>"
_DOC: Final = "Sockets are refused (access-denied)."
INTERFACES: Final = (
    _network().interface("wasi:sockets/network", _DOC),
    _one("instance-network", "() -> u32", instance_network).interface("wasi:sockets/instance-network", _DOC),
    _one("create-tcp-socket", _CREATE, denied).interface("wasi:sockets/tcp-create-socket", _DOC),
    _one("create-udp-socket", _CREATE, denied).interface("wasi:sockets/udp-create-socket", _DOC),
    _tcp().interface("wasi:sockets/tcp", _DOC),
    _udp().interface("wasi:sockets/udp", _DOC),
    _lookup().interface("wasi:sockets/ip-name-lookup", _DOC),
)
