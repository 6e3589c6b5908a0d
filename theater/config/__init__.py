"""Configuration: ``tree.yaml`` and actor manifests, read strictly, all problems reported at once.

>>> from theater.config import ConfigError, load_tree
>>> try:
...     load_tree("no-such-tree.yaml")
... except ConfigError as error:
...     print(error)
no-such-tree.yaml:1:1: expected a file, found nothing of that name

Nothing is imported before it is used: a program that only names ``ConfigError`` does not pay for the loader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theater.config.errors import ConfigError, Problem
    from theater.config.manifest import load_manifest, parse_manifest
    from theater.config.tree import TreeConfig, load_tree

__all__ = ["ConfigError", "Problem", "TreeConfig", "load_manifest", "load_tree", "parse_manifest"]

_HOMES = {
    "ConfigError": "errors",
    "Problem": "errors",
    "TreeConfig": "tree",
    "load_manifest": "manifest",
    "load_tree": "tree",
    "parse_manifest": "manifest",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
