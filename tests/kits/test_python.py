"""Actors written with theater_actor, as a user has them: checked, tested, built, and run in a tree."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.kits import kit
from tests.homes import new_home
from tests.kits.languages import NEEDS_PYTHON
from tests.kits.test_kits import theater
from tests.system.running import ROOT, RunningTree, running_tree, until
from theater.errors import InternalError

HERE = Path(__file__).parent
TREE = """
version: 1
name: zoo
intensity: 100
children:
  - id: zoo
    actor: zoo.wasm
    state: {limit: 3}
    recover: last
    grants: {runtime: {}, supervisor: {}, wasi: {}}
"""


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{cwd}", "MYPYPATH": str(ROOT)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def home() -> Iterator[Path]:
    with new_home() as home:
        yield home


def test_the_template_passes_its_own_test(home: Path) -> None:
    """Without any tool but pytest."""
    theater("new", "tally", "--lang", "python", cwd=home)
    done = python("pytest", "-q", "-p", "no:cacheprovider", cwd=home / "tally")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs mypy (pip install .[lint])")
@pytest.mark.parametrize("name", ["template", "zoo"])
def test_mypy_is_content_with_an_actor(home: Path, name: str) -> None:
    """In strict mode, decorators, widths and host functions included."""
    if name == "template":
        theater("new", "tally", "--lang", "python", cwd=home)
    else:
        (home / "tally").mkdir()
        (home / "tally" / "app.py").write_text((HERE / "zoo.py").read_text())
    done = python("mypy", "--strict", "--cache-dir", os.devnull, "app.py", cwd=home / "tally")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs mypy (pip install .[lint])")
def test_mypy_sees_mistakes_in_an_actor(home: Path) -> None:
    """A call that does not fit an exported method, and a field of another type."""
    (home / "app.py").write_text((HERE / "zoo.py").read_text() + "\n\nZoo(limit='a').admit(5)\n")
    done = python("mypy", "--strict", "--cache-dir", os.devnull, "app.py", cwd=home)

    assert done.stdout.count("error:") == 2, done.stdout


def test_build_tells_where_a_hint_is_wrong(home: Path) -> None:
    """The tool is not even begun; nothing is left behind."""
    theater("new", "tally", "--lang", "python", cwd=home)
    app = home / "tally" / "app.py"
    app.write_text(app.read_text().replace("by: U32", "by: set[int]"))
    line = next(number for number, text in enumerate(app.read_text().splitlines(), 1) if "set[int]" in text)
    fake = "import sys, supervisor.kits.kit as kit; kit._tool = lambda name: 'false'; kit.build(kit.Path(sys.argv[1]))"
    command = [sys.executable, "-c", fake, str(home / "tally")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert f"app.py:{line}: set[int] has no WIT type" in done.stderr
    there = sorted(each.name for each in (home / "tally").iterdir())
    assert there == ["README.md", "app.py", "test_app.py", "tree.yaml"]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an actor with a bit of everything, built once."""
    directory = tmp_path_factory.mktemp("zoo")
    (directory / "app.py").write_text((HERE / "zoo.py").read_text())
    return kit.build(directory)


@pytest.fixture
def tree(zoo: Path, home: Path) -> Iterator[RunningTree]:
    shutil.copy(zoo, home / "zoo.wasm")
    with running_tree(home, TREE) as tree:
        yield tree


CALLS = [
    ("admit", ({"name": "Ada", "mood": "good", "born": None},), {"name": "Ada", "mood": "good", "born": None}),
    ("moods", (), [("Ada", "good")]),
    ("cheer", ("Ada", "bad-one"), ("good", "bad-one")),
    ("draw", (("circle", {"center": {"x": 1.5, "y": -2.0}, "radius": 3.0}),), None),
    ("drawn", (), ("circle", {"center": {"x": 1.5, "y": -2.0}, "radius": 3.0})),
    ("draw", ("nowhere",), ("circle", {"center": {"x": 1.5, "y": -2.0}, "radius": 3.0})),
    ("drawn", (), "nowhere"),
    ("allow", (2,), 3),
    ("turned", (b"\x01\x02\x03", [1, 2, 3], "é"), (b"\x03\x02\x01", b"\x03\x02\x01", "é")),
    ("numbers", (2**64 - 1, -(2**63), 0.5), (2**64 - 1, -(2**63), 0.5)),
    ("kinds", ([("a", [1, 2]), ("b", [])],), [(2, "a"), (0, "b")]),
]


