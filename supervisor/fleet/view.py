"""What the root itself can say of actors and trees, as plain data (lifecycle section 13)."""

from __future__ import annotations

import time
from typing import Any

from supervisor.fleet.forest import MAIN
from supervisor.fleet.lives import ENDED, RUNNING, STOPPING, Actor
from supervisor.fleet.services import Services

FAMILY_LEVELS_MAX = 100
"""Guests whose children spawn children for ever are not followed further: answers have a depth limit too."""
TEXTS = {
    "starting": "Starting",
    "running": "Running",
    "paused": "Paused",
    "shutting_down": "Shutting Down",
    "stopped": "Stopped",
    "restarting": "Stopped",
}


def actor_state(actor: Actor) -> str:
    """One word for where an actor is, as far as the root knows."""
    life = actor.life
    if life is None or life.phase == ENDED:
        return "stopped" if actor.is_over else "restarting"
    if life.phase == STOPPING:
        return "shutting_down"
    if life.phase != RUNNING:
        return "starting"
    return "paused" if life.paused else "running"


def actor_status(actor: Actor, now_ns: int) -> dict[str, Any]:
    """An ActorStatus for an actor whose worker cannot be asked."""
    state = actor_state(actor)
    life = actor.life
    return {
        "state": state,
        "text": TEXTS[state],
        "detail": life.step if life is not None and state == "starting" else "",
        "since_ns": time.time_ns() - (now_ns - actor.since_ns),
        "queued": 0,
        "incarnation": actor.incarnations,
        "pid": life.pid if life is not None and life.is_alive else None,
        "cause": actor.cause.plain() if actor.cause is not None and state == "stopped" else None,
    }


def tree_view(services: Services, target: str) -> dict[str, Any] | None:
    """The supervision tree under ``target`` (a path) with every actor in it, families included; None if unknown."""
    root = services.forest.snapshot(MAIN)
    if root is None:
        return None
    view = _node(services, root)
    return _find(view, target)


def _find(node: dict[str, Any], path: str) -> dict[str, Any] | None:
    todo = [node]
    while todo:
        node = todo.pop()
        if node["path"] == path:
            return node
        todo.extend(node.get("children", ()))
    return None


def _node(services: Services, snapshot: dict[str, Any]) -> dict[str, Any]:
    """Merge the core's view of a node with the fleet's. Iterative: trees may be deep."""
    top: list[dict[str, Any]] = []
    todo = [(snapshot, top)]
    while todo:
        source, into = todo.pop()
        node = {key: value for key, value in source.items() if key != "children"}
        into.append(node)
        if source.get("type") == "supervisor" and "children" in source:
            children: list[dict[str, Any]] = []
            node["children"] = children
            # The stack turns the order around, so push the last child first.
            todo.extend((child, children) for child in reversed(source["children"]))
        else:
            _describe_worker(services, node)
    return top[0]


def _describe_worker(services: Services, node: dict[str, Any]) -> None:
    actor = services.register.by_path.get(node["path"])
    if actor is not None:
        node.update(worker_node(services, actor, node.get("state")))


def worker_node(
    services: Services, actor: Actor, core_state: str | None = None, levels: int = FAMILY_LEVELS_MAX
) -> dict[str, Any]:
    """One actor as a node of the tree, with the children its guest has spawned, so many levels of them."""
    state = actor_state(actor)
    life = actor.life
    node: dict[str, Any] = {
        "path": actor.path,
        "type": "worker",
        "state": core_state if state == "stopped" and core_state == "restarting" else state,
        "restart": actor.restart,
        "actor_id": actor.id,
        "incarnation": actor.incarnations,
        "restarts": actor.restarts,
        "pid": life.pid if life is not None and life.is_alive else None,
        "since_ns": services.loop.now_ns() - actor.since_ns,
        "cause": actor.cause.plain() if actor.cause is not None else None,
    }
    if life is not None and life.step and state == "starting":
        node["step"] = life.step
    if levels > 0 and actor.children:
        children = [worker_node(services, child, levels=levels - 1) for child in actor.children]
        node["children"] = [{**child, "id": child["path"].rsplit("/", 1)[-1]} for child in children]
    return node
