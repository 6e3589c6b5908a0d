"""The directory of names, alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from supervisor.fleet.asking import Refusal
from supervisor.fleet.lives import Actor
from supervisor.fleet.names import MEMBERS_MAX, NAMES_MAX, Directory
from supervisor.fleet.permits import beyond
from theater.actor import ActorSpec
from theater.grants import MESSAGES, NAMES, RPC
from theater.patterns import BadPattern, actors


def actor(number: int = 1) -> Actor:
    spec: Any = ActorSpec(package="x.wasm", name=f"a{number}")
    return Actor(f"/a{number}", f"id-{number}", spec, "/", None)


def test_a_round_robin_group_goes_on_where_it_was() -> None:
    """Also when members come and go."""
    directory, members = Directory(), [actor(number) for number in range(3)]
    for each in members:
        directory.join(each, "g", "round-robin")
    assert [directory.find("g") for _ in range(4)] == [*members, members[0]]

    directory.leave(members[0], "g")
    assert [directory.find("g") for _ in range(3)] == [members[1], members[2], members[1]]
    directory.forget(members[1])
    assert [directory.find("g") for _ in range(2)] == [members[2]] * 2
    directory.forget(members[2])
    assert (directory.find("g"), directory.entry("g")) == (None, None)


def test_a_broadcast_group_is_nobody_in_particular() -> None:
    """All of it can be meant, not one of it."""
    directory = Directory()
    directory.join(actor(), "g", "broadcast")

    assert directory.find("g") is None


def test_what_is_gone_leaves_every_name() -> None:
    """Names and groups; twice is fine."""
    directory, one = Directory(), actor()
    directory.register(one, "n")
    directory.join(one, "g", "broadcast")
    assert directory.names_of(one) == ("n", "g")
    for _ in range(2):
        directory.forget(one)

    assert (directory.names_of(one), directory.entry("n"), directory.entry("g")) == ((), None, None)


class Kept:
    """What the directory has written down: (actor id, name) -> mode."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str], str] = {}

    def __call__(self, actor_id: str, name: str, mode: str | None) -> None:
        if mode is None:
            self.names.pop((actor_id, name))
        else:
            self.names[actor_id, name] = mode

    def directory(self) -> Directory:
        """A next supervisor's."""
        directory = Directory(self)
        directory.remember((actor_id, name, mode) for (actor_id, name), mode in self.names.items())
        return directory


def lasting(number: int = 1) -> Actor:
    """An actor that may go on from its state."""
    one = actor(number)
    one.spec = msgspec.structs.replace(one.spec, recover="last")
    return one


def all_of_them(name: str) -> bool:
    return True


def test_one_that_goes_on_has_its_names_again() -> None:
    """With the next supervisor, and with this one if it was gone for good."""
    kept = Kept()
    directory = kept.directory()
    for end in ("killed", "gone"):
        one = lasting()
        directory.register(one, f"n-{end}")
        directory.join(one, "g", "round-robin")
        if end == "killed":
            directory = kept.directory()
        else:
            directory.forget(one)
        assert directory.find("g") is None
        again = lasting()
        assert directory.begins(again, True, all_of_them) == []
        assert (directory.find(f"n-{end}"), directory.find("g")) == (again, again)
        assert directory.begins(again, True, all_of_them) == []
        directory.leave(again, "g")

    assert kept.names == {("id-1", "n-killed"): "unique", ("id-1", "n-gone"): "unique"}


def test_one_that_begins_anew_has_none() -> None:
    """And nothing is kept of them."""
    kept = Kept()
    kept.directory().register(lasting(), "n")
    directory = kept.directory()
    one = lasting()
    assert directory.begins(one, False, all_of_them) == []

    assert (directory.names_of(one), kept.names) == ((), {})
    assert directory.begins(one, True, all_of_them) == []
    assert directory.names_of(one) == ()


def test_nothing_is_kept_of_one_that_always_begins_anew() -> None:
    """Once it is gone for good."""
    kept = Kept()
    directory = kept.directory()
    directory.register(actor(), "n")
    assert kept.names == {("id-1", "n"): "unique"}
    directory.forget(actor())  # another one
    assert kept.names
    (one,) = directory.entry("n").members  # type: ignore[union-attr]
    directory.forget(one)

    assert kept.names == {}


