"""The grant ``store``: how much an actor may keep, and whose stores it may use."""

from __future__ import annotations

from typing import Final

from theater.content import sharing
from theater.grants import STORE
from theater.grants.comparing import AT_MOST, Entries, Free, IfHeld, OneWithin, Values
from theater.grants.declaring import Group, Option
from theater.grants.shapes import CONTENT_BYTES_MAX, Count, Flag, ListOf, Nested, Pattern, Size, Time

_OWNER: Final = Pattern(
    "an actor such as /library",
    sharing.checked_owner,
    {"type": "string", "pattern": "^(/|\\*$|parent$|children$|.*\\$\\{)"},
)


def _told(share: Values) -> str:
    return f"{'writing to ' if share['write'] else ''}stores of {share['owner']}"


def _is_family(share: Values) -> bool:
    """A parent can give away its own stores, and those of its grandchildren."""
    return share["owner"] in (sharing.PARENT, sharing.CHILDREN)


_SHARED: Final = Group(
    "shared",
    "Stores of other actors that it may use, given their ids.",
    (
        Option(
            "owner",
            _OWNER,
            "Who made them: an actor (`/library`), all below one (`/pool/*`), everybody (`*`), the `parent` whose "
            "guest has spawned this actor, or the `children` that it has spawned.",
            OneWithin("stores of", sharing.covers, "whom its parent's stands for"),
            is_required=True,
        ),
        Option("write", Flag(), "It may also change what is in them.", IfHeld("writing"), False),
    ),
)
GRANT: Final = Group(
    STORE,
    "Keep contents by their SHA-256, with labels, in stores that outlive the actor.",
    (
        Option("max_size", Size(), "All contents of a store together.", AT_MOST, 256 << 20, "bytes_max"),
        Option(
            "max_content", Size(0, CONTENT_BYTES_MAX), "Largest content.", AT_MOST, 16 << 20, "content_bytes_max"
        ),
        Option("max_contents", Count(0, 100_000), "Contents in a store.", AT_MOST, 10_000, "contents_max"),
        Option("max_labels", Count(0, 100_000), "Labels in a store.", AT_MOST, 10_000, "labels_max"),
        Option("max_stores", Count(0, 10_000), "Stores of the actor.", AT_MOST, 100, "stores_max"),
        Option(
            "unlabelled",
            Time(),
            "How long a content without a label is kept at least; it goes when the store is full, or with "
            "`theater store gc`.",
            Free("how much may be kept is said by the others"),
            None,
            "unlabelled_ms",
            "for ever",
        ),
        Option(
            "shared",
            ListOf(Nested(_SHARED), "a list of owners"),
            "Other actors' stores that it may use.",
            Entries(_told, "each as one of its parent's, or narrower; `parent` and `children` always", _is_family),
            (),
        ),
    ),
)
