"""Every bound of the wire, by name. Bytes and counts; the test for each one tries the value just past it."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

HEADER_BYTES_MAX: Final = 256 * KIB
"""The first frame of a message: prefix and encoded record."""

BODY_BYTES_MAX: Final = 256 * MIB
"""One body frame (the value codec's own buffer limit)."""

BODIES_MAX: Final = 3
"""Body frames after the header frame."""

NAME_BYTES_MAX: Final = 1024
"""Paths, ids, function and interface names."""

TEXT_BYTES_MAX: Final = 64 * KIB
"""Error texts, log messages, stderr tails."""

BATCH_EVENTS_MAX: Final = 4096
BATCH_BYTES_MAX: Final = 1 * MIB
"""One upward batch of chain events (a single larger event travels alone)."""
