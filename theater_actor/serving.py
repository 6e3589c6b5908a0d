"""The classes that componentize-py wants of a component, made of an actor's class. Runs in a component.

Values come in as objects of the classes that componentize-py generates (``types``). Those of records and flags are
replaced by the actor's own, so that there is nothing to convert; enums, variants and dicts are converted, each where it
turns up. What needs no conversion has None for a converter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from theater_actor.ends import Decline, HostError
from theater_actor.hosting import HostFunction
from theater_actor.kinds import Enumerated, Flagged, Kind, Listed, Optional, Record, Scalar, Tupled, Variant
from theater_actor.reading import Declared, Function, read
from theater_actor.wit import generate, given, is_empty, named_types

Convert = Callable[[Any], Any] | None
OCTET = Scalar("u8")


def serve(cls: type, types: Any, hosts: dict[str, Any], err: type[Exception]) -> dict[str, type]:
    """Return the classes to export, by the names of their interfaces' Python modules.

    ``types`` is the module of the actor's types, ``hosts`` are those of host interfaces, ``err`` is what the border
    takes for an error.
    """
    declared = read(cls)
    border = Border(types, err)
    for kind in named_types(declared):
        border.adopt(kind)
    start = given(declared)
    if start is not None:
        border.adopt(start)
    for interface, functions in declared.imports.items():
        for function, shape in functions:
            function.bound = border.host(function, shape, getattr(hosts[interface], function.name))
    actor: dict[str, Any] = {"init": border.init(declared)}
    if declared.migrate is not None:
        actor["migrate"] = border.migrate(declared, declared.migrate)
    first, *others = generate(declared).exports
    classes = {first.alias: type(first.alias, (), actor)}
    for each in others:
        methods = {function.name: border.method(declared, function) for function in each.functions}
        classes[each.alias] = type(each.alias, (), methods)
    return classes


class Border:
    """Converters between the actor's objects and those of the generated classes."""

    def __init__(self, types: Any, err: type[Exception]) -> None:
        self._types = types
        self._err = err

    # -- functions ---------------------------------------------------------------------------------------------------

    def method(self, declared: Declared, function: Function) -> Callable[..., Any]:
        """An exported function: the state in, the state and the result out."""
        run = getattr(declared.cls, function.name)
        lifts = [self.lift(kind) for _, kind in function.params]
        leave = self._leaving(declared)
        lower = None if function.result is None else self.lower(function.result)

        def call(_: Any, state: Any, *args: Any) -> Any:
            actor = declared.cls() if declared.state is None else state
            result = self._run(run, actor, *_each(lifts, args))
            if function.result is None:
                return (leave(actor),)
            return (leave(actor), result if lower is None else lower(result))

        return call

    def init(self, declared: Declared) -> Callable[..., Any]:
        """``init``: the actor made of its declared state."""
        begin = None if declared.init is None else getattr(declared.cls, declared.init)
        leave = self._leaving(declared)
        start = given(declared)

        def call(_: Any, state: Any) -> Any:
            if declared.state is None:
                actor = declared.cls()
            elif state is None:
                actor = self._run(_made_of_nothing, declared)
            else:
                actor = state if start is None else self._run(lambda: declared.cls(**state))
            if begin is not None:
                self._run(begin, actor)
            return (leave(actor),)

        return call

    def migrate(self, declared: Declared, function: Function) -> Callable[..., Any]:
        """``migrate``: the actor made of the state of another package."""
        ((_, old),) = function.params
        run, lift, leave = getattr(declared.cls, function.name), self.lift(old), self._leaving(declared)
        return lambda _, state: (leave(self._run(run, state if lift is None else lift(state))),)

    def host(self, function: HostFunction, shape: Function, bound: Callable[..., Any]) -> Callable[..., Any]:
        """A host function that takes and gives the actor's objects."""
        lowers = [self.lower(kind) for _, kind in shape.params]
        lift = None if shape.result is None else self.lift(shape.result)

        def call(*args: Any) -> Any:
            try:
                answer = bound(*_each(lowers, args))
            except self._err as error:
                raise HostError(getattr(error, "value", error)) from None
            return answer if lift is None else lift(answer)

        return call

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except Decline as decline:
            raise self._err(str(decline)) from None

    def _leaving(self, declared: Declared) -> Callable[[Any], Any]:
        if declared.state is None:
            return lambda actor: None
        return self.lower(declared.state) or _same

    # -- types -------------------------------------------------------------------------------------------------------

    def adopt(self, kind: Kind) -> None:
        """Have the border make the actor's objects where it would make its own."""
        match kind:
            case Record(name=name):
                setattr(self._types, _camel(name), self._maker(kind))
            case Flagged(cls=cls, name=name):
                setattr(self._types, _camel(name), cls)
            case _:
                pass

    def _maker(self, record: Record) -> Callable[..., Any]:
        """Called with the fields in order."""
        names = [name for name, _ in record.fields]
        lifts = [self.lift(kind) for _, kind in record.fields]
        make: Any = record.cls
        if record.cls is Declared:
            return lambda *values: {
                name: value for name, value in zip(names, _each(lifts, values), strict=True) if value is not None
            }
        if any(field.kw_only for field in getattr(make, "__dataclass_fields__", {}).values()):
            return lambda *values: make(**dict(zip(names, _each(lifts, values), strict=True)))
        if any(lifts):
            return lambda *values: make(*_each(lifts, values))
        return record.cls

    def lift(self, kind: Kind) -> Convert:
        """From the border to the actor."""
        match kind:
            case Listed(item=item, make=make):
                return _lifting_list(self.lift(item), make, item == OCTET)
            case Optional(item=item):
                return _optionally(self.lift(item))
            case Tupled(items=items):
                return _by_item([self.lift(each) for each in items])
            case Enumerated(cls=cls):
                members = list(cls.__members__.values())
                return lambda value: members[value.value]
            case Variant(name=name, cases=cases):
                return _lifting_variant({self._case(name, each): each for each in cases})
            case _:
                return None

    def lower(self, kind: Kind) -> Convert:
        """From the actor to the border."""
        match kind:
            case Listed(item=item, make=make):
                return _lowering_list(self.lower(item), make, item == OCTET)
            case Optional(item=item):
                return _optionally(self.lower(item))
            case Tupled(items=items):
                return _by_item([self.lower(each) for each in items])
            case Enumerated(cls=cls, name=name):
                own = getattr(self._types, _camel(name))
                return {member: own(number) for number, member in enumerate(cls.__members__.values())}.__getitem__
            case Record():
                return self._lowering_record(kind)
            case Variant():
                return self._lowering_variant(kind)
            case _:
                return None

    def _lowering_record(self, record: Record) -> Convert:
        lowers = [(name, self.lower(kind)) for name, kind in record.fields]
        if not any(lower for _, lower in lowers):
            return None

        def convert(value: Any) -> Any:
            fields = {name: getattr(value, name) for name, _ in lowers}
            return SimpleNamespace(**{name: lower(fields[name]) if lower else fields[name] for name, lower in lowers})

        return convert

    def _lowering_variant(self, variant: Variant) -> Convert:
        cases = {each.cls: (self._case(variant.name, each), each.fields, self.lower(each)) for each in variant.cases}
        names = ", ".join(each.__name__ for each in cases)

        def convert(value: Any) -> Any:
            if type(value) not in cases:
                raise TypeError(f"expected one of {names}, got {value!r}")
            make, fields, lower = cases[type(value)]
            if not fields:
                return make()
            return make(value if lower is None else lower(value))

        return convert

    def _case(self, name: str, case: Record) -> Any:
        return getattr(self._types, f"{_camel(name)}_{_camel(case.name)}")


