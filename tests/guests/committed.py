"""Modules that are committed beside their sources, and the compiler that built them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from supervisor.kits import clang

SYSTEM = Path(__file__).parents[1] / "system"
SOURCES = sorted(SYSTEM.glob("*/*.c"))
"""Guests of the system tests."""


def is_committed_compiler() -> bool:
    """Whether the compiler here is the one that built the committed modules."""
    try:
        return bool(clang.compiler() == clang.ZIG and version("ziglang") == clang.ZIGLANG)
    except PackageNotFoundError:
        return False
