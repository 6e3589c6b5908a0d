"""Types as component text, for the imports of an outer component (worker.engine.component.outer).

Records, variants, enums, flags and resources are known by identifiers, and each instance type is a scope of its own:
what it uses of others it must say first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from theater import types
from worker.engine.component.kinds import Enum, Flags, Handle, Kind
from worker.engine.component.shapes import Item

Nominal = Kind | int
"""A type that has an identifier; resources by their number."""


class Unbridgeable(Exception):
    """There is no bridge around this component, or none is worth it; the text says why."""


def nominal(kind: Kind) -> bool:
    """Whether a type cannot be written where it is used."""
    return isinstance(kind, types.Record | types.Variant | Enum | Flags)


class Scope:
    """The component itself, or one instance type in it."""

    def __init__(self, outside: Scope | None = None) -> None:
        self._outside = outside
        self._numbers: Iterator[int] = count() if outside is None else outside._numbers
        self.known: dict[Nominal, str] = {}
        self.lines: list[str] = []
        self._declared: set[int] = set()
        """Resources that have got a name in this scope."""

    def identifier(self) -> str:
        """A new one."""
        return f"$t{next(self._numbers)}"

    def declare(self, item: Item) -> str:
        """Declare one import of the component, or one export of the instance type; return its identifier."""
        made = self.identifier()
        if item.resource is not None:
            known = self._find(item.resource)
            self._type(item.name, made, "(sub resource)" if known is None else f"(eq {known})")
            if item.resource not in self._declared:  # another name for it would not fit its methods
                self._declared.add(item.resource)
                self.known[item.resource] = made
        elif item.kind is not None:
            bare = self.identifier()
            self.lines.append(f"(type {bare} {self.shape(item.kind)})")
            self._type(item.name, made, f"(eq {bare})")
            if nominal(item.kind):
                self.known.setdefault(item.kind, made)
        elif self._outside is None:
            self.lines.append(f'(import "{item.name}" (func {made} {self.signature(item)}))')
        else:
            signature = self.signature(item)
            self.lines.append(f'(export "{item.name}" (func {signature}))')
        return made

    def signature(self, item: Item) -> str:
        """Parameters and result of a function."""
        params = [f'(param "{label}" {self.text(kind)})' for label, kind in item.params]
        result = [] if item.result is None else [f"(result {self.text(item.result)})"]
        return " ".join(params + result)

    def text(self, kind: Kind) -> str:
        """A type where it is used."""
        if isinstance(kind, Handle):
            return f"({'own' if kind.is_own else 'borrow'} {self._use(kind.resource)})"
        return self._use(kind) if nominal(kind) else self.shape(kind)

    def shape(self, kind: Kind) -> str:
        """A type as it is defined."""
        text: Callable[[Kind], str] = self.text
        match kind:
            case types.Primitive():
                return kind.name
            case types.List(item=item):
                return f"(list {text(item)})"
            case types.Option(item=item):
                return f"(option {text(item)})"
            case types.Result(ok=ok, err=err):
                left = "" if ok is types.NOTHING else text(ok)
                right = "" if err is types.NOTHING else f"(error {text(err)})"
                return f"(result {left} {right})"
            case types.Tuple(items=items):
                return f"(tuple {' '.join(map(text, items))})"
            case types.Record(fields=fields):
                return _of("record", [f'(field "{name}" {text(item)})' for name, item in fields])
            case types.Variant(cases=cases):
                payloads = [(name, "" if item is None else text(item)) for name, item in cases]
                return _of("variant", [f'(case "{name}" {payload})' for name, payload in payloads])
            case Enum(names=names):
                return _of("enum", [f'"{name}"' for name in names])
            case Flags(names=names):
                return _of("flags", [f'"{name}"' for name in names])
            case _:
                return self.text(kind)

    def _type(self, name: str, made: str, bound: str) -> None:
        if self._outside is None:
            self.lines.append(f'(import "{name}" (type {made} {bound}))')
        else:
            self.lines.append(f'(export "{name}" (type {made} {bound}))')

    def _use(self, kind: Nominal) -> str:
        known = self._find(kind)
        if known is None:
            raise Unbridgeable(f"a type without a name: {kind!r}")
        return known

    def _find(self, kind: Nominal) -> str | None:
        """The identifier of a type, taken over from outside if need be."""
        known = self.known.get(kind)
        if known is None and self._outside is not None:
            outer = self._outside.known.get(kind)
            if outer is not None:
                known = self.known[kind] = self.identifier()
                self.lines.append(f"(alias outer 1 {outer} (type {known}))")
        return known


def _of(what: str, parts: list[str]) -> str:
    return f"({what} {' '.join(parts)})"