@NEEDS_PYTHON
def test_values_of_every_kind_cross_both_ways(tree: RunningTree) -> None:
    """In calls, in results and in the state; and a replay finds the same."""
    it = tree.actor("/zoo")

    for function, params, expected in CALLS:
        assert it.call(function, params) == expected, function
    assert it.get_state() == {
        "limit": 3,
        "animals": [("Ada", {"name": "Ada", "mood": "bad-one", "born": None})],
        "shape": "nowhere",
        "perms": 3,
        "begun": 1,
        "ended": [],
    }
    assert "Replay complete" in tree.cli("replay", "/zoo")


@NEEDS_PYTHON
def test_how_calls_end(tree: RunningTree) -> None:
    """Declined: the text, and the state stays. A crash: a new incarnation with the last state, the traceback logged."""
    it = tree.actor("/zoo")
    it.call("admit", ({"name": "Ada", "mood": "good", "born": 1815},))
    with pytest.raises(InternalError, match="Ada: expected a name that is not taken"):
        it.call("admit", ({"name": "Ada", "mood": "good", "born": None},))
    with pytest.raises(InternalError, match="unreachable"):
        it.call("crash")
    tree.wait_incarnation("/zoo", 2)

    assert it.call("moods") == [("Ada", "good")]
    assert "ValueError: boom" in tree.cli("logs", "--actor", "/zoo")
    assert it.get_state()["begun"] == 1


@NEEDS_PYTHON
def test_the_host_is_reached(tree: RunningTree) -> None:
    """Own id and log by runtime, refusals as HostError, WASI by Python's own modules."""
    it = tree.actor("/zoo")

    assert it.call("who") == it.actor_id
    assert it.call("parent") == "refused: nobody is not a child of this actor"
    assert it.call("chance") != it.call("chance")
    assert "printed by zoo" in tree.cli("logs", "--actor", "/zoo")
    assert "Replay complete" in tree.cli("replay", "/zoo")


@NEEDS_PYTHON
def test_a_parent_and_its_child_are_python(tree: RunningTree) -> None:
    """Spawned with a state of its own, restarted from its last one, heard of at its end; its state has a type."""
    it = tree.actor("/zoo")
    manifest = (
        'name = "cub"\npackage = "zoo.wasm"\n[state]\nlimit = 7\n'
        + "".join(f'[[handler]]\ntype = "{name}"\n' for name in ("runtime", "supervisor", "wasi"))
    )
    (tree.home / "cub.toml").write_text(manifest)
    cub = it.call("spawn", ("cub.toml",))
    child = tree.actor(cub)
    child.call("admit", ({"name": "Cub", "mood": "good", "born": None},))
    it.call("restart", (cub,))

    assert child.call("moods") == [("Cub", "good")]
    assert child.get_state()["begun"] == 2
    child.call("leave")
    until(lambda: it.get_state()["ended"] == [cub], "the end of the child")
    assert "Replay complete" in tree.cli("replay", "/zoo")


@NEEDS_PYTHON
def test_the_state_of_another_package_is_migrated(tree: RunningTree, zoo: Path, home: Path) -> None:
    """By the static method with @migrate; a package that cannot take the state over is refused."""
    newer = home / "newer"
    newer.mkdir()
    old = "@dataclass\nclass Old:\n    limit: U32\n    animals: dict[str, Animal]\n    shape: Shape | None\n"
    old += "    perms: Perms\n    begun: int\n    ended: list[str]\n\n\n@actor"
    new = "    names: list[str]\n\n    @migrate\n    @staticmethod\n    def before(old: Old) -> Zoo:\n"
    new += "        return Zoo(names=sorted(old.animals))\n\n    @export\n    def named(self) -> list[str]:\n"
    new += "        return self.names\n"
    fields = (HERE / "zoo.py").read_text().partition("@actor")[0] + "from theater_actor import migrate\n\n\n"
    (newer / "app.py").write_text(f"{fields}{old}(name='example:zoo')\nclass Zoo:\n{new}")
    it = tree.actor("/zoo")
    it.call("admit", ({"name": "Ada", "mood": "good", "born": None},))

    it.update_package(kit.build(newer))
    tree.drop_client()

    assert tree.actor("/zoo").call("named") == ["Ada"]
    assert "Replay complete" in tree.cli("replay", "/zoo")
