"""Reading the answer to GetTree: nodes in a row, what a worker's node says, whether it is well."""

from __future__ import annotations

from typing import Any

from supervisor.cli.output import age
from theater.cause import CLEAN, describe

Node = dict[str, Any]

UNWELL = frozenset(("failed", "restarting"))


def workers(root: Node) -> list[Node]:
    """Return the actors below a node, in start order; those spawned by a guest follow their parent."""
    found: list[Node] = []
    todo = [root]
    while todo:
        node = todo.pop()
        if node.get("type") == "worker":
            found.append(node)
        todo.extend(reversed(node.get("children") or ()))
    return found


def is_well(node: Node, ignored: frozenset[str] = frozenset()) -> bool:
    """Say whether nobody needs to look at this actor."""
    state = node.get("state")
    if state in ignored:
        return True
    if state in UNWELL:
        return False
    cause = node.get("cause")
    return state != "stopped" or not cause or cause.get("kind") in CLEAN


def summary(node: Node) -> Node:
    """Return what there is to say of an actor in one line."""
    since_ns = node.get("since_ns")
    lives = node.get("pid") is not None
    return {
        "path": node["path"],
        "state": node["state"],
        "pid": node.get("pid"),
        "incarnation": node.get("incarnation"),
        "restarts": node.get("restarts", 0),
        "uptime": age(since_ns / 1e9) if since_ns is not None and lives else None,
        "uptime_ns": since_ns if lives else None,
        "cause": cause_text(node.get("cause")),
        "actor_id": node.get("actor_id"),
    }


def cause_text(cause: dict[str, Any] | None) -> str | None:
    """Return a cause in words."""
    return describe(cause) if cause else None
