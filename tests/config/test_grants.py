"""What the declarations of grants promise, for every option there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.fleet.permits import beyond
from theater.config.errors import Problems
from theater.config.grants import section_of, shown_default
from theater.config.node import Node
from theater.config.reader import Reader
from theater.content import sharing
from theater.grants import SHORT_NAMES, declared, shapes
from theater.grants.comparing import Free
from theater.grants.declaring import Group, Option
from theater.patterns import actors, hostports, listening, origins, paths

ROOT = Path(__file__).resolve().parents[2]
GRANTS = [declared(name) for name in SHORT_NAMES.values()]
DATA = {
    "environment.variables",
    "filesystem.directories.guest",
    "http-client.secrets",
    "store.unlabelled",
    "wasi.arguments",
    "wasi.directories.guest",
    "wasi.environment",
}
"""What a child may have that its parent has not, on purpose."""


def inner(option: Option) -> Group | None:
    match option.wants:
        case shapes.Nested(group=group) | shapes.ListOf(item=shapes.Nested(group=group)):
            return group
    return None


def walk(group: Group, above: str) -> Iterator[tuple[str, Option]]:
    for option in group.options:
        yield f"{above}.{option.key}", option
        below = inner(option)
        if below is not None:
            yield from walk(below, f"{above}.{option.key}")


OPTIONS = [row for short, name in SHORT_NAMES.items() for row in walk(declared(name), short)]
OUTER = [(short, option) for short, name in SHORT_NAMES.items() for option in declared(name).options]
every_option = pytest.mark.parametrize(("path", "option"), OPTIONS, ids=[path for path, _ in OPTIONS])
every_outer_option = pytest.mark.parametrize(("short", "option"), OUTER, ids=[f"{s}.{o.key}" for s, o in OUTER])


# -- what is written down ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("short", "name"), SHORT_NAMES.items())
def test_every_grant_is_declared(short: str, name: str) -> None:
    """Under the name that it has, in a sentence."""
    assert declared(name).name == name
    assert declared(name).doc.endswith((".", ")"))


def test_no_declaration_is_left_out() -> None:
    """Each module that declares a grant has a short name."""
    files = (ROOT / "theater" / "grants").glob("*.py")
    declaring = {path.stem for path in files if "\nGRANT: Final" in path.read_text(encoding="utf-8")}

    assert declaring == {short.replace("-", "_") for short in SHORT_NAMES}


@every_option
def test_every_option_is_explained(path: str, option: Option) -> None:
    """What it allows, what holds without it, and what a child may have."""
    assert option.doc.endswith((".", ".)"))
    assert option.is_required or shown_default(option)
    assert option.child.words


@every_option
def test_what_children_may_have_freely_is_on_purpose(path: str, option: Option) -> None:
    """An option that compares nothing is named here."""
    assert isinstance(option.child, Free) == (path in DATA)


@every_outer_option
def test_shown_defaults_are_true(short: str, option: Option) -> None:
    """Written into a configuration, a default's text is that default."""
    field = section_of(SHORT_NAMES[short]).fields[option.key]
    if isinstance(option.default, int):
        kind = "int" if isinstance(option.wants, shapes.Count) else "text"
        text = int(field.default) if kind == "int" else field.default
        node = Node("bool", False, 1, 1) if option.default is False else Node(kind, text, 1, 1)

        assert field.wants.read(node, "", Reader("f", Problems())) == option.default


@every_outer_option
def test_what_is_not_written_is_the_default(short: str, option: Option) -> None:
    """And what is written holds; nothing else is there."""
    group = declared(SHORT_NAMES[short])

    assert set(group.of({"another": 1})) == {each.name for each in group.options}
    if inner(option) is None:
        assert group.of({})[option.name] == option.default
        assert group.of({option.name: "written"})[option.name] == "written"


