"""The decorators that make a class an actor."""

from __future__ import annotations

import copy
import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar, dataclass_transform, overload

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

ACTOR: Final = "__theater_actor__"
"""On a class: the options of ``@actor``."""
ROLE: Final = "__theater_role__"
"""On a method: what the host calls it as, EXPORT, INIT or MIGRATE."""
INTERFACE: Final = "__theater_interface__"
"""On an exported method: the interface it belongs to, or None for the actor's own."""
EXPORT, INIT, MIGRATE = "export", "init", "migrate"
_IN_A_COMPONENT: Final = sys.platform == "wasi"
_CALLED: Final = "_theater_called"


@dataclasses.dataclass(frozen=True)
class Options:
    """What ``@actor`` was given."""

    name: str | None = None
    wasi: bool = True


@overload
def actor(cls: C, /) -> C: ...
@overload
def actor(*, name: str | None = None, wasi: bool = True) -> Callable[[C], C]: ...
@dataclass_transform(field_specifiers=(dataclasses.field,))
def actor(cls: Any = None, /, *, name: str | None = None, wasi: bool = True) -> Any:
    """Make a class an actor, and a dataclass if it is none. Its fields are the state.

    ``name`` is the WIT package of its interfaces, ``example:tally`` or ``example:tally@1.2.0``; without it,
    ``actor:`` and the name of the class. With ``wasi=False`` nothing of WASI is imported, and need be granted: there is
    no clock, no random number, no file, and what is printed, tracebacks included, is lost.
    """

    def make(cls: Any) -> Any:
        if "__dataclass_fields__" not in cls.__dict__:
            cls = dataclasses.dataclass(cls)
        setattr(cls, ACTOR, Options(name, wasi))
        return cls

    return make if cls is None else make(cls)


@overload
def export(function: F, /) -> F: ...
@overload
def export(interface: str, /) -> Callable[[F], F]: ...
def export(what: Any, /) -> Any:
    """Have a method called from outside, by its name.

    With the name of an interface it belongs to that one instead of the actor's own: the host calls an actor back so,
    ``@export("theater:simple/supervisor-handlers")`` on ``handle_child_exit``, for instance.
    """
    if isinstance(what, str):
        return lambda function: _mark(function, EXPORT, what)
    return _mark(what, EXPORT, None)


def init(method: F) -> F:
    """Have a method called once when the actor begins: the state is as declared, and may be changed.

    It is not called for an incarnation that goes on from an earlier one's state (``recover: last``).
    """
    marked: F = _mark(method, INIT, None)
    return marked


def migrate(function: F) -> F:
    """Have a static method called with the state that another package left: it takes the old type, returns the actor.

    Without one the old state must fit as it is.
    """
    marked: F = _mark(function, MIGRATE, None)
    return marked


def _mark(function: Any, role: str, interface: str | None) -> Any:
    plain = getattr(function, "__func__", function)
    setattr(plain, ROLE, role)
    setattr(plain, INTERFACE, interface)
    if _IN_A_COMPONENT or role == MIGRATE or isinstance(function, staticmethod | classmethod):
        return function
    return _as_in_a_tree(function)


def _as_in_a_tree(method: Any) -> Any:
    """Outside of a component: a call that raises leaves the fields as they were, as a tree does it."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, _CALLED, False):
            return method(self, *args, **kwargs)
        before = {field.name: copy.deepcopy(getattr(self, field.name)) for field in dataclasses.fields(self)}
        setattr(self, _CALLED, True)
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            for name, value in before.items():
                setattr(self, name, value)
            raise
        finally:
            delattr(self, _CALLED)

    return call
