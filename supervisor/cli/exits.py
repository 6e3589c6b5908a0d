"""Exit codes, and which error means which. They are part of the interface: scripts depend on them."""

from __future__ import annotations

from theater.errors import (
    ActorError,
    FunctionNotFound,
    NotFound,
    OperationTimeout,
    PermissionDenied,
    TheaterError,
)

OK = 0
FAILED = 1
CONFIGURATION = 2
NOT_RUNNING = 3
UNKNOWN_NAME = 4
NOT_PERMITTED = 5
TIMED_OUT = 6
UNHEALTHY = 7
CHAIN_INVALID = 8
INTERRUPTED = 130

DESCRIPTION = """\
exit codes: 0 ok, 1 failed, 2 configuration or usage, 3 not running, 4 unknown name, 5 not permitted, 6 timed out,
7 something is not healthy, 8 a chain is not valid, 130 interrupted."""

_BY_KIND: dict[type[ActorError], int] = {
    NotFound: UNKNOWN_NAME,
    FunctionNotFound: UNKNOWN_NAME,
    PermissionDenied: NOT_PERMITTED,
    OperationTimeout: TIMED_OUT,
}
_BY_NAME = {
    "ConfigError": CONFIGURATION,
    "NotRunning": NOT_RUNNING,
    "UnknownContent": UNKNOWN_NAME,
    "NotTrusted": NOT_PERMITTED,
    "SupervisorGone": NOT_RUNNING,
    "GoneWhileAsking": NOT_RUNNING,
}
"""Errors of modules that not every verb imports."""


def code_for(error: TheaterError | OSError) -> int:
    """Return the exit code for an error that ends a verb."""
    if isinstance(error, PermissionError):
        return NOT_PERMITTED
    named = _BY_NAME.get(type(error).__name__)
    if named is not None:
        return named
    return _BY_KIND.get(type(error), FAILED) if isinstance(error, ActorError) else FAILED
