"""What a client's links and monitors come to, message by message; the waiting is in tests/system/gate/test_bonds.py."""

from __future__ import annotations

from typing import Any

import pytest

from proto import control
from theater.bonds import Asked, Bond, Bonds, Down, Exit, Untied, bond_of, reason_of
from theater.cause import Cause
from theater.errors import UnexpectedError

KILLED = {"kind": "killed", "by": "test"}


class Client:
    """Bonds, and a root that answers what it is told to."""

    def __init__(self) -> None:
        self.bonds = Bonds()
        self.said: list[Any] = []

    def ask(self, kind: Any, *fields: Any, target: str | None = None) -> tuple[Asked, int]:
        asked, header = self.bonds.ask(kind, fields, target)
        message: Any = control.FROM_CLIENT.decode(header)
        return asked, message.id

    def hear(self, message: Any) -> None:
        self.said += [control.FROM_CLIENT.decode(header) for header in self.bonds.receive(message)]

    def make(self, kind: Any, number: int, target: str = "/a") -> Bond:
        asked, request = self.ask(kind, target, target=target)
        name = "link" if kind is control.Link else "ref"
        self.hear(control.Outcome(request, {name: number, "actor_id": "id"}))
        return bond_of(asked)


@pytest.fixture
def client() -> Client:
    return Client()


def test_an_exit_is_what_comes_of_a_link(client: Client) -> None:
    """With the reason in OTP's words, and the cause."""
    link = client.make(control.Link, 7)
    client.hear(control.LinkExit(7, "killed", KILLED))

    assert link.come() == Exit("/a", "id", "killed", Cause(kind="killed", by="test"))


def test_a_down_is_what_comes_of_a_monitor(client: Client) -> None:
    """With its reference; noproc has no cause."""
    monitor = client.make(control.Monitor, 8)
    client.hear(control.MonitorDown(8, "noproc"))

    assert monitor.come() == Down(8, "/a", "id", "noproc")


def test_it_may_come_in_the_same_breath_as_the_answer(client: Client) -> None:
    """Before whoever asked has looked at the answer."""
    asked, request = client.ask(control.Link, "/a", target="/a")
    client.hear(control.Outcome(request, {"link": 1, "actor_id": None}))
    client.hear(control.LinkExit(1, "noproc"))

    assert bond_of(asked).come() == Exit("/a", None, "noproc")


def test_a_link_that_is_made_twice_is_one(client: Client) -> None:
    """The root gives the same number."""
    assert client.make(control.Link, 7) is client.make(control.Link, 7)


def test_what_nobody_waits_for_any_more_is_taken_back(client: Client) -> None:
    """The time-out of the one who asked leaves no bond behind; one that was there before stays."""
    client.make(control.Link, 5)
    for kind, answer in ((control.Link, {"link": 7}), (control.Monitor, {"ref": 8}), (control.Link, {"link": 5})):
        asked, request = client.ask(kind, "/a", target="/a")
        asked.is_abandoned = True
        client.hear(control.Outcome(request, {**answer, "actor_id": "id"}))

    assert [(type(said), said.link if isinstance(said, control.Unlink) else said.ref) for said in client.said] == [
        (control.Unlink, 7),
        (control.Demonitor, 8),
    ]


def test_a_refusal_is_raised(client: Client) -> None:
    """As the error it is."""
    asked, request = client.ask(control.Link, "/a", target="/a")
    client.hear(control.Refused(request, "unexpected", ("too many",)))

    with pytest.raises(UnexpectedError, match="too many"):
        bond_of(asked)


def test_what_was_taken_back_is_over(client: Client) -> None:
    """Untied; but what has come before is kept until it is flushed."""
    taken, fired = client.make(control.Link, 1), client.make(control.Monitor, 2)
    client.bonds.forget(taken)
    client.hear(control.MonitorDown(2, "normal"))
    client.bonds.forget(fired)

    with pytest.raises(Untied):
        taken.come()
    assert fired.come() is not None
    fired.flush()
    with pytest.raises(Untied):
        fired.come()


def test_the_loss_of_the_supervisor_ends_every_bond(client: Client) -> None:
    """noconnection, once."""
    link, monitor = client.make(control.Link, 1), client.make(control.Monitor, 2)
    client.bonds.lose()
    client.hear(control.LinkExit(1, "killed"))

    assert [bond.come().reason for bond in (link, monitor)] == ["noconnection", "noconnection"]  # type: ignore[union-attr]
    assert not client.bonds.are_any


def test_a_bond_that_was_asked_for_may_be_there(client: Client) -> None:
    """So the end has to be told, as long as its answer is due."""
    assert not client.bonds.are_any
    client.ask(control.Link, "/a", target="/a")

    assert client.bonds.are_any


@pytest.mark.parametrize("message", [control.LinkExit(9, "x"), control.Outcome(9, 1), control.Done(9)])
def test_what_nobody_has_asked_for_is_passed_over(client: Client, message: Any) -> None:
    """Numbers and answers that mean nothing to us."""
    client.hear(message)

    assert client.said == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "normal"),
        (SystemExit(), "normal"),
        (SystemExit(0), "normal"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError("oops"), "ValueError: oops"),
        (ValueError("x" * 2000), "ValueError: " + "x" * 988),
    ],
)
def test_how_a_block_was_left_is_the_reason(error: BaseException | None, reason: str) -> None:
    """Nothing but its end, or an exit with 0, is normal."""
    assert reason_of(error) == reason
