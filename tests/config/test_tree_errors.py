"""What is refused, and the exact words with the exact place."""

from __future__ import annotations

import os

import pytest

from tests.config.conftest import Desk
from theater.grants import SHORT_NAMES

ONE_OF_STRATEGIES = "expected one_for_one, one_for_all, rest_for_one or simple_one_for_one"
A_TIME = "expected a time with its unit, such as 500ms, 10s or 5m"
A_SHUTDOWN = f"{A_TIME}, or brutal_kill, or infinity"
A_SIZE = "expected a size with its unit, such as 64KiB, 64MiB or 1GiB"
INTERFACES = f"expected a known host interface ({', '.join(SHORT_NAMES)})"

TOP = [
    (
        "version: 2\nchildren: []",
        "1:10: version: expected 1 (the version of this format), found the number 2",
    ),
    ('version: "1"\nchildren: []', '1:10: version: expected 1 (the version of this format), found "1"'),
    (
        "version: 1.0\nchildren: []",
        "1:10: version: expected 1 (the version of this format), found the number 1.0",
    ),
    ("version: true\nchildren: []", "1:10: version: expected 1 (the version of this format), found true"),
    ("children: []", "1:1: expected the key version, found none"),
    ("version: 1", "1:1: expected the key children, found none"),
    ("version: 1\nchildren: {}", "2:11: children: expected a list of children, found a mapping"),
    ("version: 1\nchildren:", "2:10: children: expected a list of children, found nothing"),
    ("version: 1\nchildren: [x]", '2:12: children[0]: expected a mapping of keys, found "x"'),
    (
        "version: 1\nstrategy: one_for_al\nchildren: []",
        f'2:11: strategy: {ONE_OF_STRATEGIES}, found "one_for_al"; did you mean one_for_all?',
    ),
    ("version: 1\nstrategy: 1\nchildren: []", f"2:11: strategy: {ONE_OF_STRATEGIES}, found the number 1"),
    (
        "version: 1\nintensity: -1\nchildren: []",
        "2:12: intensity: expected a whole number from 0 to 1000000000, found the number -1",
    ),
    (
        "version: 1\nintensity: 1.5\nchildren: []",
        "2:12: intensity: expected a whole number from 0 to 1000000000, found the number 1.5",
    ),
    ("version: 1\nperiod: 10\nchildren: []", f"2:9: period: {A_TIME}, found the number 10 without a unit"),
    ("version: 1\nperiod: 10 sec\nchildren: []", f'2:9: period: {A_TIME}, found "10 sec"; did you mean 10s?'),
    (
        "version: 1\nperiod: 0s\nchildren: []",
        '2:9: period: expected a time from 1ms to 4294967295ms, found "0s"',
    ),
    (
        "version: 1\nperiod: 60d\nchildren: []",
        '2:9: period: expected a time from 1ms to 4294967295ms, found "60d"',
    ),
    ("version: 1\nperiod: 0.5ms\nchildren: []", f'2:9: period: {A_TIME}, found "0.5ms"'),
    (
        "version: 1\nname: a/b\nchildren: []",
        '2:7: name: expected a name without /, # and characters that cannot be seen, found "a/b"',
    ),
    (
        "version: 1\nname: 7\nchildren: []",
        "2:7: name: expected a name, found the number 7 (quotes make it a text)",
    ),
    ("version: 1\nstore: ''\nchildren: []", '2:8: store: expected a path, found ""'),
    ("version: 1\ncolour: red\nchildren: []", '2:1: colour: expected a known key, found "colour"'),
    (
        "version: 1\nchildrn: []\nchildren: []",
        '2:1: childrn: expected a known key, found "childrn"; did you mean children?',
    ),
    (
        'version: 1\n"two words": 1\nchildren: []',
        '2:1: ["two words"]: expected a known key, found "two words"',
    ),
    (
        "version: 1\nchildren: []\nname: a\nname: b",
        "4:1: name: expected each key once, found it a second time (the first is in line 3)",
    ),
    (
        "version: 1\nchild: {id: x, actor: a.wasm}",
        "2:1: child: expected a list under children (child is for simple_one_for_one), found the key child",
    ),
    ("version: 1\nstrategy: simple_one_for_one", "1:1: expected the key child, found none"),
    (
        "version: 1\nstrategy: simple_one_for_one\nchildren: []",
        "3:1: children: expected one template under child, found the key children",
    ),
    (
        "version: 1\nstrategy: simple_one_for_one\nauto_shutdown: any_significant\nchild: {id: x, actor: a.wasm}",
        "3:16: auto_shutdown: expected never under simple_one_for_one, found any_significant",
    ),
]

