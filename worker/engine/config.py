"""The engine configuration shared by the compiler process, the template and the workers: one, and one that counts fuel.

wasmtime checks only some of these knobs when it loads an artefact, so all of them are part of the cache key.
"""

from __future__ import annotations

import platform
from typing import Any, Final

import wasmtime

WASM_STACK_BYTES: Final = 1 << 20
"""Must stay below the library's async stack size (2 MiB), else the process aborts."""

KNOBS: Final[tuple[tuple[str, Any], ...]] = (
    ("epoch_interruption", True),  # guest deadlines
    ("parallel_compilation", False),  # no threads, ever: a fork of a process with compiler threads hangs
    ("max_wasm_stack", WASM_STACK_BYTES),
    ("wasm_threads", False),
    ("wasm_multi_memory", True),  # fused composites use several (pack-abi 3.2)
    ("wasm_relaxed_simd_deterministic", True),
)

FUEL_KNOB: Final = ("consume_fuel", True)
"""Only for actors with limits of fuel: it makes what is compiled slower, and what is compiled without it stays so."""

BRIDGE: Final = 1
"""Which bridge is compiled around components (worker.engine.component.outer): changes with what that does."""


def knobs(counts_fuel: bool) -> tuple[tuple[str, Any], ...]:
    """The settings of an engine."""
    return (*KNOBS, FUEL_KNOB) if counts_fuel else KNOBS


def make_config(counts_fuel: bool = False) -> Any:
    """Return a fresh configuration; an engine consumes it."""
    config = wasmtime.Config()
    for name, value in knobs(counts_fuel):
        setattr(config, name, value)
    return config


def make_engine(counts_fuel: bool = False) -> Any:
    """Return an engine. It starts no thread and compiles nothing.

    The raw bindings are tried here, so that a template process does it once for all its forks.
    """
    from worker.engine import raw

    engine = wasmtime.Engine(make_config(counts_fuel))
    raw.unusable(engine)
    return engine


def fingerprint(counts_fuel: bool = False) -> str:
    """Everything besides the package itself that a compiled artefact depends on, as one line."""
    from importlib.metadata import version  # slow to import, and only the compiler process asks

    settings = ",".join(f"{name}={value}" for name, value in knobs(counts_fuel))
    return f"wasmtime {version('wasmtime')} {platform.machine()} {_processor()} {settings},bridge={BRIDGE}"


def _processor() -> str:
    """The processor's features: artefacts are native code for exactly this machine."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            features = (line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features")))
            return next(features, "")
    except OSError:
        return platform.processor()
