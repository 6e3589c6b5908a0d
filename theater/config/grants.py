"""The host interfaces a configuration may grant, by short and full name, each with the options it takes.

A new interface is one more line in GRANTS. Two ways to write grants are read: a mapping
(``grants: {runtime: {}}``) and Theater's list of handlers (``[[handler]]`` with ``type = "runtime"``).
"""

from __future__ import annotations

from typing import Any

import msgspec

from theater.config.environment import Wrong
from theater.config.groups import ActorPaths, Address, ListOf, Origin, Owner, Reachable, Texts
from theater.config.kinds import Flag, Part, Text, Whole, duration, size
from theater.config.local_grants import DIRECTORY, LOCAL
from theater.config.node import LIST, MAP, NULL, TEXT, Node, inside, quoted
from theater.config.reader import Field, Reader, Section, nearest, read_section, section_schema
from theater.config.tcp_grant import SOCKETS, TCP_OPTIONS
from theater.grants import (
    HTTP,
    HTTP_CLIENT,
    LINKS,
    MESSAGES,
    NAMES,
    RPC,
    RUNTIME,
    SHORT_NAMES,
    STORE,
    SUPERVISOR,
    TCP,
    WASI,
)

_WASI = Section(
    name="wasi",
    doc="WASI 0.2 and preview 1: clocks and random numbers (recorded), arguments, environment, standard output to the "
    "log, the directories and the addresses named.",
    fields={
        "environment": Field(
            wants=Texts("environment variables by name"), doc="Environment variables.", default="none"
        ),
        "arguments": Field(
            wants=ListOf(Text(), "a list of arguments"), doc="Command line arguments.", default="none"
        ),
        "directories": Field(
            wants=ListOf(Part(DIRECTORY), "a list of directories"), doc="Directories it may open.", default="none"
        ),
        "sockets": Field(wants=Part(SOCKETS), doc="TCP of its own (wasi:sockets).", default="none"),
    },
)
_HTTP = Section(
    name="http",
    doc="Answer HTTP requests (wasi:http/incoming-handler), from handles and, with `listen`, on a port.",
    fields={
        "listen": Field(wants=Address(), doc="Serve this address.", default="none"),
        "max_body": Field(
            wants=size(0), doc="Largest body of a request or a response.", default="16MiB", target="body_bytes_max"
        ),
        "max_connections": Field(
            wants=Whole(1, 10_000), doc="Connections served at one time.", default="64", target="connections_max"
        ),
        "timeout": Field(
            wants=duration(), doc="Time for a client to send, and for the actor to answer.", default="30s",
            target="timeout_ms",
        ),
    },
)
_HTTP_CLIENT = Section(
    name="http-client",
    doc="Send HTTP requests (wasi:http/outgoing-handler) to the hosts named.",
    fields={
        "allow": Field(
            wants=ListOf(Origin(), "a list of origins"),
            doc="Origins it may reach: `https://api.example.com`, `http://127.0.0.1:8080`, `https://*.example.com`.",
            required=True,
        ),
        "secrets": Field(
            wants=Texts("secrets by name"),
            doc="Texts put in for `{{NAME}}` in request headers; neither the guest nor its chain ever holds them.",
            default="none",
        ),
        "max_body": Field(
            wants=size(0), doc="Largest body of a request or a response.", default="16MiB", target="body_bytes_max"
        ),
        "max_requests": Field(
            wants=Whole(1, 1_000), doc="Requests under way at one time.", default="16", target="requests_max"
        ),
        "timeout": Field(wants=duration(), doc="Time for a whole request.", default="30s", target="timeout_ms"),
    },
)
_LINKS = Section(
    name="links",
    doc="Link with actors, monitor them, send them exit signals: its family (itself, what spawned it, "
    "all below it), and the others named.",
    fields={
        "allow": Field(
            wants=ListOf(ActorPaths(), "a list of paths"),
            doc="Further actors it may link with, monitor and send exit signals: `/a/b`, `/a/*`, `/a/**`.",
            default="none",
        ),
        "monitor": Field(
            wants=ListOf(ActorPaths(), "a list of paths"), doc="Further actors it may only monitor.", default="none"
        ),
    },
)

