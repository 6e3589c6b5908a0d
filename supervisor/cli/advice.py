"""What a verb tells when an error ends it: the error, with the names the user gave and what would have been right.

The errors themselves have fixed texts (lifecycle section 7), made for programs as much as for people. Here we know
what was typed. Imported only when something has gone wrong, so it may ask the supervisor again.
"""

from __future__ import annotations

import argparse
import difflib
from typing import TYPE_CHECKING, Any

import msgspec

from theater.cause import describe
from theater.errors import (
    ActorError,
    ChannelClosed,
    FunctionNotFound,
    InternalError,
    NotFound,
    OperationTimeout,
    TheaterError,
    TypeMismatch,
)

if TYPE_CHECKING:
    from theater.metadata import FunctionSig

NEAR_MAX = 1
JSON_STARTS = ("{", "[", '"')
"""Who writes one of these first means JSON."""


def told(error: TheaterError | OSError, args: argparse.Namespace) -> str:
    """Return what to tell about an error that ends a verb."""
    match error:
        case InternalError(data=({"function": function, "message": message}, *_)):
            return f"{function} failed: {message}"
        case NotFound(data=(name, *_)):
            return _unknown_actor(str(name), args)
        case FunctionNotFound(data=(name, *_)):
            return _unknown_function(str(name), args)
        case TypeMismatch():
            return _unfit(error, args)
        case ChannelClosed(data=(cause, *_)):
            return f"{_whom(args)} has ended" + (f": {describe(cause)}" if cause else "")
        case OperationTimeout():
            return _late(error, args)
        case _:
            return str(error)


def _whom(args: argparse.Namespace) -> str:
    """The actor a verb was about, if it was about one."""
    actors = getattr(args, "actor", None)
    if isinstance(actors, list):
        actors = actors[0] if len(actors) == 1 else None
    return actors or "the actor"


def _late(error: OperationTimeout, args: argparse.Namespace) -> str:
    whom = _whom(args)
    if whom == "the actor":
        return str(error)
    return f"{whom}: {str(error)[0].lower()}{str(error)[1:]}; what it does: theater status {whom}"


# -- names ------------------------------------------------------------------------------------------------------------


def _unknown_actor(name: str, args: argparse.Namespace) -> str:
    said = f"No such actor: {name}"
    nodes = _nodes(args)
    if nodes.get(name) == "supervisor":
        return f"{name} is a supervisor, expected an actor; its children: theater tree {name}"
    near = difflib.get_close_matches(name, [path for path, kind in nodes.items() if kind == "worker"], NEAR_MAX)
    if near:
        return f"{said}; did you mean {near[0]}?"
    return f"{said}; those there are: theater tree" if nodes else said


def _nodes(args: argparse.Namespace) -> dict[str, str]:
    """Paths in the running tree and what is there; none if that cannot be told."""
    if getattr(args, "store", None) or getattr(args, "tree", None):
        return {}
    from supervisor.cli.asking import ask_tree

    try:
        todo = [ask_tree(args)["root"]]
    except (TheaterError, OSError):
        return {}
    found: dict[str, str] = {}
    while todo:
        node = todo.pop()
        found[node["path"]] = node.get("type", "")
        todo.extend(node.get("children") or ())
    return found


def _unknown_function(name: str, args: argparse.Namespace) -> str:
    if " (could be " in name:
        return f"{_whom(args)} has more than one function of that name: {name}"
    said = f"{_whom(args)} has no function {name}"
    declared = {function.name: function for function in _functions(args)}
    if not declared:
        return f"{said}; expected a full name, interface.function: its package does not describe its functions"
    near = difflib.get_close_matches(name, declared, NEAR_MAX)
    if near:
        return f"{said}; did you mean {near[0]}?"
    return f"{said}; those it has: theater call {_whom(args)}"


# -- parameters -------------------------------------------------------------------------------------------------------


def _unfit(error: TypeMismatch, args: argparse.Namespace) -> str:
    name, detail = error.data
    lines = [f"{name} does not take that: {detail}"]
    signature = _signature(name, args)
    if signature:
        lines.append(f"it is {signature}")
    lines += [f"params[{place}] is no JSON ({why}), so it was taken as text" for place, why in _broken_json(args)]
    return "; ".join(lines)


def _signature(name: str, args: argparse.Namespace) -> str | None:
    from supervisor.cli.functions import signature

    return next((signature(function) for function in _functions(args) if function.full_name == name), None)


def _functions(args: argparse.Namespace) -> list[FunctionSig]:
    """What the actor exports; nothing if that cannot be told."""
    from supervisor.cli.functions import exported
    from supervisor.cli.options import connected

    try:
        with connected(args) as client:
            return exported(client, args.actor)
    except (ActorError, TheaterError, OSError, ValueError):
        return []


def _broken_json(args: argparse.Namespace) -> list[tuple[int, str]]:
    found = []
    for place, text in enumerate(getattr(args, "params", ())):
        if text.lstrip().startswith(JSON_STARTS) and (why := _why_no_json(text)):
            found.append((place, why))
    return found


def _why_no_json(text: str) -> str | None:
    try:
        decoded: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return str(error)
    del decoded
    return None
