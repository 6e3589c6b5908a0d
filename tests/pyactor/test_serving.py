"""What a component is made of: the actor's objects on one side, those of componentize-py's classes on the other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.pyactor.border import Err, Served
from theater_actor import HostError

ACTOR = """
class Mood(Enum):
    GOOD = "fine"
    BAD = "not so fine"
class Perms(Flag):
    READ = auto()
    WRITE = auto()
@dataclass
class Note:
    text: str
    mood: Mood
@dataclass(frozen=True, kw_only=True)
class Circle:
    radius: float
@dataclass
class Nothing:
    pass
Shape = Circle | Nothing

@host("my:shop/prices")
def price(what: Char, counts: dict[str, int] = {"a": 1}) -> tuple[int, ...]:
    raise KeyError

@actor(name="example:it")
class It:
    count: U32 = 1
    note: Note | None = None
    @init
    def begin(self) -> None:
        if self.count == 13:
            raise Decline("13: expected another number")
    @export
    def bump(self, by: U32) -> U32:
        self.count += by
        return self.count
    @export
    def keep(self, note: Note) -> None:
        self.note = note
    @export
    def moods(self, given: dict[str, Mood]) -> dict[str, Mood]:
        self.seen = given
        return dict(reversed(given.items()))
    @export
    def draw(self, shape: Shape) -> Shape:
        return Nothing() if isinstance(shape, Circle) else Circle(radius=2.0)
    @export
    def wrong(self) -> Shape:
        return 5
    @export
    def octets(self, given: list[U8], more: tuple[U8, ...]) -> list[U8]:
        return [*given, *more]
    @export
    def decline(self) -> None:
        raise Decline("why")
    @export
    def crash(self) -> None:
        raise ValueError("boom")
    @export
    def price(self, what: Char) -> tuple[int, ...]:
        return price(what)
"""


def asked(what: str, counts: Any) -> list[int]:
    """The host's side of ``price``."""
    if what == "?":
        raise Err("no such thing")
    return [len(what), *(number for _, number in counts)]


@pytest.fixture
def it(tmp_path: Path) -> Served:
    return Served(tmp_path, ACTOR, price=asked)


def test_init_makes_the_state(it: Served) -> None:
    """Of nothing and of what is given; what is not given has its default."""
    given = [None, it.types.ItGiven(5, None), it.types.ItGiven(None, None)]

    assert [it.call("init", each)[0].count for each in given] == [1, 5, 1]


def test_init_may_refuse(it: Served) -> None:
    """What @init declines is no start."""
    with pytest.raises(Err, match="13: expected another number"):
        it.call("init", it.types.ItGiven(13, None))


def test_fields_without_a_default_must_be_given(tmp_path: Path) -> None:
    """The start fails, naming them."""
    it = Served(tmp_path, "@actor\nclass It:\n    a: int\n    b: str\n    @export\n    def f(self) -> None: ...\n")
    with pytest.raises(Err, match="state: expected a, b, which have no default"):
        it.call("init", None)


def test_the_state_goes_in_and_comes_back(it: Served) -> None:
    """In front of the result; records are of the actor's own classes already."""
    state = it.types.It(2, None)

    assert isinstance(state, it.module.It)
    assert it.call("bump", state, 3) == (SimpleNamespace(count=5, note=None), 5)


def test_records_inward_and_outward(it: Served) -> None:
    """Their enums are the actor's within, and the border's without."""
    note = it.types.Note("x", it.types.Mood.BAD)
    (left,) = it.call("keep", it.types.It(2, None), note)

    assert note == it.module.Note("x", it.module.Mood.BAD)
    assert left == SimpleNamespace(count=2, note=SimpleNamespace(text="x", mood=it.types.Mood.BAD))


def test_dicts_are_lists_of_pairs(it: Served) -> None:
    """In their order."""
    good, bad = it.types.Mood.GOOD, it.types.Mood.BAD

    assert it.call("moods", it.types.It(2, None), [("a", good), ("b", bad)])[1] == [("b", bad), ("a", good)]


def test_variants_are_the_cases_themselves(it: Served) -> None:
    """With and without a payload."""
    state, types = it.types.It(2, None), it.types

    assert it.call("draw", state, types.Shape_Circle(types.Circle(1.0)))[1] == types.Shape_Nothing()
    assert it.call("draw", state, types.Shape_Nothing())[1] == types.Shape_Circle(it.module.Circle(radius=2.0))


def test_what_is_no_case_is_a_mistake(it: Served) -> None:
    """Told with what was expected."""
    with pytest.raises(TypeError, match="expected one of Circle, Nothing, got 5"):
        it.call("wrong", it.types.It(2, None))


def test_octets_are_bytes_at_the_border(it: Served) -> None:
    """Whatever the hint makes of them."""
    assert it.call("octets", it.types.It(2, None), b"ab", b"c")[1] == b"abc"


def test_declining_and_crashing(it: Served) -> None:
    """A Decline is an error; anything else passes through."""
    with pytest.raises(Err, match=r"^why$"):
        it.call("decline", it.types.It(2, None))
    with pytest.raises(ValueError, match="boom"):
        it.call("crash", it.types.It(2, None))


def test_host_functions(it: Served) -> None:
    """Converted, with defaults; their errors are HostErrors, which decline the call if nobody catches them."""
    assert it.call("price", it.types.It(2, None), "x")[1] == [1, 1]
    assert it.module.price("xy", counts={}) == (2,)
    with pytest.raises(HostError, match="no such thing"):
        it.module.price("?")
    with pytest.raises(Err, match="no such thing"):
        it.call("price", it.types.It(2, None), "?")


def test_an_actor_without_fields(tmp_path: Path) -> None:
    """Has no state: the contract's none."""
    it = Served(tmp_path, "@actor\nclass It:\n    @export\n    def f(self, x: int) -> int:\n        return x + 1\n")

    assert it.call("init", None) == (None,)
    assert it.call("f", None, 1) == (None, 2)


def test_migrate_makes_the_state_of_another_one(tmp_path: Path) -> None:
    """The static method takes what was left, in the actor's own objects."""
    it = Served(
        tmp_path,
        "@dataclass\nclass Old:\n    x: int\n@actor\nclass It:\n    y: str\n"
        "    @migrate\n    @staticmethod\n    def before(old: Old) -> It:\n        return It(y=str(old.x))\n"
        "    @export\n    def f(self) -> None: ...\n",
    )

    assert it.call("migrate", it.types.Old(5)) == (it.module.It(y="5"),)
