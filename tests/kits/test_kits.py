"""``theater new`` and ``theater build``: from a name to an actor that runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.kits import kit
from tests.system.running import ROOT, RunningTree, until
from theater import client

THE_TOOL = kit._tool(kit.COMPONENTIZE)
HAS_NPM = os.environ.get("THEATER_KIT_JS") == "1"
"""npm fetches the tool: not in every test run."""


def theater(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supervisor", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | env
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="th") as directory:
        yield Path(directory)


@pytest.mark.parametrize(("language", "source"), [("python", "app.py"), ("js", "actor.js")])
def test_new_makes_what_check_takes(home: Path, language: str, source: str) -> None:
    """Source, types, a tree and a README; the tree only misses the package that build makes."""
    done = theater("new", "my-actor", "--lang", language, cwd=home)
    files = done.stdout.split()

    assert (done.returncode, "theater build my-actor" in done.stderr) == (0, True)
    types = "test_app.py" if language == "python" else "wit/world.wit"
    assert {f"my-actor/{each}" for each in (source, types, "tree.yaml", "README.md")} <= set(files)
    assert "my-actor" in (home / "my-actor" / source).read_text()
    assert "my-actor.wasm" in theater("check", "my-actor/tree.yaml", cwd=home).stderr


@pytest.mark.parametrize("name", ["My_Actor", "1st", "a--b", "ends-"])
def test_names_that_wit_does_not_take_are_refused(home: Path, name: str) -> None:
    """Before anything is written."""
    done = theater("new", name, "--lang", "python", cwd=home)

    assert done.returncode != 0
    assert "expected a name like" in done.stderr
    assert list(home.iterdir()) == []


def test_nothing_is_overwritten(home: Path) -> None:
    """A directory with something in it stays as it is."""
    (home / "mine").mkdir()
    (home / "mine" / "app.py").write_text("precious")
    done = theater("new", "mine", "--lang", "python", cwd=home)

    assert "new or empty" in done.stderr
    assert (home / "mine" / "app.py").read_text() == "precious"


def test_build_says_what_is_missing(home: Path) -> None:
    """No actor; or no tool, and how to get it."""
    nothing = theater("build", cwd=home)
    theater("new", "my-actor", "--lang", "python", cwd=home)
    bare = "import sys, supervisor.kits.kit as kit; kit._tool = lambda name: None; kit.build(kit.Path(sys.argv[1]))"
    missing = subprocess.run(
        [sys.executable, "-c", bare, str(home / "my-actor")], cwd=ROOT, capture_output=True, text=True
    )

    assert "no actor is here" in nothing.stderr
    assert f"pip install {kit.COMPONENTIZE}=={kit.COMPONENTIZE_VERSION}" in missing.stderr


def test_the_published_contract_is_what_kits_use() -> None:
    """One text, in two places."""
    assert (kit.HERE / "theater-simple.wit").read_bytes() == (ROOT / "wit" / "theater-simple.wit").read_bytes()


NEEDS_PYTHON = pytest.mark.skipif(THE_TOOL is None, reason="needs componentize-py (tox -e kits)")
PYTHON = pytest.param("python", marks=NEEDS_PYTHON)
JS = pytest.param("js", marks=pytest.mark.skipif(not HAS_NPM, reason="THEATER_KIT_JS=1 builds with npm (tox -e kits)"))

KINDS = ((PYTHON, "app.py"), (JS, "actor.js"))


@pytest.mark.parametrize("language", [PYTHON, JS])
def test_an_actor_from_its_name_to_its_replay(home: Path, language: str) -> None:
    """Built, called, declined, killed and back from its last state, verified, replayed, updated."""
    theater("new", "tally", "--lang", language, cwd=home)
    built = theater("build", "tally", cwd=home)
    assert built.returncode == 0, built.stderr
    running = RunningTree(home / "tally", (home / "tally" / "tree.yaml").read_text())
    try:
        tally = running.actor("/tally")
        assert [tally.call("bump", (by,)) for by in (1, 2)] == [1, 3]
        with pytest.raises(Exception, match="more than 0"):
            tally.call("bump", (0,))
        tally.terminate()
        running.wait_incarnation("/tally", 2)
        assert tally.call("get") == 3
        assert tally.update_package(home / "tally" / "tally.wasm") == 3
        assert tally.call("bump", (1,)) == 4
        running.cli("verify", "/tally")
        assert "Replay complete" in running.cli("replay", "/tally")
    finally:
        running.stop()
        running.clean_up()


@NEEDS_PYTHON
def test_what_the_tool_says_is_passed_on(home: Path) -> None:
    """And the package there was stays."""
    theater("new", "tally", "--lang", "python", cwd=home)
    (home / "tally" / "tally.wasm").write_bytes(b"as before")
    (home / "tally" / "wit").mkdir()
    (home / "tally" / "wit" / "world.wit").write_text("package a:b;\nworld tally { export nothing; }\n")
    done = theater("build", "tally", cwd=home)

    assert done.returncode != 0
    assert "componentize-py says" in done.stderr
    assert (home / "tally" / "tally.wasm").read_bytes() == b"as before"


@pytest.mark.parametrize(("language", "source"), [pytest.param(*each.values, s, marks=each.marks) for each, s in KINDS])
def test_dev_updates_on_every_change(home: Path, language: str, source: str) -> None:
    """The state goes on; a mistake is told and changes nothing; SIGINT ends it with the tree."""
    theater("new", "tally", "--lang", language, cwd=home)
    file, run_dir = home / "tally" / source, home / "r"
    command = [sys.executable, "-m", "supervisor", "dev", "tally", "--run-dir", str(run_dir)]
    with (home / "said").open("w") as said:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=home, env=environment, stderr=said, stdout=said)
    try:
        until(lambda: "watching" in (home / "said").read_text(), "the tree", 60.0)
        with client.connect(run_dir) as connected:
            tally = connected.actor("/tally")
            assert tally.call("bump", (5,)) == 5
            text = file.read_text().replace("state + by", "state + 10 * by").replace("total += by", "total += 10 * by")
            file.write_text(text)
            until(lambda: "incarnation 2" in (home / "said").read_text(), "the update", 60.0)
            assert tally.call("bump", (1,)) == 15
            file.write_text("this is (no source")
            until(lambda: " says: " in (home / "said").read_text(), "the mistake", 60.0)
            assert tally.call("bump", (1,)) == 25
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert not run_dir.exists()
