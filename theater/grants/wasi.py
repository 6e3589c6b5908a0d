"""The grant ``wasi``: WASI 0.2 and preview 1."""

from __future__ import annotations

from typing import Final

from theater.grants import WASI
from theater.grants.comparing import Each, Free
from theater.grants.declaring import Group, Option
from theater.grants.directories import DIRECTORIES
from theater.grants.hostports import LISTEN, connect
from theater.grants.shapes import ListOf, Nested, Text, Texts

_IS_DATA: Final = Free("it is data, like a child's initial state")
_SOCKETS: Final = Group(
    "sockets",
    "Connect and listen by wasi:sockets.",
    (
        connect("Addresses it may connect to, as for `tcp`. A name may be looked up, and connected to where it leads."),
        LISTEN,
    ),
)
GRANT: Final = Group(
    WASI,
    "WASI 0.2 and preview 1: clocks and random numbers (recorded), arguments, environment, standard output to the "
    "log, the directories and the addresses named.",
    (
        Option(
            "environment",
            Texts("environment variables by name"),
            "Environment variables.",
            _IS_DATA,
            {},
            is_secret=True,
        ),
        Option("arguments", ListOf(Text(), "a list of arguments"), "Command line arguments.", _IS_DATA, ()),
        DIRECTORIES,
        Option("sockets", Nested(_SOCKETS), "TCP of its own (wasi:sockets).", Each(), {}),
    ),
)
