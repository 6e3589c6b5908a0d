"""``theater:simple/rpc``: call exported functions of other actors (pack-abi 10.6).

Answers are doubly wrapped, as every Theater host has sent them: ``ok<string, string>(result::ok(v))``, or with
``result::err("text")`` inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from proto import operation
from theater import cgrf, interfaces, metadata, types
from theater.errors import ActorError, PermissionDenied, TypeMismatch
from theater.grants import RPC, short_name
from theater.grants.rpc import GRANT
from theater.values import (
    U8,
    U16,
    U32,
    U64,
    Bool,
    List,
    Option,
    Record,
    Result,
    String,
    Tuple,
    Value,
    Variant,
    bytes_of,
)
from worker.deadlines import Deadline
from worker.interfaces.context import Context
from worker.interfaces.registry import TEXT_CHARS_MAX, Function, Interface
from worker.interfaces.registry import Variant as Form
from worker.interfaces.sending import GIVEN, STAYS
from worker.letters import Letter
from worker.peer import Peer

DESCRIBE: Final = "describe-peer"
HOSTS_OWN: Final = ("theater:", "wasi:", "wisp:")
"""Namespaces of what only hosts call: ``init`` and the callbacks of host interfaces. They are believed for that."""
KNOWN_MAX: Final = 256
"""Packages whose description is kept."""


class Calls:
    """What the functions keep: how packages describe themselves, by digest."""

    def __init__(self, context: Context) -> None:
        options = GRANT.held_by(context)
        self._context = context
        self._timeout_ms: int = options["timeout_ms"]
        self._timeout_ms_max: int = options["timeout_max_ms"]
        self._known: dict[str, metadata.Metadata | None] = {}
        self._checked: set[tuple[str, str]] = set()

    def deadline(self, asked_ms: int | None = None) -> Deadline:
        """How long a call may take."""
        return Deadline(min(self._timeout_ms if asked_ms is None else asked_ms, self._timeout_ms_max))

    def find(self, target: str, deadline: Deadline) -> Peer:
        """Who is meant.

        Raises:
            ActorError: nobody, or the grant does not reach it.
        """
        (peer,) = self._context.peers.find(target, RPC, deadline)
        return peer

    def described(self, peer: Peer) -> metadata.Metadata | None:
        """How an actor's package describes itself; None if it does not."""
        package = peer.where.package
        if package not in self._known:
            _, bodies = self._context.ask(DESCRIBE, {"target": peer.where.actor_id, "grant": RPC})
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[package] = metadata.decode(bodies[0]) if bodies and bodies[0] else None
        return self._known[package]

    def check(self, peer: Peer, function: str) -> None:
        """Before the first call of an interface: it is the one our package was built for, if it says so.

        Raises:
            TypeMismatch: it is not.
        """
        interface = function.rpartition(".")[0]
        wanted = self._context.declared_hashes.get(interface)
        key = (peer.where.package, interface)
        if wanted is None or key in self._checked:
            return
        theirs = self.hashes(peer).get(interface)
        if theirs != wanted:
            has = "exports no such interface" if theirs is None else f"has {theirs.hex()}"
            raise TypeMismatch(function, f"this actor was built for {interface} {wanted.hex()}, the other {has}")
        self._checked.add(key)

    def hashes(self, peer: Peer) -> dict[str, bytes]:
        """The interfaces an actor exports, by name, with their hashes."""
        found = self.described(peer)
        if found is None:
            return {}
        by_interface: dict[str, dict[str, metadata.FunctionSig]] = {}
        for item in found.exports:
            by_interface.setdefault(item.interface, {})[item.name] = item
        computed = {name: interfaces.interface_hash(name, items) for name, items in by_interface.items()}
        return computed | found.export_hashes


def call(context: Context, target: String, function: String, params: Value, options: Value) -> Value:
    """Call and wait. The parameters are spliced behind the other actor's state (pack-abi 9.1)."""
    return _wrapped(lambda: cgrf.decode(_call(context, target, function, cgrf.encode(params), _timeout_in(options))))


def call_encoded(context: Context, target: String, function: String, params: List, timeout: Option) -> Value:
    """The form for components, which pass values in their encoding."""
    asked = timeout.value.value if isinstance(timeout.value, U64) else None
    encoded = params.items if isinstance(params.items, bytes) else b""
    return bytes_of(_call(context, target, function, encoded, asked))


