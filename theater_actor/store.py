"""Contents by their SHA-256, with labels, in stores that outlive the actor.

``theater:simple/store``; the grant is ``store``.
"""

from __future__ import annotations

from typing import Final

from theater_actor.ends import HostError
from theater_actor.hosting import OUTSIDE, host
from theater_actor.widths import U64

INTERFACE: Final = "theater:simple/store@0.1.0"


@host(INTERFACE)
def new() -> str:
    """Make an empty store; returns its id."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def store(store_id: str, content: bytes) -> str:
    """Keep a content; returns its content-ref, the hexadecimal SHA-256."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def get(store_id: str, content_ref: str) -> bytes:
    """A content, checked."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def exists(store_id: str, content_ref: str) -> bool:
    """Whether this store has the content."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def label(store_id: str, label: str, content_ref: str) -> None:
    """Put a label on a content of the store; a content that had the label loses it."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def get_by_label(store_id: str, label: str) -> str | None:
    """The content-ref with this label."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def remove_label(store_id: str, label: str) -> None:
    """Take a label off, if it is there."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def store_at_label(store_id: str, label: str, content: bytes) -> str:
    """Keep a content and put a label on it."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def replace_content_at_label(store_id: str, label: str, content: bytes) -> str:
    """The same as store-at-label."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def replace_at_label(store_id: str, label: str, content_ref: str) -> None:
    """The same as label."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def list_all_content(store_id: str) -> list[str]:
    """The content-refs of everything in the store."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def calculate_total_size(store_id: str) -> U64:
    """Bytes of all contents."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def list_labels(store_id: str) -> list[str]:
    """The labels of the store."""
    raise HostError(OUTSIDE)