def _made_of_nothing(declared: Declared) -> Any:
    if declared.required:
        raise Decline(f"state: expected {', '.join(declared.required)}, which have no default")
    return declared.cls()


def _each(converts: Sequence[Convert], values: Sequence[Any]) -> list[Any]:
    pairs = zip(converts, values, strict=True)
    return [value if convert is None else convert(value) for convert, value in pairs]


def _same(value: Any) -> Any:
    return value


def _lifting_variant(cases: dict[type, Record]) -> Convert:
    def convert(value: Any) -> Any:
        case = cases[type(value)]
        return case.cls() if is_empty(case) else value.value

    return convert


def _optionally(convert: Convert) -> Convert:
    if convert is None:
        return None
    return lambda value: None if value is None else convert(value)


def _by_item(converts: list[Convert]) -> Convert:
    if not any(converts):
        return None
    return lambda value: tuple(_each(converts, value))


def _lifting_list(convert: Convert, make: type, is_octets: bool) -> Convert:
    if convert is not None:
        return lambda value: make(map(convert, value))
    return None if make is list and not is_octets else make


def _lowering_list(convert: Convert, make: type, is_octets: bool) -> Convert:
    if is_octets:
        return bytes
    if make is dict:
        return lambda value: list(value.items() if convert is None else map(convert, value.items()))
    if convert is not None:
        return lambda value: list(map(convert, value))
    return None if make is list else list


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