def test_where_a_directory_was_found_stays_with_it() -> None:
    """What is added to a directory once it is settled is kept; what nobody knows is not."""
    written = {"host": "/a", "guest": "/b", "below": "c", "another": 1}

    for short in ("filesystem", "wasi"):
        (found,) = declared(SHORT_NAMES[short]).of({"directories": [written]})["directories"]
        assert found == {"host": "/a", "guest": "/b", "write": False, "below": "c"}


# -- children ----------------------------------------------------------------------------------------------------------

HOST_PORTS = ["a.example.com:443", "*.example.com:443", "*:443", "10.0.0.0/8:*"]
HOST_PORTS += ["10.1.0.0/16:80-90", "10.1.0.0/16:8-90", "[::1]:*"]
PLACES = ["a.example.com:443", "b.a.example.com:443", "example.com:443", "10.1.2.3:80", "10.1.2.3:9", "10.9.9.9:91"]
ORIGINS = ["https://a.example.com", "https://*.example.com", "https://a.example.com:8443", "http://a.example.com"]
SITES = [*ORIGINS[:1], *ORIGINS[2:], "https://b.example.com", "https://example.com"]
PATHS = ["/a", "/a/b", "/a/*", "/a/**", "/*", "/**"]
REACHABLE = [*PATHS, "planner", "worker-*", "*"]
ACTORS = ["/a", "/a/b", "/a/c", "/a/b/c", "/b", "/b/c", "planner", "worker-1", "other"]
OWNERS = ["*", "/library", "/pool/*", "/pool/a", "parent", "children"]
MAKERS = ["/library", "/pool/a", "/pool/b", "/other"]
DIRECTORIES = ["/nowhere", "/nowhere/a", "/nowhere/a/b", "/nowhere/ab"]
LISTENING = ["127.0.0.1:80", "127.0.0.1:81", "0.0.0.0:80", "[::1]:80"]
FILES = ["/nowhere/a", "/nowhere/b"]

Meaning = tuple[list[str], Callable[[list[str]], Set[object]]]
PATTERNS: dict[Callable[[str], object], Meaning] = {
    hostports.check: (HOST_PORTS, lambda held: {p for p in PLACES if hostports.allows(held, hostports.parse(p))}),
    origins.check: (ORIGINS, lambda held: {each for each in SITES if origins.allows(held, each)}),
    paths.check: (PATHS, lambda held: {each for each in ACTORS if paths.matches(held, each)}),
    actors.check: (REACHABLE, lambda held: {each for each in ACTORS if actors.reaches(held, each, ())}),
    listening.check: (LISTENING, lambda held: {listening.split(each)[0] for each in held}),
}
"""Patterns of each language, and which acts they allow together: said by what the interfaces themselves ask."""


def values(option: Option) -> list[Any]:
    """Small and large ones."""
    default = option.default
    match option.wants:
        case shapes.Count(least=least, most=most):
            return sorted({least, most, default - 1, default, default + 1})
        case shapes.Size() | shapes.Time():
            return [default, default + 1, default * 2 + 2, *([default - 1] if default else [])]
        case shapes.Flag():
            return [False, True]
        case shapes.Path():
            return [default, *FILES]
        case shapes.Texts():
            return [{}, {"A": "1"}, {"A": "2"}, {"A": "1", "B": "1"}]
        case shapes.Pattern(check=check):
            return [default, *PATTERNS[check][0]]
        case shapes.ListOf(item=shapes.Pattern(check=check)):
            return [[], *([each] for each in PATTERNS[check][0]), PATTERNS[check][0][:2]]
        case shapes.ListOf(item=shapes.Path()):
            return [[], *([each] for each in FILES), FILES]
        case shapes.ListOf(item=shapes.Nested(group=group)) if group.options[0].key == "owner":
            return [[], *([{"owner": o, "write": w}] for o, w in product(OWNERS, (False, True)))]
        case shapes.ListOf(item=shapes.Nested()):
            return [[], *([{"host": h, "guest": "/x", "write": w}] for h, w in product(DIRECTORIES, (False, True)))]
        case shapes.Nested(group=group):
            return [{}, *({each.name: value} for each in group.options for value in values(each))]
        case other:
            raise AssertionError(f"no values of {other}")


