"""The rules, one by one."""

from __future__ import annotations

import pytest

from supervisor.core.policy import comes_back, ends_supervisor, is_clean, is_proper_stop, is_reported, restart_group

REASONS = ("normal", "shutdown", "shutdown:x", "crash", "killed")


@pytest.mark.parametrize(
    ("restart", "expected"),
    [
        ("permanent", (True, True, True, True, True)),
        ("transient", (False, False, False, True, True)),
        ("temporary", (False, False, False, False, False)),
    ],
)
def test_who_comes_back(restart: str, expected: tuple[bool, ...]) -> None:
    """Permanent always, transient after an abnormal end, temporary never."""
    assert expected == tuple(comes_back(restart, reason) for reason in REASONS)


@pytest.mark.parametrize(
    ("restart", "expected"),
    [
        ("permanent", (True, True, True, True, True)),
        ("transient", (False, False, False, True, True)),
        ("temporary", (False, False, False, True, True)),
    ],
)
def test_which_ends_are_reported(restart: str, expected: tuple[bool, ...]) -> None:
    """Any end of a permanent child, the abnormal ends of others."""
    assert expected == tuple(is_reported(restart, reason) for reason in REASONS)


@pytest.mark.parametrize(
    ("restart", "shutdown", "expected"),
    [
        ("permanent", 5000, (False, True, False, False, False)),
        ("transient", 5000, (True, True, True, False, False)),
        ("permanent", "infinity", (False, True, False, False, False)),
        ("permanent", "brutal_kill", (False, False, False, False, True)),
        ("temporary", "brutal_kill", (True, True, True, False, True)),
    ],
)
def test_which_stops_are_proper(restart: str, shutdown: str | int, expected: tuple[bool, ...]) -> None:
    """A child should end with what it was asked for; only a permanent one is bound to ``shutdown`` exactly."""
    assert expected == tuple(is_proper_stop(restart, shutdown, reason) for reason in REASONS)


@pytest.mark.parametrize("reason", ["shutdowns", "", "shutdown ", {"shutdown": "x"}, None, 7, "Normal"])
def test_what_only_looks_clean(reason: object) -> None:
    """Nothing but normal, shutdown and shutdown:… is clean."""
    assert not is_clean(reason)


@pytest.mark.parametrize(
    ("strategy", "expected"), [("one_for_one", ["b"]), ("rest_for_one", ["b", "c"]), ("one_for_all", ["a", "b", "c"])]
)
def test_restart_group(strategy: str, expected: list[str]) -> None:
    """Who is restarted together with b."""
    assert expected == list(restart_group(strategy, ["a", "b", "c"], "b"))


@pytest.mark.parametrize(
    ("auto_shutdown", "significant", "others_left", "expected"),
    [
        ("never", True, False, False),
        ("any_significant", True, True, True),
        ("any_significant", False, False, False),
        ("all_significant", True, True, False),
        ("all_significant", True, False, True),
        ("all_significant", False, False, False),
    ],
)
def test_auto_shutdown(auto_shutdown: str, significant: bool, others_left: bool, expected: bool) -> None:
    """A supervisor ends with any, or with the last, of its significant children."""
    assert expected is ends_supervisor(auto_shutdown, significant, others_left)