CHILD = [
    ("actor: a.wasm", "3:5: children[0]: expected the key id, found none"),
    ("id: x", "3:5: children[0]: expected the key actor or supervisor, found none"),
    ("id: ''\n    actor: a.wasm", '3:9: children[0].id: expected an id that can be part of a path, found ""'),
    (
        "id: ..\n    actor: a.wasm",
        '3:9: children[0].id: expected an id that can be part of a path, found ".."',
    ),
    (
        "id: a/b\n    actor: a.wasm",
        '3:9: children[0].id: expected an id without /, # and characters that cannot be seen, found "a/b"',
    ),
    (
        'id: "a\\tb"\n    actor: a.wasm',
        '3:9: children[0].id: expected an id without /, # and characters that cannot be seen, found "a\\tb"',
    ),
    (
        'id: "a\\u202eb"\n    actor: a.wasm',
        '3:9: children[0].id: expected an id without /, # and characters that cannot be seen, found "a\\u202eb"',
    ),
    (
        "id: a#1\n    actor: a.wasm",
        '3:9: children[0].id: expected an id without /, # and characters that cannot be seen, found "a#1"',
    ),
    (
        "id: 8c0cd2a1-7a4f-4d5e-9b51-0b6b2f6b1f3a\n    actor: a.wasm",
        "3:9: children[0].id: expected an id that does not look like an actor's, "
        'found "8c0cd2a1-7a4f-4d5e-9b51-0b6b2f6b1f3a"',
    ),
    (
        f"id: {'é' * 51}\n    actor: a.wasm",
        "3:9: children[0].id: expected an id of at most 100 bytes, found 102",
    ),
    (
        "id: x\n    actor: a.exe",
        '4:12: children[0].actor: expected a package (.wasm, .wat) or a manifest (.toml, .yaml, .yml), found "a.exe"',
    ),
    (
        "id: x\n    actor: a.wasm\n    supervisor: {children: []}",
        "5:5: children[0].supervisor: a child is either an actor or a supervisor, this one has both keys",
    ),
    (
        "id: x\n    supervisor: 1",
        "4:17: children[0].supervisor: expected a supervisor (strategy, children, …), found the number 1",
    ),
    (
        "id: x\n    supervisor: {children: []}\n    grants: {}",
        "5:5: children[0].grants: only an actor has this key, this child is a supervisor",
    ),
    (
        "id: x\n    supervisor: {children: []}\n    start_timeout: 1s",
        "5:5: children[0].start_timeout: only an actor has this key, this child is a supervisor",
    ),
    ("id: x\n    supervisor: {}", "4:17: children[0].supervisor: expected the key children, found none"),
    (
        "id: x\n    supervisor: {strateggy: a, children: []}",
        '4:18: children[0].supervisor.strateggy: expected a known key, found "strateggy"; did you mean strategy?',
    ),
    (
        "id: x\n    actor: a.wasm\n    restart: allways",
        '5:14: children[0].restart: expected permanent, transient or temporary, found "allways"',
    ),
    (
        "id: x\n    actor: a.wasm\n    shutdown: 5000",
        f"5:15: children[0].shutdown: {A_SHUTDOWN}, found the number 5000 without a unit",
    ),
    (
        "id: x\n    actor: a.wasm\n    shutdown: brutal",
        f'5:15: children[0].shutdown: {A_SHUTDOWN}, found "brutal"; did you mean brutal_kill?',
    ),
    (
        "id: x\n    actor: a.wasm\n    restart: transient\n    significant: yes",
        '6:18: children[0].significant: expected true or false, found "yes"',
    ),
    (
        "id: x\n    actor: a.wasm\n    restart: transient\n    significant: true",
        "6:18: children[0].significant: expected any_significant or all_significant as the supervisor's "
        "auto_shutdown, found never",
    ),
    (
        "id: x\n    actor: a.wasm\n    limits: {memory: 64MB}",
        f'5:22: children[0].limits.memory: {A_SIZE}, found "64MB"; did you mean 64MiB?',
    ),
    (
        "id: x\n    actor: a.wasm\n    limits: {memory: 64}",
        f"5:22: children[0].limits.memory: {A_SIZE}, found the number 64 without a unit",
    ),
    (
        "id: x\n    actor: a.wasm\n    limits: {memory: 5GiB}",
        '5:22: children[0].limits.memory: expected a size from 64KiB to 4GiB, found "5GiB"',
    ),
    (
        "id: x\n    actor: a.wasm\n    limits: []",
        "5:13: children[0].limits: expected a mapping of keys, found a list",
    ),
    (
        "id: x\n    actor: a.wasm\n    limits: {memmory: 1MiB}",
        '5:14: children[0].limits.memmory: expected a known key, found "memmory"; did you mean memory?',
    ),
    (
        "id: x\n    actor: a.wasm\n    grants: {runtme: {}}",
        f'5:14: children[0].grants.runtme: {INTERFACES}, found "runtme"; did you mean runtime?',
    ),
    (
        "id: x\n    actor: a.wasm\n    grants: {teletype: {}}",
        f'5:14: children[0].grants.teletype: {INTERFACES}, found "teletype"',
    ),
    (
        "id: x\n    actor: a.wasm\n    grants: [runtime]",
        "5:13: children[0].grants: expected a mapping of host interfaces, found a list",
    ),
    (
        "id: x\n    actor: a.wasm\n    grants: {runtime: {level: 1}}",
        '5:24: children[0].grants.runtime.level: expected a known key, found "level"',
    ),
    (
        'id: x\n    actor: a.wasm\n    grants: {runtime: {}, "theater:simple/runtime": {}}',
        '5:27: children[0].grants["theater:simple/runtime"]: expected each interface once, '
        "found theater:simple/runtime again",
    ),
    (
        "id: x\n    actor: a.wasm\n    recover: never",
        '5:14: children[0].recover: expected initial, last or replay, found "never"',
    ),
    (
        "id: x\n    actor: a.wasm\n    sha256: abc",
        '5:13: children[0].sha256: expected a SHA-256 of 64 hexadecimal digits, found "abc"',
    ),
    (
        "id: x\n    actor: a.wasm\n    supervision: {restart: permanent}",
        "5:19: children[0].supervision.restart: in a tree this key belongs to the child itself, one level up",
    ),
    (
        "id: x\n    actor: a.wasm\n    backoff: {initial: 10s, max: 1s}",
        "5:14: children[0].backoff: expected max (1000ms) to be at least initial (10000ms)",
    ),
    (
        "id: x\n    actor: a.wasm\n    backoff: {factor: 0.5}",
        "5:23: children[0].backoff.factor: expected a number from 1 to 100, found the number 0.5",
    ),
    (
        "id: x\n    actor: a.wasm\n    state: {a: [1, 99999999999999999999]}",
        "5:20: children[0].state.a[1]: expected a number of at most 64 bits, found the number 99999999999999999999",
    ),
    (
        "id: x\n    actor: a.wasm\n  - id: x\n    actor: b.wat",
        '5:9: children[1].id: expected an id of its own, found "x" again (the first is in line 3)',
    ),
    (
        "{id: x, actor: a.wasm}\n  - {id: x, actor: a.wasm}",
        '4:10: children[1].id: expected an id of its own, found "x" again (the first is in line 3)',
    ),
    (
        "id: x\n    actor: tree.yaml",
        "4:12: children[0].actor: expected an actor's manifest, found a cycle: this is the tree file itself",
    ),
]


