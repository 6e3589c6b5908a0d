"""``retention:`` of a tree: bounds for all, exceptions by path, what must stay for recovery (docs/store.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from theater.config import ConfigError, TreeConfig, load_tree
from theater.retention import Bounds, Retention

CHILDREN = """
children:
  - {id: a, actor: a.wat}
"""


def tree_with(directory: Path, retention: str, children: str = CHILDREN) -> TreeConfig:
    (directory / "a.wat").write_text("(module)")
    file = directory / "tree.yaml"
    file.write_text(f"version: 1\n{retention}\n{children}")
    return load_tree(file)


def retention(directory: Path, text: str) -> Retention:
    return tree_with(directory, f"retention: {text}").retention


def test_without_it_everything_is_kept(tmp_path: Path) -> None:
    """Nobody loses history who has not asked for it."""
    assert tree_with(tmp_path, "").retention.keeps_all
    assert retention(tmp_path, "{every: 1h}").keeps_all


def test_bounds_are_read_with_their_units(tmp_path: Path) -> None:
    """Ages may be years."""
    found = retention(tmp_path, "{age: 730d, events: 1000, size: 64MiB, every: 30s}")

    assert found.bounds == Bounds(age_ms=730 * 86_400_000, events=1000, size_bytes=64 << 20)
    assert found.every_ms == 30_000


def test_the_first_exception_that_fits_holds(tmp_path: Path) -> None:
    """One without bounds keeps everything of its actors."""
    found = retention(
        tmp_path, "{events: 5, except: [{path: /a/keep}, {path: '/a/*', events: 2}, {path: /b, age: 1d}]}"
    )

    assert found.bounds_of("/a/keep").keeps_all
    assert found.bounds_of("/a/other") == Bounds(events=2)
    assert found.bounds_of("/b") == Bounds(age_ms=86_400_000)
    assert found.bounds_of("/c") == Bounds(events=5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{age: 30}", "retention.age: expected a time with its unit"),
        ("{events: 0}", "retention.events: expected"),
        ("{size: lots}", "retention.size: expected a size with its unit"),
        ("{ages: 1d}", "did you mean age?"),
        ("{except: {}}", "retention.except: expected a list of exceptions"),
        ("{except: [{events: 5}]}", r"retention.except\[0\]: expected the key path"),
        ("{except: [{path: a}]}", r"retention.except\[0\].path: expected a path that begins with /"),
        ("[]", "retention: expected a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """As for every other key."""
    with pytest.raises(ConfigError, match=problem):
        retention(tmp_path, text)


def test_actors_that_are_rebuilt_by_replay_stay_replayable(tmp_path: Path) -> None:
    """Also below supervisors, and those that are started on request; names are no patterns."""
    children = """
children:
  - {id: "a[1]", actor: a.wat, recover: replay}
  - {id: b, actor: a.wat, recover: last}
  - id: sessions
    supervisor:
      strategy: simple_one_for_one
      child: {id: session, actor: a.wat, recover: replay}
"""
    found = tree_with(tmp_path, "retention: {events: 5}", children).retention

    assert [path for path in ("/a[1]", "/a1", "/b", "/sessions/x") if found.is_replayable(path)] == [
        "/a[1]",
        "/sessions/x",
    ]
