"""Joining encoded values without decoding them: node numbers are shifted, nothing else changes.

Canonical buffers give canonical buffers. Buffers in another order stay valid but in that order: make them
``canonical`` first where it matters. Only what has to be read is checked: decode what strangers send.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from struct import error as StructError

from theater.cgrf import layout
from theater.cgrf.decoding import canonical
from theater.cgrf.layout import HEADER, HEADER_BYTES, MAGIC, NODE, NODE_BYTES, VERSION, CgrfError
from theater.cgrf.nodes import PARENTS_LEGACY


def encode_tuple(parts: Sequence[bytes]) -> bytes:
    """Return the encoding of the tuple of already encoded values."""
    nodes, roots, base = [b""], [], 0
    for part in parts:
        count, root = _header(part)
        nodes.append(part[HEADER_BYTES:] if base == 0 or count == 1 else _shifted(part, base, count)[0])
        roots.append(base + root)
        base += count
    return _tuple_of(nodes, roots, base)


def prepend(first: bytes, rest: bytes) -> bytes:
    """Return the encoding of a value and, behind it, the items of a tuple: a state and its parameters (pack-abi 9.1).

    If ``rest`` is not a tuple it becomes the single second item.
    """
    base, first_root = _header(first)
    count, root = _header(rest)
    shifted, last_at = _shifted(rest, base, count)
    last = shifted[last_at:]
    if root != count - 1:
        return prepend(first, canonical(rest))
    if last[0] != layout.TUPLE:
        return encode_tuple((first, rest))
    roots = [first_root, *Struct(f"<{(len(last) - 12) // 4}I").unpack_from(last, 12)]
    return _tuple_of([b"", first[HEADER_BYTES:], shifted[:last_at]], roots, base + count - 1)


def shift(data: bytes, base: int, count: int) -> bytes:
    """Return the nodes of an encoded value, without its header, as they are behind ``base`` other nodes."""
    return _shifted(data, base, count)[0]


def _tuple_of(nodes: list[bytes], roots: list[int], count: int) -> bytes:
    """Put header and root around nodes; the first place in the list is the header's."""
    nodes[0] = HEADER.pack(MAGIC, VERSION, 0, count + 1, count)
    width = len(roots)
    nodes.append(NODE.pack(layout.TUPLE, 4 + 4 * width) + Struct(f"<{width + 1}I").pack(width, *roots))
    return b"".join(nodes)


def _header(data: bytes) -> tuple[int, int]:
    """Return number of nodes and root."""
    if len(data) < HEADER_BYTES + NODE_BYTES or not data.startswith(MAGIC):
        raise CgrfError("expected an encoded value", offset=0)
    _, _, _, count, root = HEADER.unpack_from(data)
    return count, root


def _shifted(data: bytes, base: int, count: int) -> tuple[bytes, int]:
    """Return all nodes with their children's numbers raised by ``base``, and where the last node begins."""
    out = bytearray(data)
    at = last_at = HEADER_BYTES
    try:
        for _ in range(count):
            last_at = at
            kind, length = NODE.unpack_from(data, at)
            at += NODE_BYTES + length
            read = PARENTS_LEGACY.get(kind)
            if read is not None:
                children, _ = read(data, last_at + NODE_BYTES, at)
                if children:  # they are the last thing in every payload
                    pack = Struct(f"<{len(children)}I")
                    pack.pack_into(out, at - pack.size, *[child + base for child in children])
    except StructError:
        raise CgrfError("expected an encoded value, a node is cut short", offset=last_at) from None
    if at != len(data):
        raise CgrfError("expected an encoded value, its nodes do not fill it", offset=at)
    return bytes(out[HEADER_BYTES:]), last_at - HEADER_BYTES