def acts(option: Option, whole: dict[str, Any]) -> Set[object]:
    """What an option, among all of its group, allows; numbers not."""
    value = whole[option.name]
    match option.wants:
        case shapes.Flag():
            reaches_all = actors.reaches(whole["allow"], "/its/own/child", ())
            return {"its children"} if value or reaches_all else set()
        case shapes.Path():
            return {value} - {option.default}
        case shapes.Texts():
            return set(value.items())
        case shapes.Pattern(check=check):
            return set() if value is None else PATTERNS[check][1]([value])
        case shapes.ListOf(item=shapes.Pattern(check=check)):
            above = whole["allow"] if option.key == "monitor" else []
            return PATTERNS[check][1]([*value, *above])
        case shapes.ListOf(item=shapes.Path()):
            return set(value)
        case shapes.ListOf(item=shapes.Nested(group=group)) if group.options[0].key == "owner":
            return {(m, w) for m in MAKERS for w in (0, 1) if sharing.may_use(value, "/me", m, writes=bool(w))}
        case shapes.ListOf(item=shapes.Nested()):
            return {
                (below, write)
                for each in value
                for below in DIRECTORIES
                if Path(below).is_relative_to(each["host"])
                for write in {False, each["write"]}
            }
        case other:
            raise AssertionError(f"no acts of {other}")


def is_more(option: Option, mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether an option allows a child something that its parent may not do. Lists are looked through by acts."""
    held, asked = mine[option.name], theirs[option.name]
    match option.wants:
        case shapes.Count() | shapes.Size() | shapes.Time():
            return bool(asked < held if option.name.endswith("_min") else asked > held)
        case shapes.Nested(group=group):
            return any(is_more(each, held, asked) for each in group.options)
        case _:
            return bool(acts(option, theirs) - acts(option, mine))


@every_outer_option
def test_more_than_the_parent_has_is_refused(short: str, option: Option) -> None:
    """For every option, whatever allows the child an act that the parent may not do; but never what is the parent's."""
    name, group = SHORT_NAMES[short], declared(SHORT_NAMES[short])
    if f"{short}.{option.key}" in DATA:
        assert beyond({name: {}}, {name: {option.name: {"A": "1"}}}) == []
        return
    # Who may write to everybody may write to its children, too.
    others: dict[str, Any] = {"allow": []} if option.key == "children" else {}
    refused = 0
    for mine, theirs in product(values(option), repeat=2):
        held, asked = ({option.name: each, **others} for each in (mine, theirs))
        found = beyond({name: held}, {name: asked})
        if is_more(option, group.of(held), group.of(asked)):
            assert found, (held, asked)
            refused += 1
        assert all(text.startswith(f"{short}: ") for text in found)
        assert mine != theirs or not found, held

    assert refused


@pytest.mark.parametrize("short", [short for short in SHORT_NAMES if declared(SHORT_NAMES[short]).options])
@given(data=st.data())
def test_no_child_may_do_more_than_its_parent(short: str, data: st.DataObject) -> None:
    """Any options of a grant together, written or not."""
    name, group = SHORT_NAMES[short], declared(SHORT_NAMES[short])
    bound = [each for each in group.options if f"{short}.{each.key}" not in DATA]
    some = st.fixed_dictionaries({}, optional={each.name: st.sampled_from(values(each)) for each in bound})
    held, asked = data.draw(some), data.draw(some)

    found = beyond({name: held}, {name: asked})

    assert beyond({name: held}, {name: held}) == []
    if any(is_more(each, group.of(held), group.of(asked)) for each in bound):
        assert found
