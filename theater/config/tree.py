"""tree.yaml: a supervision tree with everything its actors need, read as a whole.

>>> load_tree("examples/counter/tree.yaml").spec.strategy  # doctest: +SKIP
'one_for_one'
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from theater.config.declaration import Declaration, finish, overlay
from theater.config.errors import Enough
from theater.config.grants import places_of
from theater.config.keys import ACTOR_CHILD, MANIFESTS, SUPERVISOR, SUPERVISOR_CHILD, TREE
from theater.config.limits import SUPERVISOR_LEVELS_MAX
from theater.config.loading import Loading, shown_beside
from theater.config.manifest import declare_manifest
from theater.config.node import MAP, Node, inside, quoted
from theater.config.places import settle_places
from theater.config.reader import read_section
from theater.config.retention import retention_of
from theater.retention import Retention
from theater.spec import Backoff, ChildSpec, SupervisorSpec

_FLAG_KEYS = ("strategy", "intensity", "period_ms", "auto_shutdown")
_CHILD_KEYS = ("restart", "shutdown", "significant", "start_timeout_ms")


class TreeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A tree ready to be started. ``path``, ``store`` and ``files`` (all that was read) are absolute."""

    name: str
    path: str
    spec: SupervisorSpec
    store: str | None = None
    retention: Retention = Retention()
    files: tuple[str, ...] = ()


def load_tree(path: str | Path, environ: Mapping[str, str] | None = None) -> TreeConfig:
    """Return the tree a file describes; every ChildSpec of an actor holds an ActorSpec.

    ``environ`` are the variables that may be put in, by default the process's. Raises ConfigError with every
    problem of the file and of the manifests it names; nothing else, whatever the file holds.
    """
    loading = Loading(environ)
    shown = str(path)
    tree = None
    try:
        node = loading.read(os.path.abspath(shown), shown)
        tree = None if node is None else _Tree(loading, shown).read(node)
    except Enough:
        pass
    if tree is None or loading.problems:
        raise loading.problems.error() from None
    return tree


