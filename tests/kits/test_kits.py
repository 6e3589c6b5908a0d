"""``theater new`` and ``theater build``: from a name to an actor that runs."""

from __future__ import annotations

import configparser
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.kits import clang, components, rustc, tools
from tests.homes import new_home
from tests.kits.languages import ALL, PYTHON, RUST, C
from tests.system.running import ROOT, running_tree, until
from theater import client

SOURCES = [("python", "app.py"), ("js", "actor.js"), ("c", "actor.c"), ("rust", "actor.rs")]
COMPONENTS = ("python", "js")


def theater(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supervisor", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | env
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def home() -> Iterator[Path]:
    with new_home() as home:
        yield home


@pytest.mark.parametrize(("language", "source"), SOURCES)
def test_new_makes_what_check_takes(home: Path, language: str, source: str) -> None:
    """Source, types, a tree and a README; the tree only misses the package that build makes."""
    done = theater("new", "my-actor", "--lang", language, cwd=home)
    files = done.stdout.split()
    declared = "wit/world.wit" if language == "js" else source
    package = "my-actor.wasm" if language in COMPONENTS else "actor.wasm"

    assert (done.returncode, "theater build my-actor" in done.stderr) == (0, True)
    assert {f"my-actor/{it}" for it in (source, declared, "tree.yaml", "README.md")} <= set(files)
    assert "my-actor" in (home / "my-actor" / declared).read_text()
    if language != "python":
        assert f"declared in `{declared}`" in (home / "my-actor/README.md").read_text()
    else:
        compile((home / "my-actor/app.py").read_text(), "app.py", "exec")
    assert package in theater("check", "my-actor/tree.yaml", cwd=home).stderr


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


MISSING = [
    ("python", "tools.find = lambda name: None", f"pip install componentize-py=={components.COMPONENTIZE_VERSION}"),
    ("js", "components.shutil.which = lambda name: None", "apt install npm"),
    ("c", "clang.compiler = lambda: None", f"pip install ziglang=={clang.ZIGLANG}"),
    ("rust", "rustc.compiler = lambda: None", "apt install rustc libstd-rust-dev-wasm32 lld"),
]


@pytest.mark.parametrize(("language", "without", "advice"), MISSING)
def test_build_says_what_is_missing(home: Path, language: str, without: str, advice: str) -> None:
    """No tool, and how to get it."""
    theater("new", "my-actor", "--lang", language, cwd=home)
    bare = "import sys; from supervisor.kits import tools; from supervisor.kits.kit import *"
    command = [sys.executable, "-c", f"{bare}; {without}; build(Path(sys.argv[1]))", str(home / "my-actor")]
    missing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert "KitError" in missing.stderr
    assert advice in missing.stderr


def test_build_says_where_no_actor_is(home: Path) -> None:
    """A directory without one; a file that is none."""
    (home / "notes.txt").write_text("")

    assert "no actor is here; expected one of actor.c (c), actor.js (js)" in theater("build", cwd=home).stderr
    assert "expected a directory with an actor" in theater("build", "notes.txt", cwd=home).stderr


def test_a_compiler_without_the_target_is_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RUSTC is asked first; what cannot build for WebAssembly, or cannot run at all, is not taken."""
    there = rustc.compiler()
    for text in ("#!/bin/sh\nexit 1\n", "#!/bin/sh\necho /nowhere\n", "no program"):
        useless = home / "rustc"
        useless.write_text(text)
        useless.chmod(0o755)
        monkeypatch.setenv("RUSTC", str(useless))
        assert rustc.compiler() == there


def test_whatever_kits_need_is_installed_with_them() -> None:
    """setup.cfg names every template, library and text beside the code."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    patterns = config["options.package_data"]["supervisor.kits"].split(", ")
    there = (it.relative_to(tools.HERE) for it in tools.HERE.rglob("*") if it.is_file())
    files = [it for it in there if it.suffix not in (".py", ".pyc")]

    assert [it for it in files if not any(len(it.parts) == p.count("/") + 1 and it.match(p) for p in patterns)] == []


def test_the_published_contract_is_what_kits_use() -> None:
    """One text, in two places."""
    assert (tools.HERE / "theater-simple.wit").read_bytes() == (ROOT / "wit" / "theater-simple.wit").read_bytes()


@pytest.mark.parametrize("language", ALL)
def test_an_actor_from_its_name_to_its_replay(home: Path, language: str) -> None:
    """Built, called, declined, killed and back from its last state, verified, replayed, updated."""
    theater("new", "tally", "--lang", language, cwd=home)
    built = theater("build", "tally", cwd=home)
    assert built.returncode == 0, built.stderr
    with running_tree(home / "tally", (home / "tally" / "tree.yaml").read_text()) as running:
        tally = running.actor("/tally")
        assert [tally.call("bump", (by,)) for by in (1, 2)] == [1, 3]
        with pytest.raises(Exception, match="more than 0"):
            tally.call("bump", (0,))
        tally.terminate()
        running.wait_incarnation("/tally", 2)
        assert tally.call("get") == 3
        assert tally.update_package(built.stdout.strip()) == 3
        assert tally.call("bump", (1,)) == 4
        running.cli("verify", "/tally")
        assert "Replay complete" in running.cli("replay", "/tally")


SPOILT = [
    pytest.param("python", "wit/world.wit", "package a:b;\nworld tally { export nothing; }\n", marks=PYTHON.marks),
    pytest.param("c", "actor.c", "no C", marks=C.marks),
    pytest.param("rust", "actor.rs", "no Rust", marks=RUST.marks),
]


@pytest.mark.parametrize(("language", "file", "text"), SPOILT)
def test_what_the_tool_says_is_passed_on(home: Path, language: str, file: str, text: str) -> None:
    """And the package there was stays."""
    theater("new", "tally", "--lang", language, cwd=home)
    package = home / "tally" / ("tally.wasm" if language in COMPONENTS else "actor.wasm")
    package.write_bytes(b"as before")
    (home / "tally" / file).parent.mkdir(exist_ok=True)
    (home / "tally" / file).write_text(text)
    done = theater("build", "tally", cwd=home)

    assert done.returncode != 0
    assert " says: " in done.stderr
    assert package.read_bytes() == b"as before"


WARNED = [
    pytest.param("c", "INIT\n", "int unused(int it) { int never; return it; }\nINIT\n", marks=C.marks),
    pytest.param("rust", "use theater::actor;", "use theater::actor;\nfn never() {}", marks=RUST.marks),
]


@pytest.mark.parametrize(("language", "before", "after"), WARNED)
def test_warnings_are_passed_on(home: Path, language: str, before: str, after: str) -> None:
    """The package is made all the same; a template builds without any."""
    theater("new", "tally", "--lang", language, cwd=home)
    clean = theater("build", "tally", cwd=home)
    (source,) = (each for each in (home / "tally").iterdir() if each.stem == "actor" and each.suffix != ".wasm")
    source.write_text(source.read_text().replace(before, after, 1))
    warned = theater("build", "tally", cwd=home)

    assert (clean.returncode, warned.returncode) == (0, 0)
    assert "warning" not in clean.stderr
    assert "warning" in warned.stderr
    assert "never" in warned.stderr


@pytest.mark.parametrize("language", [C, RUST])
def test_one_file_is_enough(home: Path, language: str) -> None:
    """A source of any name, in any directory: its package lies beside it."""
    suffix = {"c": ".c", "rust": ".rs"}[language]
    theater("new", "tally", "--lang", language, cwd=home)
    (home / f"alone{suffix}").write_text((home / "tally" / f"actor{suffix}").read_text())
    done = theater("build", f"alone{suffix}", cwd=home)

    assert done.stdout == f"{home.resolve() / 'alone.wasm'}\n"
    assert (home / "alone.wasm").read_bytes().startswith(b"\0asm")


@pytest.mark.parametrize("language", [C, RUST])
def test_the_same_source_gives_the_same_package(home: Path, language: str) -> None:
    """Wherever it is built: no path of the machine is in it."""
    built = []
    for place in ("here", "there"):
        theater("new", "tally", "--lang", language, cwd=_made(home / place))
        theater("build", "tally", cwd=home / place)
        built.append((home / place / "tally" / "actor.wasm").read_bytes())

    assert built[0] == built[1]
    assert str(home).encode() not in built[0]
    assert str(ROOT).encode() not in built[0]


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


CHANGES = {
    "python": ("app.py", "total += by", "total += 10 * by"),
    "js": ("actor.js", "state + by", "state + 10 * by"),
    "c": ("actor.c", "as_u32(state) + by)", "as_u32(state) + 10 * by)"),
    "rust": ("actor.rs", "state += by", "state += 10 * by"),
}
"""What multiplies."""


@pytest.mark.parametrize("language", ALL)
def test_dev_updates_on_every_change(home: Path, language: str) -> None:
    """The state goes on; a mistake is told and changes nothing; SIGINT ends it with the tree."""
    theater("new", "tally", "--lang", language, cwd=home)
    source, before, after = CHANGES[language]
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
            file.write_text(file.read_text().replace(before, after))
            until(lambda: "incarnation 2" in (home / "said").read_text(), "the update", 60.0)
            assert tally.call("bump", (1,)) == 15
            file.write_text("this is (no source")
            until(lambda: " says: " in (home / "said").read_text(), "the mistake", 60.0)
            assert tally.call("bump", (1,)) == 25
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert not run_dir.exists()
