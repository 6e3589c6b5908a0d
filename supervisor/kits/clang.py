"""Actors in C: built with the library in ``c/`` by ziglang, a compiler that pip installs, or by clang.

ziglang is tried first: the same source and the same version give the same bytes on every machine.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from supervisor.kits import tools
from supervisor.kits.tools import KitError

LIBRARY: Final = tools.HERE / "c"
ZIGLANG: Final = "0.17.0"

COMPILE: Final = ("-std=c11", "-Os", "-fno-inline", "-mbulk-memory", "-Wall", "-Wextra", "-nostdlib")
"""-mbulk-memory: copying is one instruction; -fno-inline: a fifth smaller."""

LINK: Final = ("-Wl,--no-entry", "-Wl,--export-memory", "-Wl,--strip-all", "-Wl,-z,stack-size=65536")

ZIG: Final = (sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", *COMPILE, *LINK)
CLANG: Final = ("clang", "--target=wasm32", "-ffreestanding", *COMPILE, *LINK, "-Wl,--stack-first")
"""The stack lies below the data, so that running out of it is a trap; zig's linker does that by itself."""

MISSING: Final = (
    f"no C compiler for WebAssembly here: pip install ziglang=={ZIGLANG} (the extra c-kit), or apt install clang lld"
)


def compiler() -> tuple[str, ...] | None:
    """The command of the compiler that is installed, or None."""
    if importlib.util.find_spec("ziglang") is not None:
        return ZIG
    return CLANG if shutil.which("clang") and shutil.which("wasm-ld") else None


def command(base: Sequence[str], source: Path, output: Path) -> list[str]:
    """The whole command that builds one actor."""
    return [*base, "-I", str(LIBRARY), str(source), "-o", str(output)]


def build(source: Path, package: Path | None = None) -> Path:
    """Build an actor from its one source file; the package is beside it unless another place is said.

    Raises:
        KitError: there is no compiler, or it says no.
    """
    base = compiler()
    if base is None:
        raise KitError(MISSING)
    source = source.resolve()
    made = package or source.with_suffix(".wasm")
    who = "ziglang" if base == ZIG else "clang"
    return tools.make(who, command(base, Path(source.name), tools.fresh(made)), source.parent, made, warns=True)
