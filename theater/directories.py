"""Directories that grants name: where they are, and which of them lie in others.

A directory inside one that a guest may write is not opened by its name: the guest could have put a link in its place.
It is written as a place ``below`` the outer one, and opened from there, no link followed (worker.interfaces.roots).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from theater.grants import FILESYSTEM, WASI

Directory = Mapping[str, Any]
Grants = Mapping[str, Mapping[str, Any]]

WITH_DIRECTORIES: Final = (FILESYSTEM, WASI)


def place(directory: Directory) -> str:
    """The path of a granted directory."""
    host: str = directory["host"]
    return os.path.join(host, directory["below"]) if "below" in directory else host


def within(asked: Directory, held: Directory) -> dict[str, Any] | None:
    """``asked`` as a place below the host of ``held``; None if it is not inside that, or to be written and that not.

    Links are resolved now, once, and never again.
    """
    base, outer, inner = (os.path.realpath(each) for each in (held["host"], place(held), place(asked)))
    is_as_it_was = outer == os.path.normpath(os.path.join(base, held.get("below", "")))
    if not is_as_it_was or not is_below(inner, outer) or (asked.get("write") and not held.get("write")):
        return None
    return _below(asked, held["host"], os.path.relpath(inner, base))


def within_any(asked: Directory, held: Iterable[Directory]) -> dict[str, Any] | None:
    """``asked`` as a place below the first of these that it is inside of; None if there is none."""
    return next(filter(None, (within(asked, own) for own in held)), None)


def settled(asked: Grants, held: Grants) -> dict[str, Mapping[str, Any]]:
    """A child's grants, its directories as places below its parent's; those that are in none are left out."""
    children = dict(asked)
    for name in WITH_DIRECTORIES:
        if asked.get(name, {}).get("directories"):
            mine = held.get(name, {}).get("directories", [])
            inner = [found for each in asked[name]["directories"] if (found := within_any(each, mine)) is not None]
            children[name] = {**asked[name], "directories": inner}
    return children


def pinned(grants: Grants, writable: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """An actor's grants, directories inside one of ``writable`` as places below it, the outermost."""
    outer = sorted(writable, key=len)
    found = dict(grants)
    for name in WITH_DIRECTORIES:
        if grants.get(name, {}).get("directories"):
            inner = [_pinned(each, outer) for each in grants[name]["directories"]]
            found[name] = {**grants[name], "directories": inner}
    return found


def writable(grants: Grants) -> list[str]:
    """The directories that may be written."""
    each = (directory for name in WITH_DIRECTORIES for directory in grants.get(name, {}).get("directories", ()))
    return [place(directory) for directory in each if directory.get("write")]


def is_inside(path: str, directory: str) -> bool:
    """Whether a path leads to something in a directory, or to it, all links followed."""
    return is_below(os.path.realpath(path), os.path.realpath(directory))


def is_below(inner: str, outer: str) -> bool:
    """Whether a path is that of a directory or of something in it, as they are written."""
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _pinned(directory: Directory, outer: Iterable[str]) -> Directory:
    """By its name, or, where the operator's own links lead there, by where it really is."""
    for resolve in (os.path.normpath, os.path.realpath):
        inner = resolve(place(directory))
        for each in outer:
            if inner != (base := resolve(each)) and is_below(inner, base):
                return _below(directory, each, os.path.relpath(inner, base))
    return directory


def _below(directory: Directory, host: str, rest: str) -> dict[str, Any]:
    found = {**directory, "host": host, "below": rest}
    if rest == os.curdir:
        del found["below"]
    return found
