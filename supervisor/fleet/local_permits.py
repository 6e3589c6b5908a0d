"""What a child may be given of the grants that reach no further than this machine: no more than its parent holds.

A child's limit that is not written is the default, which may be more than its parent has: then it must be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from theater.directories import place, within_any
from theater.grant_limits import DEFAULTS, limit
from theater.grants import FILESYSTEM, PROCESS, TERMINAL

Options = Mapping[str, Any]
Check = Callable[[Options, Options], list[str]]


def beyond_limits(grant: str, held: Options, asked: Options) -> list[str]:
    """The numbers by which ``asked`` is more than ``held``."""
    found = []
    for name in DEFAULTS[grant]:
        mine, theirs = limit(grant, held, name), limit(grant, asked, name)
        if theirs < mine if name.endswith("_min") else theirs > mine:
            found.append(f"{name} of {theirs} (the parent has {mine})")
    return found


def beyond_directories(held: Options, asked: Options) -> list[str]:
    """Directories that are not inside one of the parent's, or are to be written where the parent only reads."""
    mine = held.get("directories", [])
    return [
        f"the directory {place(each)}" + (" for writing" if each.get("write") else "")
        for each in asked.get("directories", [])
        if within_any(each, mine) is None
    ]


def _filesystem(held: Options, asked: Options) -> list[str]:
    return beyond_directories(held, asked) + beyond_limits(FILESYSTEM, held, asked)


def _terminal(held: Options, asked: Options) -> list[str]:
    device = asked.get("device")
    other = [f"the terminal {device}"] if device is not None and device != held.get("device") else []
    return other + beyond_limits(TERMINAL, held, asked)


def _process(held: Options, asked: Options) -> list[str]:
    """A program's environment and directory decide what it does, so they are the parent's or nothing."""
    mine = held.get("programs", [])
    found = [f"the program {each}" for each in asked.get("programs", []) if each not in mine]
    environment = held.get("environment", {})
    found += [
        f"the environment variable {name} as it is"
        for name, text in asked.get("environment", {}).items()
        if environment.get(name) != text
    ]
    if asked.get("directory", "/") not in ("/", held.get("directory", "/")):
        found.append(f"programs in {asked['directory']}")
    return found + beyond_limits(PROCESS, held, asked)


# What is not here can be given freely: variables (`environment`) are data, like a child's initial state.
LOCAL_CHECKS: Final[Mapping[str, Check]] = {
    **{grant: partial(beyond_limits, grant) for grant in DEFAULTS},
    FILESYSTEM: _filesystem,
    TERMINAL: _terminal,
    PROCESS: _process,
}
