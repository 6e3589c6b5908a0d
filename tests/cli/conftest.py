from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from supervisor.cli.main import main
from tests.client.faketree import KILLED, PACKAGE, FakeTree, fake_tree
from tests.homes import new_home
from theater import metadata, types

CALLED = "a:b/c"


class Said(NamedTuple):
    """How a verb ended and what it said."""

    code: int
    out: str
    err: str


Cli = Callable[..., Said]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose name is short enough for sockets in it."""
    with new_home() as path:
        yield path


@pytest.fixture
def described() -> bytes:
    """Metadata of a package with some functions."""
    state = ("state", types.VALUE)
    functions = tuple(
        metadata.FunctionSig(CALLED, name, (state, *params), (types.VALUE,))
        for name, params in {
            "echo": (("text", types.STRING), ("count", types.U32)),
            "fail": (),
            "hold": (),
        }.items()
    )
    return metadata.encode(metadata.Metadata(exports=functions))


@pytest.fixture
def tree(short_path: Path, described: bytes) -> Iterator[FakeTree]:
    """A fake supervisor with two actors, one of which has crashed."""
    with fake_tree(short_path / "run") as tree:
        tree.add("/counter", described)
        tree.add("/agents/planner")
        tree.tree_data = {
            "name": "fake",
            "pid": 4242,
            "state": "up",
            "root": {
                "id": "/",
                "path": "/",
                "type": "supervisor",
                "strategy": "one_for_one",
                "children": [
                    _worker("/counter", "running", 111),
                    {
                        "id": "agents",
                        "path": "/agents",
                        "type": "supervisor",
                        "strategy": "rest_for_one",
                        "children": [_worker("/agents/planner", "running", 222)],
                    },
                ],
            },
        }
        yield tree


@pytest.fixture
def cli(short_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a verb against the fake supervisor (or against none)."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    monkeypatch.setenv("THEATER_RUN_DIR", str(short_path / "run"))

    def run(*arguments: str) -> Said:
        try:
            code = main(arguments)
        except SystemExit as exit:
            code = int(exit.code or 0)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


def _worker(path: str, state: str, pid: int | None) -> dict[str, object]:
    return {
        "id": path.rpartition("/")[2],
        "path": path,
        "type": "worker",
        "restart": "permanent",
        "state": state,
        "actor_id": f"id-of-{path}",
        "incarnation": 2,
        "restarts": 1,
        "pid": pid,
        "since_ns": 200_000_000_000,
        "cause": None,
    }


def counter_of(tree: FakeTree) -> dict[str, object]:
    """The node of /counter, to be changed."""
    node: dict[str, object] = tree.tree_data["root"]["children"][0]
    return node


__all__ = ["CALLED", "KILLED", "PACKAGE", "Cli", "Said", "counter_of"]
