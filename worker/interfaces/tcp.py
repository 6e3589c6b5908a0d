"""``theater:simple/tcp``: connections and listeners of an actor (pack-abi 10.7, 9.7); worker.tcp does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theater import types
from theater.grants import TCP
from theater.values import U32, U64, List, String, Value, unit
from worker.interfaces.context import Context
from worker.interfaces.registry import Call, Callback, Function, Interface, Refusal, Variant
from worker.interfaces.sending import GIVEN, STAYS

if TYPE_CHECKING:
    from worker.tcp.service import Tcp

MODES: Final = ("active", "once", "passive")


def _tcp(context: Context) -> Tcp:
    from worker.tcp.service import Tcp  # sockets and selectors: only actors that use them pay for them

    return context.service(Tcp)


def connect(context: Context, address: String) -> Value:
    """Names are looked up, and each address tried, within the grant's timeout."""
    return String(_tcp(context).connect(address.value).id)


def listen(context: Context, address: String) -> Value:
    """Announcing begins at once: by calls that wait for their turn."""
    return String(_tcp(context).listen(address.value).id)


def accept(context: Context, listener_id: String) -> Value:
    """Waits for a connection, and ends announcing."""
    return String(_tcp(context).accept(listener_id.value).id)


def activate(context: Context, connection_id: String) -> Value:
    """Pending connections can only be activated, handed over and closed."""
    _tcp(context).activate(connection_id.value)
    return unit()


def set_active(context: Context, connection_id: String, mode: String) -> Value:
    """Every change is possible at any time; nothing is lost by it."""
    connection = _tcp(context).connection(connection_id.value)
    if mode.value not in MODES:
        raise Refusal(f"expected a mode ({', '.join(MODES)}), found {mode.value[:64]!r}")
    connection.set_mode(mode.value)
    return unit()


def transfer(context: Context, connection_id: String, target_actor: String) -> Value:
    """Waits for the end of the other actor's callback."""
    _tcp(context).transfer(connection_id.value, target_actor.value, waits=True)
    return unit()


def transfer_async(context: Context, connection_id: String, target_actor: String) -> Value:
    """Waits for the other worker's host only."""
    _tcp(context).transfer(connection_id.value, target_actor.value, waits=False)
    return unit()


def peer_address(context: Context, connection_id: String) -> Value:
    """Known since the connection was made."""
    return String(_tcp(context).connection(connection_id.value).peer)


def local_address(context: Context, id_: String) -> Value:
    """Of connections and of listeners: which port it is when 0 was asked for."""
    return String(_tcp(context).local_address(id_.value))


def send(context: Context, connection_id: String, data: List) -> Value:
    """All or an error."""
    return U64(_tcp(context).send(connection_id.value, bytes(data.items)))


def receive(context: Context, connection_id: String, max_bytes: U32) -> Value:
    """At least one byte, or the end."""
    return List(types.U8, _tcp(context).receive(connection_id.value, max_bytes.value))


def close(context: Context, connection_id: String) -> Value:
    """No callback follows, not even one that waits already."""
    _tcp(context).connection(connection_id.value).close()
    return unit()


def close_listener(context: Context, listener_id: String) -> Value:
    """Connections that the actor knows of stay."""
    _tcp(context).close_listener(listener_id.value)
    return unit()


def upgrade_to_tls_server(context: Context, connection_id: String) -> Value:
    """With the certificate of the grant."""
    _tcp(context).upgrade(connection_id.value, None)
    return unit()


def upgrade_to_tls_client(context: Context, connection_id: String, server_name: String) -> Value:
    """Certificate and name are verified, always."""
    _tcp(context).upgrade(connection_id.value, server_name.value)
    return unit()


def _variant(signature: str, call: Call) -> Variant:
    """Whatever the machine lacks (descriptors, memory for sockets) is an error of the function like any other."""

    def guarded(context: Context, *arguments: Value) -> Value:
        try:
            return call(context, *arguments)
        except OSError as error:
            raise Refusal(error.strerror or type(error).__name__) from None

    return Variant(signature, guarded)


_ID = "func(connection-id: string) -> result<_, string>"
_ADDRESS = "func(address: string) -> result<string, string>"
_TRANSFER = "func(connection-id: string, target-actor: string) -> result<_, string>"

