"""What a manifest of a guest may cost: counted in calls of functions, so that no slow machine matters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from theater.config import ConfigError, parse_manifest
from theater.config.limits import GUEST_NODES_MAX, GUEST_PROBLEMS_MAX, MANIFEST_TEXT_BYTES_MAX

HEAD = 'name = "x"\npackage = "x.wasm"\n'
CALLS_MAX = 120_000
"""A call takes some 50 to 100 ns."""


def full(unit: Callable[[int], str], begin: str = HEAD, end: str = "") -> str:
    """As many units as there is room for."""
    parts, size, number = [begin], len(begin) + len(end), 0
    while (size := size + len(unit(number))) <= MANIFEST_TEXT_BYTES_MAX:
        parts.append(unit(number))
        number += 1
    return "".join(parts) + end


STATE = HEAD + "[state]\n"
HOSTILE = {
    "numbers": full(lambda i: "1,", STATE + "v = [", "]\n"),
    "lists": full(lambda i: "[],", STATE + "v = [", "]\n"),
    "deep lists": full(lambda i: "[" * 60 + "]" * 60 + ",", STATE + "v = [", "]\n"),
    "inline tables": full(lambda i: "{},", STATE + "v = [", "]\n"),
    "keys": full(lambda i: f"k{i} = 1\n", STATE),
    "keys to unescape": full(lambda i: f'"\\t{i}" = 1\n', STATE),
    "keys of many parts": full(lambda i: f"x-{i}{'.a' * 30} = 1\n"),
    "tables": full(lambda i: f"[x-{i}]\n"),
    "tables in tables": full(lambda i: f"[x-{i}{'.a' * 30}]\n"),
    "arrays of tables": full(lambda i: f"[[x-1{'.a' * (i % 30)}]]\n"),
    "unknown keys": full(lambda i: f"handler_gran{i} = 1\n"),
    "unknown interfaces": full(lambda i: f"message-server{i} = 1\n", HEAD + "[grants]\n"),
    "wrong handlers": full(lambda i: "{},", HEAD + "handler = [", "]\n"),
    "the same key": full(lambda i: "a = 1\n"),
    "dates": full(lambda i: "1979-05-27,", STATE + "v = [", "]\n"),
    "escapes": full(lambda i: "\\u0041", STATE + 'v = "', '"\n'),
    "comments": full(lambda i: "#\n"),
    "long strings": full(lambda i: f'k{i} = """"a"""\n', STATE),
    "a fault, then much": full(lambda i: f"k{i} = 1\n", HEAD + "! = 1\n[state]\n"),
    "a fault behind much": full(lambda i: "1,", STATE + "v = [", "!\n"),
    "addresses": full(lambda i: "'1.1.1.1:1',", HEAD + "[grants.tcp]\nconnect = [", "]\n"),
}
YAML = {
    "numbers": full(lambda i: "1,", "name: x\npackage: x.wasm\nstate: [", "]\n"),
    "lists": full(lambda i: "[],", "name: x\npackage: x.wasm\nstate: [", "]\n"),
    "depth": "state: " + "[" * (MANIFEST_TEXT_BYTES_MAX - 10),
    "aliases": "x-0: &a0 [1]\n" + "".join(f"x-{i}: &a{i} [{f'*a{i - 1},' * 9}]\n" for i in range(1, 300)),
    "keys": full(lambda i: f"k{i}: 1\n", "name: x\npackage: x.wasm\nstate: {}\n"),
}


def calls(function: Callable[[], Any]) -> int:
    """How many functions are called, those of the interpreter's own included."""
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def refused(text: str, base_dir: str) -> None:
    """Read a manifest; whether it can be used does not matter here, but what is said of it is bounded, too."""
    try:
        parse_manifest(text, base_dir, "guest", package_needed=False)
    except ConfigError as error:
        assert len(error.problems) <= GUEST_PROBLEMS_MAX


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_takes_long(text: str, tmp_path: Path) -> None:
    """As large as it may be and made to be dear, a manifest takes bounded work."""
    refused(HEAD, str(tmp_path))  # the first one imports what is needed

    assert calls(lambda: refused(text, str(tmp_path))) <= CALLS_MAX


@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_no_file_takes_long(text: str, tmp_path: Path) -> None:
    """The same of a file that a guest names."""
    (tmp_path / "warm.yaml").write_text("name: x\n")
    (tmp_path / "a.yaml").write_text(text[:MANIFEST_TEXT_BYTES_MAX])
    refused("warm.yaml", str(tmp_path))

    assert calls(lambda: refused("a.yaml", str(tmp_path))) <= CALLS_MAX


@pytest.mark.parametrize("ending", ["toml", "yaml"])
def test_a_file_a_guest_names_is_bounded_like_its_text(ending: str, tmp_path: Path) -> None:
    """It may have written it."""
    (tmp_path / f"a.{ending}").write_text("#" * (MANIFEST_TEXT_BYTES_MAX + 1))

    with pytest.raises(ConfigError, match=f"expected at most {MANIFEST_TEXT_BYTES_MAX} bytes, found more"):
        parse_manifest(f"a.{ending}", str(tmp_path), "guest")


def test_more_values_are_refused_where_they_are(tmp_path: Path) -> None:
    """The first one that is too many is named."""
    with pytest.raises(ConfigError, match=f"^guest:4:[0-9]+: expected at most {GUEST_NODES_MAX} keys and values"):
        parse_manifest(HOSTILE["numbers"], str(tmp_path), "guest", package_needed=False)
