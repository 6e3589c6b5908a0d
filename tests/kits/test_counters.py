"""examples/counters: one counter in four languages gives the same answers under the same interface hash."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor.kits import clang, kit, rustc
from tests.guests.host import Guest
from tests.homes import new_home
from tests.kits.languages import ALL, PYTHON, REASONS, RUST, C
from tests.system.running import ROOT, RunningTree, running_tree
from theater.errors import InternalError, TheaterError

COUNTERS = ROOT / "examples" / "counters"
API = "example:counters/api"
PACKAGES = {"c": "actor.wasm", "rust": "actor.wasm", "python": "counter.wasm", "js": "counter.wasm"}
COMMITTED_WITH = "rustc 1.63.0"
"""Debian's."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The example, with what can be built here built anew."""
    with new_home() as directory:
        home = directory / "counters"
        shutil.copytree(COUNTERS, home, ignore=shutil.ignore_patterns("*.wasm", "node_modules", ".theater"))
        for language, reason in REASONS.items():
            if not reason:
                assert kit.build(home / language) == home.resolve() / language / PACKAGES[language]
        yield home


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[RunningTree]:
    """The tree of all, without those that cannot be built here."""
    lines = (home / "all.yaml").read_text().splitlines()
    missing = [language for language, reason in REASONS.items() if reason]
    built = "\n".join(it for it in lines if not any(f"id: {each}," in it for each in missing))
    with running_tree(home, built) as running:
        yield running


def inspected(package: Path, cache: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "worker.prepare", "--cache", str(cache), "--inspect", str(package)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("language", ALL)
def test_interface_hash_is_the_same(home: Path, tmp_path: Path, language: str) -> None:
    """That of the committed module in C, which every machine has."""
    built = inspected(home / language / PACKAGES[language], tmp_path)
    committed = inspected(COUNTERS / "c" / "actor.wasm", tmp_path)

    assert built["refusals"] == built["warnings"] == []
    assert built["export_hashes"][API] == committed["export_hashes"][API]


CALLS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("get", (), 0),
    ("add", (5,), 5),
    ("add", (2**32 - 1,), 2**32 + 4),
    ("fail", (), InternalError),
    ("get", (), 2**32 + 4),
    ("set", (2**53 - 2,), ()),
    ("add", (1,), 2**53 - 1),
    ("add", (2**32,), TheaterError),
    ("add", (), TheaterError),
    ("nothing", (), TheaterError),
]


@pytest.mark.parametrize("language", ALL)
def test_answers_are_the_same(running: RunningTree, language: str) -> None:
    """Numbers, nothing, an error with its text; a state that outlives each call; ill-typed calls are refused alike."""
    counter = running.actor(f"/{language}")
    for function, arguments, expected in CALLS:
        if isinstance(expected, type):
            with pytest.raises(expected) as caught:
                counter.call(function, arguments)
            assert function != "fail" or "declined, as you asked" in str(caught.value)
        else:
            assert counter.call(function, arguments) == expected
    assert counter.get_state() == {"count": 2**53 - 1}
    assert counter.call(f"{API}.get") == 2**53 - 1


@pytest.mark.parametrize("language", [C, RUST, PYTHON])
def test_large_numbers_are_exact(running: RunningTree, language: str) -> None:
    """A u64 has 64 bits, but in JavaScript, where the tool makes numbers of them."""
    counter = running.actor(f"/{language}")
    counter.call("set", (2**64 - 2,))

    assert counter.call("add", (1,)) == counter.call("get") == 2**64 - 1


def test_hashes_are_the_same_from_outside(running: RunningTree) -> None:
    """Whoever may call one may call any."""
    languages = [language for language, reason in REASONS.items() if not reason]
    told = {each: running.actor(f"/{each}").get_export_hashes() for each in languages}

    assert len({hash_.hash for each in told.values() for hash_ in each if hash_.name == API}) == 1


def test_the_trees_are_one() -> None:
    """The tree that runs as it is has the first children of the other."""
    some, all_ = (yaml.safe_load((COUNTERS / name).read_text()) for name in ("tree.yaml", "all.yaml"))

    assert [it["id"] for it in all_["children"]] == ["c", "rust", "python", "js"]
    assert some == all_ | {"children": all_["children"][:2]}


def test_both_worlds_are_one() -> None:
    """One text, for two languages."""
    assert (COUNTERS / "python/wit/world.wit").read_text() == (COUNTERS / "js/wit/world.wit").read_text()


@pytest.mark.parametrize("language", [C, RUST])
def test_committed_module_is_what_the_source_builds(home: Path, language: str) -> None:
    """Byte for byte with the same compiler; with another one it declares the same."""
    built, committed = ((it / language / "actor.wasm").read_bytes() for it in (home, COUNTERS))

    assert Guest(built).types() == Guest(committed).types()
    if is_committed_compiler(language):
        assert built == committed, f"run: theater build examples/counters/{language}"


def is_committed_compiler(language: str) -> bool:
    """Whether the compiler here is the one that built the committed module."""
    if language == "rust":
        compiler = rustc.compiler()
        assert compiler is not None
        said = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
        return said.startswith(COMMITTED_WITH)
    try:
        return bool(clang.compiler() == clang.ZIG and version("ziglang") == clang.ZIGLANG)
    except PackageNotFoundError:
        return False
