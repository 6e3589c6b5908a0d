"""Whose stores a grant opens, and what of it a child may have."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from supervisor.fleet.permits import beyond
from theater.content.sharing import BadOwner, checked_owner, may_use
from theater.grants import STORE

OWN = "/pool/a"
MEANS: list[tuple[str, set[str]]] = [
    ("*", {"/", "/library", "/pool", "/pool/b", "/pool/a/x", "/pool/a/x/y", "/pool/ab"}),
    ("/library", {"/library"}),
    ("/pool/*", {"/pool/b", "/pool/a/x", "/pool/a/x/y", "/pool/ab"}),
    ("parent", {"/pool"}),
    ("children", {"/pool/a/x", "/pool/a/x/y"}),
]
EVERYBODY = sorted(MEANS[0][1])


@pytest.mark.parametrize(("owner", "meant"), MEANS)
def test_who_is_meant(owner: str, meant: set[str]) -> None:
    """An actor, those below one, everybody; relatives, of whoever holds the grant."""
    shares = [{"owner": owner, "write": False}]

    assert {each for each in EVERYBODY if may_use(shares, OWN, each, writes=False)} == meant


def test_writing_is_granted_apart() -> None:
    """Without ``write`` a share is for reading."""
    shares: list[dict[str, Any]] = [{"owner": "*"}, {"owner": "/library", "write": True}]

    assert may_use(shares, OWN, "/library", writes=True)
    assert not may_use(shares, OWN, "/pool", writes=True)


@pytest.mark.parametrize("text", ["", "library", "/", "//", "/a/", "/*", "/a*", "/a/*/b", "/a/..", "**", "me"])
def test_bad_owners(text: str) -> None:
    """A pattern that means something else than it seems to is refused."""
    with pytest.raises(BadOwner, match="expected an actor such as"):
        checked_owner(text)


@pytest.mark.parametrize("text", ["*", "/a", "/a/b", "/a/*", "parent", "children"])
def test_good_owners(text: str) -> None:
    """What the documentation names."""
    assert checked_owner(text) == text


# -- what a child may have ---------------------------------------------------------------------------------------------


def asked(held: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return beyond({STORE: held}, {STORE: wanted})


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ("*", "/library"), ("*", "/pool/*"), ("*", "*"), ("/library", "/library"), ("/pool/*", "/pool/*"),
        ("/pool/*", "/pool/a"), ("/pool/*", "/pool/a/*"), ("/library", "parent"), ("/library", "children"),
    ],
)  # fmt: skip
def test_covered(held: str, wanted: str) -> None:
    """What the parent holds, what is part of it, and what lies in the family."""
    assert asked({"shared": [{"owner": held}]}, {"shared": [{"owner": wanted}]}) == []


@pytest.mark.parametrize(
    ("held", "wanted"),
    [("/library", "*"), ("/library", "/library/*"), ("/pool/*", "/pool"), ("/pool/*", "/pools"), ("parent", "/a")],
)
def test_not_covered(held: str, wanted: str) -> None:
    """Whatever is more."""
    assert asked({"shared": [{"owner": held}]}, {"shared": [{"owner": wanted}]}) == [f"store: stores of {wanted}"]


def test_reading_does_not_cover_writing() -> None:
    """A parent that may read cannot let its child write."""
    wanted = {"shared": [{"owner": "/library", "write": True}]}

    assert asked({"shared": [{"owner": "*"}]}, wanted) == ["store: writing to stores of /library"]
    assert asked({"shared": [{"owner": "*", "write": True}]}, wanted) == []


def test_limits_are_the_parents_at_most() -> None:
    """Also those that the child does not write down."""
    assert asked({}, {"stores_max": 101}) == ["store: stores_max of 101 (the parent has 100)"]
    assert asked({"stores_max": 5}, {}) == ["store: stores_max of 100 (the parent has 5)"]
    assert asked({"stores_max": 5}, {"stores_max": 5}) == []


def test_covering_is_sound() -> None:
    """Whoever is covered means nobody that the parent's share does not mean, for any pair of patterns."""
    patterns = ["*", "/library", "/pool/*", "/pool", "/pool/a", "/pool/a/*"]
    for held, wanted in product(patterns, patterns):
        if not asked({"shared": [{"owner": held}]}, {"shared": [{"owner": wanted}]}):
            for each in EVERYBODY:
                means = may_use([{"owner": wanted}], OWN, each, writes=False)
                assert not means or may_use([{"owner": held}], OWN, each, writes=False), (held, wanted, each)
