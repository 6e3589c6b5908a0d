"""The options of the grant ``tcp``, and of ``sockets`` in the grant ``wasi``."""

from __future__ import annotations

from theater.config.groups import HostPorts, ListOf, PathFromHere
from theater.config.kinds import Part, Whole, duration, size
from theater.config.reader import Field, Section

_TLS = Section(
    name="tls",
    doc="Files of PEM text that upgrades to TLS use; relative to this file. The guest never sees them.",
    fields={
        "ca": Field(
            wants=PathFromHere("a file of certificates"),
            doc="Authorities whose certificates are trusted when the actor is the client.",
            default="those of the system",
        ),
        "certificate": Field(
            wants=PathFromHere("a file of certificates"),
            doc="The certificate, and those between it and its authority, when the actor is the server.",
            default="none",
        ),
        "key": Field(
            wants=PathFromHere("a file with a key"), doc="The key of the certificate, unencrypted.", default="none"
        ),
    },
)
_ADDRESSES = ListOf(HostPorts(), "a list of addresses")
TCP_OPTIONS = Section(
    name="tcp",
    doc="Connect, listen, hand connections to other actors, and upgrade them to TLS (theater:simple/tcp). Actors that "
    "hold it may be handed connections, whatever addresses they may use themselves.",
    fields={
        "connect": Field(
            wants=_ADDRESSES,
            doc="Addresses it may connect to: `db.example.com:5432`, `*.example.com:443`, `10.0.0.0/8:*`, `*:25`. A "
            "name that the guest gives is compared with names, an IP address with addresses and networks.",
            default="none",
        ),
        "listen": Field(
            wants=_ADDRESSES,
            doc="Addresses it may listen on: `127.0.0.1:8080`, `0.0.0.0:8000-8099`, `[::1]:*`.",
            default="none",
        ),
        "tls": Field(wants=Part(_TLS), doc="What upgrades to TLS use.", default="none"),
        "max_connections": Field(
            wants=Whole(1, 10_000), doc="Connections open at one time.", default="64", target="connections_max"
        ),
        "chunk": Field(
            wants=size(1, 128 << 10),
            doc="Most bytes given at one time by `receive` or `on-data`. In active mode so much waits per connection.",
            default="64KiB",
            target="chunk_bytes_max",
        ),
        "max_send": Field(
            wants=size(1), doc="Most bytes of one `send`.", default="16MiB", target="send_bytes_max"
        ),
        "timeout": Field(
            wants=duration(),
            doc="Time to connect, to send, to shake hands for TLS, and to hand a connection over.",
            default="30s",
            target="timeout_ms_max",
        ),
        "wait": Field(
            wants=duration(), doc="Longest time `accept` and `receive` wait.", default="30s", target="wait_ms_max"
        ),
    },
)
SOCKETS = Section(
    name="sockets",
    doc="Connect and listen by wasi:sockets.",
    fields={
        "connect": Field(
            wants=_ADDRESSES,
            doc="Addresses it may connect to, as for `tcp`. A name may be looked up, and connected to where it leads.",
            default="none",
        ),
        "listen": Field(
            wants=_ADDRESSES,
            doc="Addresses it may listen on: `127.0.0.1:8080`, `0.0.0.0:8000-8099`, `[::1]:*`.",
            default="none",
        ),
    },
)
