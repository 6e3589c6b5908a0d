"""What the tests of interfaces that stay on this machine share: calls through the dispatcher, and calls of any kind."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from tests.worker.enginekit import FakeContext
from theater import cgrf, types, values
from theater.fitting import fits
from theater.types import Type
from theater.values import String, Tuple, Value
from worker.interfaces.registry import Dispatcher, Variant, known

UNDER = 20.0
"""Seconds a fact may take to come true on a busy machine."""


class Calls:
    """One actor's calls of one interface, as its guest would make them, under these options of the grant."""

    def __init__(self, interface: str, **options: Any) -> None:
        self.interface = interface
        self.context = FakeContext()
        self.context.grants[interface] = options
        self.dispatcher = Dispatcher(self.context)
        self.variants: dict[str, Variant] = {each.name: each.variants[0] for each in known()[interface].functions}
        self.dispatcher.bind({(interface, name): variant for name, variant in self.variants.items()})

    def __call__(self, function: str, *arguments: Value) -> Value:
        """The answer as it is on the wire."""
        given = arguments[0] if len(arguments) == 1 else Tuple(arguments)
        return cgrf.decode(self.dispatcher.answer(self.interface, function, cgrf.encode(given)))

    def ok(self, function: str, *arguments: Value) -> Any:
        """The payload of an answer that must be ok."""
        answer = self(function, *arguments)
        assert isinstance(answer, values.Result) and answer.is_ok, answer
        return answer.value

    def refused(self, function: str, *arguments: Value) -> str:
        """The text of an answer that must be an error."""
        answer = self(function, *arguments)
        assert isinstance(answer, values.Result) and not answer.is_ok, answer
        assert isinstance(answer.value, String)
        return answer.value.value


@contextmanager
def calls(interface: str, **options: Any) -> Iterator[Calls]:
    """Calls of an actor that ends in order."""
    made = Calls(interface, **options)
    try:
        yield made
    finally:
        made.context.close()


def make_any_calls(made: Calls, data: Any, special: dict[Type, st.SearchStrategy[Value]] | None = None) -> None:
    """Make calls hypothesis chooses, in its order; each must answer as declared, or be refused."""
    for name in data.draw(st.lists(st.sampled_from(sorted(made.variants)), max_size=6)):
        variant = made.variants[name]
        arguments = [data.draw(any_value(type_, special or {})) for type_ in variant.params]
        check_answer(variant, made(name, *arguments))


def check_answer(variant: Variant, answer: Value) -> None:
    """An answer is of the declared type, or a refusal with words."""
    [declared] = variant.parsed.results
    if not isinstance(declared, types.Result):
        assert fits(answer, declared) is None, answer
        return
    assert isinstance(answer, values.Result)
    if answer.is_ok:
        assert fits(answer.value, declared.ok) is None, answer
    else:
        assert isinstance(answer.value, String) and answer.value.value, answer


def any_value(type_: Type, special: dict[Type, st.SearchStrategy[Value]]) -> st.SearchStrategy[Value]:
    """Any value of a type, small more often than large."""
    if type_ in special:
        return st.one_of(special[type_], _plain(type_, special))
    return _plain(type_, special)


def _plain(type_: Type, special: dict[Type, st.SearchStrategy[Value]]) -> st.SearchStrategy[Value]:
    if type_ in types.INTEGERS:
        low, high = types.bounds(type_)  # type: ignore[arg-type]
        numbers = st.one_of(st.integers(0, 3), st.integers(low, high))
        return numbers.map(values.CLASS_OF[type_])  # type: ignore[arg-type]
    match type_:
        case types.BOOL:
            return st.booleans().map(values.Bool)
        case types.STRING:
            return st.text(max_size=12).map(String)
        case types.List(item=types.U8):
            return st.binary(max_size=64).map(values.bytes_of)
        case types.List(item=item):
            return st.lists(any_value(item, special), max_size=3).map(lambda items: values.list_of(item, items))
        case types.Option(item=item):
            return st.none().map(lambda _: values.Option(item)) | any_value(item, special).map(
                lambda inner: values.Option(item, inner)
            )
        case types.Tuple(items=items):
            return st.tuples(*(any_value(item, special) for item in items)).map(values.Tuple)
        case _:
            raise AssertionError(f"no values of {type_} yet")


def until(fact: Any, what: str) -> Any:
    """The first true value of ``fact``; nobody sleeps longer than it takes."""
    deadline = time.monotonic() + UNDER
    while not (found := fact()):
        assert time.monotonic() < deadline, f"waited {UNDER} s for {what}"
        select.select([], [], [], 0.001)
    return found


def is_uuid(text: str) -> bool:
    """Whether a text is a random UUID in its usual form."""
    return re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text) is not None
