"""``theater:simple/names``: names for actors, and groups of actors under one name (OTP: erlang:register/2, pg).

The root keeps them. A name belongs to the actor, not to one life of it: it is still there after a restart, and gone
when the actor is gone for good.
"""

from __future__ import annotations

from typing import Any, Final

from theater import types
from theater.grants import NAMES
from theater.values import List, Option, String, Value, unit
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Variant
from worker.interfaces.sending import STAYS


def register(context: Context, name: String) -> Value:
    """A name of one's own; having it already is fine."""
    return _tell(context, "register-name", name)


def unregister(context: Context, name: String) -> Value:
    """Give up a name of one's own."""
    return _tell(context, "unregister-name", name)


def whereis(context: Context, name: String) -> Value:
    """The id of whoever has the name."""
    ids = _members(context, name)
    return Option(types.STRING, String(ids[0]) if ids else None)


def join(context: Context, group: String, mode: String) -> Value:
    """Become a member; all members agree on the mode."""
    context.ask("join-group", {"name": group.value, "mode": mode.value})
    return unit()


def leave(context: Context, group: String) -> Value:
    """Be a member no more."""
    return _tell(context, "leave-group", group)


def members(context: Context, name: String) -> Value:
    """Ids, in the order they joined."""
    return List(types.STRING, tuple(String(each) for each in _members(context, name)))


def _tell(context: Context, function: str, name: String) -> Value:
    context.ask(function, {"name": name.value})
    return unit()


def _members(context: Context, name: String) -> list[Any]:
    data, _ = context.ask("name-members", {"name": name.value})
    return list(data.get("ids", ()))


_NAME = "func(name: string) -> result<_, string>"

INTERFACE: Final = Interface(
    NAMES,
    "Names for actors, and groups: several actors under one name. Wherever an actor is named, by another actor or by a "
    "handle, its name will do. A name stays with its actor over restarts, and is free again when the actor is gone for "
    "good.",
    (
        Function("register", "Give this actor a name that nobody else has.", (Variant(_NAME, register),), own=True),
        Function("unregister", "Give up a name of this actor.", (Variant(_NAME, unregister),), own=True),
        Function(
            "whereis",
            "The id of the actor with this name, or of the oldest member of this group; none if there is nobody.",
            (Variant("func(name: string) -> result<option<string>, string>", whereis),),
            own=True,
        ),
        Function(
            "join",
            "Become a member of a group. mode is `round-robin` (what is sent to the name goes to one member after the "
            "other) or `broadcast` (messages go to all, nothing else can be sent to it); the first member decides.",
            (Variant("func(group: string, mode: string) -> result<_, string>", join),),
            own=True,
        ),
        Function(
            "leave",
            "Be a member of the group no more.",
            (Variant("func(group: string) -> result<_, string>", leave),),
            own=True,
        ),
        Function(
            "members",
            "The ids of a group's members, in the order they joined; of a name, that of its actor.",
            (Variant("func(name: string) -> result<list<string>, string>", members),),
            own=True,
        ),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
