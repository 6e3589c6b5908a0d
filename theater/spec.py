"""What a tree is made of: supervisor and child specifications, as plain frozen records.

These are OTP's supervisor flags and child specifications with our opt-in extras. The records do not validate
themselves: the configuration loader reports what people wrote wrong with file and line, and the core refuses what
OTP refuses (supervisor:check_childspecs/1) when a supervisor starts.
"""

from __future__ import annotations

import msgspec

BRUTAL_KILL = "brutal_kill"
INFINITY = "infinity"

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
RESTARTS = ("permanent", "transient", "temporary")
AUTO_SHUTDOWNS = ("never", "any_significant", "all_significant")

DEFAULT_SHUTDOWN_MS = 5_000
DEFAULT_START_TIMEOUT_MS = 60_000
DEFAULT_INTENSITY = 1
DEFAULT_PERIOD_MS = 5_000


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Wait before an automatic restart: ``initial_ms * factor**n``, at most ``max_ms``, varied by ``jitter`` (0..1)."""

    initial_ms: int = 100
    factor: float = 2.0
    max_ms: int = 30_000
    jitter: float = 0.1


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One child of a supervisor (OTP: ``supervisor:child_spec()``).

    ``shutdown`` is ``"brutal_kill"``, milliseconds, or ``"infinity"``; None means OTP's default (5000, or infinity for
    a supervisor). ``type`` None means ``supervisor`` when ``supervisor`` is given, else ``worker``.
    ``actor`` is for the shell alone: the core hands it back in its start action and never looks inside.
    """

    id: str
    restart: str = "permanent"
    shutdown: str | int | None = None
    type: str | None = None
    significant: bool = False
    supervisor: SupervisorSpec | None = None
    actor: object | None = None
    backoff: Backoff | None = None
    start_timeout_ms: int | None = DEFAULT_START_TIMEOUT_MS


class SupervisorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor and its children (OTP: ``supervisor:sup_flags()`` with the child list of ``init/1``).

    Under ``simple_one_for_one`` ``children`` holds exactly one child, the template. ``period_ms`` is in milliseconds.
    """

    strategy: str = "one_for_one"
    intensity: int = DEFAULT_INTENSITY
    period_ms: int = DEFAULT_PERIOD_MS
    auto_shutdown: str = "never"
    children: tuple[ChildSpec, ...] = ()
