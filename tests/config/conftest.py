"""A directory with packages to name, and one call from a tree's text to what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from theater.config import ConfigError, TreeConfig, load_manifest, load_tree


class Desk:
    """The current directory of a test: write files, load them, ask for the problems as lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str | bytes) -> str:
        data = text.encode() if isinstance(text, str) else text
        (self.path / name).write_bytes(data)
        return name

    def tree(self, text: str | bytes, environ: Mapping[str, str] | None = None) -> TreeConfig:
        return load_tree(self.write("tree.yaml", text), environ)

    def problems(self, text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.tree(text, environ)
        return str(caught.value).splitlines()

    def manifest_problems(self, text: str, name: str = "actor.toml") -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_manifest(self.write(name, text), {})
        return str(caught.value).splitlines()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path)
    desk.write("a.wasm", "")
    desk.write("b.wat", "")
    return desk
