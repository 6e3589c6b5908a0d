"""Which other actors' stores a grant opens (docs/store.md, *Contents*). It takes both the grant and the store's id.

A grant names owners: an actor by its path, ``PATH/*`` for every actor below, ``*`` for all; ``parent``, the actor whose
guest has spawned this one, and ``children``, whom its own guest has spawned, and theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from theater.patterns import BadPattern

ANYBODY: Final = "*"
PARENT: Final = "parent"
CHILDREN: Final = "children"
BELOW: Final = "/*"

Shares = Iterable[Mapping[str, Any]]
"""``{owner: …, write: …}`` each, as a grant has them."""


class BadOwner(BadPattern):
    """What should name owners does not."""


def checked_owner(text: str) -> str:
    """Return what names owners.

    Raises:
        BadOwner: it does not.
    """
    if text in (ANYBODY, PARENT, CHILDREN):
        return text
    path = text.removesuffix(BELOW)
    if not path.startswith("/") or "*" in path or any(part in ("", ".", "..") for part in path[1:].split("/")):
        raise BadOwner(f"expected an actor such as /library, /pool/*, {ANYBODY}, {PARENT} or {CHILDREN}, got {text!r}")
    return text


def may_use(shares: Shares, own_path: str, owner_path: str, *, writes: bool) -> bool:
    """Whether an actor with these shares may use a store of the actor at ``owner_path``, which is another one."""
    return any(_means(each["owner"], own_path, owner_path) for each in shares if each.get("write") or not writes)


def _means(owner: str, own_path: str, path: str) -> bool:
    if owner == ANYBODY:
        return True
    if owner == PARENT:
        return path == own_path.rpartition("/")[0]
    if owner == CHILDREN:
        return path.startswith(own_path + "/")
    return path.startswith(owner[:-1]) if owner.endswith(BELOW) else path == owner


def covers(held: str, asked: str) -> bool:
    """Whether everybody that ``asked`` means is also meant by ``held``, whoever holds it."""
    return held in (ANYBODY, asked) or (held.endswith(BELOW) and asked.startswith(held[:-1]))
