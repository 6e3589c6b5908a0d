"""The rules of OTP's supervisor, one case per line, in the order of the manual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from theater.spec import BRUTAL_KILL

T = TypeVar("T")


class Forgiven(msgspec.Struct, frozen=True):
    """An exit reason that does not count against the restart intensity. An extra of our own: OTP has none."""

    reason: Any


def is_clean(reason: Any) -> bool:
    """Whether an end is a normal one."""
    match reason:
        case "normal" | "shutdown":
            return True
        case str():
            return reason.startswith("shutdown:")
        case _:
            return False


def comes_back(restart: str, reason: Any) -> bool:
    """Whether a child is restarted after it ended with this reason (supervisor.erl, do_restart/3)."""
    match restart:
        case "permanent":
            return True
        case "transient":
            return not is_clean(reason)
        case _:
            return False


def is_reported(restart: str, reason: Any) -> bool:
    """Whether an end is an error in its supervisor's eyes (do_restart/3)."""
    return restart == "permanent" or not is_clean(reason)


def is_proper_stop(restart: str, shutdown: str | int | None, reason: Any) -> bool:
    """Whether a child that was being stopped ended as asked; otherwise it is reported (shutdown/1, do_terminate/2)."""
    match reason:
        case "killed":
            return shutdown == BRUTAL_KILL
        case "shutdown" if shutdown != BRUTAL_KILL:
            return True
        case _:
            return restart != "permanent" and is_clean(reason)


def restart_group(strategy: str, children: Sequence[T], failed: T) -> Sequence[T]:
    """The children, in start order, that are restarted together with the failed one (restart/3, split_child/2)."""
    match strategy:
        case "one_for_all":
            return children
        case "rest_for_one":
            return children[children.index(failed) :]
        case _:
            return [failed]


def ends_supervisor(auto_shutdown: str, significant: bool, others_left: bool) -> bool:
    """Whether the end of a child that stays away ends its supervisor too (do_auto_shutdown/2)."""
    match auto_shutdown:
        case "any_significant":
            return significant
        case "all_significant":
            return significant and not others_left
        case _:
            return False
