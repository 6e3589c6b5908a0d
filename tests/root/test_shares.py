"""Limits of a child a guest spawns: completed by its parent's, never above them."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.fleet.shares import shares
from theater.actor import ActorOptions
from theater.budgets import Budget

SOME = Budget(amount=10, per_ms=1000)
LESS = Budget(amount=5, per_ms=1000, then="stop")
MORE = Budget(amount=20, per_ms=1000)


@pytest.mark.parametrize("name", ["guest_time", "host_calls", "outgoing", "chain_events", "chain_bytes"])
def test_budgets(name: str) -> None:
    """Taken over where nothing is said; less is fine, more is refused."""

    def of(parent: Budget | None, child: Budget | None) -> Any:
        options, found = shares(ActorOptions(**{name: parent}), ActorOptions(**{name: child}))
        return found or getattr(options, name)

    assert of(None, None) is None
    assert of(None, MORE) == MORE
    assert of(SOME, None) == SOME
    assert of(SOME, LESS) == LESS
    assert of(SOME, MORE) == [f"limit {name}"]


def test_limits_of_the_process() -> None:
    """As the parent's unless less is said."""
    parent = ActorOptions(files_max=100, cgroup_memory_bytes=1 << 26)

    assert shares(parent, ActorOptions())[0].files_max == 100
    assert shares(parent, ActorOptions(files_max=99)) == (
        ActorOptions(files_max=99, cgroup_memory_bytes=1 << 26), [],
    )  # fmt: skip
    assert shares(parent, ActorOptions(files_max=101))[1] == ["limit files_max"]


def test_other_limits_may_be_the_default_or_the_parents() -> None:
    """A parent with less memory than the default does not make every child spell that out."""
    assert shares(ActorOptions(memory_bytes=1 << 20), ActorOptions())[1] == []
    assert shares(ActorOptions(memory_bytes=1 << 30), ActorOptions(memory_bytes=1 << 30))[1] == []
    assert shares(ActorOptions(), ActorOptions(memory_bytes=1 << 30))[1] == [
        f"limit memory_bytes of {1 << 30} (at most {64 << 20})"
    ]
    assert shares(ActorOptions(), ActorOptions(call_deadline_ms=None))[1] == [
        "limit call_deadline_ms of none (at most 300000)"
    ]


def test_a_child_is_stopped_as_fast_as_its_parent() -> None:
    """Or as the default says; a tree must end without its guests' leave."""
    assert shares(ActorOptions(), ActorOptions(shutdown_ms=None))[1] == ["limit shutdown_ms of none (at most 5000)"]
    assert shares(ActorOptions(shutdown_ms=None), ActorOptions(shutdown_ms=None))[1] == []


def test_core_dumps_are_a_permission() -> None:
    """They hold what was in memory."""
    assert shares(ActorOptions(), ActorOptions(core_dumps=True))[1] == ["core_dumps"]
    assert shares(ActorOptions(core_dumps=True), ActorOptions(core_dumps=True))[1] == []
