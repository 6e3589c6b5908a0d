"""The resource table of an actor: what its guest holds by number (lifecycle 8.1; resources of the component model).

A guest never sees a host's object, only a number that stands for it. Numbers begin with 1 and are used again. A
resource may belong to another one, its parent, which then cannot go before it.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from theater.errors import TheaterError

T = TypeVar("T")

RESOURCES_MAX: Final = 65_536


class ResourceError(TheaterError):
    """A number that stands for nothing, or for something else; or there is no room. The text says which."""


class ResourceTable:
    """Numbers and what they stand for. For one thread, the guest's."""

    def __init__(self, most: int = RESOURCES_MAX) -> None:
        self._most = most
        self._entries: dict[int, Any] = {}
        self._parents: dict[int, int] = {}
        self._children: dict[int, set[int]] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, number: object) -> bool:
        return number in self._entries

    def push(self, resource: object, parent: int | None = None) -> int:
        """Keep a resource and return its number.

        Raises:
            ResourceError: the table is full, or the parent is not there.
        """
        if parent is not None and parent not in self._entries:
            raise ResourceError(f"resource {parent}, the parent: there is none of that number")
        if len(self._entries) >= self._most:
            raise ResourceError(f"the actor holds {self._most} resources, which is the most it may")
        number = self._free.pop() if self._free else len(self._entries) + 1
        self._entries[number] = resource
        if parent is not None:
            self._parents[number] = parent
            self._children.setdefault(parent, set()).add(number)
        return number

    def get(self, number: int, kind: type[T]) -> T:
        """Return the resource of a number, which has to be of this type or a subtype.

        Raises:
            ResourceError: there is none, or it is of another type.
        """
        if number not in self._entries:
            raise ResourceError(f"resource {number}: there is none of that number")
        found = self._entries[number]
        if not isinstance(found, kind):
            raise ResourceError(f"resource {number}: expected {kind.__name__}, got {type(found).__name__}")
        return found

    def children(self, number: int) -> list[int]:
        """Numbers of the resources that belong to one."""
        return sorted(self._children.get(number, ()))

    def delete(self, number: int, kind: type[T]) -> T:
        """Take a resource out of the table and return it; its number may be used again.

        Raises:
            ResourceError: there is none, it is of another type, or others belong to it.
        """
        found = self.get(number, kind)
        if self._children.get(number):
            raise ResourceError(f"resource {number}: {len(self._children[number])} others belong to it; they go first")
        del self._entries[number]
        self._children.pop(number, None)
        parent = self._parents.pop(number, None)
        if parent is not None:
            self._children[parent].discard(number)
        self._free.append(number)
        return found
