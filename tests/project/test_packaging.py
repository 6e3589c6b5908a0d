"""The wheel: built from the sources, installed into an empty environment, and complete."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a user would."""
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        cwd=out,
    )
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    """Every module of the five packages; no tests, examples or benchmarks."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    modules = {
        str(path.relative_to(ROOT))
        for package in ("proto", "theater", "supervisor", "worker", "theater_actor")
        for path in (ROOT / package).rglob("*.py")
    }

    assert tops == {"proto", "theater", "supervisor", "worker", "theater_actor"}
    assert modules <= set(names)


def test_the_installed_command_works_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    """`theater --version` from an environment that has only the wheel beside our dependencies."""
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)],
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [sys.executable, str(site / "bin" / "theater"), "--version"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout


def test_another_supervisor_package_in_the_way_is_explained(tmp_path: Path) -> None:
    """supervisord's package of the same name shadows ours: a clear message, no traceback."""
    (tmp_path / "supervisor").mkdir()
    (tmp_path / "supervisor" / "__init__.py").write_text("VERSION = '4.2.5'\n")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv[0] = 'theater'; from theater._entry import main; sys.exit(main())",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert "supervisor" in done.stderr
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
