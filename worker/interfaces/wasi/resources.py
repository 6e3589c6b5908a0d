"""What the host keeps for a guest's resources, by number.

Numbers of one incarnation are not those of another, so that a guest that was rebuilt by replay can tell nobody about a
resource that is no more: it is told so.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from theater.values import U32
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context

RESOURCES_MAX: Final = 10_000
"""Of the host's that a guest may hold at one time."""
PER_LIFE: Final = 1 << 16
LIVES: Final = 1 << 15

T = TypeVar("T")


class Resources:
    """The service that knows them all."""

    def __init__(self, context: Context) -> None:
        self._found: dict[int, Any] = {}
        self._next = (context.incarnation % LIVES) * PER_LIFE

    def add(self, item: Any) -> U32:
        """Keep something; its number goes to the guest."""
        if len(self._found) >= RESOURCES_MAX:
            raise Trap(f"the guest holds more than {RESOURCES_MAX} resources of the host", CONTRACT)
        self._next += 1
        while self._next in self._found:
            self._next += 1
        self._found[self._next] = item
        return U32(self._next)

    def get(self, handle: U32, kind: type[T]) -> T:
        """What a handle of the guest's stands for."""
        item = self._found.get(handle.value)
        if not isinstance(item, kind):
            text = f"{kind.__name__.lower()} {handle.value} is no more: it was opened in an earlier life of the actor"
            raise Trap(text, CONTRACT)
        return item

    def revive(self, handle: U32, item: Any) -> None:
        """What a guest that was rebuilt by replay still holds."""
        self._found[handle.value] = item

    def drop(self, handle: U32) -> None:
        """The guest is done with it."""
        item = self._found.pop(handle.value, None)
        close = getattr(item, "close", None)
        if close is not None:
            close()

    def renew(self) -> None:
        """A fresh instance of the guest holds none."""
        self.close()

    def close(self) -> None:
        """End all of them."""
        for number in list(self._found):
            self.drop(U32(number))


def resources(context: Context) -> Resources:
    """Those of this actor."""
    return context.service(Resources)


def drop(context: Context, handle: U32) -> Any:
    """The guest drops a resource."""
    resources(context).drop(handle)
    from theater.values import UNIT

    return UNIT