def test_names_that_are_lost() -> None:
    """Taken meanwhile, a group of another kind by now, or not granted any more: they are said, and kept no longer."""
    kept = Kept()
    directory = kept.directory()
    one, other = lasting(1), actor(2)
    for name in ("taken", "secret", "fine"):
        directory.register(one, name)
    directory.join(one, "g", "broadcast")
    directory.forget(one)
    directory.register(other, "taken")
    directory.join(other, "g", "round-robin")

    assert directory.begins(one, True, lambda name: name != "secret") == ["taken", "secret", "g"]
    assert directory.names_of(one) == ("fine",)
    assert {name for actor_id, name in kept.names if actor_id == one.id} == {"fine"}


def test_names_are_bounded() -> None:
    """Per actor, and members per group."""
    directory, one = Directory(), actor()
    for number in range(NAMES_MAX):
        directory.register(one, f"n{number}")
    with pytest.raises(Refusal, match="at most"):
        directory.register(one, "more")

    for number in range(MEMBERS_MAX):
        directory.join(actor(number), "g", "broadcast")
    with pytest.raises(Refusal, match="at most"):
        directory.join(actor(-1), "g", "broadcast")


@pytest.mark.parametrize("text", ["/a/*", "/**", "/a", "planner", "worker-*", "*"])
def test_addresses_that_are_good(text: str) -> None:
    """Patterns of paths, and names."""
    actors.check(text)


@pytest.mark.parametrize("text", ["", "a/b", "/a*", "/a//b", "w*r", "**", "x\ny", "n" * 256])
def test_addresses_that_are_not(text: str) -> None:
    """Refused in words."""
    with pytest.raises(BadPattern):
        actors.check(text)


@pytest.mark.parametrize(
    ("patterns", "reached"),
    [
        (["/a/*"], True),
        (["/b/*"], False),
        (["planner"], True),
        (["plan*"], True),
        (["*"], True),
        (["plan"], False),
        ([], False),
    ],
)
def test_what_a_list_reaches(patterns: list[str], reached: bool) -> None:
    """By path, or by a name the actor has."""
    assert actors.reaches(patterns, "/a/b", ("planner",)) is reached


@pytest.mark.parametrize(
    ("grant", "held", "asked", "found"),
    [
        (RPC, {}, {}, []),
        (RPC, {"allow": ["/a/**"]}, {"allow": ["/a/*", "/a/b"]}, []),
        (RPC, {"allow": ["/a/*"]}, {"allow": ["/a/**"]}, ["rpc: reaching /a/**"]),
        (RPC, {"allow": ["/**"]}, {"allow": ["planner"]}, ["rpc: reaching planner"]),
        (RPC, {}, {"children": True}, ["rpc: reaching its children"]),
        (RPC, {"timeout_ms": 5}, {"timeout_ms": 6}, ["rpc: timeout_ms of 6 (the parent has 5)"]),
        (MESSAGES, {}, {"allow": ["/a", "b"]}, []),
        (MESSAGES, {"allow": ["/a"]}, {}, ["message-server: reaching /**", "message-server: reaching *"]),
        (MESSAGES, {}, {"children": True}, []),
        (MESSAGES, {"allow": ["/a"]}, {"allow": [], "children": True}, ["message-server: reaching its children"]),
        (RPC, {"allow": ["/**"]}, {"children": True}, []),
        (MESSAGES, {"window": 5}, {"window": 6}, ["message-server: window of 6 (the parent has 5)"]),
        (NAMES, {"allow": ["w-*"]}, {"allow": ["w-1", "x"]}, ["names: reaching x"]),
        (NAMES, {"allow": ["w-*"]}, {}, ["names: reaching *"]),
    ],
)
def test_a_childs_reach_is_its_parents_at_most(
    grant: str, held: dict[str, Any], asked: dict[str, Any], found: list[str]
) -> None:
    """Paths, names and limits."""
    assert beyond({grant: held}, {grant: asked}) == found


@pytest.mark.parametrize(
    "text",
    ["", "a/b", "a*", "a#1", "a\n", "\x9b", "\u202e", "\u200b", "\u2028", "a\u00a0b", "\ue000"],
)
def test_names_are_what_they_look_like(text: str) -> None:
    """Of actors and of groups: nothing that cannot be seen, nothing that means something else in an address."""
    with pytest.raises(Refusal, match="expected a name without"):
        Directory().register(actor(), text)
    with pytest.raises(Refusal, match="expected a name without"):
        Directory().join(actor(), text, "broadcast")


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_nobody_is_called_as_another_is_known(change: Any) -> None:
    """An id is found before names while its actor is remembered: whoever has it later must not reach a squatter."""
    with pytest.raises(Refusal, match="does not look like an actor's id"):
        Directory().register(actor(), change("8c0cd2a1-7a4f-4d5e-9b51-0b6b2f6b1f3a"))
