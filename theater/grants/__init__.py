"""Grants: what a manifest may give an actor, by short and by full name, and which grants open which import.

Most grants are one host interface and bear its name. ``wasi`` opens the interfaces of WASI 0.2 and preview 1 without
HTTP; the types of HTTP come with either of its two sides.

Only names are here, for everybody. What a grant means, its options, their defaults, and what of them a child may have,
is declared in the module of its short name (``theater.grants.http_client``), which is imported when it is asked for. A
new grant is a constant and a short name here, and such a module.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from theater.grants.declaring import Group

RUNTIME: Final = "theater:simple/runtime"
SUPERVISOR: Final = "theater:simple/supervisor"
STORE: Final = "theater:simple/store"
RPC: Final = "theater:simple/rpc"
MESSAGES: Final = "theater:simple/message-server-host"
NAMES: Final = "theater:simple/names"
LINKS: Final = "theater:simple/links"
WASI: Final = "wasi"
HTTP: Final = "wasi:http/incoming-handler"
HTTP_CLIENT: Final = "wasi:http/outgoing-handler"
TCP: Final = "theater:simple/tcp"
TIMER: Final = "theater:simple/timer"
RANDOM: Final = "theater:simple/random"
TIMING: Final = "theater:simple/timing"
ENVIRONMENT: Final = "theater:simple/environment"
FILESYSTEM: Final = "theater:simple/filesystem"
LOOP: Final = "theater:simple/loop"
ASSEMBLER: Final = "wisp:assembler/runtime"
TERMINAL: Final = "theater:simple/terminal"
PROCESS: Final = "theater:simple/process"

SHORT_NAMES: Final[dict[str, str]] = {
    "runtime": RUNTIME,
    "supervisor": SUPERVISOR,
    "store": STORE,
    "rpc": RPC,
    "message-server": MESSAGES,
    "names": NAMES,
    "links": LINKS,
    "wasi": WASI,
    "http": HTTP,
    "http-client": HTTP_CLIENT,
    "tcp": TCP,
    "timer": TIMER,
    "random": RANDOM,
    "timing": TIMING,
    "environment": ENVIRONMENT,
    "filesystem": FILESYSTEM,
    "loop": LOOP,
    "assembler": ASSEMBLER,
    "terminal": TERMINAL,
    "process": PROCESS,
}
"""Names a manifest may use."""

SIMPLE_HTTP_CLIENT: Final = "theater:simple/http-client"
HTTP_TYPES: Final = "wasi:http/types"
WASI_SHARED: Final = ("wasi:io/error", "wasi:io/poll", "wasi:io/streams")
"""What HTTP bodies are made of, too."""
PREVIEW_1: Final = "wasi_snapshot_preview1"


def opened_by(interface: str) -> tuple[str, ...]:
    """Grants any of which makes an interface available, by full name; the one to propose comes first."""
    if interface == SIMPLE_HTTP_CLIENT:
        return (HTTP_CLIENT,)
    if interface == HTTP_TYPES:
        return HTTP, HTTP_CLIENT
    if interface in WASI_SHARED:
        return WASI, HTTP, HTTP_CLIENT
    if interface == PREVIEW_1 or (interface.startswith("wasi:") and not interface.startswith("wasi:http/")):
        return (WASI,)
    return (interface,)


def short_name(grant: str) -> str:
    """What a manifest would call a grant."""
    return next((short for short, full in SHORT_NAMES.items() if full == grant), grant)


@cache
def declared(grant: str) -> Group:
    """What is declared of a grant, given by its full name."""
    declaration: Group = import_module(f"{__name__}.{short_name(grant).replace('-', '_')}").GRANT
    return declaration
