"""Actors in Python and JavaScript: WIT components, built by the tools of those languages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from supervisor.kits import pyactor, tools
from supervisor.kits.tools import KitError

COMPONENTIZE: Final = "componentize-py"
COMPONENTIZE_VERSION: Final = "0.25.1"
COMPONENTIZE_JS: Final = "componentize-qjs"


def build_python(source: Path) -> Path:
    """Build ``app.py`` for the world beside it, or for the one that its type hints make."""
    directory = source.parent
    if not (directory / "wit" / "world.wit").exists():
        with pyactor.staged(directory) as (made, arguments):  # mistakes in the source are told before a missing tool
            return tools.make(COMPONENTIZE, [_tool(), *arguments, "-o", str(tools.fresh(made))], directory, made)
    package = _package(directory)
    options = ("-d", "wit", "-w", package.stem, "componentize", "--stub-wasi", source.stem)
    return tools.make(COMPONENTIZE, [_tool(), *options, "-o", str(tools.fresh(package))], directory, package)


def _tool() -> str:
    tool = tools.find(COMPONENTIZE)
    if tool is None:
        raise KitError(f"{COMPONENTIZE} is not installed: pip install {COMPONENTIZE}=={COMPONENTIZE_VERSION}")
    return tool


def build_js(source: Path) -> Path:
    """Build ``actor.js`` for the world beside it, with the tool that package.json pins."""
    directory = source.parent
    tool = directory / "node_modules" / ".bin" / COMPONENTIZE_JS
    if not tool.exists():
        _npm_install(directory)
    package = _package(directory)
    options = ("--sync", "--stub-wasi", "--opt-size", "--wit", "wit", "--js", source.name)
    return tools.make(COMPONENTIZE_JS, [str(tool), *options, "-o", str(tools.fresh(package))], directory, package)


def _package(directory: Path) -> Path:
    """Named after the one world that wit/world.wit declares."""
    text = (directory / "wit" / "world.wit").read_text(encoding="utf-8")
    found = re.search(r"^world ([\w-]+)", text, re.MULTILINE)
    if found is None:
        raise KitError(f"{directory}/wit/world.wit: expected a world")
    return directory / f"{found[1]}.wasm"


def _npm_install(directory: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise KitError("npm is not installed: apt install npm (Node.js 20 or newer), then build again")
    tools.run("npm install", [npm, "install", "--no-audit", "--no-fund"], directory)
