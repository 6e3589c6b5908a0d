"""The figures of many actors at one time: the tree from the root, and every worker asked at once.

Who does not answer within a moment is not waited for, and not asked again before it has answered: a stuck worker costs
one pause, once. What it said last stays known.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

import msgspec
import zmq

from proto import envelope, info
from supervisor.cli.asking import LOOK_MS, TIMEOUT_S, GoneWhileAsking, data_of
from supervisor.cli.nodes import Node, workers
from theater.errors import NotFound, OperationTimeout, from_wire
from theater.records import ActorMetrics, metrics_from
from theater.rundir import Run, is_alive

ANSWER_S: Final = 0.5
"""How long a round waits for the workers it has asked."""

Life = tuple[str, int]
"""Path and incarnation."""


class Figures(msgspec.Struct, frozen=True):
    """What a worker said last and the time before, in one life; ``fresh``: it said so in this round."""

    now: ActorMetrics
    before: ActorMetrics | None = None
    fresh: bool = True


class Sample(msgspec.Struct, frozen=True):
    """One round: the tree's own record, the actors meant, the figures of those that have told any."""

    tree: dict[str, Any]
    nodes: list[Node]
    figures: dict[Life, Figures]
    silent: frozenset[Life] = frozenset()
    """Asked, and have not answered yet."""


def life_of(node: Node) -> Life:
    """Which life of which actor a node shows."""
    return node["path"], node.get("incarnation") or 0


class Gauges:
    """Asks one supervisor, round after round. ``targets`` are paths or ids; what is below them counts as well."""

    def __init__(self, run: Run, targets: tuple[str, ...] = ()) -> None:
        self._run = run
        self._targets = targets
        self._paths: tuple[str, ...] | None = None
        """What the targets were when they were first looked for: they may go and come again."""
        self._last_id = 0
        self._owed: dict[int, Life | None] = {}
        """Questions not answered yet; None: for the tree."""
        self._known: dict[Life, Figures] = {}
        self._tree: dict[str, Any] | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._gate = self._context.socket(zmq.DEALER)
        for option in (zmq.SNDHWM, zmq.RCVHWM, zmq.LINGER):
            self._gate.setsockopt(option, 0)
        self._gate.connect(run.gate)

    def close(self) -> None:
        """Hang up."""
        self._gate.close(0)
        self._context.term()

    def sample(self) -> Sample:
        """Return how everything is now.

        Raises:
            NotFound: one of the targets is not there, in the first round.
            GoneWhileAsking, OperationTimeout: the supervisor has ended, or does not answer.
        """
        self._known = {life: msgspec.structs.replace(each, fresh=False) for life, each in self._known.items()}
        tree = self._ask_tree()
        if self._paths is None:
            self._paths = named(tree["root"], self._targets)
        nodes = chosen(tree["root"], self._paths)
        lives = {life_of(node) for node in nodes if node.get("pid") is not None}
        self._forget_all_but(lives)
        waiting = set(self._owed.values())
        for path, incarnation in lives - waiting:
            self._send(info.GetMetrics, path, (path, incarnation))
        self._gather({life for life in lives if life not in waiting})
        silent = frozenset(life for life in self._owed.values() if life is not None)
        return Sample(tree, nodes, dict(self._known), silent)

    def _ask_tree(self) -> dict[str, Any]:
        self._tree = None
        self._send(info.GetTree, "/", None)
        deadline = monotonic() + TIMEOUT_S
        while self._tree is None:
            if not self._receive(LOOK_MS) and not is_alive(self._run.path):
                raise GoneWhileAsking(f"the supervisor in {self._run.path} has ended")
            if monotonic() > deadline:
                raise OperationTimeout(TIMEOUT_S)
        return self._tree

    def _gather(self, asked: set[Life]) -> None:
        deadline = monotonic() + ANSWER_S
        while asked.intersection(self._owed.values()) and (left := deadline - monotonic()) > 0:
            self._receive(max(1, round(left * 1000)))

    def _forget_all_but(self, lives: set[Life]) -> None:
        self._known = {life: each for life, each in self._known.items() if life in lives}
        self._owed = {number: life for number, life in self._owed.items() if life in lives}

    def _send(self, kind: type[Any], target: str, life: Life | None) -> None:
        self._last_id += 1
        self._owed[self._last_id] = life
        question: envelope.Message = kind(self._last_id, target)
        self._gate.send(info.QUESTIONS.encode(question))

    def _receive(self, wait_ms: int) -> bool:
        """Take in one answer, if one comes; those to questions that were given up are dropped."""
        if not self._gate.poll(wait_ms):
            return False
        frames = self._gate.recv_multipart()
        answer = info.ANSWERS.decode(frames[0])
        number = getattr(answer, "id", 0)
        if number in self._owed:
            self._take(self._owed.pop(number), answer, frames)
        return True

    def _take(self, life: Life | None, answer: Any, frames: list[bytes]) -> None:
        is_refused = isinstance(answer, info.Refused)
        if life is None:
            if is_refused:
                raise from_wire(answer.kind, answer.data)
            self._tree = data_of(answer, frames)
        elif not is_refused:
            metrics = metrics_from(data_of(answer, frames))
            if metrics.incarnation in (None, life[1]):
                known = self._known.get(life)
                self._known[life] = Figures(metrics, known.now if known else None)


def named(root: Node, targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths of targets, each a path or the id of an actor.

    Raises:
        NotFound: one is neither.
    """
    ids = {node["actor_id"]: node["path"] for node in workers(root) if node.get("actor_id")}
    known = _paths(root)
    paths = tuple(ids.get(target, target) for target in targets)
    for target, path in zip(targets, paths, strict=True):
        if path not in known:
            raise NotFound(target)
    return paths


def chosen(root: Node, paths: tuple[str, ...]) -> list[Node]:
    """Return the actors at and below some paths, in start order; all actors if none are given."""
    found = workers(root)
    return [node for node in found if any(_is_at_or_below(node["path"], path) for path in paths)] if paths else found


def _is_at_or_below(path: str, above: str) -> bool:
    return path == above or path.startswith(above.rstrip("/") + "/")


def _paths(root: Node) -> set[str]:
    paths: set[str] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        paths.add(node["path"])
        todo.extend(node.get("children") or ())
    return paths
