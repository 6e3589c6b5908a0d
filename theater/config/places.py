"""Directories of a whole tree: one that lies in another actor's writable one is opened from there."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from theater.actor import ActorSpec
from theater.directories import pinned, writable
from theater.spec import ChildSpec, SupervisorSpec


def settle_places(spec: SupervisorSpec) -> SupervisorSpec:
    """The tree with every directory either where no guest can put a link, or below one that a guest may write."""
    outer = sorted({path for actor in _actors(spec) for path in writable(actor.grants)})
    return _settled(spec, outer) if outer else spec


def _actors(spec: SupervisorSpec) -> Iterator[ActorSpec]:
    for child in spec.children:
        if child.supervisor is not None:
            yield from _actors(child.supervisor)
        elif isinstance(child.actor, ActorSpec):
            yield child.actor


def _settled(spec: SupervisorSpec, outer: list[str]) -> SupervisorSpec:
    return msgspec.structs.replace(spec, children=tuple(_child(each, outer) for each in spec.children))


def _child(child: ChildSpec, outer: list[str]) -> ChildSpec:
    if child.supervisor is not None:
        return msgspec.structs.replace(child, supervisor=_settled(child.supervisor, outer))
    assert isinstance(child.actor, ActorSpec)
    actor = msgspec.structs.replace(child.actor, grants=pinned(child.actor.grants, outer))
    return msgspec.structs.replace(child, actor=actor)
