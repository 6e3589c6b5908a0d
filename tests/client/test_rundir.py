"""Finding the running supervisor (theater.rundir)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.faketree import FakeTree, fake_tree
from theater.rundir import NotRunning, NotTrusted, find, is_alive, running, runs_base


@pytest.fixture
def base(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The base directory of this user, empty."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    monkeypatch.delenv("THEATER_RUN_DIR", raising=False)
    return short_path / "theater"


def test_base_without_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without XDG_RUNTIME_DIR runs are below /tmp, one directory for each user."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)

    assert runs_base().startswith("/tmp/theater-")


def test_the_only_one(base: Path) -> None:
    """The only running supervisor needs no name."""
    with fake_tree(base / "one"):
        assert str(base / "one") == find().path


def test_none(base: Path) -> None:
    """Nothing runs: the error says where we looked and what to do."""
    with pytest.raises(NotRunning, match=r"no supervisor is running \(looked in .*theater\); start one"):
        find()


def test_several(base: Path) -> None:
    """Several run: the error names them all."""
    with fake_tree(base / "one"), fake_tree(base / "two"), pytest.raises(NotRunning) as caught:
        find()

    assert (str(base / "one"), str(base / "two")) == caught.value.candidates


def test_by_environment(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """THEATER_RUN_DIR chooses among several."""
    with fake_tree(base / "one"), fake_tree(base / "two"):
        monkeypatch.setenv("THEATER_RUN_DIR", str(base / "two"))
        assert str(base / "two") == find().path


def test_explicit_beats_environment(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given outright counts, as a path or as a name below the base directory."""
    with fake_tree(base / "one"), fake_tree(base / "two"):
        monkeypatch.setenv("THEATER_RUN_DIR", str(base / "two"))
        assert [str(base / "one")] * 2 == [find(base / "one").path, find("one").path]


def test_dead_run(base: Path) -> None:
    """A directory whose lock nobody holds is not running, whatever files it has."""
    with fake_tree(base / "one") as tree:
        tree.die()

        assert not is_alive(base / "one")
        assert running() == ()
        with pytest.raises(NotRunning, match="no supervisor is running in"):
            find("one")


def test_still_starting(base: Path) -> None:
    """A locked directory without supervisor.json is one that is still starting."""
    with fake_tree(base / "one"):
        (base / "one" / "supervisor.json").unlink()
        with pytest.raises(NotRunning, match="still starting"):
            find("one")


def test_open_to_others(base: Path) -> None:
    """A directory others may enter is refused."""
    with fake_tree(base / "one"):
        (base / "one").chmod(0o755)
        with pytest.raises(NotTrusted, match=r"open to others \(mode 0755\), expected 0700"):
            find("one")


def test_not_a_directory(base: Path) -> None:
    """A file in the place of the directory is said to be one."""
    base.mkdir()
    (base / "one").touch()

    with pytest.raises(NotRunning, match="not a directory"):
        find("one")


def test_garbage_info(tree: FakeTree) -> None:
    """A supervisor.json that is none is an error with its name, not a traceback."""
    (tree.run_dir / "supervisor.json").write_bytes(b"\xff{")

    with pytest.raises(NotRunning, match=r"supervisor.json cannot be read"):
        find(tree.run_dir)
