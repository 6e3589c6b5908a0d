"""The one engine configuration shared by the compiler process, the template and the workers.

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

BRIDGE: Final = 1
"""Which bridge is compiled around components (worker.engine.component.outer): changes with what that does."""


def make_config() -> Any:
    """Return a fresh configuration; an engine consumes it."""
    config = wasmtime.Config()
    for name, value in KNOBS:
        setattr(config, name, value)
    return config


def make_engine() -> Any:
    """Return an engine. It starts no thread and compiles nothing.

    The raw bindings are tried here, so that a template process does it once for all its forks.
    """
    from worker.engine import raw

    engine = wasmtime.Engine(make_config())
    raw.unusable(engine)
    return engine


def fingerprint() -> str:
    """Everything besides the package itself that a compiled artefact depends on, as one line."""
    from importlib.metadata import version  # slow to import, and only the compiler process asks

    knobs = ",".join(f"{name}={value}" for name, value in KNOBS)
    return f"wasmtime {version('wasmtime')} {platform.machine()} {_processor()} {knobs},bridge={BRIDGE}"


def _processor() -> str:
    """The processor's features: artefacts are native code for exactly this machine."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            features = (line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features")))
            return next(features, "")
    except OSError:
        return platform.processor()
