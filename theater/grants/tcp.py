"""The grant ``tcp``: which addresses an actor may use, with which certificates, and how much at one time."""

from __future__ import annotations

from typing import Final

from theater.grants import TCP
from theater.grants.comparing import AT_MOST, Each, Same, Within
from theater.grants.declaring import Group, Option
from theater.grants.hostports import LISTEN, connect
from theater.grants.reach import PATHS
from theater.grants.shapes import Count, Nested, Path, Size, Time
from theater.patterns import paths


def _file(key: str, wanted: str, doc: str, shown: str = "") -> Option:
    """Files are the parent's very own: a guest may not name others."""
    return Option(key, Path(wanted), doc, Same(f"the {key}"), shown=shown)


_TLS: Final = Group(
    "tls",
    "Files of PEM text that upgrades to TLS use; relative to this file. The guest never sees them.",
    (
        _file(
            "ca",
            "a file of certificates",
            "Authorities whose certificates are trusted when the actor is the client.",
            "those of the system",
        ),
        _file(
            "certificate",
            "a file of certificates",
            "The certificate, and those between it and its authority, when the actor is the server.",
        ),
        _file("key", "a file with a key", "The key of the certificate, unencrypted."),
    ),
)
GRANT: Final = Group(
    TCP,
    "Connect, listen, hand connections to its family (what spawned it, all below it) and to the actors named, and "
    "upgrade them to TLS (theater:simple/tcp). Actors that hold it may be handed connections, whatever addresses they "
    "may use themselves.",
    (
        connect(
            "Addresses it may connect to: `db.example.com:5432`, `*.example.com:443`, `10.0.0.0/8:*`, `*:25`. A "
            "name that the guest gives is compared with names, an IP address with addresses and networks."
        ),
        LISTEN,
        Option(
            "give",
            PATHS,
            "Further actors it may hand connections to: `/a/b`, `/a/*`, `/a/**`.",
            Within("handing connections to", paths.covers),
            (),
        ),
        Option("tls", Nested(_TLS), "What upgrades to TLS use.", Each(), {}),
        Option("max_connections", Count(1, 10_000), "Connections open at one time.", AT_MOST, 64, "connections_max"),
        Option(
            "chunk",
            Size(1, 128 << 10),
            "Most bytes given at one time by `receive` or `on-data`. In active mode so much waits per connection.",
            AT_MOST,
            64 << 10,
            "chunk_bytes_max",
        ),
        Option("max_send", Size(1), "Most bytes of one `send`.", AT_MOST, 16 << 20, "send_bytes_max"),
        Option(
            "timeout",
            Time(),
            "Time to connect, to send, to shake hands for TLS, and to hand a connection over.",
            AT_MOST,
            30_000,
            "timeout_ms_max",
        ),
        Option("wait", Time(), "Longest time `accept` and `receive` wait.", AT_MOST, 30_000, "wait_ms_max"),
    ),
)
