"""``wasi:sockets``: TCP to and from the addresses of the grant. There without them, too, because toolchains import it
unasked: then every way to get a socket is refused, and nothing of what does the work is imported. UDP always is."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from theater.grants.wasi import GRANT
from theater.values import U32, Value
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context
from worker.interfaces.registry import Call, Revive
from worker.interfaces.sending import GIVEN
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
    """What ``instance-network`` gives; what can be had from it the grant says."""


def instance_network(context: Context) -> Value:
    """The one network there is."""
    return resources(context).add(Network())


def _network_again(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    """A guest rebuilt by replay may go on with the one it has."""
    if isinstance(answer, U32):
        resources(context).revive(answer, Network())


def denied(context: Context, *given: Value) -> Value:
    """Not granted."""
    raise Failure("access-denied")


def impossible(context: Context, *given: Value) -> Value:
    """A method of something nobody was ever given."""
    raise Trap("there are no sockets", CONTRACT)


def _granted(name: str) -> Call:
    """A function that hands out something, if the grant has any address."""

    def call(context: Context, *given: Value) -> Value:
        options = GRANT.held_by(context)["sockets"]
        if not options["connect"] and not options["listen"]:
            return denied(context)
        return _method(name)(context, *given)

    return call


def _method(name: str, *bound: str) -> Call:
    """A function of ``tcp_calls``, imported when it is first called."""

    def call(context: Context, *given: Value) -> Value:
        function: Any = getattr(import_module("worker.interfaces.wasi.tcp_calls"), name)
        try:
            return function(*bound, context, *given)  # type: ignore[no-any-return]
        except OSError as error:
            from worker.interfaces.wasi.socket_errors import name_of

            raise Failure(name_of(error)) from None

    return call


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


def _refused(name: str) -> Call:
    return impossible


def _resource(made: Maker, name: str, methods: Table, settings: Table, call_of: Callable[[str], Call]) -> None:
    made.methods(name, [(each, signature, call_of(each.replace("-", "_"))) for each, signature in methods])
    for each, kind in settings:
        got, set_ = (
            (_method("get_setting", each), _method("set_setting", each)) if call_of is _method else (impossible,) * 2
        )
        made.methods(name, [(each, _GETS.format(kind), got), (f"set-{each}", _SETS.format(kind), set_)])
    made.drop(name, drop)


def _network() -> Maker:
    made = Maker(NAMES, ERRORS)
    made.drop("network", drop)
    return made


def _tcp() -> Maker:
    made = Maker(NAMES, ERRORS)
    _resource(made, "tcp-socket", _TCP, _TCP_SETTINGS, _method)
    return made


def _udp() -> Maker:
    made = Maker(NAMES, ERRORS)
    _resource(made, "udp-socket", _UDP, _SETTINGS, _refused)
    incoming = ("receive", "(max-results: u64) -> result<list<incoming-datagram>, error-code>")
    _resource(made, "incoming-datagram-stream", (incoming, ("subscribe", "() -> u32")), (), _refused)
    outgoing = (
        ("check-send", "() -> result<u64, error-code>"),
        ("send", "(datagrams: list<outgoing-datagram>) -> result<u64, error-code>"),
        ("subscribe", "() -> u32"),
    )
    _resource(made, "outgoing-datagram-stream", outgoing, (), _refused)
    return made


def _lookup() -> Maker:
    made = Maker(NAMES, ERRORS)
    looking_up = "(network: u32, name: string) -> result<u32, error-code>"
    made.add("resolve-addresses", looking_up, _granted("resolve_addresses"))
    following = "() -> result<option<ip-address>, error-code>"
    methods = (
        ("resolve-next-address", following, _method("resolve_next_address")),
        ("subscribe", "() -> u32", _method("subscribe_addresses")),
    )
    made.methods("resolve-address-stream", methods)
    made.drop("resolve-address-stream", drop)
    return made


def _one(name: str, signature: str, call: Call, revive: Revive | None = None) -> Maker:
    made = Maker(NAMES, ERRORS)
    made.add(name, signature, call, revive)
    return made


def _instance() -> Maker:
    return _one("instance-network", "() -> u32", instance_network, _network_again)


_CREATE: Final = "(address-family: ip-address-family) -> result<u32, error-code>"
_DOC: Final = "TCP, to and from the addresses of the grant; without any it is refused (access-denied)."
_UDP_DOC: Final = "UDP is refused (access-denied)."
INTERFACES: Final = (
    _network().interface("wasi:sockets/network", _DOC),
    _instance().interface("wasi:sockets/instance-network", _DOC),
    _one("create-tcp-socket", _CREATE, _granted("create")).interface("wasi:sockets/tcp-create-socket", _DOC),
    _one("create-udp-socket", _CREATE, denied).interface("wasi:sockets/udp-create-socket", _UDP_DOC),
    _tcp().interface("wasi:sockets/tcp", _DOC),
    _udp().interface("wasi:sockets/udp", _UDP_DOC, {"[method]outgoing-datagram-stream.send": GIVEN}),
    _lookup().interface("wasi:sockets/ip-name-lookup", _DOC, {"resolve-addresses": GIVEN}),
)
