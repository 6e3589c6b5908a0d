"""Modules of actors for tests, made from text."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from pathlib import Path
from types import ModuleType

HEAD = """
from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, Union

from theater_actor import *
"""
_numbers = itertools.count()


def module(directory: Path, text: str, head: str = HEAD) -> ModuleType:
    """Import a text as a module of its own."""
    name = f"actor_for_test_{next(_numbers)}"
    path = directory / f"{name}.py"
    path.write_text(head + textwrap.dedent(text))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made