@pytest.mark.parametrize(("text", "line"), TOP, ids=[line for _, line in TOP])
def test_top_level(desk: Desk, text: str, line: str) -> None:
    """Each mistake in a supervisor's own keys is the only problem, at its place, in these words."""
    assert desk.problems(text + "\n") == [f"tree.yaml:{line}"]


@pytest.mark.parametrize(("text", "line"), CHILD, ids=[line for _, line in CHILD])
def test_child(desk: Desk, text: str, line: str) -> None:
    """Each mistake in a child is the only problem, at its place, in these words."""
    assert desk.problems(f"version: 1\nchildren:\n  - {text}\n") == [f"tree.yaml:{line}"]


def test_permanent_significant(desk: Desk) -> None:
    """OTP refuses a significant child that is permanent."""
    text = "version: 1\nauto_shutdown: all_significant\nchildren: [{id: x, actor: a.wasm, significant: true}]\n"

    assert desk.problems(text) == [
        "tree.yaml:3:48: children[0].significant: expected a transient or temporary child, found a permanent one"
    ]


def test_an_alias_of_a_child_is_a_second_child(desk: Desk) -> None:
    """The same child written once and used twice has one id too many."""
    problems = desk.problems("version: 1\nchildren: [&x {id: x, actor: a.wasm}, *x]\n")

    assert problems == [
        'tree.yaml:2:20: children[1].id: expected an id of its own, found "x" again (the first is in line 2)'
    ]


def test_all_problems_at_once(desk: Desk) -> None:
    """Problems of the tree and of a manifest it names come together, sorted by file and line."""
    desk.write("actor.toml", 'name = "x"\npackage = "gone.wasm"\ncolour = 1\n')
    text = "version: 3\nchildren:\n  - {id: x, actor: actor.toml}\n  - {id: y, actor: actor.toml, restart: no}\n"

    assert desk.problems(text) == [
        f"actor.toml:2:11: package: expected a file, found nothing of that name at {desk.path}/gone.wasm",
        'actor.toml:3:1: colour: expected a known key, found "colour"',
        "tree.yaml:1:10: version: expected 1 (the version of this format), found the number 3",
        'tree.yaml:4:41: children[1].restart: expected permanent, transient or temporary, found "no"',
    ]


def test_missing_and_impossible_files(desk: Desk) -> None:
    """A package that is missing, a directory, or a pipe is told where it is named."""
    (desk.path / "dir.wasm").mkdir()
    os.mkfifo(desk.path / "pipe.wasm")
    names = ("gone.wasm", "dir.wasm", "pipe.wasm", f"{'x' * 300}.wasm")
    rows = "".join(f"  - {{id: c{index}, actor: {name}}}\n" for index, name in enumerate(names))

    reasons = [line.split("expected a file, found ")[1] for line in desk.problems("version: 1\nchildren:\n" + rows)]

    assert [reason.split(" at ")[0] for reason in reasons] == [
        "nothing of that name",
        "a directory",
        "a device, pipe or socket",
        "file name too long",
    ]
