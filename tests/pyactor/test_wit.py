"""Type hints into WIT: a table, the shape of the whole, and the command that shows it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pyactor.modules import module
from theater_actor import hosting, reading, wit

ROOT = Path(__file__).resolve().parents[2]


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
