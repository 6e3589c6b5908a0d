"""Words of HTTP messages: methods, schemes, authorities and targets, as WASI has them and as text."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from theater.values import UNIT, Option, String, Variant
from worker.interfaces.wasi.declaring import Failure, case, some
from worker.interfaces.wasi.http_names import METHOD, METHODS, SCHEME

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
SCHEME_TEXT: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,100}")
PATH: Final = re.compile(r"[!-~]*")
TARGET_CHARS_MAX: Final = 65_536


def method_value(method: str) -> Variant:
    """A method, as WASI has it."""
    small = method.lower()
    return case(METHOD, small) if small in METHODS and method.isupper() else case(METHOD, "other", String(method))


def given_method(value: Variant) -> str:
    """A method the guest chooses."""
    text: str = value.payload[0].value if value.payload else value.case.upper()  # type: ignore[attr-defined]
    if not TOKEN.fullmatch(text):
        raise Failure(UNIT)
    return text


def scheme_value(scheme: str | None) -> Option:
    """A scheme, as WASI has it."""
    if scheme is None:
        return some(None)
    large = scheme.upper()
    return some(case(SCHEME, large) if large in ("HTTP", "HTTPS") else case(SCHEME, "other", String(scheme)))


def given_scheme(value: Option) -> str | None:
    """A scheme the guest chooses, or none."""
    if value.value is None:
        return None
    scheme = value.value
    assert isinstance(scheme, Variant)
    text: str = scheme.payload[0].value if scheme.payload else scheme.case.lower()  # type: ignore[attr-defined]
    if not SCHEME_TEXT.fullmatch(text):
        raise Failure(UNIT)
    return text


def text_value(text: str | None) -> Option:
    """A text that may be missing."""
    return some(None if text is None else String(text))


def given_target(value: Option) -> str | None:
    """A path with its query that the guest chooses, or none."""
    text = _text(value)
    if text is not None and (not PATH.fullmatch(text) or len(text) > TARGET_CHARS_MAX or "#" in text):
        raise Failure(UNIT)
    return text


def given_authority(value: Option) -> str | None:
    """A host that the guest chooses, with a port or without; or none."""
    text = _text(value)
    if text is not None and not _is_authority(text):
        raise Failure(UNIT)
    return text


def _text(value: Option) -> str | None:
    return None if value.value is None else value.value.value  # type: ignore[attr-defined]


def _is_authority(text: str) -> bool:
    try:
        parts = urlsplit(f"//{text}")
        return bool(PATH.fullmatch(text) and parts.hostname and parts.netloc == text and "@" not in text) and (
            parts.port is None or parts.port > 0
        )
    except ValueError:
        return False
