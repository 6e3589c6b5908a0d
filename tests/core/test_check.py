"""Refused specifications beyond those that the traces pin down."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.check import childspec_error, flags_error, with_defaults
from supervisor.core.life import spec_error
from theater.spec import ChildSpec, SupervisorSpec


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, None),
        ({"strategy": "all"}, {"invalid_strategy": "all"}),
        ({"intensity": True}, {"invalid_intensity": True}),
        ({"intensity": 1.0}, {"invalid_intensity": 1.0}),
        ({"period_ms": 0}, {"invalid_period": 0}),
        ({"auto_shutdown": None}, {"invalid_auto_shutdown": None}),
        ({"strategy": "x", "intensity": -1, "period_ms": 0}, {"invalid_strategy": "x"}),
        ({"intensity": -1, "period_ms": 0}, {"invalid_intensity": -1}),
    ],
)
def test_flags(flags: dict[str, Any], expected: Any) -> None:
    """The first wrong flag is named, in OTP's order."""
    assert flags_error(SupervisorSpec(**flags)) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, None),
        ({"id": None, "restart": "x"}, "missing_id"),
        ({"restart": "x", "significant": 1}, {"invalid_restart_type": "x"}),
        ({"restart": "transient", "significant": 1, "type": "x"}, {"invalid_significant": 1}),
        ({"type": "x", "shutdown": 0}, {"invalid_child_type": "x"}),
        ({"shutdown": 0}, {"invalid_shutdown": 0}),
        ({"shutdown": True}, {"invalid_shutdown": True}),
        ({"shutdown": 1.5}, {"invalid_shutdown": 1.5}),
        ({"significant": True}, {"bad_combination": {"restart": "permanent", "significant": True}}),
    ],
)
def test_children(keys: dict[str, Any], expected: Any) -> None:
    """The first wrong key is named, in OTP's order."""
    assert childspec_error(ChildSpec(**{"id": "a", **keys}), "any_significant") == expected


def test_same_id_twice() -> None:
    """Two children of one supervisor have different ids."""
    spec = SupervisorSpec(children=(ChildSpec(id="a"), ChildSpec(id="b"), ChildSpec(id="a")))

    assert spec_error(spec) == {"start_spec": {"duplicate_child_name": "a"}}


def test_wrong_child_comes_before_same_id() -> None:
    """The list is checked child by child."""
    spec = SupervisorSpec(children=(ChildSpec(id="a"), ChildSpec(id="a", restart="x")))

    assert spec_error(spec) == {"start_spec": {"invalid_restart_type": "x"}}


@pytest.mark.parametrize("count", [0, 2])
def test_one_template(count: int) -> None:
    """simple_one_for_one has exactly one template."""
    children = tuple(ChildSpec(id=f"c{number}") for number in range(count))

    assert spec_error(SupervisorSpec(strategy="simple_one_for_one", children=children)) == "bad_start_spec"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ("worker", 5000)),
        ({"supervisor": SupervisorSpec()}, ("supervisor", "infinity")),
        ({"type": "supervisor"}, ("supervisor", "infinity")),
        ({"supervisor": SupervisorSpec(), "type": "worker"}, ("worker", 5000)),
        ({"shutdown": "brutal_kill"}, ("worker", "brutal_kill")),
    ],
)
def test_defaults(keys: dict[str, Any], expected: tuple[str, Any]) -> None:
    """The type decides how long a child has to stop."""
    spec = with_defaults(ChildSpec(id="a", **keys))

    assert (spec.type, spec.shutdown) == expected
