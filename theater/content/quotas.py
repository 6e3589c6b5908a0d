"""How much an actor may keep: the bounds of its grant (theater.grants.store)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from theater.grants.store import GRANT


class Quotas(msgspec.Struct, frozen=True):
    """Bounds of one actor's grant. They hold for what that actor adds, also to a store of another one."""

    bytes_max: int
    """Of all contents of a store."""
    content_bytes_max: int
    contents_max: int
    labels_max: int
    stores_max: int
    """Of one actor."""
    unlabelled_ms: int | None
    """Contents without a label may be taken away this long after they were last stored or labelled; None: never."""


def of_grant(options: Mapping[str, Any]) -> Quotas:
    """The quotas that a grant's options give."""
    whole = GRANT.of(options)
    return Quotas(**{name: whole[name] for name in Quotas.__struct_fields__})
