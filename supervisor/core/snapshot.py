"""A tree as plain nested data that a person can read."""

from __future__ import annotations

from typing import Any

from supervisor.core.children import Child
from supervisor.core.process import SUPERVISOR, WORKER, Process, State, Supervising
from supervisor.core.world import World

Node = dict[str, Any]


def snapshot(world: World, root_path: str) -> Node:
    """The tree from its root, children in start order. Not recursive: trees are deep.

    ``state`` is ``starting``, ``running`` or ``stopping``; a child without a process is ``stopped`` or ``restarting``.
    ``orphans``, if there are any, are the workers that are still ending because a supervisor above them was killed.
    """
    node = _tree(world, root_path)
    orphans = [_process_node(process) for process in world.orphans()]
    return {**node, "orphans": orphans} if orphans else node


def _tree(world: World, root_path: str) -> Node:
    root = world.root
    if root is None or root.ref not in world.processes:
        state = "stopped" if root is not None else "not_begun"
        return {"path": root_path, "type": SUPERVISOR, "state": state, "children": []}
    top = _process_node(root)
    todo = [(root, top)]
    while todo:
        process, node = todo.pop()
        if process.supervisor is None:
            continue
        node |= _supervisor_node(process.supervisor)
        for child in _children(process, process.supervisor):
            child_node = _process_node(child) if isinstance(child, Process) else _idle_node(child)
            node["children"].append(child_node)
            if isinstance(child, Process):
                todo.append((child, child_node))
    return top


def _children(process: Process, desk: Supervising) -> list[Process | Child]:
    """The children in the books, each by its process if it has one, and then those that are not in the books yet."""
    books: list[Child] = desk.machine.children() if desk.machine is not None else []
    by_ref = dict(process.children)
    unbooked = {child.path: child for child in by_ref.values() if child.state in (State.STARTING, State.HELD_BACK)}
    entries: list[Process | Child] = []
    for child in books:
        there = by_ref.pop(child.ref, None) if child.ref is not None else unbooked.get(child.path)
        if there is not None:
            by_ref.pop(there.ref, None)
        entries.append(there or child)
    return [*entries, *by_ref.values()]


def _process_node(process: Process) -> Node:
    state = State.STARTING if process.state is State.HELD_BACK else process.state
    node: Node = {"path": process.path, "type": process.role, "state": str(state)}
    if process.spec is not None:
        node |= {"id": process.spec.id, "restart": process.spec.restart}
    return node


def _supervisor_node(desk: Supervising) -> Node:
    spec = desk.spec
    return {
        "strategy": spec.strategy,
        "intensity": spec.intensity,
        "period_ms": spec.period_ms,
        "waiting_mail": len(desk.mailbox),
        "children": [],
    }


def _idle_node(child: Child) -> Node:
    role = WORKER if child.spec.supervisor is None else SUPERVISOR
    state = "restarting" if child.is_restarting else "stopped"
    return {"path": child.path, "type": role, "state": state, "id": child.spec.id, "restart": child.spec.restart}
