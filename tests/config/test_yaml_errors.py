"""Files that are no YAML, no tree, or no file; YAML's traps."""

from __future__ import annotations

import pytest

from tests.config.conftest import Desk
from theater.config.limits import FILE_BYTES_MAX, PROBLEMS_MAX

UNREADABLE: list[tuple[str, bytes, str]] = [
    ("empty", b"", "1:1: expected a mapping of keys, found an empty file"),
    ("only a comment", b"# nothing\n", "1:1: expected a mapping of keys, found an empty file"),
    ("null", b"~\n", "1:1: expected a mapping of keys, found nothing"),
    ("list on top", b"- a\n", "1:1: expected a mapping of keys, found a list"),
    ("scalar on top", b"hello\n", '1:1: expected a mapping of keys, found "hello"'),
    ("not UTF-8", b"version: 1\nname: \xff\n", "2:7: expected UTF-8 text, found the byte 0xff"),
    ("UTF-16", "version: 1".encode("utf-16"), "1:1: expected UTF-8 text, found the byte 0xff"),
    ("NUL", b"version: 1\nna\0me: x\n", "2:3: expected text, found the control character U+0000"),
    ("escape", b"name: \x1b[1m\n", "1:7: expected text, found the control character U+001B"),
    (
        "tab",
        b"version: 1\nchildren:\n\t- x\n",
        "3:1: expected spaces, found a tab (YAML is indented with spaces)",
    ),
    (
        "unclosed",
        b"version: 1\nchildren: [1, 2\n",
        "3:1: expected YAML, found a fault: did not find expected ',' or ']' "
        "(while parsing a flow sequence begun in line 2)",
    ),
    (
        "two colons",
        b"version: 1: 2\n",
        "1:11: expected YAML, found a fault: mapping values are not allowed in this context",
    ),
    (
        "two documents",
        b"version: 1\n---\nversion: 1\n",
        "2:1: expected one document, found the beginning of another",
    ),
    (
        "unknown alias",
        b"version: 1\nchildren: *gone\n",
        "2:11: children: expected an anchor &gone before the alias *gone, found none",
    ),
    (
        "alias cycle",
        b"version: 1\nchildren: &a [{id: x, supervisor: {children: *a}}]\n",
        "2:46: children[0].supervisor.children: expected an alias of something complete, found a cycle: "
        "*a contains itself",
    ),
    ("surrogate", b'version: "\\uD800"\n', ""),
    (
        "300 levels",
        b"a: " + b"[" * 300 + b"]" * 300,
        "1:259: expected at most 256 levels of nesting, found more",
    ),
    ("a million brackets", b"[" * 1_000_000, "1:257: expected at most 256 levels of nesting, found more"),
    ("a million braces", b"{" * 1_000_000, "1:257: expected at most 256 levels of nesting, found more"),
    (
        "ten megabytes",
        b"a: &a [1]\nb: [" + b"*a," * 3_300_000,
        f"1:1: expected at most {FILE_BYTES_MAX} bytes, found more",
    ),
    (
        "many aliases",
        b"a: &a [1]\nb: [" + b"*a," * 500_000,
        "2:299999: expected at most 200000 values (aliases counted in full), found more",
    ),
    (
        "exponential aliases",
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (i + 1, i + 1, b",".join([b"*%c" % i] * 10)) for i in range(97, 107)),
        "6:8: expected at most 200000 values (aliases counted in full), found more",
    ),
]


@pytest.mark.parametrize(("content", "line"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_unreadable(desk: Desk, content: bytes, line: str) -> None:
    """A file that cannot be read as a mapping is one problem at the place where reading ended."""
    problems = desk.problems(content)

    assert len(problems) == 1
    assert problems[0].startswith(f"tree.yaml:{line}")


@pytest.mark.parametrize("target", [".", "/dev/zero"])
def test_not_a_file(desk: Desk, target: str) -> None:
    """A directory and a device are refused without being read."""
    from theater.config import ConfigError, load_tree

    with pytest.raises(ConfigError, match="expected a file, found a d"):
        load_tree(target)


YAML_TRAPS = [
    ("<<: {a: 1}", "2:1: expected a key, found << (YAML 1.2 has no merge keys)"),
    ("true: 1", "2:1: expected a text as key, found true (quotes make it one)"),
    ("1: 1", "2:1: expected a text as key, found the number 1 (quotes make it one)"),
    ("[a]: 1", "2:1: expected a text as key, found a list"),
    ("? {a: b}\n: 1", "2:3: expected a text as key, found a mapping"),
    ("name: !!str 5", '2:7: name: expected a value without a tag, found the tag "tag:yaml.org,2002:str"'),
    (
        "name: !!python/name:os.system x",
        '2:7: name: expected a value without a tag, found the tag "tag:yaml.org,2002:',
    ),
    (
        "intensity: 0x1FFFFFFFFF",
        "2:12: intensity: expected a whole number from 0 to 1000000000, found the number 1374",
    ),
    (f"intensity: {'1' * 5000}", "2:12: intensity: expected a number of at most 100 characters, found 5000"),
]


@pytest.mark.parametrize(("text", "line"), YAML_TRAPS, ids=[text[:30] for text, _ in YAML_TRAPS])
def test_yaml_traps(desk: Desk, text: str, line: str) -> None:
    """What YAML allows and a configuration should not use is refused at its place."""
    problems = desk.problems(f"version: 1\n{text}\nchildren: []\n")

    assert len(problems) == 1
    assert problems[0].startswith(f"tree.yaml:{line}")


def test_duplicate_keys_everywhere(desk: Desk) -> None:
    """Repeated keys are found at every depth, in plain data too."""
    text = "version: 1\nchildren:\n  - id: x\n    actor: a.wasm\n    state: {a: {b: 1, b: 2}}\n    id: y\n"

    assert desk.problems(text) == [
        "tree.yaml:5:23: children[0].state.a.b: expected each key once, found it a second time "
        "(the first is in line 5)",
        "tree.yaml:6:5: children[0].id: expected each key once, found it a second time (the first is in line 3)",
    ]


def test_state_too_deep(desk: Desk) -> None:
    """An initial state is bounded in depth on its own."""
    state = "[" * 65 + "]" * 65

    problems = desk.problems(f"version: 1\nchildren:\n  - {{id: x, actor: a.wasm, state: {state}}}\n")

    assert len(problems) == 1
    assert problems[0].endswith("expected at most 64 levels of data, found more")


def test_endless_problems(desk: Desk) -> None:
    """The list of problems ends somewhere, and says so."""
    problems = desk.problems("version: 1\nchildren: []\n" + "".join(f"unknown{i}: 1\n" for i in range(5_000)))

    assert len(problems) == PROBLEMS_MAX
    assert problems[-1].endswith("(this is problem 1000; the search ended here)")
