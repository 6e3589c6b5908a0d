"""Patterns of paths: what they stand for, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.patterns import BadPattern
from theater.patterns.paths import check, covers, matches

PARTS = st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=4)
PATHS = PARTS.map(lambda parts: "/" + "/".join(parts))
PATTERNS = PATHS | PATHS.map(lambda path: path + "/*") | PATHS.map(lambda path: path + "/**") | st.just("/**")


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("/a", "/a", True),
        ("/a", "/a/b", False),
        ("/a/*", "/a", False),
        ("/a/*", "/a/b", True),
        ("/a/*", "/a/b/c", False),
        ("/a/**", "/a/b/c", True),
        ("/a/**", "/a", False),
        ("/a/**", "/ab/c", False),
        ("/*", "/a", True),
        ("/**", "/a/b", True),
        ("/**", "an-id-of-nobody", False),
        ("/*", "an-id-of-nobody", False),
    ],
)
def test_what_a_pattern_stands_for(pattern: str, path: str, wanted: bool) -> None:
    """Whole parts of a path, never beginnings of words."""
    assert matches([pattern], path) is wanted


@pytest.mark.parametrize("text", ["", "a", "/", "//a", "/a/", "/a*", "/*/a", "/a/***", "/a//b"])
def test_what_is_no_pattern(text: str) -> None:
    """The words say what was expected."""
    with pytest.raises(BadPattern, match="expected"):
        check(text)


@given(held=PATTERNS, asked=PATTERNS, path=PATHS)
def test_what_is_covered_matches_no_more(held: str, asked: str, path: str) -> None:
    """If one pattern covers another, every path of the other is one of its own."""
    check(held)
    if covers(held, asked) and matches([asked], path):
        assert matches([held], path)
