"""What is declared of an actor's permissions, as plain data: for ``theater explain``, from a tree file or the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from theater import grants
from theater.actor import ActorSpec

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
    """Of secrets only the names."""
    secret = {option.name for option in grants.declared(grant).options if option.is_secret}
    return {
        name: dict.fromkeys(value, HIDDEN_TEXT) if name in secret and isinstance(value, dict) else value
        for name, value in options.items()
    }
