"""What a guest's ``spawn`` means: which actor, with which package, from which state, under which name."""

from __future__ import annotations

import hashlib
import os

import msgspec

from supervisor.fleet.asking import Asking, Refusal
from supervisor.fleet.lives import Actor, BirthState
from supervisor.fleet.permits import beyond, withheld
from supervisor.fleet.services import Services
from supervisor.fleet.shares import shares
from supervisor.store.packages import keep_bytes
from theater.actor import ActorSpec
from theater.directories import is_inside, settled
from theater.errors import PermissionDenied
from theater.spec import BRUTAL_KILL, INFINITY, ChildSpec


def child_spec(asking: Asking) -> ActorSpec:
    """The actor that the manifest (its text, or its path beside the parent's own) declares.

    Raises:
        Refusal: the manifest is wrong, or asks for more than the parent holds and passes on.
    """
    parent = asking.life.actor
    wasm = asking.body("wasm_body")
    spec = _declared(asking, asking.arguments["manifest"], package_needed=wasm is None)
    missing = beyond(parent.spec.grants, spec.grants)
    if missing:
        raise Refusal(PermissionDenied(", ".join(missing), "the parent does not hold it").text())
    missing = withheld(parent.spec.grants, parent.spec.passes, spec.grants)
    if missing:
        raise Refusal(PermissionDenied(", ".join(missing), "the parent does not pass it on").text())
    options, missing = shares(parent.spec.options, spec.options)
    if missing:
        raise Refusal(PermissionDenied(", ".join(missing), "its limits are the parent's at most").text())
    spec = msgspec.structs.replace(spec, options=options, grants=settled(spec.grants, parent.spec.grants))
    return spec if wasm is None else msgspec.structs.replace(spec, package=_keep(asking.services, wasm))


def _declared(asking: Asking, manifest: str, package_needed: bool) -> ActorSpec:
    """What the manifest declares. It, and the package it names, lie below the directory of the parent's declaration.

    Raises:
        Refusal: it is wrong. What a file has in it is for the log alone: it may not be a manifest at all.
    """
    from theater.config import ConfigError, parse_manifest  # most trees never spawn
    from theater.config.manifest import is_path
    from theater.config.source import fault_of

    parent = asking.life.actor
    base = parent.spec.base_dir or os.path.dirname(parent.spec.package)
    if is_path(manifest):
        path = os.path.join(base, manifest.strip())
        fault = fault_of(path) if is_inside(path, base) else f"expected a file below {base}"
        if fault is not None:
            raise Refusal(f"Start failed at manifest: {manifest.strip()}: {fault}")
    origin = f"manifest given by {parent.path}"
    try:
        return parse_manifest(manifest, base_dir=base, origin=origin, package_needed=package_needed, within=base)
    except ConfigError as error:
        if not is_path(manifest):
            raise Refusal(f"Start failed at manifest: {error}") from None
        asking.services.log.warning("manifest_refused", actor=parent.path, manifest=manifest.strip(), why=str(error))
        text = f"{manifest.strip()}: not a manifest that can be used (the supervisor's log says why)"
        raise Refusal(f"Start failed at manifest: {text}") from None


def _keep(services: Services, wasm: bytes) -> str:
    """Keep a package handed over as bytes, so that restarts find it; return its path."""
    return keep_bytes(services.dirs.packages, wasm, hashlib.sha256(wasm).hexdigest() + ".wasm")


def birth_state(asking: Asking, spec: ActorSpec) -> BirthState | None:
    """What the child begins from: the given state, the retained one of a resumed child, or None: its manifest's.

    Raises:
        Refusal: there is nothing to resume from.
    """
    resume = bool(asking.arguments.get("resume"))
    given = asking.body("state_body")
    if given is not None:
        return BirthState("value", given, resume)
    if not resume:
        return None
    kept = asking.life.actor.retained.get(spec.name)
    if kept is None:
        raise Refusal(f"no child named {spec.name} has left a state to resume from")
    return BirthState("value", kept, resume=True)


def child_of(spec: ActorSpec, name: str) -> ChildSpec:
    """The specification the family's supervisor works with."""
    rules = spec.supervision
    shutdown = rules.shutdown
    if shutdown != BRUTAL_KILL:
        shutdown = INFINITY if spec.options.shutdown_ms is None else spec.options.shutdown_ms
    return ChildSpec(id=name, restart=rules.restart, shutdown=shutdown, actor=spec)


class Names:
    """Names of the children of one incarnation. None is given twice, so that a notice can only mean one child."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def free(self, services: Services, parent: Actor, wanted: str) -> tuple[str, int]:
        """Return the manifest's name if it is free, else ``name-2``, ``name-3`` …; and which of them it is."""
        number = self._last.get(wanted, 0)
        while True:
            number += 1
            name = wanted if number == 1 else f"{wanted}-{number}"
            there = services.register.by_path.get(f"{parent.path}/{name}")
            if there is None or (not there.is_alive and there not in parent.children):
                return name, number

    def given(self, wanted: str, number: int) -> None:
        """A child of that name has started."""
        self._last[wanted] = number
