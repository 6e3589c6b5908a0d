"""What is declared of one actor, by a manifest, by a tree, or by a manifest whose keys a tree overrides."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from theater.actor import ActorOptions, ActorSpec, Supervision
from theater.config.grants import Grants
from theater.config.keys import OPTION_KEYS, OPTION_SECTIONS, REPLACED_KEYS

NO_STATE = ("none", None)


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """An actor as far as it is written down: ``options`` and ``supervision`` hold only what was written."""

    name: str
    package: str = ""
    version: str = ""
    sha256: str | None = None
    state: tuple[str, Any] = NO_STATE
    grants: Grants = {}
    grant_places: dict[str, str] = {}
    passes: dict[str, Any] = {}
    options: dict[str, Any] = {}
    supervision: dict[str, Any] = {}
    recover: str = "initial"
    poison: str = "none"
    poison_tries: int = 3
    base_dir: str = ""


def overlay(below: Declaration, values: dict[str, Any]) -> Declaration:
    """Put the keys an actor has in a manifest or a tree over what is declared so far.

    Limits and switches are put over one by one, everything else (grants too) replaces what was there.
    """
    replaced: dict[str, Any] = {key: values[key] for key in REPLACED_KEYS if key in values}
    if "state" in values:
        replaced["state"] = ("plain", values["state"])
    options = below.options | {key: values[key] for key in OPTION_KEYS if key in values}
    for section in OPTION_SECTIONS:
        options |= values.get(section, {})
    supervision = below.supervision | values.get("supervision", {})
    return msgspec.structs.replace(below, options=options, supervision=supervision, **replaced)


def finish(declared: Declaration, origin: str) -> ActorSpec:
    """Return the actor's specification with all defaults filled in, and its digest."""
    options = dict(declared.options)
    shutdown = declared.supervision.get("shutdown")
    if shutdown == "infinity":
        options["shutdown_ms"] = None
    elif isinstance(shutdown, int):
        options["shutdown_ms"] = shutdown
    spec = ActorSpec(
        name=declared.name,
        package=declared.package,
        version=declared.version,
        sha256=declared.sha256,
        state_kind=declared.state[0],
        state=declared.state[1],
        grants=declared.grants,
        grant_places=declared.grant_places,
        passes=declared.passes,
        options=ActorOptions(**options),
        supervision=Supervision(**declared.supervision),
        recover=declared.recover,
        poison=declared.poison,
        poison_tries=declared.poison_tries,
        base_dir=declared.base_dir,
        origin=origin,
    )
    return msgspec.structs.replace(spec, manifest_digest=digest(spec))


def digest(spec: ActorSpec) -> str:
    """SHA-256 of the declaration as canonical JSON: sorted keys, no spaces, defaults filled in, no paths."""
    data = msgspec.structs.asdict(spec)
    for key in ("package", "origin", "base_dir", "grant_places", "manifest_digest"):
        del data[key]
    data["options"] = msgspec.to_builtins(spec.options)
    data["supervision"] = msgspec.structs.asdict(spec.supervision)
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
