"""The import directions of the design, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"proto", "theater", "supervisor", "worker", "theater_actor"}
STDLIB = set(sys.stdlib_module_names)

ALLOWED = {
    "proto": {"proto", "msgspec"},
    "theater": {"theater", "msgspec", "yaml"},
    "theater (client and handle)": {"theater", "proto", "msgspec", "yaml", "zmq"},
    "supervisor": {"supervisor", "theater", "proto", "msgspec", "zmq", "psutil", "structlog", "yaml"},
    "supervisor/core": {"supervisor.core", "theater.spec", "theater.errors", "msgspec"},
    "worker": {"worker", "theater", "proto", "msgspec", "zmq", "wasmtime"},
    "worker/http": {"worker", "theater", "proto", "msgspec", "waitress"},
    "theater_actor": {"theater_actor"},
}
WITH_THE_WIRE = {
    "aio.py",
    "aiolink.py",
    "aiosubscription.py",
    "aioties.py",
    "bonds.py",
    "client.py",
    "conversation.py",
    "handle.py",
    "link.py",
    "subscription.py",
    "ties.py",
    "wires.py",
}
NOT_IN_CORE = {"time", "socket", "subprocess", "os", "logging", "threading", "asyncio", "signal", "select", "datetime"}
NOT_IN_WORKER = {"asyncio", "logging"}


def modules() -> list[Path]:
    return [path for package in sorted(OURS) for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Every module an import statement of the file names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def rule_for(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[:2] == ("supervisor", "core"):
        return "supervisor/core"
    if parts[:2] == ("worker", "http"):
        return "worker/http"
    if parts[0] == "theater" and (path.name in WITH_THE_WIRE or "client" in parts):
        return "theater (client and handle)"
    return parts[0]


def is_under(name: str, allowed: set[str]) -> bool:
    return any(name == module or name.startswith(module + ".") for module in allowed)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_package_may(path: Path) -> None:
    """Every import of every module points in the direction the design allows."""
    rule = rule_for(path)
    strange = {
        name for name in imported(path) if name.split(".")[0] not in STDLIB and not is_under(name, ALLOWED[rule])
    }

    assert strange == set()


@pytest.mark.parametrize(("package", "forbidden"), [("supervisor/core", NOT_IN_CORE), ("worker", NOT_IN_WORKER)])
def test_parts_that_must_stay_light_import_nothing_heavy(package: str, forbidden: set[str]) -> None:
    """The pure core knows no clock, process or socket; a worker no event loop and no logging."""
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in imported(path)
        if name.split(".")[0] in forbidden
    }

    assert found == set()


@pytest.mark.parametrize("package", sorted(OURS))
def test_importing_a_package_is_free(package: str) -> None:
    """A package's own __init__ loads none of our libraries."""
    heavy = {"zmq", "msgspec", "yaml", "wasmtime", "structlog", "psutil", "asyncio"}
    code = f"import sys, {package}; print(*sorted({heavy!r} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.split() == []
