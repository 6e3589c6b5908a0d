"""Names in the store: content-refs, which become file names, and labels, which never do."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import Final

from theater.content.errors import BadName

LABEL_BYTES_MAX: Final = 255
SHOWN_CHARS: Final = 80
"""Of a name that is none, in the error."""

_REF = re.compile(r"[0-9a-f]{64}")
_STORE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def ref_of(data: bytes) -> str:
    """The content-ref of some bytes."""
    return sha256(data).hexdigest()


def is_ref(text: str) -> bool:
    """Whether a text is a content-ref."""
    return _REF.fullmatch(text) is not None


def is_store_id(text: str) -> bool:
    """Whether a text can be a store's id (lower-case UUID)."""
    return _STORE.fullmatch(text) is not None


def checked_ref(text: str) -> str:
    """Return a content-ref.

    Raises:
        BadName: it is none.
    """
    if not is_ref(text):
        raise BadName(f"expected a content-ref of 64 lower-case hexadecimal digits (SHA-256), got {shown(text)}")
    return text


def checked_label(text: str) -> str:
    """Return a label. Parts between slashes are fit for file names, should anybody write labels out as files.

    Raises:
        BadName: it is none.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= LABEL_BYTES_MAX:
        raise BadName(f"expected a label of 1 to {LABEL_BYTES_MAX} bytes, got {size}")
    if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
        raise BadName(f"expected a label without control characters, got {shown(text)}")
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise BadName(f"expected a label without empty, . and .. parts, got {shown(text)}")
    return text


def shown(text: str) -> str:
    """A name from somewhere, fit for an error."""
    return ascii(text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…")
