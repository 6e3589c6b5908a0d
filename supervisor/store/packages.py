"""Packages that a store keeps beside its chains, by digest: what later incarnations and replays need.

Those that guests have handed over as bytes, and those that actors were updated to.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

DIRECTORY: Final = "packages"
SUFFIXES: Final = (".wasm", ".wat")


def keep_package(directory: str, file: str, digest: str) -> str:
    """Copy a package into a directory of them, under its digest; return its path there.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it is not the package it was.
    """
    with open(file, "rb") as source:
        data = source.read()
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise ValueError(f"{file} has changed meanwhile: expected sha256 {digest}, it has {found}")
    suffix = os.path.splitext(file)[1]
    return keep_bytes(directory, data, digest + (suffix if suffix in SUFFIXES else SUFFIXES[0]))


def keep_bytes(directory: str, data: bytes, name: str) -> str:
    """Write a file as a whole or not at all, unless it is there already; return its path."""
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.replace(path + ".new", path)
    return path


def kept_package(store: str, digest: str) -> str | None:
    """The path of a package that the store keeps, None if it does not."""
    for suffix in SUFFIXES:
        path = os.path.join(store, DIRECTORY, digest + suffix)
        if os.path.exists(path):
            return path
    return None