def _call(context: Context, target: String, function: String, params: bytes, timeout_ms: int | None) -> bytes:
    if function.value.startswith(HOSTS_OWN):
        raise PermissionDenied(short_name(RPC), f"only the host calls {function.value[:TEXT_CHARS_MAX]}")
    calls = context.service(Calls)
    deadline = calls.deadline(timeout_ms)
    peer = calls.find(target.value, deadline)
    if not context.peers.is_self(peer):
        calls.check(peer, function.value)

    def make(number: int, to: int) -> operation.Call:
        return operation.Call(number, function.value, timeout_ms=deadline.left_ms)

    return context.peers.exchange(peer, Letter(make, params), deadline)


def implements(context: Context, target: String, interface: String) -> Value:
    """Whether an actor exports functions of an interface."""
    return _wrapped(lambda: does_implement(context, target, interface))


def does_implement(context: Context, target: String, interface: String) -> Value:
    """The same, for components."""
    calls = context.service(Calls)
    return Bool(interface.value in calls.hashes(calls.find(target.value, calls.deadline())))


def exports(context: Context, target: String) -> Value:
    """The interfaces an actor exports."""
    return _wrapped(lambda: exported(context, target))


def exported(context: Context, target: String) -> Value:
    """The same, for components."""
    calls = context.service(Calls)
    found = calls.hashes(calls.find(target.value, calls.deadline()))
    return List(_EXPORT, tuple(Tuple((String(name), String(found[name].hex()))) for name in sorted(found)))


def _wrapped(answer: Callable[[], Value]) -> Value:
    """The answer, or the error, as a variant inside a result that is always ok."""
    try:
        inner = Variant("result", "ok", 0, (answer(),))
    except ActorError as error:
        inner = _err(error.text())
    except ValueError as error:
        inner = _err(f"Serialization error: {error}")
    return Result(types.STRING, types.STRING, True, inner)


def _err(text: str) -> Variant:
    return Variant("result", "err", 1, (String(text[:TEXT_CHARS_MAX]),))


def _timeout_in(options: Value) -> int | None:
    """The ``timeout-ms`` of ``option<record {timeout-ms: option<u64>}>``; options that are absent are just that.

    Raises:
        TypeMismatch: it is something else.
    """
    match options:
        case Option(value=None) | Tuple(items=()):
            return None
        case Option(value=Value() as inner):
            return _timeout_in(inner)
        case Record(fields=()):
            return None
        case Record(fields=(("timeout-ms", Option(value=None)),)):
            return None
        case Record(fields=(("timeout-ms", Option(value=U8() | U16() | U32() | U64() as number)),)):
            return number.value
        case Record(fields=(("timeout-ms", U8() | U16() | U32() | U64() as number),)):
            return number.value
        case _:
            raise TypeMismatch("call", "options: expected option<record {timeout-ms: option<u64>}>")


_FOR_COMPONENTS = "in WIT, where values are passed as bytes"
_EXPORT = types.Tuple((types.STRING, types.STRING))

INTERFACE: Final = Interface(
    RPC,
    "Call exported functions of other actors and wait for the result. An actor is named by its id, its path in the "
    "tree (/fleet/planner) or a name it has registered; the grant says which ones may be called. What only hosts call "
    "(`init` and callbacks: whatever begins with `theater:`, `wasi:` or `wisp:`) no actor can. Every answer is "
    "`ok(result::ok(value))` or `ok(result::err(text))`.",
    (
        Function(
            "call",
            "Call `interface.function` with a tuple of parameters. options is an "
            "`option<record {timeout-ms: option<u64>}>`. Where this actor's package declares the interface's hash, it "
            "is compared before the first call. A call of oneself is refused: it would wait for itself.",
            (
                Form("func(actor-id: string, function: string, params: value, options: value) -> value", call),
                Form(
                    "func(actor-id: string, function: string, params: list<u8>, timeout-ms: option<u64>) "
                    "-> result<list<u8>, string>",
                    call_encoded,
                    _FOR_COMPONENTS,
                ),
            ),
            sends=GIVEN,
        ),
        Function(
            "implements",
            "Whether the actor exports functions of the interface: a bool.",
            (
                Form("func(actor-id: string, interface: string) -> value", implements),
                Form(
                    "func(actor-id: string, interface: string) -> result<bool, string>", does_implement, _FOR_COMPONENTS
                ),
            ),
            sends=STAYS,
        ),
        Function(
            "exports",
            "The interfaces the actor exports: a list of (name, hash in hexadecimal digits).",
            (
                Form("func(actor-id: string) -> value", exports),
                Form(
                    "func(actor-id: string) -> result<list<tuple<string, string>>, string>", exported, _FOR_COMPONENTS
                ),
            ),
            sends=STAYS,
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
