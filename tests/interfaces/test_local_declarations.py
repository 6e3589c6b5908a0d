"""What the interfaces that stay on this machine declare: hashes, words, options, and what may be passed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.fleet.permits import beyond
from theater import interfaces
from theater.grants import (
    ASSEMBLER,
    ENVIRONMENT,
    FILESYSTEM,
    LOOP,
    PROCESS,
    RANDOM,
    TERMINAL,
    TIMER,
    TIMING,
    short_name,
)
from worker.interfaces.registry import known

VECTORS = Path(__file__).parents[1] / "vectors" / "pack-vectors.json"
NAMES = sorted((TIMER, RANDOM, TIMING, ENVIRONMENT, FILESYSTEM, LOOP, ASSEMBLER, TERMINAL, PROCESS))
STANDARD = json.loads(VECTORS.read_text())["standard_interfaces"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_standard_has_the_standard_hash(name: str) -> None:
    """And what is not is marked as our own."""
    functions = {item.name: item.variants[0].parsed for item in known()[name].functions if not item.own}
    expected = STANDARD.get(name, {"hash": None, "functions": {}})

    assert set(functions) == set(expected["functions"])
    if functions:
        assert interfaces.interface_hash(name, functions).hex() == expected["hash"]


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_described(name: str) -> None:
    """Functions and callbacks have words."""
    interface = known()[name]

    assert all(item.doc.endswith(".") for item in (interface, *interface.functions, *interface.callbacks))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_parent_holds_its_child_may_have(name: str) -> None:
    """Exactly the same."""
    options: dict[str, Any] = {"directories": [], "programs": ["/bin/cat"], "device": "/dev/tty"}

    assert beyond({name: options}, {name: options}) == []
    assert beyond({name: {}}, {name: {}}) == []
    assert beyond({}, {name: {}}) == [short_name(name)]


def test_directories_of_a_child_are_inside_its_parents(tmp_path: Path) -> None:
    """Reading does not make writing; a link out of the parent's directory is outside."""
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "out").symlink_to("/etc")

    def asks(host: Path, write: bool = False) -> list[str]:
        held = {"directories": [{"host": str(tmp_path / "held"), "guest": "/a"}]}
        asked = {"directories": [{"host": str(host), "guest": "/b", "write": write}]}
        return beyond({FILESYSTEM: held}, {FILESYSTEM: asked})

    assert asks(tmp_path / "held" / "more") == []
    assert asks(tmp_path / "held", write=True) == [f"filesystem: the directory {tmp_path}/held for writing"]
    assert asks(tmp_path) == [f"filesystem: the directory {tmp_path}"]
    assert asks(tmp_path / "held" / "out") == [f"filesystem: the directory {tmp_path}/held/out"]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"programs": ["/bin/cat"]}, []),
        ({"programs": ["/bin/sh"]}, ["process: the program /bin/sh"]),
        ({"programs": [], "environment": {"A": "1"}}, []),
        ({"programs": [], "environment": {"A": "2"}}, ["process: the environment variable A as it is"]),
        ({"programs": [], "environment": {"B": ""}}, ["process: the environment variable B as it is"]),
        ({"programs": [], "directory": "/srv"}, []),
        ({"programs": [], "directory": "/home"}, ["process: programs in /home"]),
    ],
)
def test_programs_of_a_child_are_its_parents(asked: dict[str, Any], refused: list[str]) -> None:
    """And run as its parent's do."""
    held = {"programs": ["/bin/cat"], "environment": {"A": "1"}, "directory": "/srv"}

    assert beyond({PROCESS: held}, {PROCESS: asked}) == refused


def test_a_terminal_is_passed_on_or_not(tmp_path: Path) -> None:
    """No other one."""
    held, other = {TERMINAL: {"device": "/dev/pts/1"}}, {TERMINAL: {"device": "/dev/pts/2"}}

    assert beyond(held, other) == ["terminal: the terminal /dev/pts/2"]
    assert beyond({TERMINAL: {}}, held) == ["terminal: the terminal /dev/pts/1"]
    assert beyond(held, {TERMINAL: {}}) == []


def test_variables_are_data() -> None:
    """A child may be told what its parent does not know."""
    assert beyond({ENVIRONMENT: {}}, {ENVIRONMENT: {"variables": {"A": "1"}}}) == []


def test_short_names() -> None:
    """A manifest says `timer`."""
    assert short_name(TIMER) == "timer"
