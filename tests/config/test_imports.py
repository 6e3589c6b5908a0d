"""What loading costs before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from theater.config import ConfigError", ("yaml", "tomllib", "json", "theater.config.tree")),
        ("import worker.process", ("yaml", "theater.config", "theater.grants.declaring")),
        ("import theater.grants.store, theater.grants.tcp", ("yaml", "theater.config", "zmq")),
        ("from theater.config import load_tree, load_manifest", ("yaml", "tomllib", "zmq", "wasmtime")),
    ],
)
def test_light(statement: str, absent: tuple[str, ...]) -> None:
    """Parsers are imported when a file of theirs is read, and no earlier; workers have no configuration."""
    code = f"import sys; {statement}; print([name for name in {absent!r} if name in sys.modules])"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_unknown_attribute() -> None:
    """The package has the names it says and no others."""
    import theater.config

    with pytest.raises(AttributeError, match="no attribute 'load_forest'"):
        _ = theater.config.load_forest
    assert all(getattr(theater.config, name) for name in theater.config.__all__)