_SHARED = Section(
    name="shared",
    doc="Stores of other actors that it may use, given their ids.",
    fields={
        "owner": Field(
            wants=Owner(),
            doc="Who made them: an actor (`/library`), all below one (`/pool/*`), everybody (`*`), the `parent` whose "
            "guest has spawned this actor, or the `children` that it has spawned.",
            required=True,
        ),
        "write": Field(wants=Flag(), doc="It may also change what is in them.", default="false"),
    },
)
_STORE = Section(
    name="store",
    doc="Keep contents by their SHA-256, with labels, in stores that outlive the actor.",
    fields={
        "max_size": Field(
            wants=size(0), doc="All contents of a store together.", default="256MiB", target="bytes_max"
        ),
        "max_content": Field(
            wants=size(0, 64 << 20), doc="Largest content.", default="16MiB", target="content_bytes_max"
        ),
        "max_contents": Field(
            wants=Whole(0, 100_000), doc="Contents in a store.", default="10000", target="contents_max"
        ),
        "max_labels": Field(wants=Whole(0, 100_000), doc="Labels in a store.", default="10000", target="labels_max"),
        "max_stores": Field(wants=Whole(0, 10_000), doc="Stores of the actor.", default="100", target="stores_max"),
        "unlabelled": Field(
            wants=duration(),
            doc="How long a content without a label is kept at least; it goes when the store is full, or with "
            "`theater store gc`.",
            default="for ever",
            target="unlabelled_ms",
        ),
        "shared": Field(
            wants=ListOf(Part(_SHARED), "a list of owners"), doc="Other actors' stores that it may use.", default="none"
        ),
    },
)
_RPC = Section(
    name="rpc",
    doc="Call exported functions of the actors named.",
    fields={
        "allow": Field(
            wants=ListOf(Reachable(), "a list of paths and names"),
            doc="Actors it may call: `/a/b`, `/a/*`, `/a/**`, or names they have registered (`planner`, `worker-*`).",
            default="none",
        ),
        "children": Field(wants=Flag(), doc="It may also call actors it has spawned itself.", default="false"),
        "timeout": Field(
            wants=duration(), doc="Time for a call that does not say otherwise.", default="30s", target="timeout_ms"
        ),
        "max_timeout": Field(
            wants=duration(), doc="Longest time it may ask for.", default="5m", target="timeout_max_ms"
        ),
    },
)
_MESSAGES = Section(
    name="message-server",
    doc="Messages, requests and channels to and from other actors.",
    fields={
        "allow": Field(
            wants=ListOf(Reachable(), "a list of paths and names"),
            doc="Actors it may write to, as for `rpc`. (Anybody who may write to this one can.)",
            default="all",
        ),
        "children": Field(wants=Flag(), doc="It may also write to actors it has spawned itself.", default="false"),
        "timeout": Field(
            wants=duration(),
            doc="Time for the answer to a request or to the offer of a channel, and for a full mailbox to have room.",
            default="30s",
            target="timeout_ms",
        ),
        "window": Field(
            wants=Whole(1, 10_000), doc="Unhandled messages to one actor before sending waits.", default="100"
        ),
        "max_channels": Field(
            wants=Whole(0, 100_000), doc="Channels open at one time.", default="1000", target="channels_max"
        ),
        "max_requests": Field(
            wants=Whole(0, 100_000),
            doc="Requests left outstanding, to be answered later.",
            default="1000",
            target="requests_max",
        ),
    },
)
_NAMES = Section(
    name="names",
    doc="Take names, join groups, and ask who has one.",
    fields={
        "allow": Field(
            wants=ListOf(Reachable(), "a list of names"),
            doc="Names and groups it may take: `planner`, `worker-*`.",
            default="all",
        ),
    },
)

GRANTS: dict[str, Section] = {
    RUNTIME: Section(name="runtime", doc="Log, own id, own shutdown, own chain.", fields={}),
    SUPERVISOR: Section(name="supervisor", doc="Spawn actors and supervise them as its children.", fields={}),
    STORE: _STORE,
    RPC: _RPC,
    MESSAGES: _MESSAGES,
    NAMES: _NAMES,
    LINKS: _LINKS,
    WASI: _WASI,
    HTTP: _HTTP,
    HTTP_CLIENT: _HTTP_CLIENT,
    TCP: TCP_OPTIONS,
    **LOCAL,
}
"""Full name of an interface to the options its grant takes."""

