"""What a guest's ``spawn`` means: which actor, with which package, from which state, under which name."""

from __future__ import annotations

import os

from supervisor.fleet.asking import Asking, Refusal
from supervisor.fleet.declaring import Declared, Wish
from supervisor.fleet.lives import Actor, BirthState
from supervisor.fleet.services import Services
from theater.actor import ActorSpec
from theater.config.limits import MANIFEST_TEXT_BYTES_MAX
from theater.spec import BRUTAL_KILL, INFINITY, ChildSpec


def wish(asking: Asking) -> Wish:
    """What is to be read: the manifest (its text, or its path beside the parent's own), and what the parent holds.

    Raises:
        Refusal: it is too long.
    """
    parent, manifest = asking.life.actor, asking.arguments["manifest"]
    size = len(manifest.encode())
    if size > MANIFEST_TEXT_BYTES_MAX:
        text = f"expected at most {MANIFEST_TEXT_BYTES_MAX} bytes of manifest, found {size}"
        raise Refusal(f"Start failed at manifest: {text}")
    return Wish(
        manifest=manifest,
        parent=parent.path,
        base_dir=parent.spec.base_dir or os.path.dirname(parent.spec.package),
        brings_package=asking.arguments.get("wasm_body") is not None,
        grants=parent.spec.grants,
        passes=parent.spec.passes,
        options=parent.spec.options,
    )


def child_spec(asking: Asking, declared: Declared) -> ActorSpec:
    """The actor that the manifest declares.

    Raises:
        Refusal: the manifest is wrong, or asks for more than the parent holds and passes on.
    """
    if declared.spec is not None:
        return declared.spec
    if declared.why:
        asking.services.log.warning("manifest_refused", actor=asking.life.actor.path, why=declared.why)
    raise Refusal(declared.refusal)


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
