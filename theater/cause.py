"""Why an incarnation ended (lifecycle section 1.1): one frozen record, its OTP reason, its text, its plain form."""

from __future__ import annotations

from typing import Any

import msgspec

COMPLETED = "completed"
STOPPED = "stopped"
FAILED = "failed"
KILLED = "killed"
CRASHED = "crashed"
START_FAILED = "start_failed"
PARENT_GONE = "parent_gone"
UPDATED = "updated"
EXITED = "exited"

CLEAN = frozenset((COMPLETED, STOPPED, PARENT_GONE, UPDATED))


class Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The termination cause of one incarnation.

    ``kind`` is one of completed, stopped, failed, killed, crashed, start_failed, parent_gone, updated (another
    incarnation has taken over, with another package), exited (by an exit signal). Which other fields are set depends
    on it: completed: ``value`` (bytes or None); stopped, killed: ``by``; killed: ``escalated``; failed: ``function``
    and ``text`` of the error event; crashed: ``signal`` or ``exit_code``, and ``text`` (why, or the tail of what the
    process wrote to stderr); start_failed: ``step`` and ``text``; parent_gone: ``parent``; exited: ``by`` and, as
    ``text``, the signal's reason.
    """

    kind: str
    value: bytes | None = None
    by: str | None = None
    escalated: bool = False
    function: str | None = None
    text: str | None = None
    step: str | None = None
    signal: int | None = None
    exit_code: int | None = None
    parent: str | None = None

    @property
    def is_clean(self) -> bool:
        """A transient child with this end stays down."""
        if self.kind == EXITED:
            reason = self.text or ""
            return reason in ("normal", "shutdown") or reason.startswith("shutdown:")
        return self.kind in CLEAN

    def otp_reason(self) -> str:
        """The exit reason a supervisor sees: normal, shutdown, killed, or a text naming the error."""
        match self.kind:
            case "completed":
                return "normal"
            case "stopped" | "parent_gone" | "updated":
                return "shutdown"
            case "killed":
                return "killed"
            case "exited":
                return self.text or ""
            case _:
                return describe(self)

    def plain(self) -> dict[str, Any]:
        """As a map for the wire and for JSON (bytes kept)."""
        data: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes,))
        return data


def from_plain(data: dict[str, Any]) -> Cause:
    """Return the cause that ``plain`` described."""
    return msgspec.convert(data, Cause)


def describe(cause: Cause | dict[str, Any]) -> str:
    """One line for people: ``crashed (signal 9 SIGKILL)``, ``stopped by supervisor``, ``failed in bump: …``."""
    if isinstance(cause, dict):
        cause = from_plain(cause)
    match cause.kind:
        case "failed":
            return f"failed in {cause.function or '?'}: {cause.text or '?'}"
        case "killed":
            return f"killed by {cause.by or '?'}" + (" after its shutdown deadline" if cause.escalated else "")
        case "stopped":
            return f"stopped by {cause.by or '?'}"
        case "crashed":
            return f"crashed ({_death(cause)})" + (f": {cause.text}" if cause.text else "")
        case "start_failed":
            return f"start failed at {cause.step or '?'}: {cause.text or '?'}"
        case "parent_gone":
            return f"parent {cause.parent or '?'} is gone"
        case "updated":
            return "updated to another package"
        case "exited":
            return f"ended by an exit signal of {cause.by or '?'}: {cause.text or '?'}"
        case _:
            return cause.kind


def _death(cause: Cause) -> str:
    if cause.signal is None:
        return f"exit code {cause.exit_code}"
    import signal

    try:
        return f"signal {cause.signal} {signal.Signals(cause.signal).name}"
    except ValueError:
        return f"signal {cause.signal}"
