"""What has no form in WIT is told with its place, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pyactor.modules import HEAD, module
from theater_actor import places, reading, wit

COMPLAINTS = [
    ("x: set[str]", 1, "set[str] has no WIT type; expected bool, int, U8"),
    ("x: object", 1, "object has no WIT type"),
    ("x: Any", 1, "Any has no WIT type"),
    ("x: list", 1, "list has no WIT type"),
    ("x: Literal['a']", 1, "has no WIT type"),
    ("x: int | str", 1, "expected a union of dataclasses, or of one type and None"),
    ("x: Unknown", -1, "name 'Unknown' is not defined: the hints are evaluated when the actor is built"),
    ("x: list['It']", 1, "It contains itself, which no WIT type can"),
    ("x: int = field(init=False)", 1, "expected a field that __init__ takes"),
    ("x_1: int", 1, "x_1: expected a field of words that begin with a letter"),
    ("_x: int", 1, "_x: expected a field of words"),
    ("x: Empty", 1, "Empty: expected a field; only a case of a union may have none"),
    ("x: Odd", 4, "expected up to 32 members with the values 1, 2, 4"),
    ("x: Deep", 10, "set[int] has no WIT type"),
]

AROUND = """@dataclass
class Empty:
    pass
class Odd(Flag):
    A = 5
class Fine(Enum):
    A = 1
@dataclass
class Deep:
    inner: dict[str, set[int]]
@actor
class It:
    {field}
    @export
    def f(self) -> None: ...
"""

FIELD_LINE = 13


@pytest.mark.parametrize(("field", "line", "words"), COMPLAINTS, ids=[field for field, _, _ in COMPLAINTS])
def test_fields_without_a_wit_type(tmp_path: Path, field: str, line: int, words: str) -> None:
    """Refused with file, line and what is expected."""
    line = {1: FIELD_LINE, -1: FIELD_LINE - 1}.get(line, line)
    (told,) = complaints(tmp_path, AROUND.format(field=field))

    assert told.partition(": ")[0].endswith(f".py:{line}")
    assert words in told


def complaints(directory: Path, text: str) -> list[str]:
    """What is told about an actor; line 1 is the first line of the text."""
    made = module(directory, "", head=HEAD.strip().replace("\n", ";").replace(";;", ";") + "\n" + text)
    try:
        wit.generate(reading.read(reading.find(made)))
    except reading.ActorError as error:
        return [shifted(places.told(each)) for each in error.problems]
    return []


def shifted(told: str) -> str:
    place, _, text = told.partition(": ")
    file, _, line = place.rpartition(":")
    return f"{file}:{int(line) - 1}: {text}"


METHODS = [
    ("def f(self, x) -> None: ...", "f: expected a type for x"),
    ("def f(self, *x: int) -> None: ...", "f: expected a type for x, and a parameter of its own"),
    ("def f(self): ...", "f: expected the type it returns: -> None, for instance"),
    ("def f(self) -> set[int]: ...", "set[int] has no WIT type"),
    ("def f(self, state: int) -> None: ...", "state: expected another name"),
    ("def F(self) -> None: ...", "F: expected a function of words"),
    ("@staticmethod\n    def f() -> None: ...", "f: expected a method with self"),
]


@pytest.mark.parametrize(("method", "words"), METHODS, ids=[words for _, words in METHODS])
def test_methods_that_cannot_be_exported(tmp_path: Path, method: str, words: str) -> None:
    """Refused with the line of the method, and what is expected."""
    (told,) = complaints(tmp_path, f"@actor\nclass It:\n    x: int\n    @export\n    {method}\n")

    assert words in told
    assert told.partition(": ")[0].rpartition(":")[2] in ("4", "5", "6")


WHOLES = [
    ("@actor\nclass It:\n    x: int\n", "It: expected at least one method with @export"),
    ("class It:\n    x: int\n", "expected one class with @actor, found none"),
    ("@actor\nclass A:\n    x: int\n@actor\nclass B:\n    x: int\n", "expected one class with @actor, found A, B"),
    (
        "@actor(name='tally')\nclass A:\n    x: int\n    @export\n    def f(self) -> None: ...\n",
        "name='tally': expected a package such as 'example:tally'",
    ),
    (
        "@actor\nclass A:\n    x: int\n    @export\n    def f(self) -> None: ...\n"
        "    @init\n    def g(self, x: int) -> None: ...\n",
        "g: expected (self) -> None",
    ),
    (
        "@actor\nclass A:\n    x: int\n    @export\n    def f(self) -> None: ...\n"
        "    @migrate\n    @staticmethod\n    def g(old: int) -> int: ...\n",
        "g: expected one static method (old: T) -> A",
    ),
    (
        "@dataclass\nclass R:\n    x: int\n@host('a:b/c')\ndef h(r: R) -> None: ...\n"
        "@actor\nclass A:\n    x: int\n    @export\n    def f(self) -> None: ...\n",
        "h: expected a type without a name for the host",
    ),
    (
        "@dataclass\nclass Init:\n    x: int\n"
        "@actor\nclass A:\n    x: Init\n    @export\n    def f(self) -> None: ...\n",
        "init: expected another name: something else has it in WIT",
    ),
]


@pytest.mark.parametrize(("text", "words"), WHOLES, ids=[words for _, words in WHOLES])
def test_actors_that_cannot_be(tmp_path: Path, text: str, words: str) -> None:
    """Refused with what is expected."""
    try:
        told = complaints(tmp_path, text)
    except reading.ActorError as error:
        told = [str(error)]

    assert [words in each for each in told] == [True]


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    """One line for each place."""
    told = complaints(
        tmp_path, "@actor\nclass A:\n    x: set[int]\n    @export\n    def f(self, y: object) -> list[Any]: ...\n"
    )

    assert [each.partition(": ")[0].rpartition(":")[2] for each in told] == ["5", "5", "3"]
