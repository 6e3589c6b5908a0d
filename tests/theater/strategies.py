"""Hypothesis strategies for types and values."""

from __future__ import annotations

from hypothesis import strategies as st

from theater import types, values
from theater.types import Type
from theater.values import Value

NAMES = st.text("abcxyz", min_size=1, max_size=3).map(lambda text: text + "-n")
ANY_NAMES = NAMES | st.text(max_size=4)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PRIMITIVES = st.sampled_from(types.PRIMITIVES)
BITS32 = st.integers(0, 2**32 - 1)
BITS64 = st.integers(0, 2**64 - 1)


def scalars(kind: types.Primitive) -> st.SearchStrategy[Value]:
    """Values of one primitive type; floats by their bits."""
    make = values.CLASS_OF[kind]
    match kind.name:
        case "bool":
            return st.booleans().map(make)
        case "string":
            return TEXTS.map(make)
        case "char":
            return st.characters(exclude_categories=["Cs"]).map(make)
        case "f32":
            return BITS32.map(make)
        case "f64" | "flags":
            return BITS64.map(make)
        case _:
            return st.integers(*types.bounds(kind)).map(make)


def extend_tags(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return st.one_of(
        st.builds(types.List, inner),
        st.builds(types.Option, inner),
        st.builds(types.Result, inner, inner),
        st.builds(types.Tuple, st.lists(inner, max_size=3).map(tuple)),
    )


TAGS = st.recursive(PRIMITIVES | st.builds(types.Named, ANY_NAMES, st.booleans()), extend_tags, max_leaves=4)


def packed_lists() -> st.SearchStrategy[Value]:
    fixed = [kind for kind in types.PRIMITIVES if kind.width]
    return st.sampled_from(fixed).flatmap(
        lambda kind: st.lists(scalars(kind), max_size=4).map(lambda items: values.list_of(kind, items))
    )


def extend_values(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    several = st.lists(inner, max_size=3).map(tuple)
    loose = TAGS.filter(lambda kind: kind not in values.FIXED_WIDTH)
    return st.one_of(
        st.builds(values.Tuple, several),
        st.builds(values.List, loose, several),
        st.builds(values.Option, TAGS, st.none() | inner),
        st.builds(values.Result, TAGS, TAGS, st.booleans(), inner),
        st.builds(values.Record, ANY_NAMES, st.lists(st.tuples(ANY_NAMES, inner), max_size=3).map(tuple)),
        st.builds(values.Variant, ANY_NAMES, ANY_NAMES, BITS32, several),
    )


VALUES: st.SearchStrategy[Value] = st.recursive(
    PRIMITIVES.flatmap(scalars) | packed_lists(), extend_values, max_leaves=12
)


def extend_types(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    fields = st.lists(st.tuples(NAMES, inner), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)
    cases = st.lists(st.tuples(NAMES, st.none() | inner), min_size=1, max_size=3, unique_by=lambda pair: pair[0])
    records = st.builds(types.Record, NAMES, fields)
    return extend_tags(inner) | records | st.builds(types.Variant, NAMES, cases.map(tuple))


TYPES: st.SearchStrategy[Type] = st.recursive(PRIMITIVES, extend_types, max_leaves=6)


def fitting(kind: Type) -> st.SearchStrategy[Value]:
    """Values that are of a declared type."""
    match kind:
        case types.Primitive():
            return scalars(kind)
        case types.List(item=item):
            tag = types.tag_form(item)
            return st.lists(fitting(item), max_size=3).map(lambda items: values.list_of(tag, items))
        case types.Option(item=item):
            return st.builds(values.Option, st.just(types.tag_form(item)), st.none() | fitting(item))
        case types.Result(ok=ok, err=err):
            tags = st.just(types.tag_form(ok)), st.just(types.tag_form(err))
            successes = st.builds(values.Result, *tags, st.just(True), fitting(ok))
            return successes | st.builds(values.Result, *tags, st.just(False), fitting(err))
        case types.Tuple(items=items):
            return st.builds(values.Tuple, st.tuples(*map(fitting, items)))
        case types.Record(name=name, fields=fields):
            parts = [fitting(item).map(lambda value, field=field: (field, value)) for field, item in fields]
            return st.builds(values.Record, st.just(name), st.tuples(*parts))
        case types.Variant(name=name, cases=cases):
            return st.one_of(*(_case(name, tag, case, item) for tag, (case, item) in enumerate(cases)))
        case _:
            raise AssertionError(kind)


def _case(name: str, tag: int, case: str, kind: Type | None) -> st.SearchStrategy[Value]:
    payload = st.just(()) if kind is None else st.tuples(fitting(kind))
    return st.builds(values.Variant, st.just(name), st.just(case), st.just(tag), payload)
