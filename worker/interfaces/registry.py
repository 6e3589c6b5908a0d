"""The registry of host interfaces: each function declared once, for linking, hashing, dispatch and documentation.

A function may have several *variants*: signatures of older hosts that guests in the field still declare. A guest gets
the variant whose signature it declares, so every answer has the shape it was built for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

import msgspec

from theater import cgrf, interfaces, types
from theater.errors import ActorError
from theater.fitting import fits
from theater.grants import opened_by
from theater.values import List, Option, Result, String, Tuple, Value
from worker.engine.errors import CONTRACT, HOST, Trap
from worker.interfaces.context import Context
from worker.interfaces.packing import packed
from worker.interfaces.sending import Sends

TEXT_CHARS_MAX: Final = 4096
"""Longest error text handed to a guest."""
MODULES: Final[Mapping[str, str]] = {
    "theater:simple/message-server-host": "messages",
    "theater:simple/names": "names",
    "theater:simple/rpc": "rpc",
    "theater:simple/links": "links",
    "theater:simple/runtime": "runtime",
    "theater:simple/supervisor": "supervisor",
    "theater:simple/tcp": "tcp",
    "theater:simple/timer": "timer",
    "theater:simple/random": "random",
    "theater:simple/timing": "timing",
    "theater:simple/environment": "environment",
    "theater:simple/filesystem": "filesystem",
    "theater:simple/loop": "loop",
    "theater:simple/terminal": "terminal",
    "theater:simple/process": "process",
    "wisp:assembler/runtime": "assembler",
    "wasi_snapshot_preview1": "wasi.preview1",
    "theater:simple/http-client": "http_client",
    "wasi:cli/environment": "wasi.cli",
    "wasi:cli/exit": "wasi.cli",
    "wasi:cli/stderr": "wasi.cli",
    "wasi:cli/stdin": "wasi.cli",
    "wasi:cli/stdout": "wasi.cli",
    "wasi:cli/terminal-input": "wasi.cli",
    "wasi:cli/terminal-output": "wasi.cli",
    "wasi:cli/terminal-stderr": "wasi.cli",
    "wasi:cli/terminal-stdin": "wasi.cli",
    "wasi:cli/terminal-stdout": "wasi.cli",
    "wasi:clocks/monotonic-clock": "wasi.clocks",
    "wasi:clocks/timezone": "wasi.clocks",
    "wasi:clocks/wall-clock": "wasi.clocks",
    "wasi:filesystem/preopens": "wasi.files",
    "wasi:filesystem/types": "wasi.files",
    "wasi:http/incoming-handler": "wasi.http_incoming",
    "wasi:http/outgoing-handler": "wasi.http_outgoing",
    "wasi:http/types": "wasi.http_incoming",
    "wasi:io/error": "wasi.streams",
    "wasi:io/poll": "wasi.streams",
    "wasi:io/streams": "wasi.streams",
    "wasi:random/insecure": "wasi.random",
    "wasi:random/insecure-seed": "wasi.random",
    "wasi:random/random": "wasi.random",
    "wasi:sockets/instance-network": "wasi.sockets",
    "wasi:sockets/ip-name-lookup": "wasi.sockets",
    "wasi:sockets/network": "wasi.sockets",
    "wasi:sockets/tcp": "wasi.sockets",
    "wasi:sockets/tcp-create-socket": "wasi.sockets",
    "wasi:sockets/udp": "wasi.sockets",
    "wasi:sockets/udp-create-socket": "wasi.sockets",
    "theater:simple/store": "store",
}
"""Where each host interface is declared, below ``worker.interfaces``: in the module's ``INTERFACES``."""

Call = Callable[..., Value]
"""Receives the context and the parameters as values; returns the result's payload, or raises Refusal or ActorError."""


Revive = Callable[..., None]
"""Receives the context, the arguments as a tuple, and what the function answered when it was called."""
Secrets = Callable[[Value], Value]
"""Returns a function's input as the chain may show it. The same input gives the same, so replays can compare."""


class Refusal(Exception):
    """A host function answers ``err(text)``."""


