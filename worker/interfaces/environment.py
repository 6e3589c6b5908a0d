"""``theater:simple/environment``: the variables that the grant names, and no others: never those of the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater import types
from theater.grants.environment import GRANT
from theater.values import Bool, List, Option, String, Value
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Variant
from worker.interfaces.sending import STAYS


def get(context: Context, name: String) -> Value:
    """The variable's text; none if the grant has no such name."""
    text = _variables(context).get(name.value)
    return Option(types.STRING, None if text is None else String(text))


def exists(context: Context, name: String) -> Value:
    """Whether the grant has the name."""
    return Bool(name.value in _variables(context))


def list_(context: Context) -> Value:
    """All names, sorted."""
    return List(types.STRING, tuple(String(name) for name in sorted(_variables(context))))


def _variables(context: Context) -> Mapping[str, str]:
    variables: Mapping[str, str] = GRANT.held_by(context)["variables"]
    return variables


INTERFACE: Final = Interface(
    GRANT.name,
    "The variables that the actor's grant names; those of the host are not seen. What is read stands in the chain: "
    "this is no place for secrets.",
    (
        Function(
            "get",
            "A variable's text, or none.",
            (Variant("func(name: string) -> option<string>", get),),
            own=True,
        ),
        Function(
            "exists", "Whether there is such a variable.", (Variant("func(name: string) -> bool", exists),), own=True
        ),
        Function("list", "The names of all variables, sorted.", (Variant("func() -> list<string>", list_),), own=True),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
