"""What is declared of an actor's permissions, as plain data: for ``theater explain``, from a tree file or the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from theater import grants
from theater.actor import ActorSpec
from theater.directories import place
from theater.grants.declaring import Option
from theater.grants.directories import DIRECTORIES

HIDDEN_TEXT: Final = "(hidden)"


def declared(spec: ActorSpec, path: str) -> dict[str, Any]:
    """Everything that says what an actor may do. Secrets are left out."""
    return {
        "path": path,
        "origin": spec.origin,
        "package": spec.package,
        "sha256": spec.sha256,
        "grants": {name: _shown(name, options) for name, options in spec.grants.items()},
        "places": spec.grant_places,
        "passes": {
            name: _shown(name, rule) if isinstance(rule, dict) else rule for name, rule in spec.passes.items()
        },
        "options": msgspec.to_builtins(spec.options),
    }


def _shown(grant: str, options: Mapping[str, Any]) -> dict[str, Any]:
    known = {option.name: option for option in grants.declared(grant).options}
    return {name: _option(known[name], value) for name, value in options.items()}


def _option(option: Option, value: Any) -> Any:
    """Of secrets only the names; directories where they are."""
    if option.is_secret:
        return dict.fromkeys(value, HIDDEN_TEXT)
    if option == DIRECTORIES:
        return [{**{key: each[key] for key in each if key != "below"}, "host": place(each)} for each in value]
    return value
