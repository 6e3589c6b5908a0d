"""Beginning and building an actor of one language."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from supervisor.kits import clang, components, rustc
from supervisor.kits.tools import HERE, KitError

NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
"""What WIT, file names and tree files all take."""


class Kit(msgspec.Struct, frozen=True):
    """One language: what a new actor consists of, how it is recognised, and how it is built."""

    language: str
    source: str
    """The file it is written in, by which its directory is recognised."""
    templates: dict[str, str]
    """Where each template goes."""
    package: str
    """What building makes, as its tree file names it."""
    declared: str
    """Where its functions are declared."""
    build: Callable[[Path], Path]
    """Builds the actor from its source; returns the package."""
    is_alone: bool = False
    """Whether a source of any name, by itself, is an actor."""


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
    words = {"name": name, "package": kit.package.format(name=name), "declared": kit.declared}
    made = []
    for template, target in kit.templates.items():
        path = directory / target
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (HERE / template).read_text(encoding="utf-8")
        path.write_text(text.format_map(words) if template.endswith(".in") else text, encoding="utf-8")
        made.append(path)
    return made


def build(path: Path) -> Path:
    """Build the actor in a directory, or of one source file in C or Rust; return its package.

    Raises:
        KitError: it is of no language we know, its tool is missing, or the tool says no.
    """
    if path.is_file():
        return _build_file(path)
    kit = next((each for each in KITS.values() if (path / each.source).exists()), None)
    if kit is None:
        sources = ", ".join(f"{each.source} ({each.language})" for each in KITS.values())
        raise KitError(f"{path}: no actor is here; expected one of {sources}")
    return kit.build(path / kit.source)


def _build_file(source: Path) -> Path:
    for kit in KITS.values():
        if source.name == kit.source or (kit.is_alone and source.suffix == Path(kit.source).suffix):
            return kit.build(source)
    raise KitError(f"{source}: expected a directory with an actor, or a source in C (.c) or Rust (.rs)")


_COMMON: Final = {"tree.yaml.in": "tree.yaml", "README.md.in": "README.md"}
_COMPONENT: Final = {
    "world.wit.in": "wit/world.wit",
    "theater-simple.wit": "wit/deps/theater-simple/simple.wit",
    **_COMMON,
}
WORLD: Final = "wit/world.wit"

_LIST: Final = (
    Kit("c", "actor.c", {"c/actor.c.in": "actor.c", **_COMMON}, "actor.wasm", "actor.c", clang.build, True),
    Kit(
        "js",
        "actor.js",
        {"js/actor.js.in": "actor.js", "js/package.json.in": "package.json", **_COMPONENT},
        "{name}.wasm",
        WORLD,
        components.build_js,
    ),
    Kit(
        "python",
        "app.py",
        {"python/app.py.in": "app.py", **_COMPONENT},
        "{name}.wasm",
        WORLD,
        components.build_python,
    ),
    Kit("rust", "actor.rs", {"rust/actor.rs.in": "actor.rs", **_COMMON}, "actor.wasm", "actor.rs", rustc.build, True),
)
KITS: Final[dict[str, Kit]] = {kit.language: kit for kit in _LIST}