class _Tree:
    """Reads one tree file. After a reported problem methods return something usable and reading goes on."""

    def __init__(self, loading: Loading, shown: str) -> None:
        self._loading = loading
        self._shown = shown
        self._path = os.path.abspath(shown)
        self._real_path = os.path.realpath(shown)
        self._base_dir = os.path.dirname(self._path)
        self._reader = loading.reader(shown)
        self._manifests: dict[str, Declaration | None] = {}

    def read(self, node: Node) -> TreeConfig:
        values = read_section(TREE, node, "", self._reader)
        spec = self._supervisor(node, values, "", 1)
        store = values.get("store")
        return TreeConfig(
            name=values.get("name") or Path(self._shown).stem,
            path=self._path,
            spec=settle_places(spec) if not self._loading.problems else spec,
            store=None if store is None else os.path.abspath(os.path.join(self._base_dir, store)),
            retention=retention_of(values.get("retention", {}), spec),
            files=tuple(self._loading.files),
        )

    def _supervisor(self, node: Node, values: dict[str, Any], path: str, level: int) -> SupervisorSpec:
        if level > SUPERVISOR_LEVELS_MAX:
            self._reader.report(
                node, path, f"expected at most {SUPERVISOR_LEVELS_MAX} levels of supervisors, found more"
            )
            return SupervisorSpec()
        self._check_flags(node, values, path)
        flags = {key: values[key] for key in _FLAG_KEYS if key in values}
        spec = SupervisorSpec(**flags)
        children = tuple(self._children(values, path, level, spec.auto_shutdown))
        return msgspec.structs.replace(spec, children=children)

    def _check_flags(self, node: Node, values: dict[str, Any], path: str) -> None:
        """What OTP's init refuses of a supervisor (supervisor:init/1, check_flags/1)."""
        simple = values.get("strategy") == "simple_one_for_one"
        right, wrong = ("child", "children") if simple else ("children", "child")
        if "strategy" not in values and "strategy" in node.value:
            return  # reported; which of the two keys belongs here cannot be told
        if wrong in node.value:
            has = (
                "one template under child"
                if simple
                else "a list under children (child is for simple_one_for_one)"
            )
            self._reader.report(
                node.value[wrong], inside(path, wrong), f"expected {has}, found the key {wrong}"
            )
        elif right not in node.value:
            self._reader.report(node, path, f"expected the key {right}, found none")
        if simple and values.get("auto_shutdown", "never") != "never":
            message = f"expected never under simple_one_for_one, found {values['auto_shutdown']}"
            self._reader.report(node.value["auto_shutdown"].node, inside(path, "auto_shutdown"), message)

    def _children(self, values: dict[str, Any], path: str, level: int, auto_shutdown: str) -> list[ChildSpec]:
        if "child" in values:
            return [self._child(values["child"], inside(path, "child"), level, auto_shutdown)]
        children = []
        lines: dict[str, int] = {}
        nodes: list[Node] = values["children"].value if "children" in values else []
        for index, node in enumerate(nodes):
            here = f"{inside(path, 'children')}[{index}]"
            child = self._child(node, here, level, auto_shutdown)
            children.append(child)
            if child.id:
                self._check_unique(child.id, node, here, lines)
        return children

    def _check_unique(self, id: str, node: Node, path: str, lines: dict[str, int]) -> None:
        entry = node.value["id"].node
        if id in lines:
            message = (
                f"expected an id of its own, found {quoted(id)} again (the first is in line {lines[id]})"
            )
            self._reader.report(entry, inside(path, "id"), message)
        lines.setdefault(id, entry.line)

    def _child(self, node: Node, path: str, level: int, auto_shutdown: str) -> ChildSpec:
        is_supervisor = node.kind == MAP and "supervisor" in node.value and "actor" not in node.value
        values = read_section(SUPERVISOR_CHILD if is_supervisor else ACTOR_CHILD, node, path, self._reader)
        common: dict[str, Any] = {key: values[key] for key in _CHILD_KEYS if key in values}
        if "backoff" in values:
            common["backoff"] = self._backoff(
                node.value["backoff"].node, values["backoff"], inside(path, "backoff")
            )
        if is_supervisor and "supervisor" in values:
            common["supervisor"] = self._inner(values["supervisor"], inside(path, "supervisor"), level + 1)
        elif "actor" in values:
            declared = self._declared(node, values, path)
            common |= {
                key: declared.supervision[key]
                for key in ("restart", "shutdown")
                if key in declared.supervision
            }
            common["actor"] = finish(declared, f"{self._shown}:{node.line}")
        child = ChildSpec(id=values.get("id", ""), **common)
        if child.significant:
            self._check_significant(node, path, child.restart, auto_shutdown)
        return child

    def _inner(self, node: Node, path: str, level: int) -> SupervisorSpec:
        return self._supervisor(node, read_section(SUPERVISOR, node, path, self._reader), path, level)

    def _backoff(self, node: Node, values: dict[str, Any], path: str) -> Backoff:
        backoff = Backoff(**values)
        if backoff.max_ms < backoff.initial_ms:
            self._reader.report(
                node,
                path,
                f"expected max ({backoff.max_ms}ms) to be at least initial ({backoff.initial_ms}ms)",
            )
        return backoff

    def _check_significant(self, node: Node, path: str, restart: str, auto_shutdown: str) -> None:
        """OTP's refusals of significant children (supervisor:check_childspec/2)."""
        at, here = node.value["significant"].node, inside(path, "significant")
        if auto_shutdown == "never":
            wanted = "any_significant or all_significant as the supervisor's auto_shutdown"
            self._reader.report(at, here, f"expected {wanted}, found never")
        if restart == "permanent":
            self._reader.report(at, here, "expected a transient or temporary child, found a permanent one")

    def _declared(self, node: Node, values: dict[str, Any], path: str) -> Declaration:
        """The actor as its package or manifest and the tree together declare it."""
        id, at, here = values.get("id", ""), node.value["actor"].node, inside(path, "actor")
        file = os.path.abspath(os.path.join(self._base_dir, values["actor"]))
        if file.endswith(MANIFESTS):
            below = self._manifest(file, values["actor"], at, here) or Declaration(name=id)
        else:
            self._check_file(file, at, here)
            below = Declaration(name=id, package=file, base_dir=self._base_dir)
        supervision = {key: values[key] for key in ("restart", "shutdown") if key in values}
        places = {"grant_places": places_of(node, self._reader.file)} if "grants" in values else {}
        return overlay(below, {**values, **places, "supervision": supervision | values.get("supervision", {})})

    def _manifest(self, file: str, named: str, at: Node, path: str) -> Declaration | None:
        """A manifest, read once however many children name it."""
        if not self._check_file(file, at, path):
            return None
        if os.path.realpath(file) == self._real_path:
            self._reader.report(
                at, path, "expected an actor's manifest, found a cycle: this is the tree file itself"
            )
            return None
        if file not in self._manifests:
            self._manifests[file] = declare_manifest(self._loading, file, shown_beside(self._shown, named))
        return self._manifests[file]

    def _check_file(self, file: str, at: Node, path: str) -> bool:
        fault = self._loading.fault_of(file)
        if fault is not None:
            self._reader.report(at, path, f"{fault} at {file}")
        return fault is None
