"""An actor outside of a component: an object like any other, in which a call that raises has changed nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.pyactor.modules import module
from theater_actor import Decline, HostError, runtime, supervisor

COUNTER = """
@actor
class Counter:
    total: U32 = 0
    log: list[str] = field(default_factory=list)

    @export
    def bump(self, by: U32) -> U32:
        self.total += by
        self.log.append(f"bump {by}")
        if by > 9:
            raise Decline("too much")
        return self.total

    @export
    def both(self, one: U32, two: U32) -> U32:
        self.bump(one)
        try:
            self.bump(two)
        except Decline:
            self.log.append("caught")
        return self.total
"""


@pytest.fixture
def counter(tmp_path: Path) -> Any:
    return module(tmp_path, COUNTER).Counter()


def test_a_call_changes_the_object(counter: Any) -> None:
    """And returns what the method returns."""
    assert [counter.bump(2), counter.bump(3), counter.total] == [2, 5, 5]


def test_a_call_that_raises_changes_nothing(counter: Any) -> None:
    """Not even within its fields; the object stays usable."""
    counter.bump(1)
    with pytest.raises(Decline, match="too much"):
        counter.bump(10)

    assert (counter.total, counter.log) == (1, ["bump 1"])
    assert counter.bump(1) == 2


def test_a_call_within_a_call_is_part_of_it(counter: Any) -> None:
    """As in a component: who catches keeps what was changed."""
    assert counter.both(1, 10) == 11
    assert counter.log == ["bump 1", "bump 10", "caught"]


def test_an_actor_is_a_dataclass(tmp_path: Path) -> None:
    """With @dataclass or without."""
    made = module(tmp_path, COUNTER + "\n@actor\n@dataclass(order=True)\nclass Other:\n    x: int\n")

    assert repr(made.Counter(total=2)) == "Counter(total=2, log=[])"
    assert made.Other(1) < made.Other(2)


def test_host_functions_have_a_say_outside(capsys: pytest.CaptureFixture[str]) -> None:
    """The log is printed, the id is made up, children there are none."""
    runtime.log("hello")

    assert (capsys.readouterr().out, runtime.self()) == ("hello\n", "test")
    with pytest.raises(HostError, match="there is no host outside of a component"):
        supervisor.spawn("child.toml")


def test_host_functions_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any function of a module can."""
    made = module(
        tmp_path,
        """
        from theater_actor import supervisor
        @actor
        class Parent:
            @export
            def spawn(self) -> str:
                return supervisor.spawn("child.toml")
        """,
    )
    monkeypatch.setattr(supervisor, "spawn", lambda manifest: f"id of {manifest}")

    assert made.Parent().spawn() == "id of child.toml"
