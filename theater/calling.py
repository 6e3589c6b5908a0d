"""How a Python call becomes what goes over the wire: names found, parameters converted to the types the actor declares.

Signatures come from the package's own metadata and are kept by package digest: two incarnations of one package are
asked once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theater import cgrf, convert, metadata, values
from theater.errors import FunctionNotFound, SerializationError, TypeMismatch
from theater.types import VALUE, Tuple, Type


class Plan:
    """One function, ready to be called: its full name and the types of its parameters after the state."""

    __slots__ = ("_declared", "name")

    def __init__(self, name: str, params: tuple[Type, ...] | None) -> None:
        self.name = name
        self._declared = None if params is None else Tuple(params)
        """None: nothing is declared, so anything goes."""

    def encode(self, params: Any) -> bytes:
        """Return the encoded parameters: always a tuple, which the worker splices behind the state (pack-abi 9.1).

        Raises:
            TypeMismatch: wrong number, or a value that does not fit; the detail names the place.
            SerializationError: the value cannot be encoded.
        """
        items = _items(params)
        try:
            return cgrf.encode(convert.to_value(items, self._type_for(items), "params"))
        except convert.ConvertError as error:
            raise TypeMismatch(self.name, str(error)) from None
        except ValueError as error:
            raise SerializationError(str(error)) from None

    def _type_for(self, items: Sequence[Any]) -> Type:
        declared = self._declared
        if declared is None:
            return Tuple((VALUE,) * len(items))
        wanted = declared.items
        if len(wanted) == 1 != len(items) and isinstance(wanted[0], Tuple):
            declared = wanted[0]  # an actor that takes its parameters nested (pack-abi 9.1)
        if len(declared.items) != len(items):
            raise TypeMismatch(self.name, f"expected {_count(len(declared.items))}, got {len(items)}")
        return declared


class Signatures:
    """The exported functions of one package. ``by_name`` holds full names and unambiguous bare ones."""

    def __init__(self, encoded: bytes | None) -> None:
        self._plans: dict[str, Plan] = {}
        self._ambiguous: dict[str, list[str]] = {}
        self.is_typed = bool(encoded)
        if encoded:
            self._read(metadata.decode(encoded))

    def plan(self, name: str) -> Plan:
        """Return how to call a function named ``interface.function``, or just ``function`` if only one has that name.

        Raises:
            FunctionNotFound: no export has the name, or several have.
        """
        plan = self._plans.get(name)
        if plan is not None:
            return plan
        if not self.is_typed:
            return self._plans.setdefault(name, Plan(name, None))
        if name in self._ambiguous:
            raise FunctionNotFound(f"{name} (could be {' or '.join(self._ambiguous[name])})")
        raise FunctionNotFound(name)

    def encode(self, name: str, params: Any) -> tuple[str, bytes]:
        """Return the full name of a function and its encoded parameters; bytes are encoded already."""
        plan = self.plan(name)
        return plan.name, params if isinstance(params, bytes) else plan.encode(params)

    def names(self) -> tuple[str, ...]:
        """The full names of all exported functions."""
        return tuple(sorted({plan.name for plan in self._plans.values()}))

    def _read(self, declared: metadata.Metadata) -> None:
        bare: dict[str, list[Plan]] = {}
        for function in declared.exports:
            plan = Plan(function.full_name, tuple(kind for _, kind in function.params[1:]))
            self._plans[plan.name] = plan
            bare.setdefault(function.name, []).append(plan)
        for name, plans in bare.items():
            if name in self._plans:
                continue
            if len(plans) == 1:
                self._plans[name] = plans[0]
            else:
                self._ambiguous[name] = [plan.name for plan in plans]


def decode(body: bytes) -> values.Value:
    """Return the value in an answer.

    Raises:
        SerializationError: it does not decode.
    """
    try:
        return cgrf.decode(body)
    except ValueError as error:
        raise SerializationError(str(error)) from None


def to_python(value: values.Value) -> Any:
    """Return a value as Python sees it (theater.convert)."""
    return convert.from_value(value)


def _items(params: Any) -> Sequence[Any]:
    if isinstance(params, values.Tuple):
        return params.items
    if isinstance(params, tuple):
        return params
    if isinstance(params, list | dict | str | bytes):
        raise TypeError(
            f"params is the tuple of the function's parameters, got {type(params).__name__}; write (value,)"
        )
    return (params,)


def _count(number: int) -> str:
    return f"{number} parameter" if number == 1 else f"{number} parameters"
