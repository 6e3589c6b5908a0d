"""What a tree needs of the machine."""

from __future__ import annotations

import resource

import pytest

from supervisor.resources import ResourceError, count_actors, raise_file_limit
from theater.spec import ChildSpec, SupervisorSpec


def test_actors_are_counted_through_all_levels_and_templates_are_not() -> None:
    """simple_one_for_one starts nothing."""
    template = SupervisorSpec(strategy="simple_one_for_one", children=(ChildSpec(id="t"),))
    inner = SupervisorSpec(children=(ChildSpec(id="x"), ChildSpec(id="y")))
    spec = SupervisorSpec(
        children=(ChildSpec(id="a"), ChildSpec(id="s", supervisor=inner), ChildSpec(id="d", supervisor=template))
    )

    assert count_actors(spec) == 3


def test_the_soft_limit_is_raised_and_the_hard_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits is raised to; what does not is an error with the remedy."""
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: raised.append(limits))
    raise_file_limit(10)

    assert raised == [(1000, 1000)]
    with pytest.raises(ResourceError, match=r"ulimit -Hn \d+"):
        raise_file_limit(1000)
