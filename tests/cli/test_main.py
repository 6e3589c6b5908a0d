"""What holds for every verb: help, finding the supervisor, exit codes, pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.cli.main import VERBS
from tests.cli.conftest import Cli
from tests.client.faketree import FakeTree
from theater._version import __version__

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples(cli: Cli, verb: str) -> None:
    """Every verb teaches by examples and tells its exit codes."""
    said = cli(verb, "--help")

    assert said.code == 0
    assert f"  theater {verb}" in said.out
    assert "exit codes: 0" in said.out


def test_overview(cli: Cli) -> None:
    """Without a verb all of them are listed."""
    said = cli()

    assert said.code == 0
    assert all(f"\n  {verb} " in said.out for verb in VERBS)


def test_help_verb(cli: Cli) -> None:
    """``help VERB`` is ``VERB --help``."""
    assert cli("help", "call").out == cli("call", "--help").out


def test_version(cli: Cli) -> None:
    """--version names the release."""
    assert cli("--version").out == f"theater {__version__}\n"


def test_unknown_verb(cli: Cli) -> None:
    """A verb with a slip of the pen gets a hint and exit code 2."""
    said = cli("stauts")

    assert said.code == 2
    assert "did you mean status?" in said.err


def test_wrong_option(cli: Cli) -> None:
    """A usage error is exit code 2."""
    assert cli("status", "--nonsense").code == 2
    assert cli("--nonsense").code == 2


def test_nothing_runs(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a supervisor the exit code is 3 and the message says what to do."""
    monkeypatch.delenv("THEATER_RUN_DIR")
    said = cli("status")

    assert (said.code, said.out) == (3, "")
    assert "no supervisor is running" in said.err


def test_run_dir_that_is_not_ours_alone(cli: Cli, tree: FakeTree) -> None:
    """A run directory that is open to others is not trusted: exit code 5."""
    tree.run_dir.chmod(0o755)

    assert cli("status").code == 5


def test_unknown_actor(cli: Cli, tree: FakeTree) -> None:
    """A name nobody knows is exit code 4."""
    said = cli("call", "/nobody", "echo")

    assert said.code == 4
    assert "No such actor: /nobody" in said.err


def test_reader_gone(tree: FakeTree) -> None:
    """When the reader of the output has gone, there is no traceback and no complaint."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "tree", "--run-dir", str(tree.run_dir)],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment,
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


def test_status_imports_little() -> None:
    """A status in a prompt must not pay for wasm, YAML, SQLite, asyncio, values or logging."""
    code = (
        "import sys; before = set(sys.modules);"  # an editable install imports things of its own at start-up
        "from supervisor.cli.main import main; main(['status', '--run-dir', '/nowhere']);"
        "heavy = {'wasmtime', 'yaml', 'sqlite3', 'asyncio', 'structlog', 'psutil', 'theater.cgrf', 'theater.convert',"
        "'theater.client', 'shutil', 'pathlib'};"
        "print(*sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_clash_with_another_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution's package of our name is told apart by where it lies."""
    from theater import _entry

    assert _entry.explain_clash() is None
    (tmp_path / "supervisor").mkdir()
    (tmp_path / "supervisor" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "supervisor")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert str(tmp_path / "supervisor") in str(_entry.explain_clash())
