"""Decoding: the quick way for buffers laid out as we write them, the thorough way for all others.

The quick way takes a buffer only if its nodes are in canonical order, each used exactly once: then a stack suffices,
nothing can be shared and nothing can go round. For anything else, and for whatever looks wrong, it gives up without a
word and the thorough way (``theater.cgrf.anyorder``) decides and explains.
"""

from __future__ import annotations

from struct import error as StructError

from theater import values
from theater.cgrf import anyorder, layout
from theater.cgrf.encoding import encode
from theater.cgrf.layout import DEFAULT, HEADER, HEADER_BYTES, MAGIC, NODE, NODE_BYTES, VERSION, Limits
from theater.cgrf.nodes import INDICES, PARENTS, PARENTS_LEGACY, SCALARS, Build, read_leaf
from theater.values import Value


def decode(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT, *, legacy_lists: bool = False) -> Value:
    """Return the value that a buffer holds.

    ``legacy_lists`` also accepts lists of primitives as written before arrays existed (pack-abi section 2.7).

    Raises:
        CgrfError: it is not a valid buffer, or is beyond a limit.
    """
    data = data if type(data) is bytes else bytes(data)
    value = _decode_ordered(data, limits, legacy_lists)
    return anyorder.decode(data, limits, legacy_lists) if value is None else value


def canonical(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT, *, legacy_lists: bool = False) -> bytes:
    """Return the canonical encoding of what a valid buffer holds: usually the very same bytes."""
    return encode(decode(data, limits, legacy_lists=legacy_lists), limits)


def _decode_ordered(data: bytes, limits: Limits, legacy: bool) -> Value | None:
    """Return the value of a canonically ordered buffer, None for any other."""
    if len(data) < HEADER_BYTES:
        return None
    magic, version, _, count, root = HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION or root != count - 1:
        return None
    if len(data) > limits.buffer_bytes_max or count > limits.nodes_max or count * NODE_BYTES > len(data):
        return None
    try:
        return _run_stack(data, count, limits, legacy)
    except (ValueError, StructError):
        return None


def _run_stack(data: bytes, count: int, limits: Limits, legacy: bool) -> Value | None:
    """Evaluate the nodes like a stack machine: a parent takes its children from the top."""
    size, payload_max, node_at = len(data), limits.payload_bytes_max, NODE.unpack_from
    parents = PARENTS_LEGACY if legacy else PARENTS
    build: Build
    done: list[Value] = []
    numbers: list[int] = []
    depths: list[int] = []
    at = HEADER_BYTES
    for number in range(count):
        kind, length = node_at(data, at)
        at += NODE_BYTES
        end = at + length
        if end > size or length > payload_max:
            return None
        scalar = SCALARS[kind]
        depth = 1
        if scalar is not None:
            read, width, make = scalar
            if length != width:
                return None
            value = make(*read(data, at))
        elif kind == layout.STRING:
            if int.from_bytes(data[at : at + 4], "little") != length - 4:
                return None
            value = values.String(str(data[at + 4 : end], "utf-8"))
        elif kind in parents:
            if kind == layout.TUPLE and 4 <= length <= 64:
                row = INDICES[length >> 2](data, at)
                if row[0] * 4 + 4 != length:
                    return None
                children, build = row[1:], values.Tuple
            else:
                children, build = parents[kind](data, at, end)
            if children:
                used = len(children)
                if tuple(numbers[-used:]) != children:
                    return None
                depth = 1 + max(depths[-used:])
                items = tuple(done[-used:])
                del done[-used:], numbers[-used:], depths[-used:]
                value = build(items)
            else:
                value = build(())
        else:
            value = read_leaf(kind, data, at, end)
        at = end
        done.append(value)
        numbers.append(number)
        depths.append(depth)
    return done[0] if len(done) == 1 and at == size and depths[0] <= limits.depth_max else None
