"""Granted directories are opened where they are, and never through a link that a guest could have made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from worker.interfaces.roots import open_root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "sub" / "deep").mkdir(parents=True)
    return tmp_path / "data"


def opened(host: Path, below: str = "") -> list[str]:
    """What is in the directory that was opened."""
    directory = open_root({"host": str(host), "below": below}, os.O_RDONLY)
    try:
        return sorted(os.listdir(directory))
    finally:
        os.close(directory)


def test_a_place_below(data: Path) -> None:
    """One directory after the other."""
    assert opened(data) == ["sub"]
    assert opened(data, "sub") == ["deep"]
    assert opened(data, "sub/deep") == []


def test_the_operators_own_links_are_followed(data: Path) -> None:
    """What the tree file names is the operator's business."""
    (data.parent / "link").symlink_to("data")

    assert opened(data.parent / "link") == ["sub"]
    assert opened(data.parent / "link", "sub") == ["deep"]


@pytest.mark.parametrize("target", ["..", "../other", "old", "/"])
def test_links_below_are_not(data: Path, target: str) -> None:
    """Wherever they lead: put there between the grant and its use, they open nothing."""
    (data / "sub").rename(data / "old")
    (data / "sub").symlink_to(target)

    for below in ("sub", "sub/deep", "sub/data"):
        with pytest.raises(OSError):
            opened(data, below)


def test_what_is_no_directory(data: Path) -> None:
    """A file there is refused."""
    (data / "file").write_text("x")

    for below in ("file", "none"):
        with pytest.raises(OSError):
            opened(data, below)
