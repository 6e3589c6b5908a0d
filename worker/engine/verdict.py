"""Start-up checks of what is used past the documented surface of a library: made once per process, and never fatal."""

from __future__ import annotations

from collections.abc import Callable

Verdict = list[str | None]
"""Empty before the check; then why the thing must not be used, or None."""


def settled(verdict: Verdict, check: Callable[[], str | None]) -> str | None:
    """Return what the check says, or has said; that it failed is a reason too."""
    if not verdict:
        try:
            verdict.append(check())
        except Exception as error:
            verdict.append(f"{type(error).__name__}: {error}")
    return verdict[0]
