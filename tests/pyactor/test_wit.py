"""Type hints into WIT: a table, the shape of the whole, and the complaints with their places."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.pyactor.modules import HEAD, module
from theater import interfaces
from theater_actor import hosting, messages, names, places, reading, rpc, runtime, store, supervisor, timer, wit

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = (ROOT / "wit" / "theater-simple.wit").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Host functions that a test declares are gone afterwards."""
    before = {name: list(functions) for name, functions in hosting.DECLARED.items()}
    yield
    hosting.DECLARED.clear()
    hosting.DECLARED.update(before)


def wit_of(directory: Path, text: str) -> str:
    """All WIT of the one actor in a text."""
    made = wit.generate(reading.read(reading.find(module(directory, text))))
    return "\n".join(made.files.values())


TYPES = """
class Mood(Enum):
    GOOD = "g"
    BAD_ONE = "b"
class Perms(Flag):
    READ = auto()
    WRITE = auto()
@dataclass
class Note:
    said_by: str
    at: U64 = 0
class Point(NamedTuple):
    x: float
    y: float
@dataclass
class HTTPRequest:
    stream: str
@dataclass
class Nothing:
    pass
Shape = Union[Note, Point]
Maybe = Note | Nothing
UserId = NewType("UserId", str)
"""

HINTS = [
    ("bool", "bool", ""),
    ("int", "s64", ""),
    ("float", "f64", ""),
    ("str", "string", ""),
    ("bytes", "list<u8>", ""),
    *[(f"{sign}{bits}", f"{sign.lower()}{bits}", "") for sign in "US" for bits in (8, 16, 32, 64)],
    ("F32", "f32", ""),
    ("Char", "char", ""),
    ("Annotated[int, 'a remark']", "s64", ""),
    ("UserId", "string", ""),
    ("list[U32]", "list<u32>", ""),
    ("tuple[str, ...]", "list<string>", ""),
    ("tuple[str, U8]", "tuple<string, u8>", ""),
    ("dict[str, list[int]]", "list<tuple<string, list<s64>>>", ""),
    ("str | None", "option<string>", ""),
    ("Optional[bytes]", "option<list<u8>>", ""),
    ("Mood", "mood", "enum mood { good, bad-one }"),
    ("Perms", "perms", "flags perms { read, write }"),
    ("Note", "note", "record note { said-by: string, at: u64 }"),
    ("Point", "point", "record point { x: f64, y: f64 }"),
    ("HTTPRequest", "http-request", "record http-request { %stream: string }"),
    ("Shape", "shape", "variant shape { note(note), point(point) }"),
    ("Maybe", "maybe", "variant maybe { note(note), nothing }"),
    ("Mood | None", "option<mood>", "enum mood { good, bad-one }"),
    ("Note | Point | None", "option<shape>", "variant shape { note(note), point(point) }"),
    ("Point | HTTPRequest", "point-or-http-request", "variant point-or-http-request"),
]


@pytest.mark.parametrize(("hint", "expected", "definition"), HINTS, ids=[hint for hint, _, _ in HINTS])
def test_what_a_hint_is_in_wit(tmp_path: Path, hint: str, expected: str, definition: str) -> None:
    """As a parameter, as a result and in the state."""
    body = f"""
    @actor
    class It:
        field: {hint}
        @export
        def ask(self, what: {hint}) -> {hint}: ...
    """
    text = wit_of(tmp_path, TYPES + body.replace("\n    ", "\n"))

    assert f"ask: func(state: it, what: {expected}) -> result<tuple<it, {expected}>, string>;" in text
    assert f"record it {{ field: {expected} }}" in text
    assert definition in text