INTERFACE: Final = Interface(
    TCP,
    "TCP connections and listeners, plain and with TLS. Ids cannot be guessed, belong to one life of one actor, and "
    "any other id is refused. A connection is in one of three modes: passive (the actor reads, by receive), active "
    "(what comes is given to on-data, one call after the other: while one waits or runs, nothing is read), once (one "
    "on-data, then passive). Every wait has an end, and ends early when the actor is stopped.",
    (
        Function(
            "connect",
            "Connect to HOST:PORT, if the grant allows it. Answers the connection's id; it is activated, and passive.",
            (_variant(_ADDRESS, connect),),
            sends=GIVEN,
        ),
        Function(
            "listen",
            "Listen on ADDRESS:PORT, if the grant allows it; answers the listener's id. Connections are announced by "
            "handle-connection, until the actor calls accept.",
            (_variant(_ADDRESS, listen),),
            sends=STAYS,
        ),
        Function(
            "accept",
            "Wait for the next connection of a listener; answers its id. It is pending: activate it, hand it over or "
            "close it. From the first accept on this listener announces nothing any more.",
            (_variant("func(listener-id: string) -> result<string, string>", accept),),
            sends=STAYS,
        ),
        Function("activate", "Use a pending connection. It is passive.", (_variant(_ID, activate),), sends=STAYS),
        Function(
            "set-active",
            "Set the mode: active, once or passive. Data that was on its way to on-data when the actor goes back to "
            "passive is read by receive.",
            (_variant("func(connection-id: string, mode: string) -> result<_, string>", set_active),),
            sends=STAYS,
        ),
        Function(
            "transfer",
            "Hand a connection, pending or not, to the running actor with this id, which must hold the grant tcp too, "
            "and wait until its handle-connection-transfer has returned. What has not been read goes along. A "
            "connection that could not be handed over stays as it was; if the callback fails it is closed. Encrypted "
            "connections cannot be handed over.",
            (_variant(_TRANSFER, transfer),),
            sends=STAYS,
        ),
        Function(
            "transfer-async",
            "Like transfer, but does not wait for the other actor's callback.",
            (_variant(_TRANSFER, transfer_async),),
            sends=STAYS,
        ),
        Function(
            "peer-address",
            "The other side, as ADDRESS:PORT; of pending connections too.",
            (_variant("func(connection-id: string) -> result<string, string>", peer_address),),
            sends=STAYS,
        ),
        Function(
            "send",
            "Send all of it, waiting for the peer to take it; answers how much that was. If the time runs out the "
            "connection is closed: nobody knows how much has arrived.",
            (_variant("func(connection-id: string, data: list<u8>) -> result<u64, string>", send),),
            sends=GIVEN,
        ),
        Function(
            "receive",
            "Wait for data, in passive mode; at most max-bytes, and at most the grant's chunk. An empty list: the peer "
            "has ended its side; what is sent may still arrive.",
            (_variant("func(connection-id: string, max-bytes: u32) -> result<list<u8>, string>", receive),),
            sends=STAYS,
        ),
        Function("close", "Close a connection. No callback of it follows.", (_variant(_ID, close),), sends=STAYS),
        Function(
            "close-listener",
            "Listen no more. Connections that are not announced yet are closed, all others stay.",
            (_variant("func(listener-id: string) -> result<_, string>", close_listener),),
            sends=STAYS,
        ),
        Function(
            "upgrade-to-tls-server",
            "TLS from here on (STARTTLS), with the certificate and key of the grant; answers when the handshake is "
            "done, and the id stays. Whatever goes wrong closes the connection, as does data that was received and not "
            "yet read: nothing is ever sent or taken in plain after this was asked for.",
            (_variant(_ID, upgrade_to_tls_server),),
            sends=STAYS,
        ),
        Function(
            "upgrade-to-tls-client",
            "TLS from here on, as the client of this server: its certificate must be of an authority of the grant, and "
            "be for this name (or IP address). Fails closed like upgrade-to-tls-server.",
            (_variant("func(connection-id: string, server-name: string) -> result<_, string>", upgrade_to_tls_client),),
            sends=GIVEN,
        ),
        Function(
            "local-address",
            "This side of a connection, or where a listener listens, as ADDRESS:PORT.",
            (_variant("func(id: string) -> result<string, string>", local_address),),
            own=True,
            sends=STAYS,
        ),
    ),
    callbacks=(
        Callback(
            f"{TCP}-client.handle-connection",
            "func(connection-id: string)",
            "A listener has accepted this connection; it is pending. If the callback fails it is closed; if there is "
            "none it waits for accept.",
        ),
        Callback(
            f"{TCP}-client.handle-connection-transfer",
            "func(connection-id: string)",
            "Another actor has handed this connection over. It is activated, and passive. If the callback fails it is "
            "closed.",
        ),
        Callback(
            f"{TCP}-client.on-data",
            "func(connection-id: string, data: list<u8>)",
            "Data has come on a connection in active mode, or in mode once.",
        ),
        Callback(
            f"{TCP}-client.on-close",
            "func(connection-id: string, reason: string)",
            "A connection in active mode, or in mode once, is over: eof, or an error. Its id is of no use any more.",
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
