"""Actors in Rust: built with the library ``rust/theater.rs`` by rustc alone, without cargo and crates.

The first rustc that can build for WebAssembly is taken: the one named by RUSTC, the one on the path, Debian's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from supervisor.kits import tools
from supervisor.kits.tools import KitError

LIBRARY: Final = tools.HERE / "rust" / "theater.rs"
TARGET: Final = "wasm32-unknown-unknown"
DEBIANS: Final = "/usr/bin/rustc"

OPTIONS: Final = (
    *("--edition", "2021", "--target", TARGET),
    *("-C", "opt-level=s", "-C", "panic=abort", "-C", "codegen-units=1", "-C", "overflow-checks=on"),
)
PACKAGE: Final = (
    *("--crate-type", "cdylib", "-C", "lto=fat", "-C", "strip=symbols"),
    *("-C", "link-arg=-zstack-size=262144"),
)
"""The stack lies below the data, so that running out of it is a trap."""

MISSING: Final = (
    f"no rustc with the target {TARGET} here: apt install rustc libstd-rust-dev-wasm32 lld, "
    f"or rustup target add {TARGET}"
)


def compiler() -> str | None:
    """The compiler to use, or None."""
    return next(filter(_has_target, _candidates()), None)


def build(source: Path, package: Path | None = None) -> Path:
    """Build an actor from its source (and the modules it names); the package is beside it unless another place is said.

    Raises:
        KitError: there is no compiler, or it says no.
    """
    rustc = compiler()
    if rustc is None:
        raise KitError(MISSING)
    source = source.resolve()
    made = package or source.with_suffix(".wasm")
    with tempfile.TemporaryDirectory(prefix="theater-") as scratch:
        library = os.path.join(scratch, "libtheater.rlib")
        tools.run("rustc", [rustc, *library_arguments(library)], source.parent)
        command = [rustc, *arguments(source, library, tools.fresh(made))]
        return tools.make("rustc", command, source.parent, made, warns=True)


def library_arguments(output: str) -> list[str]:
    """What makes rustc build the library; no path of this machine gets into the package."""
    crate = ("--crate-name", "theater", "--crate-type", "rlib", "--remap-path-prefix", f"{LIBRARY.parent}=theater")
    return [*OPTIONS, *crate, str(LIBRARY), "-o", output]


def arguments(source: Path, library: str, output: Path) -> list[str]:
    """What makes rustc build the actor, in the directory of its source."""
    extern = ("--crate-name", "actor", "--extern", f"theater={library}")
    return [*OPTIONS, *PACKAGE, *extern, source.name, "-o", str(output)]


def _candidates() -> Iterator[str]:
    for found in (os.environ.get("RUSTC"), shutil.which("rustc"), DEBIANS):
        if found and os.access(found, os.X_OK):
            yield found


def _has_target(rustc: str) -> bool:
    asked = subprocess.run([rustc, "--print", "target-libdir", "--target", TARGET], capture_output=True, text=True)
    return asked.returncode == 0 and any(Path(asked.stdout.strip()).glob("libstd-*.rlib"))
