"""What the kits have in common: finding a tool, running it, and saying what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from theater.errors import TheaterError

HERE: Final = Path(__file__).resolve().parent
"""Where templates and guest libraries are."""


class KitError(TheaterError):
    """The actor cannot be begun or built; the text says why and what to do."""


def find(name: str) -> str | None:
    """A program beside our own interpreter, or on the path."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return beside if os.access(beside, os.X_OK) else shutil.which(name)


def run(who: str, command: Sequence[str], directory: Path) -> str:
    """Run a tool in a directory; return what it said.

    Raises:
        KitError: it says no.
    """
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise KitError(f"{who} cannot be run: {error}") from None
    if done.returncode:
        raise KitError(f"{who} says: {(done.stderr or done.stdout).strip()}")
    return done.stderr + done.stdout


def make(who: str, command: Sequence[str], directory: Path, package: Path, *, warns: bool = False) -> Path:
    """Have a tool write the package (as the path ``fresh``) beside the one that is there, which gives way in one step.

    What a tool that ``warns`` has said is passed on although it went well.
    """
    new = fresh(package)
    try:
        said = run(who, command, directory)
        if warns and said.strip():
            print(said.strip(), file=sys.stderr)
        if not new.exists():
            raise KitError(f"{who} has made no package: expected {new}")
        new.chmod(0o644)
        os.replace(new, package)
    finally:
        new.unlink(missing_ok=True)
    return package


def fresh(package: Path) -> Path:
    """Where a package is written before it takes the place of the old one."""
    return Path(f"{package}.new")
