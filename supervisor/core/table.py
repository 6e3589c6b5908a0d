"""The children of a supervisor that has a list of them (supervisor.erl: "Access #state.children").

Order promise: iteration is in start order, and a child keeps its place until it is removed. Every change of a child's
process goes through one of the doors here, which keep the index by process and the count of significant children.
"""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.core.children import Child
from supervisor.core.ref import Ref


class ChildTable:
    """Children by id, in start order."""

    def __init__(self) -> None:
        self._by_id: dict[str, Child] = {}
        self._by_ref: dict[Ref, Child] = {}
        self._significant: set[str] = set()

    def __iter__(self) -> Iterator[Child]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, key: object) -> Child | None:
        """The child with this id (find_child/2)."""
        return self._by_id.get(key) if isinstance(key, str) else None

    def by_ref(self, ref: Ref) -> Child | None:
        """The child whose process this is (find_child_by_pid/2)."""
        return self._by_ref.get(ref)

    def has_significant(self) -> bool:
        """Whether a significant child has a process or is being restarted."""
        return bool(self._significant)

    def add(self, child: Child) -> None:
        """A new child, the last in start order (save_child/2)."""
        self._by_id[child.spec.id] = child

    def running(self, child: Child, ref: Ref) -> None:
        """The child has this process (set_pid/3)."""
        self._leave(child)
        child.ref = ref
        self._by_ref[ref] = child
        self._enter(child)

    def restarting(self, child: Child) -> None:
        """The child has no process, and will be tried again."""
        self._leave(child)
        child.is_restarting = True
        self._enter(child)

    def stopped(self, child: Child) -> None:
        """The child has no process; a temporary one is forgotten (del_child/2)."""
        self._leave(child)
        if child.is_temporary:
            self.remove(child)

    def remove(self, child: Child) -> None:
        """Forget the child (remove_child/2)."""
        self._leave(child)
        self._by_id.pop(child.spec.id, None)

    def _enter(self, child: Child) -> None:
        if child.spec.significant:
            self._significant.add(child.spec.id)

    def _leave(self, child: Child) -> None:
        if child.ref is not None:
            self._by_ref.pop(child.ref, None)
        child.ref = None
        child.is_restarting = False
        self._significant.discard(child.spec.id)