def test_the_whole_of_an_actor(tmp_path: Path) -> None:
    """Types and init in ``actor``, functions in ``api``, docstrings, and a world with what is exported and imported."""
    hosting.DECLARED.clear()
    text = wit_of(
        tmp_path,
        '''
        @host("my:db/rows@2.0.0")
        def find(key: str, at_most: U32 = 10) -> list[str]:
            """Look."""

        @actor(name="example:tally@1.0.0")
        class Counter:
            total: U32
            last: str = ""

            @export
            def bump(self, by: U32) -> U32:
                """Count.

                And tell."""

            @export
            def clear(self) -> None: ...
        ''',
    )

    assert text == """package example:tally@1.0.0;

interface actor {
  record counter { total: u32, last: string }
  record counter-given { total: u32, last: option<string> }
  init: func(state: option<counter-given>) -> result<tuple<counter>, string>;
}

interface api {
  use actor.{counter};
  /// Count.
  ///
  /// And tell.
  bump: func(state: counter, by: u32) -> result<tuple<counter, u32>, string>;
  clear: func(state: counter) -> result<tuple<counter>, string>;
}

package my:db@2.0.0;

interface rows {
  /// Look.
  find: func(key: string, at-most: u32) -> result<list<string>, string>;
}

package theater:generated;

world actor-world {
  import my:db/rows@2.0.0;
  export example:tally/actor@1.0.0;
  export example:tally/api@1.0.0;
}
"""


def test_an_actor_without_fields_has_the_state_of_the_contract(tmp_path: Path) -> None:
    """And an actor without a name is called like its class."""
    text = wit_of(
        tmp_path,
        """
        @actor
        class EchoServer:
            @export
            def echo(self, what: str) -> str: ...
        """,
    )

    assert "package actor:echo-server;" in text
    assert "init: func(state: option<list<u8>>) -> result<tuple<option<list<u8>>>, string>;" in text
    assert "echo: func(state: option<list<u8>>, what: string)" in text


def test_handle_recovered(tmp_path: Path) -> None:
    """As published."""
    text = wit_of(
        tmp_path,
        """
        from theater_actor import recovery

        @actor(name="example:it")
        class It:
            @export(recovery.HANDLERS)
            def handle_recovered(self, how: str) -> None: ...
        """,
    )
    published = (ROOT / "wit" / "theater-simple-handlers.wit").read_text(encoding="utf-8")
    (declared,) = re.findall(r"handle-recovered: .*;", published)

    assert "package theater:simple@0.1.1;\n\ninterface recovery-handlers {" in text
    assert declared in text


def test_functions_of_other_interfaces(tmp_path: Path) -> None:
    """What the host calls back; an interface that is imported, too, is exported in a version of its own."""
    text = wit_of(
        tmp_path,
        """
        @host("my:clock/timer@0.1.0", can_fail=False)
        def now() -> U64: ...

        @actor(name="example:it")
        class It:
            ticks: int

            @export("my:clock/timer@0.1.0")
            def handle_tick(self, name: str) -> None: ...
        """,
    )

    assert "package my:clock@0.1.0;\n\ninterface timer {\n  now: func() -> u64;\n}" in text
    assert "package my:clock@1.1.0;\n\ninterface timer {\n  use example:it/actor.{it};\n  handle-tick: func(" in text
    assert "import my:clock/timer@0.1.0;" in text
    assert "export my:clock/timer@1.1.0;" in text


def test_a_function_may_be_called_like_a_type(tmp_path: Path) -> None:
    """The type has another name where the function is."""
    text = wit_of(
        tmp_path,
        """
        @dataclass
        class Note:
            text: str
        @actor
        class It:
            last: Note
            @export
            def note(self, what: Note) -> None: ...
        """,
    )

    assert "use actor.{it, note as note-type};" in text
    assert "note: func(state: it, what: note-type)" in text


def test_migrate_takes_the_old_state(tmp_path: Path) -> None:
    """And returns the new one."""
    text = wit_of(
        tmp_path,
        """
        @actor
        class It:
            count: int
            @migrate
            @staticmethod
            def before(old: str) -> It: ...
            @export
            def get(self) -> int: ...
        """,
    )

    assert "migrate: func(state: string) -> result<tuple<it>, string>;" in text


