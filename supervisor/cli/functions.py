"""The functions of an actor, as a caller sees them: without the state, which the supervisor passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theater import types
from theater.conversation import DEFAULT, Who, metadata

if TYPE_CHECKING:
    from theater.client import Client
    from theater.metadata import FunctionSig


def exported(client: Client, actor: str) -> list[FunctionSig]:
    """Return what an actor exports, by full name; nothing if its package does not describe itself."""
    from theater.metadata import decode

    _, encoded = client.converse(metadata(Who(actor), DEFAULT))
    if not encoded:
        return []
    return sorted(decode(encoded).exports, key=lambda function: function.full_name)


def signature(function: FunctionSig) -> str:
    """Return a function as its caller sees it: ``add(by: u32) -> u64``."""
    params = ", ".join(f"{name}: {kind}" for name, kind in function.params[1:])
    response = _response(function.results)
    return f"{function.name}({params})" + (f" -> {response}" if response else "")


def declaration(function: FunctionSig) -> str:
    """Return the same with the function's full name: ``example:counter/api.add(by: u32) -> u64``."""
    return function.full_name.removesuffix(function.name) + signature(function)


def _response(results: tuple[types.Type, ...]) -> str:
    """What is left of ``result<tuple<state, response…>, error>`` for the caller."""
    match results:
        case (types.Result(ok=types.Tuple(items=(_, *responses))),):
            return ", ".join(map(str, responses))
        case _:
            return ", ".join(map(str, results))
