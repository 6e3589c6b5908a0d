"""Packages handed over as bytes: kept while a start is under way and once one has succeeded, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.fleet.given import GivenPackages
from supervisor.fleet.lives import Actor
from theater.actor import ActorSpec


class Background:
    """The history's thread: jobs run when the test says so, in their order."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], Any], Callable[[Any, str], None]]] = []

    def in_background(self, job: Callable[[], Any], done: Callable[[Any, str], None]) -> None:
        self.jobs.append((job, done))

    def run(self, count: int | None = None) -> None:
        """So many of them, or all that there are and come."""
        while self.jobs and count != 0:
            job, done = self.jobs.pop(0)
            try:
                result, why = job(), ""
            except OSError as error:
                result, why = None, str(error)
            done(result, why)
            count = None if count is None else count - 1


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def packages(background: Background, tmp_path: Path) -> GivenPackages:
    history: Any = background
    return GivenPackages(history, str(tmp_path / "packages"))


@pytest.fixture
def parent() -> Actor:
    return Actor("/p", "id", ActorSpec(package="x.wasm", name="p"), "/", None)


def keep(packages: GivenPackages, background: Background, wasm: bytes = b"wasm") -> str:
    """Have a package kept; its path."""
    found: list[str | None] = []
    packages.keep(wasm, lambda path, why: found.append(path))
    background.run()
    assert found[0] is not None
    return found[0]


def test_a_package_that_did_not_start_goes(packages: GivenPackages, background: Background) -> None:
    """The file is there for the start, and gone with it."""
    path = keep(packages, background)
    assert Path(path).read_bytes() == b"wasm"
    packages.failed(path)
    background.run()

    assert not Path(path).exists()


def test_a_package_that_has_started_stays(packages: GivenPackages, background: Background, parent: Actor) -> None:
    """Whatever becomes of later starts; it counts once."""
    path = keep(packages, background)
    packages.started(path, parent)
    assert keep(packages, background) == path
    packages.failed(path)
    assert keep(packages, background) == path
    packages.started(path, parent)
    background.run()

    assert Path(path).exists()
    assert parent.given_bytes == len(b"wasm")


def test_two_starts_share_a_package(packages: GivenPackages, background: Background, parent: Actor) -> None:
    """It stays while one of them is under way, and goes only if both come to nothing."""
    path = keep(packages, background)
    keep(packages, background)
    packages.failed(path)
    background.run()
    assert Path(path).exists()
    packages.failed(path)
    background.run()

    assert not Path(path).exists()


def test_a_start_that_comes_while_the_file_goes_finds_it(packages: GivenPackages, background: Background) -> None:
    """Removing and writing have one order."""
    path = keep(packages, background)
    packages.failed(path)
    keep(packages, background)

    assert Path(path).read_bytes() == b"wasm"


def test_one_that_was_there_before_is_not_ours_to_remove(
    packages: GivenPackages, background: Background, parent: Actor
) -> None:
    """An earlier run has kept it."""
    path = keep(packages, background)
    packages.started(path, parent)
    again: Any = background
    others = GivenPackages(again, str(Path(path).parent))
    others.failed(keep(others, background))
    background.run()

    assert Path(path).exists()


def test_what_cannot_be_kept_is_told(background: Background, tmp_path: Path) -> None:
    """With the reason; nothing is left of it."""
    (tmp_path / "file").write_text("")
    history: Any = background
    packages = GivenPackages(history, str(tmp_path / "file" / "packages"))
    found: list[tuple[str | None, str]] = []
    packages.keep(b"wasm", lambda path, why: found.append((path, why)))
    background.run()

    assert found[0][0] is None
    assert "Not a directory" in found[0][1]
