"""Decoding the thorough way: nodes in any order, shared, unreachable; every refusal with its reason and place.

Leaves and tuples are checked wherever they stand, the other kinds only when the root reaches them (pack-abi section
2.4). The walk keeps its own stack and builds a shared node once, but counts it as often as it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import error as StructError
from typing import TypeVar

from theater.cgrf import layout
from theater.cgrf.layout import HEADER, HEADER_BYTES, MAGIC, NODE, NODE_BYTES, VERSION, CgrfError, Limits
from theater.cgrf.nodes import LEAVES, PARENTS, PARENTS_LEGACY, Build, read_leaf, read_tuple
from theater.values import Value

Read = TypeVar("Read")


def decode(data: bytes, limits: Limits, legacy: bool) -> Value:
    """Return the value a buffer holds, or say what is wrong with it."""
    count, root = _read_header(data, limits)
    return _Walk(data, _scan(data, count, limits), limits, legacy).value_of(root)


def _read_header(data: bytes, limits: Limits) -> tuple[int, int]:
    if len(data) > limits.buffer_bytes_max:
        raise CgrfError(f"{len(data)} bytes are more than the limit of {limits.buffer_bytes_max}")
    if len(data) < HEADER_BYTES:
        raise CgrfError(f"expected a header of {HEADER_BYTES} bytes, got {len(data)}")
    magic, version, _, count, root = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise CgrfError(f"expected the bytes {MAGIC!r}, got {magic!r}", offset=0)
    if version != VERSION:
        raise CgrfError(f"expected version {VERSION}, got {version}", offset=4)
    if count > limits.nodes_max:
        raise CgrfError(f"{count} nodes are more than the limit of {limits.nodes_max}", offset=8)
    if count * NODE_BYTES > len(data) - HEADER_BYTES:
        raise CgrfError(f"{count} nodes do not fit into {len(data) - HEADER_BYTES} bytes", offset=8)
    if root >= count:
        raise CgrfError(f"the root is node {root} of {count}", offset=12)
    return count, root


def _scan(data: bytes, count: int, limits: Limits) -> list[tuple[int, int, int]]:
    """Return kind, payload start and end of every node."""
    at, size = HEADER_BYTES, len(data)
    nodes = []
    for number in range(count):
        if size - at < NODE_BYTES:
            raise CgrfError("the buffer ends inside the node's head", node=number, offset=at)
        kind, length = NODE.unpack_from(data, at)
        at += NODE_BYTES
        if length > limits.payload_bytes_max:
            raise CgrfError(f"a payload of {length} bytes is over the limit", node=number, offset=at - 4)
        if length > size - at:
            raise CgrfError(f"a payload of {length} bytes, {size - at} remain", node=number, offset=at - 4)
        nodes.append((kind, at, at + length))
        at += length
    if at != size:
        raise CgrfError(f"{size - at} bytes behind the last node", offset=at)
    return nodes


class _Walk:
    """One walk from the root. A node is open between its first visit and its last child: meeting it then is a cycle."""

    def __init__(self, data: bytes, nodes: list[tuple[int, int, int]], limits: Limits, legacy: bool) -> None:
        self._data = data
        self._nodes = nodes
        self._limits = limits
        self._parents = PARENTS_LEGACY if legacy else PARENTS
        self._values: list[Value | None] = [None] * len(nodes)
        self._weights = [1] * len(nodes)
        """Expanded nodes at and below each node."""
        self._bytes = [end - start + NODE_BYTES for _, start, end in nodes]
        self._depths = [1] * len(nodes)
        self._open: dict[int, tuple[tuple[int, ...], Build]] = {}
        for number, (kind, _, _) in enumerate(nodes):
            self._check_everywhere(number, kind)

    def value_of(self, root: int) -> Value:
        stack = [root]
        while True:
            number = stack[-1]
            if self._values[number] is None:
                if number not in self._open:
                    stack.extend(self._visit(number))
                    continue
                self._finish(number)
            stack.pop()
            if not stack:
                value = self._values[root]
                assert value is not None
                return value

    def _check_everywhere(self, number: int, kind: int) -> None:
        if kind in LEAVES:
            self._values[number] = self._read(number, partial(read_leaf, kind))
        elif kind == layout.TUPLE:
            self._check_children(number, self._read(number, read_tuple)[0])
        elif kind not in PARENTS:
            raise CgrfError(f"0x{kind:02x} is not a kind of node", node=number)

    def _visit(self, number: int) -> list[int]:
        """Open a parent; return the children still without a value, the first on top."""
        children, build = self._read(number, self._parents[self._nodes[number][0]])
        self._check_children(number, children)
        self._open[number] = children, build
        if any(child in self._open for child in children):
            raise CgrfError("the node contains itself", node=number)
        return [child for child in reversed(children) if self._values[child] is None]

    def _finish(self, number: int) -> None:
        children, build = self._open.pop(number)
        if children:
            self._weights[number] += sum(map(self._weights.__getitem__, children))
            self._bytes[number] += sum(map(self._bytes.__getitem__, children))
            self._depths[number] += max(map(self._depths.__getitem__, children))
        self._check_limits(number)
        try:
            self._values[number] = build(tuple(map(self._values.__getitem__, children)))  # type: ignore[arg-type]
        except CgrfError as error:
            raise CgrfError(error.problem, offset=error.offset, node=number) from None

    def _check_limits(self, number: int) -> None:
        limits = self._limits
        if self._weights[number] > limits.nodes_max:
            raise CgrfError(f"expands to more than {limits.nodes_max} nodes", node=number)
        if self._bytes[number] > limits.buffer_bytes_max - HEADER_BYTES:
            raise CgrfError(f"expands to more than {limits.buffer_bytes_max} bytes", node=number)
        if self._depths[number] > limits.depth_max:
            raise CgrfError(f"nests deeper than {limits.depth_max} levels", node=number)

    def _check_children(self, number: int, children: tuple[int, ...]) -> None:
        if children and max(children) >= len(self._nodes):
            raise CgrfError(f"a child is node {max(children)} of {len(self._nodes)}", node=number)

    def _read(self, number: int, reader: Callable[[bytes, int, int], Read]) -> Read:
        """Call a reader of ``theater.cgrf.nodes``, adding the node to what it complains about."""
        _, start, end = self._nodes[number]
        try:
            return reader(self._data, start, end)
        except CgrfError as error:
            raise CgrfError(error.problem, offset=error.offset, node=number) from None
        except StructError:
            raise CgrfError("a payload is too short", offset=start, node=number) from None