class Variant:
    """One signature of a function and the code behind it."""

    def __init__(
        self,
        signature: str,
        call: Call,
        note: str = "",
        *,
        names: Mapping[str, types.Type] | None = None,
        secrets: Secrets | None = None,
        revive: Revive | None = None,
        is_loose: bool = False,
    ) -> None:
        self.signature = signature
        self.call = call
        self.note = note
        """When this form was current; empty for the present one."""
        self.names = names
        """Types that the signature calls by name."""
        self.secrets = secrets
        """Takes out of the arguments what the chain must not show; None: nothing."""
        self.revive = revive
        """Makes good for a guest rebuilt by replay what this call gave it; None: there is nothing to do."""
        self.is_loose = is_loose
        """Answers values of other types than it declares, as every host has: nothing that a component can be given."""

    @cached_property
    def parsed(self) -> interfaces.Signature:
        """The signature as types."""
        return interfaces.parse_function(self.signature, self.names)

    @cached_property
    def params(self) -> tuple[types.Type, ...]:
        """The parameters' types."""
        return tuple(type_ for _, type_ in self.parsed.params)

    @cached_property
    def is_result(self) -> bool:
        """The answer is wrapped as ok or err."""
        return any(isinstance(type_, types.Result) for type_ in self.parsed.results)

    @cached_property
    def hash(self) -> bytes:
        """The function hash (pack-abi 8)."""
        return interfaces.function_hash(self.parsed)

    def kept_to(self) -> Variant:
        """The same form for who can be given nothing but what it declares: any other answer is refused."""
        [declared] = self.parsed.results
        assert isinstance(declared, types.Result)
        kind = declared.ok

        def call(context: Context, *arguments: Value) -> Value:
            answer = self.call(context, *arguments)
            wrong = fits(answer, kind)
            if wrong is not None:
                raise Refusal(f"the answer is not of the declared type: {wrong}")
            return answer

        return Variant(self.signature, call, self.note, names=self.names, secrets=self.secrets, revive=self.revive)


class Function(msgspec.Struct, frozen=True):
    """One host function. The first variant is the present form; ``own`` marks what the standard interface lacks."""

    name: str
    doc: str
    variants: tuple[Variant, ...]
    own: bool = False
    sends: Sends | None = None
    """What leaves the actor through it; None: what the interface says."""

    def variant(self, hash_: bytes) -> Variant | None:
        """Return the variant with this function hash."""
        return next((item for item in self.variants if item.hash == hash_), None)


class Callback(msgspec.Struct, frozen=True):
    """A function that the host calls in the guest: its full name, and what follows the state."""

    name: str
    signature: str
    doc: str


class Interface(msgspec.Struct, frozen=True):
    """One host interface: its full name, its functions, and what it calls in the guest."""

    name: str
    doc: str
    functions: tuple[Function, ...]
    callbacks: tuple[Callback, ...] = ()
    is_plain: bool = False
    """Answers are as declared, types of results included (WIT); else as every Theater host has sent them."""
    sends: Sends | None = None
    """What leaves the actor through functions that do not say it themselves; None: each has to."""

    @property
    def grants(self) -> tuple[str, ...]:
        """The grants any of which opens it, by their full names (theater.grants)."""
        return opened_by(self.name)

    def function(self, name: str) -> Function | None:
        """Return the function of this name."""
        return next((item for item in self.functions if item.name == name), None)

    def sends_of(self, name: str) -> Sends:
        """What leaves the actor through the function of this name."""
        function = self.function(name)
        found = self.sends if function is None or function.sends is None else function.sends
        assert found is not None, f"{self.name}.{name} does not say what leaves the actor through it"
        return found


class _Known(Mapping[str, Interface]):
    """Every host interface by its full name; what nobody asks for is never imported."""

    def __init__(self) -> None:
        self._found: dict[str, Interface] = {}

    def __getitem__(self, name: str) -> Interface:
        found = self._found.get(name)
        if found is None:
            module = importlib.import_module(f"worker.interfaces.{MODULES[name]}")
            self._found.update((item.name, item) for item in module.INTERFACES)
            found = self._found[name]
        return found

    def __contains__(self, name: object) -> bool:
        return name in MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


_known = _Known()


def known() -> Mapping[str, Interface]:
    """Return every host interface by its full name."""
    return _known


def newest(name: str, *functions: str) -> dict[tuple[str, str], Variant]:
    """The present forms of some functions of an interface, for ``Dispatcher.bind``."""
    found = {function.name: function for function in _known[name].functions}
    return {(name, function): found[function].variants[0] for function in functions}


def warm(names: Iterable[str]) -> None:
    """Do once what every worker whose guest imports these interfaces would do again: import, parse, hash."""
    for name in names:
        if name in MODULES:
            for function in _known[name].functions:
                for variant in function.variants:
                    variant.hash  # noqa: B018  (kept once computed)


