"""Build actors written in C: ``python kits/c/build.py [FILE.c …]``; without files, every example of this repository.

``FILE.c`` becomes ``FILE.wasm`` beside it. The compiler is ziglang from PyPI if it is installed (the committed
modules are built with version ZIGLANG; the same source and the same version give the same bytes), else clang with
wasm-ld. The command is printed, so that it can be copied into a Makefile.
"""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

KIT = Path(__file__).resolve().parent
EXAMPLES = KIT.parent.parent / "examples"
ZIGLANG = "0.17.0"

COMPILE = ("-std=c11", "-Os", "-fno-inline", "-mbulk-memory", "-Wall", "-Wextra", "-nostdlib")
"""-mbulk-memory: copying is one instruction; -fno-inline: a fifth smaller."""

LINK = ("-Wl,--no-entry", "-Wl,--export-memory", "-Wl,--strip-all", "-Wl,-z,stack-size=65536")

ZIG = (sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", *COMPILE, *LINK)
CLANG = ("clang", "--target=wasm32", "-ffreestanding", *COMPILE, *LINK, "-Wl,--stack-first")
"""The stack lies below the data, so that running out of it is a trap; zig's linker does that by itself."""


def compiler() -> tuple[str, ...] | None:
    """The command of the compiler that is installed, or None."""
    if importlib.util.find_spec("ziglang") is not None:
        return ZIG
    return CLANG if shutil.which("clang") and shutil.which("wasm-ld") else None


def command(base: Sequence[str], source: Path, output: Path) -> list[str]:
    """The whole command that builds one actor."""
    return [*base, "-I", str(KIT), str(source), "-o", str(output)]


def build(base: Sequence[str], source: Path, output: Path) -> None:
    """Build one actor; raises subprocess.CalledProcessError with the compiler's own words in its output."""
    subprocess.run(command(base, source, output), check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def example_sources() -> list[Path]:
    """The C source of every example guest."""
    return sorted(EXAMPLES.glob("*/*.c"))


def main(files: Sequence[str]) -> int:
    base = compiler()
    if base is None:
        print("no compiler: pip install ziglang, or apt install clang lld", file=sys.stderr)
        return 1
    for source in [Path(it) for it in files] or example_sources():
        output = source.with_suffix(".wasm")
        print(shlex.join(command(base, source, output)))
        try:
            build(base, source, output)
        except subprocess.CalledProcessError as error:
            print(error.stdout.decode(errors="replace"), file=sys.stderr)
            return 1
        output.chmod(0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
