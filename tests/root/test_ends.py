"""Whether an actor that has ended is over for good: its supervisors are asked, and they answer when they know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.core import notices as note
from supervisor.fleet.ends import LOOK_AGAIN_MS, Ends
from tests.root.fakes import FakeForest, FakeLoop
from theater.spec import Backoff, ChildSpec, SupervisorSpec


class Scene:
    """A tree, its actors, and which of them were found to be over."""

    def __init__(self, *children: ChildSpec, strategy: str = "one_for_one") -> None:
        spec = SupervisorSpec(strategy=strategy, intensity=100, children=children)
        self.forest = FakeForest(spec)
        self.loop = FakeLoop()
        self.over: list[str] = []
        services: Any = SimpleNamespace(forest=self.forest, loop=self.loop)
        self.ends = Ends(services, lambda actor: self.over.append(actor.path))
        self.forest.start_all()

    def look(self, path: str) -> None:
        """Ask about an actor; whether it lives is asked of the tree whenever it matters."""
        self.ends.look(Watched(self.forest, path))  # type: ignore[arg-type]


class Watched:
    """An actor, as far as Ends looks at it."""

    tree = "/"

    def __init__(self, forest: FakeForest, path: str) -> None:
        self._forest = forest
        self.path = self.id = path

    @property
    def is_alive(self) -> bool:
        forest = self._forest
        return self.path in forest.running or self.path in forest.starting or self.path in forest.stopping


def child(name: str, restart: str = "permanent", **more: Any) -> ChildSpec:
    return ChildSpec(id=name, restart=restart, **more)


def group(name: str, *children: ChildSpec, strategy: str = "one_for_one", restart: str = "permanent") -> ChildSpec:
    return ChildSpec(id=name, restart=restart, supervisor=SupervisorSpec(strategy=strategy, children=children))


@pytest.mark.parametrize(("restart", "reason"), [("temporary", "crash"), ("transient", "normal")])
def test_a_child_that_is_not_restarted_is_over(restart: str, reason: str) -> None:
    """It has ended for good."""
    scene = Scene(child("a", restart))
    scene.forest.end("/a", reason)
    scene.look("/a")

    assert scene.over == ["/a"]


def test_a_child_that_is_restarted_is_not() -> None:
    """The start is under way at once."""
    scene = Scene(child("a"))
    scene.forest.end("/a")
    scene.look("/a")
    scene.forest.start_all()

    assert scene.over == []


def test_a_child_stopped_by_a_call_is_over() -> None:
    """terminate_child keeps the specification, but nothing follows by itself."""
    scene = Scene(child("a"))
    scene.forest.ask("/", lambda number: note.TerminateChild(number, "/", "a"), lambda answer: None)
    scene.forest.end("/a", "shutdown")
    scene.look("/a")

    assert scene.over == ["/a"]


def test_a_group_that_is_being_restarted_comes_back() -> None:
    """one_for_all: the first to die waits until its siblings have stopped; that is no end."""
    scene = Scene(child("a"), child("b"), strategy="one_for_all")
    scene.forest.end("/a")
    scene.look("/a")
    assert scene.over == []
    scene.forest.end("/b", "shutdown")
    scene.look("/b")
    scene.forest.start_all()

    assert scene.over == []
    assert sorted(scene.forest.running) == ["/a", "/b"]


def test_a_temporary_bystander_of_a_group_restart_is_over() -> None:
    """It is stopped with the others and forgotten."""
    scene = Scene(child("a"), child("t", "temporary"), strategy="one_for_all")
    scene.forest.end("/a")
    scene.forest.end("/t", "shutdown")
    scene.look("/t")
    scene.forest.start_all()

    assert scene.over == ["/t"]


def test_children_of_a_supervisor_that_is_restarted_come_back() -> None:
    """The supervisor itself is gone for a moment: the one above is asked."""
    scene = Scene(child("a"), group("s", child("x"), child("y")), strategy="one_for_all")
    scene.forest.end("/a")
    scene.forest.end("/s/y", "shutdown")
    scene.look("/s/y")
    scene.forest.end("/s/x", "shutdown")
    scene.look("/s/x")
    scene.forest.start_all()

    assert scene.over == []
    assert sorted(scene.forest.running) == ["/a", "/s/x", "/s/y"]


def test_children_of_a_supervisor_that_gave_up_are_over() -> None:
    """A temporary supervisor does not come back, nor does what was below it."""
    scene = Scene(group("s", child("x"), child("y"), restart="temporary"))
    for _ in range(2):
        scene.forest.end("/s/x")
        scene.forest.start_all()
    scene.forest.end("/s/y", "shutdown")
    scene.look("/s/x")
    scene.look("/s/y")

    assert sorted(scene.over) == ["/s/x", "/s/y"]


def test_a_restart_that_waits_is_no_end_until_somebody_ends_the_waiting() -> None:
    """Backoff: looked at again in a while, for terminate_child gives no notice."""
    scene = Scene(child("a", backoff=Backoff()))
    scene.forest.end("/a")
    scene.look("/a")
    scene.loop.advance(3 * LOOK_AGAIN_MS)
    assert scene.over == []
    scene.forest.ask("/", lambda number: note.TerminateChild(number, "/", "a"), lambda answer: None)
    scene.loop.advance(2 * LOOK_AGAIN_MS)

    assert scene.over == ["/a"]


def test_with_the_tree_everything_is_over() -> None:
    """Nobody is left to ask."""
    scene = Scene(child("a"), group("s", child("x")))
    scene.forest.feed(note.Stop())
    scene.forest.end("/s/x", "shutdown")
    scene.forest.end("/a", "shutdown")
    scene.look("/a")
    scene.look("/s/x")

    assert scene.forest.is_down
    assert scene.over == ["/a", "/s/x"]


def test_dynamic_children_are_over_one_by_one() -> None:
    """simple_one_for_one knows its children by their processes."""
    spec = SupervisorSpec(strategy="simple_one_for_one", children=(child("t", "temporary"),))
    scene = Scene(ChildSpec(id="s", supervisor=spec))
    for name in ("one", "two"):
        scene.forest.ask("/", lambda number, name=name: note.StartChild(number, "/s", name=name), lambda answer: None)
        scene.forest.start_all()
    scene.forest.end("/s/one", "normal")
    scene.look("/s/one")
    scene.look("/s/two")

    assert scene.over == ["/s/one"]
