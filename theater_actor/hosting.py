"""Host functions as Python functions.

    @host("theater:simple/runtime@0.1.0", can_fail=False)
    def log(msg: str) -> None:
        \"\"\"Write a line to the log.\"\"\"
        print(msg)

In a component the host is called. Outside of one the body runs: tests get what it says, or put something of their own
in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

OUTSIDE: Final = "there is no host outside of a component: put a function of the test's own in this one's place"
"""Said by host functions that have nothing to say without a host."""


class HostFunction:
    """A declared host function; ``bound`` in a component."""

    def __init__(self, interface: str, function: Callable[..., Any], can_fail: bool) -> None:
        self.interface = interface
        self.name = function.__name__
        self.function = function
        self.can_fail = can_fail
        self.bound: Callable[..., Any] | None = None
        """Takes all parameters in order; raises HostError."""


DECLARED: Final[dict[str, list[HostFunction]]] = {}
"""Every host function that some module has declared, by interface."""


def host(interface: str, *, can_fail: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a function of the host's: its name, hints and docstring are those of the WIT function.

    ``can_fail``: it returns ``result<R, string>``; an error is raised as HostError.
    """

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        declared = HostFunction(interface, function, can_fail)
        DECLARED.setdefault(interface, []).append(declared)
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if declared.bound is None:
                return function(*args, **kwargs)
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            answer: R = declared.bound(*given.args)
            return answer

        return call

    return declare
