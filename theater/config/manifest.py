"""Actor manifests: TOML as Theater writes them, or YAML with the same keys.

A manifest declares one actor: its package, host interfaces, limits, and its behaviour as a child.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from theater.actor import ActorSpec
from theater.config.declaration import Declaration, finish, overlay
from theater.config.errors import Enough
from theater.config.files import MANIFEST, MANIFESTS
from theater.config.grants import Grants, places_of
from theater.config.limits import GUESTS, MANIFEST_TEXT_BYTES_MAX
from theater.config.loading import Loading
from theater.config.node import Node
from theater.config.package import Pinned
from theater.config.reader import Reader, read_section
from theater.config.source import read_text
from theater.directories import is_inside


def load_manifest(path: str | Path, environ: Mapping[str, str] | None = None) -> ActorSpec:
    """Return the actor a manifest file declares. Raises ConfigError with every problem, and nothing else."""
    loading = Loading(environ)
    return _only(loading, _from_file(loading, str(path), package_needed=True), f"{path}:1")


def parse_manifest(
    text: str, base_dir: str, origin: str, *, package_needed: bool = True, within: str | None = None
) -> ActorSpec:
    """Return the actor a manifest given by a guest declares: TOML text, or a path relative to ``base_dir``.

    ``origin`` names the giver in messages. Text and file come from a sandbox, so both are bounded more narrowly
    than what operators write (limits.GUESTS), and no environment variables are put in. ``package_needed`` False: the
    guest hands over the package itself, the manifest may name none, or one that is not there. ``within``: the package
    lies below this directory; nothing is said of what is elsewhere. Raises ConfigError.
    """
    loading = Loading({}, within, GUESTS)
    if is_path(text):
        path = os.path.join(base_dir, text.strip())
        declared = _from_file(loading, path, package_needed)
        return _only(loading, declared, f"{path}:1")
    declared = _from_text(loading, text, base_dir, origin, package_needed)
    return _only(loading, declared, origin)


def declare_manifest(
    loading: Loading, path: str, shown: str, *, package_needed: bool = True
) -> Declaration | None:
    """Return what a manifest file declares, problems going to ``loading``; None if it cannot be read."""
    node = loading.read(path, shown)
    return (
        None
        if node is None
        else _declare(loading, loading.reader(shown), node, os.path.dirname(path), package_needed)
    )


def _only(loading: Loading, declared: Declaration | None, origin: str) -> ActorSpec:
    if declared is None or loading.problems:
        raise loading.problems.error() from None
    return finish(declared, origin)


def _from_file(loading: Loading, path: str, package_needed: bool) -> Declaration | None:
    try:
        if not path.endswith(MANIFESTS):
            loading.problems.add(
                path, 1, 1, "", f"expected a manifest ({', '.join(MANIFESTS)}), found another ending"
            )
            return None
        return declare_manifest(loading, os.path.abspath(path), path, package_needed=package_needed)
    except Enough:
        return None


def _from_text(
    loading: Loading, text: str, base_dir: str, origin: str, package_needed: bool
) -> Declaration | None:
    data = text.encode("utf-8", "surrogatepass")
    try:
        if len(data) > MANIFEST_TEXT_BYTES_MAX:
            message = f"expected at most {MANIFEST_TEXT_BYTES_MAX} bytes of manifest, found {len(data)}"
            loading.problems.add(origin, 1, 1, "", message)
            return None
        node = read_text(data, origin, loading.problems, toml=True)
        if node is None:
            return None
        return _declare(
            loading, Reader(origin, loading.problems, base_dir=os.path.abspath(base_dir)),
            node,
            os.path.abspath(base_dir),
            package_needed,
        )
    except Enough:
        return None


def is_path(text: str) -> bool:
    """Whether a guest that gives this gives the path of a manifest, not its text."""
    return "\n" not in text.strip() and "=" not in text and text.strip().endswith(MANIFESTS)


def _declare(
    loading: Loading, reader: Reader, node: Node, base_dir: str, package_needed: bool
) -> Declaration:
    section = MANIFEST if package_needed else _WITHOUT_PACKAGE
    values = read_section(section, node, "", reader)
    if "state" in values and "initial_state" in values:
        reader.report(
            node.value["initial_state"], "initial_state", "expected state or initial_state, found both"
        )
    pinned: Pinned | None = values.get("package")
    if pinned is not None and pinned.sha256 is not None and "sha256" in values:
        reader.report(node.value["sha256"], "sha256", "expected one digest, found another one in package")
    declared = Declaration(
        name=values.get("name", ""),
        version=values.get("version", ""),
        package=_package(loading, reader, pinned, base_dir, package_needed),
        sha256=pinned.sha256 if pinned else None,
        state=("text", values["initial_state"]) if "initial_state" in values else ("none", None),
        base_dir=base_dir,
    )
    granted = {"grants": _grants(reader, node, values), "grant_places": places_of(node, reader.file)}
    return overlay(declared, {**values, **granted})


def _package(loading: Loading, reader: Reader, pinned: Pinned | None, base_dir: str, needed: bool) -> str:
    if pinned is None:
        return ""
    path = os.path.abspath(os.path.join(base_dir, pinned.path))
    if needed and loading.within is not None and not is_inside(path, loading.within):
        reader.report(pinned.node, "package", f"expected a package below {loading.within}")
        return path
    fault = loading.fault_of(path) if needed else None
    if fault is not None:
        reader.report(pinned.node, "package", f"{fault} at {path}")
    return path


def _grants(reader: Reader, node: Node, values: dict[str, Any]) -> Grants:
    """All grants of a manifest, whichever of the three keys they stand under."""
    grants: Grants = {}
    for key in ("handler", "handlers", "grants"):
        given: Grants = values.get(key, {})
        for name in grants.keys() & given.keys():
            reader.report(node.value[key], key, f"expected each interface once, found {name} again")
        grants |= given
    return grants


def _optional_package() -> Any:
    from msgspec.structs import replace

    fields = {**MANIFEST.fields, "package": replace(MANIFEST.fields["package"], required=False)}
    return replace(MANIFEST, fields=fields)


_WITHOUT_PACKAGE = _optional_package()
