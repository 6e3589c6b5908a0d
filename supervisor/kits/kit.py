"""Beginning and building an actor of one language."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from supervisor.kits import pyactor
from theater.errors import TheaterError

HERE: Final = Path(__file__).resolve().parent
COMPONENTIZE: Final = "componentize-py"
COMPONENTIZE_VERSION: Final = "0.25.1"
COMPONENTIZE_JS: Final = "componentize-qjs"
NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
"""What WIT, file names and tree files all take."""


class KitError(TheaterError):
    """The actor cannot be begun or built; the text says why and what to do."""


class Kit(msgspec.Struct, frozen=True):
    """One language: what a new actor consists of, how it is recognised, and how it is built."""

    language: str
    files: dict[str, str]
    """Where each template goes."""
    sign: str
    """A file that only actors of this language have."""
    build: Callable[[Path], Path]
    """Builds the actor in a directory; returns the package."""


def new(language: str, directory: Path) -> list[Path]:
    """Begin an actor in a directory of its own, named after it; return the files made.

    Raises:
        KitError: there is something already, or the name is not one.
    """
    kit, name = KITS[language], directory.name
    if not NAME.fullmatch(name):
        raise KitError(f"{name!r}: expected a name like my-actor (small letters, digits, hyphens)")
    if directory.exists() and any(directory.iterdir()):
        raise KitError(f"{directory}: expected a directory that is new or empty")
    made = []
    for template, target in kit.files.items():
        path = directory / target
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (HERE / template).read_text(encoding="utf-8")
        path.write_text(text.format(name=name) if template.endswith(".in") else text, encoding="utf-8")
        made.append(path)
    return made


def build(directory: Path) -> Path:
    """Build the actor in a directory; return its package.

    Raises:
        KitError: it is of no language we know, its tool is missing, or the tool says no.
    """
    kit = next((each for each in KITS.values() if (directory / each.sign).exists()), None)
    if kit is None:
        signs = ", ".join(f"{each.sign} ({each.language})" for each in KITS.values())
        raise KitError(f"{directory}: no actor is here; expected one of {signs}")
    return kit.build(directory)


def _build_python(directory: Path) -> Path:
    tool = _tool(COMPONENTIZE)
    if tool is None:
        raise KitError(f"{COMPONENTIZE} is not installed: pip install {COMPONENTIZE}=={COMPONENTIZE_VERSION}")
    if not (directory / "wit" / "world.wit").exists():
        with pyactor.staged(directory) as (package, arguments):
            return _run([tool, *arguments, "-o", f"{package}.new"], directory, package)
    package = directory / f"{_world(directory)}.wasm"
    options = ("-d", "wit", "-w", package.stem, "componentize", "--stub-wasi", "app")
    return _run([tool, *options, "-o", f"{package}.new"], directory, package)


def _world(directory: Path) -> str:
    """The one world that wit/world.wit declares."""
    text = (directory / "wit" / "world.wit").read_text(encoding="utf-8")
    found = re.search(r"^world ([\w-]+)", text, re.MULTILINE)
    if found is None:
        raise KitError(f"{directory}/wit/world.wit: expected a world")
    return found[1]


def _tool(name: str) -> str | None:
    """A program beside our own interpreter, or on the path."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return beside if os.access(beside, os.X_OK) else shutil.which(name)


def _build_js(directory: Path) -> Path:
    tool = directory / "node_modules" / ".bin" / COMPONENTIZE_JS
    if not tool.exists():
        _npm_install(directory)
    package = directory / f"{_world(directory)}.wasm"
    options = ("--sync", "--stub-wasi", "--opt-size", "--wit", "wit", "--js", "actor.js")
    return _run([str(tool), *options, "-o", f"{package}.new"], directory, package)


def _npm_install(directory: Path) -> None:
    """The tool that package.json pins, into the actor's own node_modules."""
    npm = shutil.which("npm")
    if npm is None:
        raise KitError("npm is not installed: apt install npm (Node.js 20 or newer), then build again")
    done = subprocess.run([npm, "install", "--no-audit", "--no-fund"], cwd=directory, capture_output=True, text=True)
    if done.returncode:
        raise KitError(f"npm install says: {(done.stderr or done.stdout).strip()}")


def _run(command: list[str], directory: Path, package: Path) -> Path:
    """Have a tool write the package beside the one that is there, which gives way to it in one step."""
    fresh = Path(f"{package}.new")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode or not fresh.exists():
        fresh.unlink(missing_ok=True)
        raise KitError(f"{Path(command[0]).name} says: {(done.stderr or done.stdout).strip()}")
    os.replace(fresh, package)
    return package


_SHARED: Final = {
    "world.wit.in": "wit/world.wit",
    "theater-simple.wit": "wit/deps/theater-simple/simple.wit",
    "tree.yaml.in": "tree.yaml",
    "README.md.in": "README.md",
}
KITS: Final[dict[str, Kit]] = {
    "js": Kit(
        "js",
        {"js/actor.js.in": "actor.js", "js/package.json.in": "package.json", **_SHARED},
        "actor.js",
        _build_js,
    ),
    "python": Kit(
        "python",
        {f"python/{each}.in": each for each in ("app.py", "test_app.py", "tree.yaml", "README.md")},
        "app.py",
        _build_python,
    ),
}