FULL_NAMES: dict[str, str] = {**SHORT_NAMES, **{name: name for name in GRANTS}}
"""Every name a configuration may use."""

Grants = dict[str, dict[str, Any]]


class GrantMapping(msgspec.Struct, frozen=True):
    """``{runtime: {}, supervisor: {}}``: interfaces by name, each with its options."""

    def read(self, node: Node, path: str, reader: Reader) -> Grants:
        if node.kind != MAP:
            raise Wrong(f"expected a mapping of host interfaces, found {reader.found(node)}")
        grants: Grants = {}
        for key, entry in node.value.items():
            here = inside(path, key)
            full = FULL_NAMES.get(key)
            if full is None and not key.startswith("x-"):
                reader.report(entry, here, _unknown(key))
            elif full in grants:
                reader.report(entry, here, f"expected each interface once, found {full} again")
            elif full is not None:
                grants[full] = _options(full, entry.node, here, reader)
        return grants

    def schema(self) -> dict[str, Any]:
        properties = {name: _or_null(section_schema(GRANTS[full])) for name, full in FULL_NAMES.items()}
        shape = {"type": "object", "properties": properties}
        return {**shape, "patternProperties": {"^x-": True}, "additionalProperties": False}


class GrantList(msgspec.Struct, frozen=True):
    """Theater's form, ``[{type: runtime}]``; a mapping is read as GrantMapping does."""

    def read(self, node: Node, path: str, reader: Reader) -> Grants:
        if node.kind == MAP:
            return GrantMapping().read(node, path, reader)
        if node.kind != LIST:
            raise Wrong(f"expected a list of handlers, found {reader.found(node)}")
        grants: Grants = {}
        for index, item in enumerate(node.value):
            self._handler(item, f"{path}[{index}]", reader, grants)
        return grants

    def _handler(self, node: Node, path: str, reader: Reader, grants: Grants) -> None:
        entry = node.value.get("type") if node.kind == MAP else None
        if entry is None or entry.node.kind != TEXT:
            reader.report(
                node, path, 'expected a handler with its type, such as {type = "runtime"}, found none'
            )
            return
        full = FULL_NAMES.get(entry.node.value)
        if full is None:
            reader.report(entry.node, inside(path, "type"), _unknown(entry.node.value))
        elif full in grants:
            reader.report(
                entry.node, inside(path, "type"), f"expected each interface once, found {full} again"
            )
        else:
            options = {key: value for key, value in node.value.items() if key != "type"}
            grants[full] = _options(full, msgspec.structs.replace(node, value=options), path, reader)

    def schema(self) -> dict[str, Any]:
        handlers = []
        for name, full in FULL_NAMES.items():
            options = section_schema(GRANTS[full])
            properties = {"type": {"const": name}, **options["properties"]}
            handlers.append(
                {**options, "properties": properties, "required": ["type", *options.get("required", [])]}
            )
        return {"anyOf": [{"type": "array", "items": {"anyOf": handlers}}, GrantMapping().schema()]}


def grants_field(doc: str) -> Field:
    """The key ``grants``, as trees and manifests have it."""
    return Field(wants=GrantMapping(), doc=doc, default="none: what is not granted does not exist")


def places_of(node: Node, file: str) -> dict[str, str]:
    """Where each grant of an actor is written, ``file:line``, by its full name."""
    places: dict[str, str] = {}
    for key in ("grants", "handlers", "handler"):
        entry = node.value.get(key)
        if entry is not None and entry.node.kind == MAP:
            named = [(name, each.line) for name, each in entry.node.value.items()]
        elif entry is not None and entry.node.kind == LIST:
            kinds = [each.value["type"].node for each in entry.node.value if each.kind == MAP and "type" in each.value]
            named = [(kind.value, kind.line) for kind in kinds if kind.kind == TEXT]
        else:
            continue
        places |= {FULL_NAMES[name]: f"{file}:{line}" for name, line in named if name in FULL_NAMES}
    return places


def _options(full: str, node: Node, path: str, reader: Reader) -> dict[str, Any]:
    return {} if node.kind == NULL else read_section(GRANTS[full], node, path, reader)


def _unknown(name: str) -> str:
    near = nearest(name, FULL_NAMES)
    hint = f"; did you mean {near}?" if near else ""
    return f"expected a known host interface ({', '.join(SHORT_NAMES)}), found {quoted(name)}{hint}"


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
