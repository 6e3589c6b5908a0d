"""CGRF, the binary form of values: what crosses the sandbox and what chains hash (pack-abi section 2).

    data = encode(Tuple((U32(42), String("hi"))))
    assert decode(data) == Tuple((U32(42), String("hi")))

``encode`` always writes the canonical form; ``decode`` takes every valid form, refuses every other with a ``CgrfError``
and neither recurses nor believes a count. ``encode_tuple`` and ``prepend`` join encoded values without decoding them.
"""

from __future__ import annotations

from theater.cgrf.decoding import canonical, decode
from theater.cgrf.encoding import encode
from theater.cgrf.layout import DEFAULT, CgrfError, Limits
from theater.cgrf.splicing import encode_tuple, prepend

__all__ = ["DEFAULT", "CgrfError", "Limits", "canonical", "decode", "encode", "encode_tuple", "prepend"]
