"""What is declared of an actor's permissions, as plain data: for ``theater explain``, from a tree file or the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from theater.actor import ActorSpec
from theater.directories import place

HIDDEN: Final = ("secrets", "environment")
"""Options whose values are not shown, only their names."""
HIDDEN_TEXT: Final = "(hidden)"


def declared(spec: ActorSpec, path: str) -> dict[str, Any]:
    """Everything that says what an actor may do. Secrets are left out."""
    return {
        "path": path,
        "origin": spec.origin,
        "package": spec.package,
        "sha256": spec.sha256,
        "grants": {name: _shown(options) for name, options in spec.grants.items()},
        "places": spec.grant_places,
        "passes": {name: _shown(rule) if isinstance(rule, dict) else rule for name, rule in spec.passes.items()},
        "options": msgspec.to_builtins(spec.options),
    }


def _shown(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _option(name, value) for name, value in options.items()}


def _option(name: str, value: Any) -> Any:
    if name in HIDDEN and isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN_TEXT)
    if name == "directories":
        return [{**{key: each[key] for key in each if key != "below"}, "host": place(each)} for each in value]
    return value
