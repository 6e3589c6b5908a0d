"""How interfaces of WASI are declared: names of types, functions that answer ``result``, errors by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import structs

from theater import types
from theater.interfaces import parse_type
from theater.types import Type
from theater.values import U32, UNIT, Option, Record, Result, Value, Variant
from worker.interfaces import registry
from worker.interfaces.sending import STAYS, Sends

Names = Mapping[str, Type]


class Failure(Exception):
    """A function answers ``err``: with a case of its error enum, or with a value."""

    def __init__(self, what: str | Value) -> None:
        super().__init__(what)
        self.what = what


def names_of(text: str, known: Names | None = None) -> dict[str, Type]:
    """Types by name, from lines ``name = type``; each may use those before it, and those known already."""
    found = dict(known or {})
    for line in filter(str.strip, text.splitlines()):
        name, _, definition = line.partition("=")
        found[name.strip()] = parse_type(definition.strip(), found)
    return found


def enum(name: str, cases: str) -> types.Variant:
    """The type of an enum, from its cases in order."""
    return types.Variant(name, tuple((each, None) for each in cases.split()))


def case(kind: Type, name: str, *payload: Value) -> Variant:
    """A value of an enum or a variant."""
    assert isinstance(kind, types.Variant)
    tag = next(place for place, (each, _) in enumerate(kind.cases) if each == name)
    return Variant(kind.name, name, tag, payload)


def record(kind: Type, *fields: Value) -> Record:
    """A record, from its fields in order."""
    assert isinstance(kind, types.Record)
    return Record(kind.name, tuple(zip((name for name, _ in kind.fields), fields, strict=True)))


def ok(value: Value = UNIT) -> Result:
    """``ok(value)``."""
    return Result(types.STRING, types.STRING, True, value)


def err(value: Value) -> Result:
    """``err(value)``."""
    return Result(types.STRING, types.STRING, False, value)


def some(value: Value | None) -> Option:
    """An option."""
    return Option(types.STRING, value)


class Maker:
    """Makes the functions of one interface: ``errors`` is the enum their failures are cases of."""

    def __init__(self, names: Names, errors: Type | None = None) -> None:
        self._names = names
        self._errors = errors
        self.functions: list[registry.Function] = []

    def add(
        self,
        name: str,
        signature: str,
        call: registry.Call,
        revive: registry.Revive | None = None,
        secrets: registry.Secrets | None = None,
        errors: Type | None = None,
    ) -> None:
        """One more function. ``call`` returns the payload of ``ok``, or the answer if that is no result."""
        is_result = "-> result<" in signature
        serve = self._answering(call, errors or self._errors) if is_result else call
        variant = registry.Variant(f"func{signature}", serve, names=self._names, revive=revive, secrets=secrets)
        self.functions.append(registry.Function(name, "", (variant,)))

    def methods(self, resource: str, table: Iterable[tuple[str, str, registry.Call]]) -> None:
        """Methods of a resource; the first parameter, the resource itself, is left out of their signatures."""
        for name, signature, call in table:
            rest = signature[1:]
            head = "(self: u32" if rest.startswith(")") else "(self: u32, "
            self.add(f"[method]{resource}.{name}", head + rest, call)

    def drop(self, resource: str, call: registry.Call) -> None:
        """What ends a resource; in a guest rebuilt by replay, too."""

        def again(context: object, given: tuple[Value, ...], answer: Value) -> None:
            call(context, *given)

        self.add(f"[resource-drop]{resource}", "(self: u32)", call, again)

    def interface(self, name: str, doc: str, sends: Mapping[str, Sends] | None = None) -> registry.Interface:
        """The interface of all that was added; ``sends`` are the functions through which anything leaves the actor.

        What WASI has, and has not, is settled: so those that are not named say that nothing does.
        """
        left = dict(sends or {})
        functions = tuple(structs.replace(each, sends=left.pop(each.name, STAYS)) for each in self.functions)
        assert not left, f"{name} has no {', '.join(left)}"
        return registry.Interface(name, doc, functions, is_plain=True)

    def _answering(self, call: registry.Call, errors: Type | None) -> registry.Call:
        def serve(*given: Value) -> Value:
            try:
                return ok(call(*given))
            except Failure as failure:
                what = failure.what
                if isinstance(what, str):
                    assert errors is not None
                    what = case(errors, what)
                return err(what)

        return serve


def number(value: Value) -> int:
    """The number of a resource."""
    assert isinstance(value, U32)
    return value.value


def nothing(context: object, *given: Value) -> Value:
    """Do nothing, and say it is done."""
    return UNIT
