"""How much an actor may keep. The names are those of the grant's options; docs/configuration.md has them for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Quotas(msgspec.Struct, frozen=True):
    """Bounds of one actor's grant. They hold for what that actor adds, also to a store of another one."""

    bytes_max: int = 256 << 20
    """Of all contents of a store."""
    content_bytes_max: int = 16 << 20
    contents_max: int = 10_000
    labels_max: int = 10_000
    stores_max: int = 100
    """Of one actor."""
    unlabelled_ms: int | None = None
    """Contents without a label may be taken away this long after they were last stored or labelled; None: never."""


LIMITS: dict[str, int] = {
    field.name: field.default for field in msgspec.structs.fields(Quotas) if field.name.endswith("_max")
}
"""The options that bound something, with their defaults."""


def of_grant(options: Mapping[str, Any]) -> Quotas:
    """The quotas that a grant's options give."""
    return Quotas(**{name: options[name] for name in Quotas.__struct_fields__ if name in options})
