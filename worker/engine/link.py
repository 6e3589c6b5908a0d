"""Which imports are granted, provided and declared alike on both sides (design D10, pack-abi 8, lifecycle section 5).

Every function here returns problems as texts, so that ``check`` can show all of them and a start can fail with all of
them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from theater import interfaces, metadata
from theater.actor import ActorOptions
from theater.grants import opened_by, short_name
from worker.engine import module
from worker.engine.contract import INIT
from worker.engine.crossing import Answers
from worker.engine.errors import StartError, StartRefused
from worker.interfaces import registry


class Chosen(msgspec.Struct, frozen=True):
    """Which variant serves each imported (interface, function), and where guest and host declare different types."""

    variants: dict[tuple[str, str], registry.Variant]
    differences: list[str]


def require(step: str, problems: list[str], refused: Sequence[str] = ()) -> None:
    """Raise StartError if there are problems; StartRefused if something is not granted."""
    if refused:
        raise StartRefused(step, module.joined([*problems, *refused]))
    if problems:
        raise StartError(step, module.joined(problems))


def ungranted(shape: module.Shape, grants: Mapping[str, Any]) -> list[str]:
    """Imports of interfaces that are not granted or do not exist, one text per interface."""
    known = registry.known()
    wanted: dict[str, list[str]] = {}
    for item in shape.imports:
        if item.interface not in known or not any(each in grants for each in opened_by(item.interface)):
            wanted.setdefault(item.interface, []).append(item.function)
    return [_ungranted(interface, functions, interface in known) for interface, functions in wanted.items()]


def _ungranted(interface: str, functions: list[str], is_known: bool) -> str:
    names = module.joined([f"{interface}.{name}" for name in functions])
    if not is_known:
        near = get_close_matches(interface, registry.known(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"import {names}: there is no host interface {interface}{hint} (docs/host-interfaces.md lists them)"
    grant = opened_by(interface)[0]
    return f"import {names} is not granted: add {grant} to the actor's grants (grants: {{{short_name(grant)}: {{}}}})"


def unprovided(shape: module.Shape) -> list[str]:
    """Functions that a known interface does not have."""
    problems = []
    for item in shape.imports:
        interface = registry.known().get(item.interface)
        if interface is not None and interface.function(item.served_by) is None:
            names = ", ".join(function.name for function in interface.functions)
            name = f"{item.interface}.{item.function}"
            problems.append(f"import {name}: the interface has no such function (it has {names})")
    return problems


def declared(found: metadata.Metadata, shape: module.Shape) -> dict[str, metadata.FunctionSig | None]:
    """Functions the guest declares and exports, by full name."""
    return {item.full_name: item for item in found.exports if shape.function(item.full_name) is not None}


def exported(shape: module.Shape) -> dict[str, metadata.FunctionSig | None]:
    """Functions of a guest without metadata: whatever has the core type of an interface function."""
    return {name: None for name, type_ in shape.exports.items() if type_ == module.INTERFACE_TYPE}


def signature_problems(
    functions: Mapping[str, metadata.FunctionSig | None], shape: module.Shape
) -> list[str]:
    """A missing ``init``, and declared functions whose core type is not that of an interface function."""
    problems = []
    if shape.function(INIT) is None:
        problems.append(f"exports no {INIT}: every actor must")
    elif INIT not in functions:
        problems.append(f"{INIT} is exported but not declared in {module.TYPES}")
    for name in functions:
        type_ = shape.exports[shape.function(name) or name]
        if type_ != module.INTERFACE_TYPE:
            problems.append(f"export {name} is {type_}, expected {module.INTERFACE_TYPE}")
    return problems


def bind(
    shape: module.Shape,
    found: metadata.Metadata | None,
    options: ActorOptions,
    answers: Answers,
    also: Mapping[tuple[str, str], registry.Variant] | None = None,
    keeps_types: bool = False,
) -> tuple[str, ...]:
    """Have each import, and others, served by the variant the guest was built for; return where types differ.

    ``keeps_types``: every function answers what it declares, as a component needs.

    Raises:
        StartError: types differ, and the options allow none to.
    """
    chosen = choose(shape, found)
    if keeps_types:
        chosen.differences.extend(keep_to_types(chosen))
    if options.interface_hashes == "strict":
        require("interfaces", chosen.differences)
    serve = getattr(answers, "bind", None)
    if serve is not None:
        serve({**chosen.variants, **(also or {})})
    return tuple(chosen.differences)


def choose(shape: module.Shape, found: metadata.Metadata | None) -> Chosen:
    """Find the variant each import was built for; compare the hashes of what the guest imports (pack-abi 8)."""
    sigs = {(item.interface, item.name): item for item in found.imports} if found else {}
    chosen: dict[tuple[str, str], registry.Variant] = {}
    differences: list[str] = []
    wanted = dict.fromkeys([*((item.interface, item.served_by) for item in shape.imports), *sigs])
    for key in wanted:
        function = _provided(key)
        if function is not None:
            chosen[key], difference = _variant(key, function, sigs.get(key))
            differences += difference
    if found is not None and not differences:
        differences = _hash_differences(found, chosen)
    return Chosen(chosen, differences)


def _provided(key: tuple[str, str]) -> registry.Function | None:
    interface = registry.known().get(key[0])
    return interface.function(key[1]) if interface else None


def _variant(
    key: tuple[str, str], function: registry.Function, sig: metadata.FunctionSig | None
) -> tuple[registry.Variant, list[str]]:
    newest = function.variants[0]
    if sig is None:
        return newest, []
    found = function.variant(interfaces.function_hash(sig))
    if found is not None:
        return found, []
    offered = " or ".join(variant.signature for variant in function.variants)
    return newest, [f"import {key[0]}.{key[1]}: the actor declares {sig.signature}, this host has {offered}"]


def keep_to_types(chosen: Chosen) -> list[str]:
    """For a component: have every function answer what it declares; return the imports of those that never do."""
    differences = []
    for key, variant in chosen.variants.items():
        if variant.is_loose and variant.is_result:
            chosen.variants[key] = variant.kept_to()
        elif variant.is_loose:
            found = _provided(key)
            others = [each.signature for each in found.variants if not each.is_loose] if found else []
            differences.append(
                f"import {key[0]}.{key[1]}: what {variant.signature} answers is of another type, a component declares "
                f"{' or '.join(others)}"
            )
    return differences


def _hash_differences(found: metadata.Metadata, chosen: Mapping[tuple[str, str], registry.Variant]) -> list[str]:
    """Interfaces whose embedded hash is not that of the functions imported from them."""
    declared_names: dict[str, set[str]] = {}
    for item in found.imports:
        declared_names.setdefault(item.interface, set()).add(item.name)
    differences = []
    for name, theirs in found.import_hashes.items():
        names = declared_names.get(name) or {function for interface, function in chosen if interface == name}
        missing = sorted(function for function in names if (name, function) not in chosen)
        if name not in registry.known() or (missing and len(missing) == len(names)):
            continue  # nothing of it is imported, or the missing functions have been named already
        provided = {each: chosen[name, each].parsed for each in names if (name, each) in chosen}
        ours = interfaces.interface_hash(name, provided)
        if missing or ours != theirs:
            parts = f" (not provided: {', '.join(missing)})" if missing else ""
            text = f"the actor was built for hash {theirs.hex()}, this host has {ours.hex()}{parts}"
            differences.append(f"interface {name}: {text}")
    return differences
