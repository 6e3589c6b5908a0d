"""Building an actor written with ``theater_actor``: its WIT and its glue are made of its type hints."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from theater.errors import TheaterError

LIBRARY: Final = "theater_actor"
MODULE: Final = "app"


class HintsError(TheaterError):
    """The actor's source says something that no component can do; the text has a line for each place."""


@contextmanager
def staged(directory: Path) -> Iterator[tuple[Path, list[str]]]:
    """Lay out what componentize-py wants; yields the package to be made, and the tool's arguments but for the output.

    Nothing is written into the actor's own directory: whoever watches it would build again.
    """
    plan = _plan(directory)
    with tempfile.TemporaryDirectory(prefix="theater-build-") as scratch:
        stage = Path(scratch)
        for name, text in plan["wit"].items():
            file = stage / "wit" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        modules = stage / "modules"
        shutil.copytree(_library(), modules / LIBRARY, ignore=shutil.ignore_patterns("__pycache__"))
        (modules / f"{plan['entry']}.py").write_text(plan["source"], encoding="utf-8")
        options = ["-d", str(stage / "wit"), "-w", plan["world"], *plan["names"], "componentize"]
        paths = ["-p", str(modules), "-p", str(directory)]
        stub = [] if plan["wasi"] else ["--stub-wasi"]
        yield directory / f"{plan['name']}.wasm", [*options, *stub, *paths, plan["entry"]]


def _plan(directory: Path) -> dict[str, Any]:
    """Have the actor's module read in a process of its own: it is imported for that."""
    command = [sys.executable, "-m", LIBRARY, MODULE, "--plan"]
    paths = [str(_library().parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise HintsError(f"{LIBRARY} says: {done.stderr.strip()}")
    plan: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return plan


def _library() -> Path:
    spec = importlib.util.find_spec(LIBRARY)
    if spec is None or spec.origin is None:
        raise HintsError(f"{LIBRARY} is not installed: it comes with theater")
    return Path(spec.origin).parent
