"""Numbers that stand for a host's objects (lifecycle 8.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.resource_table import ResourceError, ResourceTable


class Socket:
    """Something a guest may hold."""


class TcpSocket(Socket):
    """A subtype of it."""


def test_what_is_kept_is_found_by_its_number() -> None:
    """Also as what it is a subtype of."""
    table, socket = ResourceTable(), TcpSocket()
    number = table.push(socket)

    assert table.get(number, TcpSocket) is table.get(number, Socket) is socket
    assert number in table
    assert table.delete(number, Socket) is socket
    assert len(table) == 0


def test_a_number_that_stands_for_nothing() -> None:
    """Never was, or is no more."""
    table = ResourceTable()
    table.delete(table.push(Socket()), Socket)
    for number in (0, 1, 99):
        with pytest.raises(ResourceError, match=f"resource {number}: there is none"):
            table.get(number, Socket)


def test_another_type() -> None:
    """Says what it is."""
    table = ResourceTable()
    number = table.push(Socket())
    with pytest.raises(ResourceError, match="expected TcpSocket, got Socket"):
        table.get(number, TcpSocket)
    assert number in table


def test_children_go_first() -> None:
    """A parent stays as long as others belong to it."""
    table = ResourceTable()
    parent = table.push(Socket())
    first, second = table.push(Socket(), parent), table.push(Socket(), parent)

    assert table.children(parent) == [first, second]
    with pytest.raises(ResourceError, match="2 others belong to it"):
        table.delete(parent, Socket)
    table.delete(first, Socket)
    table.delete(second, Socket)
    table.delete(parent, Socket)


def test_a_parent_that_is_not_there() -> None:
    """Nothing is kept."""
    table = ResourceTable()
    with pytest.raises(ResourceError, match="the parent"):
        table.push(Socket(), 5)
    assert len(table) == 0


def test_the_table_is_bounded() -> None:
    """A guest cannot fill the memory of its host; room comes back."""
    table = ResourceTable(2)
    number = table.push(Socket())
    table.push(Socket())
    with pytest.raises(ResourceError, match="holds 2 resources"):
        table.push(Socket())
    table.delete(number, Socket)
    assert table.push(Socket()) == number


@given(st.lists(st.integers(0, 5), max_size=60))
def test_numbers_never_stand_for_two_things(steps: list[int]) -> None:
    """Whatever is pushed and deleted."""
    table, held = ResourceTable(), dict[int, object]()
    for step in steps:
        if step < 3 or not held:
            resource = object()
            number = table.push(resource)
            assert number not in held
            held[number] = resource
        else:
            number = sorted(held)[step % len(held)]
            assert table.delete(number, object) is held.pop(number)
    assert all(table.get(number, object) is resource for number, resource in held.items())