HOSTS = {module.INTERFACE: module for module in (messages, names, rpc, runtime, store, supervisor, timer)}
PUBLISHED = {f"theater:simple/{name}@0.1.0" for name in re.findall(r"^interface ([\w-]+) \{", CONTRACT, re.MULTILINE)}
STANDARD = json.loads((ROOT / "tests" / "vectors" / "pack-vectors.json").read_text())["standard_interfaces"]


def declared(interface: str) -> list[str]:
    """The functions of a host module, as WIT has them, without their words."""
    reader = reading._Reading(object)
    functions = [reader._imported(each) for each in hosting.DECLARED[interface]]
    assert reader.problems == []
    return [wit._plain(read, function.can_fail).splitlines()[-1] for function, read in functions]


@pytest.mark.parametrize("interface", sorted(PUBLISHED & HOSTS.keys()))
def test_host_modules_are_as_published(interface: str) -> None:
    """Functions and types of ``wit/theater-simple.wit``."""
    name = interface.partition("/")[2].partition("@")[0]
    body = CONTRACT.partition(f"interface {name} {{\n")[2].partition("\n}")[0]
    published = [line.strip().replace("%", "") for line in body.splitlines() if ": func(" in line]

    assert sorted(line.replace("%", "") for line in declared(interface)) == sorted(published)


@pytest.mark.parametrize("module", [messages, runtime, store, timer], ids=lambda module: module.__name__)
def test_host_modules_have_the_standard_functions(module: ModuleType) -> None:
    """By their hashes, so that every host of the family takes them for its own."""
    standard = STANDARD[module.INTERFACE.partition("@")[0]]["functions"]
    found = dict(line.removesuffix(";").replace("%", "").split(": ", 1) for line in declared(module.INTERFACE))

    hashes = {name: interfaces.function_hash(interfaces.parse_function(found[name])).hex() for name in standard}
    assert hashes == {name: function["hash"] for name, function in standard.items()}


def test_handlers_are_as_published() -> None:
    """The documentation of the handlers names what the contract has."""
    published = CONTRACT.partition("interface supervisor-handlers {\n")[2].partition("\n}")[0]
    source = Path(supervisor.__file__).read_text()
    names = [line.split(":")[0].strip().replace("-", "_") for line in published.splitlines() if ": func(" in line]

    assert len(names) == 4
    assert [name for name in names if f"``{name}(" not in source] == []


# -- complaints --------------------------------------------------------------------------------------------------------

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


# -- the command -------------------------------------------------------------------------------------------------------


def shows(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "theater_actor", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_shows_the_wit_of_app(tmp_path: Path) -> None:
    """Only host interfaces that the actor imports are in it."""
    (tmp_path / "app.py").write_text(
        "from theater_actor import actor, export, runtime\n"
        "@actor\nclass It:\n    @export\n    def f(self) -> str:\n        return runtime.self()\n"
    )
    done = shows(tmp_path)

    assert done.returncode == 0, done.stderr
    assert "f: func(" in done.stdout
    assert "import theater:simple/runtime@0.1.0;" in done.stdout
    assert "supervisor" not in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = = 1\n", "app.py:1: SyntaxError"),
        ("\nimport nothing_of_that_name\n", "app.py:2: ModuleNotFoundError"),
        ("def f():\n    raise SystemExit(5)\nf()\n", "app.py:2: SystemExit"),
        ("from theater_actor import *\n@actor\nclass A:\n    x: object\n", "app.py:4: object has no WIT type"),
        ("\n", "app.py:1: expected one class with @actor, found none"),
    ],
)
def test_what_is_wrong_with_a_module_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    """No traceback."""
    (tmp_path / "app.py").write_text(text)
    done = shows(tmp_path)

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
