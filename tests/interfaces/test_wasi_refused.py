"""What WASI has and this host does not give: exits are traps, terminals and UDP sockets are never there."""

from __future__ import annotations

import pytest

from tests.interfaces.calling import Host
from theater import types
from theater.grants import WASI
from theater.values import U8, U32, UNIT, Result, Variant
from worker.engine.errors import Trap
from worker.interfaces.registry import known

UDP = "wasi:sockets/udp"


@pytest.mark.parametrize(
    ("function", "status"),
    [
        ("exit", Result(types.BOOL, types.STRING, True, UNIT)),
        ("exit", Result(types.BOOL, types.STRING, False, UNIT)),
        ("exit-with-code", U8(3)),
    ],
)
def test_an_exit_ends_the_guest(function: str, status: Result | U8) -> None:
    """As a trap does, with words."""
    with pytest.raises(Trap, match="exit"):
        Host().call("wasi:cli/exit", function, status)


@pytest.mark.parametrize("side", ["input", "output"])
def test_dropping_a_terminal_that_is_not_there(side: str) -> None:
    """Nobody has given the guest one, and nothing happens."""
    assert Host().call(f"wasi:cli/terminal-{side}", f"[resource-drop]terminal-{side}", U32(7)) == UNIT


@pytest.mark.parametrize("tag", [0, 1])
def test_udp_sockets_are_not_made(tag: int) -> None:
    """Denied, whatever is granted for TCP."""
    family = Variant("ip-address-family", ("ipv4", "ipv6")[tag], tag)
    host = Host({WASI: {"sockets": {"connect": ["127.0.0.1:*"]}}})
    answer = host.call("wasi:sockets/udp-create-socket", "create-udp-socket", family)

    assert (answer.is_ok, answer.value.case) == (False, "access-denied")


NAMES = [each.name for each in known()[UDP].functions if len(each.variants[0].params) == 1]


@pytest.mark.parametrize("function", [each for each in NAMES if "drop" not in each])
def test_there_is_no_udp_socket(function: str) -> None:
    """A number that stands for one is made up."""
    with pytest.raises(Trap, match="there are no sockets"):
        Host().call(UDP, function, U32(7))