class Dispatcher:
    """Answers host calls: decode, check, call, encode, record. In replay another object stands in its place."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._variants: Mapping[tuple[str, str], Variant] = {}

    def bind(self, variants: Mapping[tuple[str, str], Variant]) -> None:
        """Say which variant serves each imported (interface, function)."""
        self._variants = variants

    def serves(self, interface: str, function: str) -> bool:
        """Whether the guest imports a function."""
        return (interface, function) in self._variants

    def arguments(self, interface: str, function: str, data: bytes) -> tuple[Value, ...]:
        """What the function would be called with for an encoded input."""
        variant = self._variant(interface, function)
        try:
            return _arguments(cgrf.decode(data), variant.params)
        except ValueError as error:
            raise _unfit(interface, function, variant, error) from None

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        """Return the encoded output for an encoded input. It is recorded before the guest sees it."""
        variant = self._variant(interface, function)
        try:
            given = cgrf.decode(data)
        except ValueError as error:
            raise _unfit(interface, function, variant, error) from None
        return self._serve(interface, function, variant, given)[1]

    def answer_value(self, interface: str, function: str, given: Value) -> Value:
        """The same for who has values and wants values."""
        return self._serve(interface, function, self._variant(interface, function), given)[0]

    def _variant(self, interface: str, function: str) -> Variant:
        variant = self._variants.get((interface, function))
        if variant is None:
            raise Trap("called before the actor was linked: start code must not call the host", CONTRACT)
        return variant

    def _serve(self, interface: str, function: str, variant: Variant, given: Value) -> tuple[Value, bytes]:
        try:
            arguments = _arguments(given, variant.params)
        except ValueError as error:
            raise _unfit(interface, function, variant, error) from None
        answer = _result(variant, self._context, arguments, _known[interface].is_plain)
        output = cgrf.encode(answer)
        self._context.record_host_call(interface, function, _shown(variant, given), output)
        return answer, output

    def refuse(self, interface: str, function: str, data: bytes, text: str) -> bytes:
        """Answer a call with an error without making it, recorded; a function that has no errors ends the guest."""
        variant = self._variants.get((interface, function))
        if variant is None or not variant.is_result or _known[interface].is_plain:
            raise Trap(text, HOST)
        output = cgrf.encode(_err(text))
        self._context.record_host_call(interface, function, _shown(variant, cgrf.decode(data)), output)
        return output

    def revive(self, interface: str, function: str, given: Value, output: Value) -> None:
        """Have an interface make good what a guest rebuilt by replay has of a call of its earlier life."""
        found = _known[interface].function(function)
        assert found is not None
        for variant in found.variants:
            if variant.revive is not None:
                variant.revive(self._context, _arguments(given, variant.params), output)
                return

    def renew(self) -> None:
        """The guest is a fresh instance, which holds nothing."""
        self._context.renew()


def _unfit(interface: str, function: str, variant: Variant, error: ValueError) -> Trap:
    return Trap(f"the input of {interface}.{function} does not fit {variant.signature}: {error}", CONTRACT)


def is_revived(interface: str, function: str) -> bool:
    """Whether a function's calls matter to a guest that is rebuilt by replay."""
    found = _known[interface].function(function) if interface in MODULES else None
    return found is not None and any(variant.revive is not None for variant in found.variants)


def shown(interface: str, function: str, data: bytes) -> bytes:
    """An input as the chain has it: in canonical form, and without secrets. For replays, which compare it.

    Guests may write nodes in any order; the chain must not depend on it.
    """
    value = cgrf.decode(data)
    found = _known[interface].function(function) if interface in MODULES else None
    return cgrf.encode(value) if found is None else _shown(found.variants[0], value)


def _shown(variant: Variant, given: Value) -> bytes:
    return cgrf.encode(given if variant.secrets is None else variant.secrets(given))


def _arguments(value: Value, params: tuple[types.Type, ...]) -> tuple[Value, ...]:
    """Take an input apart: bare for one parameter (or a 1-tuple of it), a tuple otherwise (pack-abi 5.2)."""
    if len(params) == 1:
        given: tuple[Value, ...] = (value,)
        if fits(value, params[0]) is not None and isinstance(value, Tuple) and len(value.items) == 1:
            given = value.items
    elif isinstance(value, Tuple):
        given = value.items
    else:
        raise ValueError(f"expected a tuple of {len(params)} values")
    if len(given) != len(params):
        raise ValueError(f"expected {len(params)} values, got {len(given)}")
    for number, (item, type_) in enumerate(zip(given, params, strict=True)):
        problem = fits(item, type_)
        if problem is not None:
            raise ValueError(f"parameter {number}: {problem}")
    return tuple(map(packed, given, params))


def _result(variant: Variant, context: Context, arguments: tuple[Value, ...], is_plain: bool) -> Value:
    if is_plain:
        return variant.call(context, *arguments)
    try:
        answer = variant.call(context, *arguments)
        return _ok(answer) if variant.is_result else answer
    except Refusal as refusal:
        return _refused(variant, str(refusal))
    except ActorError as error:
        return _refused(variant, error.text())


def _refused(variant: Variant, text: str) -> Value:
    """The error; a function that has none ends the guest."""
    if not variant.is_result:
        raise Trap(text[:TEXT_CHARS_MAX], HOST)
    return _err(text)


def octets(value: Option) -> bytes | None:
    """The bytes of an ``option<list<u8>>``; None if there are none."""
    match value.value:
        case List(element=types.U8, items=bytes(data)):
            return data
        case _:
            return None


def _ok(payload: Value) -> Value:
    """Both declared types are ``string`` whatever the payload, as every host has always sent it (pack-abi 10.1)."""
    return Result(types.STRING, types.STRING, True, payload)


def _err(text: str) -> Value:
    return Result(types.STRING, types.STRING, False, String(text[:TEXT_CHARS_MAX]))
