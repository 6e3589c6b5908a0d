"""Calling host functions without a guest: with values, through the dispatcher, as a guest's calls come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.worker.enginekit import FakeContext
from theater import cgrf, types, values
from theater.types import Type
from theater.values import Tuple, Value
from worker.interfaces import registry

TEXTS = st.text(max_size=20) | st.sampled_from(("", "..", "/", "a", "../x", "/data", "a/b", "x" * 5000))


class Host:
    """Host functions of one actor that is not there."""

    def __init__(self, grants: dict[str, dict[str, Any]] | None = None, context: Any = None) -> None:
        self.context = context or FakeContext()
        self.context.grants = grants or {}
        self.dispatcher = registry.Dispatcher(self.context)
        self.dispatcher.bind(
            {
                (interface, function.name): function.variants[0]
                for interface in _loaded(self.context.wanted if hasattr(self.context, "wanted") else None)
                for function in registry.known()[interface].functions
            }
        )

    def call(self, interface: str, function: str, *arguments: Value) -> Any:
        """Call a function; its answer as a value."""
        given = arguments[0] if len(arguments) == 1 else Tuple(arguments)
        return cgrf.decode(self.dispatcher.answer(interface, function, cgrf.encode(given)))

    def close(self) -> None:
        """End what the interfaces keep."""
        self.context.close()


def _loaded(wanted: Any) -> list[str]:
    return list(registry.known()) if wanted is None else list(wanted)


def anything(kind: Type) -> st.SearchStrategy[Value]:
    """Values of a type, edges first."""
    match kind:
        case types.BOOL:
            return st.builds(values.Bool, st.booleans())
        case types.STRING:
            return st.builds(values.String, TEXTS)
        case types.CHAR:
            return st.builds(values.Char, st.characters(exclude_categories=("Cs",)))
        case types.FLAGS:
            return st.builds(values.Flags, st.integers(0, 63))
        case types.F32 | types.F64:
            return st.builds(values.CLASS_OF[kind], st.integers(0, 2**32 - 1))
        case types.Primitive():
            least, most = types.bounds(kind)
            numbers = st.integers(max(least, -5), min(most, 20)) | st.sampled_from((least, most))
            return st.builds(values.CLASS_OF[kind], numbers)
        case types.BYTES:
            return st.builds(values.bytes_of, st.binary(max_size=40))
        case types.List(item=item):
            return st.lists(anything(item), max_size=4).map(lambda items: values.list_of(types.tag_form(item), items))
        case types.Option(item=item):
            return (st.none() | anything(item)).map(lambda each: values.Option(types.tag_form(item), each))
        case types.Result(ok=ok, err=err):
            return _side(ok, True) | _side(err, False)
        case types.Tuple(items=items):
            return st.tuples(*map(anything, items)).map(Tuple)
        case types.Record(name=name, fields=fields):
            made = st.tuples(*(anything(each) for _, each in fields))
            labels = [label for label, _ in fields]
            return made.map(lambda each: values.Record(name, tuple(zip(labels, each, strict=True))))
        case types.Variant(name=name, cases=cases):
            return st.one_of(*(_case(name, tag, case, payload) for tag, (case, payload) in enumerate(cases)))
        case types.VALUE:
            return st.sampled_from((values.UNIT, values.U32(1), values.String("x"), values.bytes_of(b"x")))
    raise AssertionError(kind)


def one_of_those(found: Callable[[], Sequence[Value]]) -> st.SearchStrategy[Value]:
    """One of the values there are when it is drawn. What is drawn is a number: that never depends on what happened."""

    def chosen(number: int) -> Value:
        there = found()
        return there[number % len(there)]

    return st.integers(0, 255).map(chosen)


def _side(kind: Type, is_ok: bool) -> st.SearchStrategy[Value]:
    inner = st.just(values.UNIT) if kind is types.NOTHING else anything(kind)
    return inner.map(lambda each: values.Result(types.STRING, types.STRING, is_ok, each))


def _case(name: str, tag: int, case: str, payload: Type | None) -> st.SearchStrategy[Value]:
    if payload is None:
        return st.just(values.Variant(name, case, tag))
    return anything(payload).map(lambda each: values.Variant(name, case, tag, (each,)))
