"""Addresses of TCP and the patterns that grants name."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.patterns import BadPattern
from theater.patterns.hostports import allows, covers, parse, pattern


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("db.example.com:5432", "db.example.com:5432"),
        ("DB.Example.COM.:1", "db.example.com:1"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("[::1]:65535", "[::1]:65535"),
        ("[0:0::1]:80", "[::1]:80"),
        ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
        ("_srv.host-1:080", "_srv.host-1:80"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    """In one form, whatever way they are written."""
    assert str(parse(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", ":", "host", "host:", ":80", "::1:80", "[::1]", "[::1]80", "[host]:80", "[]:80", "[127.0.0.1]:80",
     "[::1%lo]:80", "host:65536", "host:-1", "host:+1", "host: 1", "host:１", "host:1_0", "10.0.0.0/8:80", "*:80",
     "*.a.b:80", "a..b:80",
     "-a:80", "a b:80", "a\0:80", "ä.example:80",
     "x" * 64 + ".a:80", "a." * 127 + "ab:80", "user@host:80"],
)  # fmt: skip
def test_no_addresses(text: str) -> None:
    """Said with what was expected."""
    with pytest.raises(BadPattern, match="expected an address such as"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", "*", "**:80", "*a:80", "a.*:80", "*.:80", "*.*:80", "10.0.0.1/8:80", "[::1/200]:80",
     "host:0-", "host:2-1", "host:1-65536", "host:1-2-3", "host:a", "[::ffff:0:0/95:80", "host:１"],
)  # fmt: skip
def test_no_patterns(text: str) -> None:
    """Said with what was expected."""
    with pytest.raises(BadPattern, match="expected a pattern such as"):
        pattern(text)


@pytest.mark.parametrize(
    ("one", "text", "is_allowed"),
    [
        ("db.example.com:5432", "db.example.com:5432", True),
        ("db.example.com:5432", "DB.example.com.:5432", True),
        ("db.example.com:5432", "db.example.com:5433", False),
        ("db.example.com:5432", "a.db.example.com:5432", False),
        ("*.example.com:443", "a.example.com:443", True),
        ("*.example.com:443", "a.b.example.com:443", True),
        ("*.example.com:443", "example.com:443", False),
        ("*.example.com:443", "badexample.com:443", False),
        ("*:25", "anything.example:25", True),
        ("*:25", "10.1.2.3:25", True),
        ("*:25", "[::1]:25", True),
        ("10.0.0.0/8:*", "10.1.2.3:1", True),
        ("10.0.0.0/8:*", "11.1.2.3:1", False),
        ("10.0.0.0/8:*", "[::ffff:10.1.2.3]:1", True),
        ("[::ffff:10.0.0.0/104]:*", "10.1.2.3:1", True),
        ("[::/0]:*", "10.1.2.3:1", False),
        ("0.0.0.0/0:*", "[::1]:1", False),
        ("127.0.0.1:*", "localhost:80", False),
        ("localhost:*", "127.0.0.1:80", False),
        ("10.0.0.0/8:*", "10.example.com:80", False),
        ("127.0.0.1:8000-8099", "127.0.0.1:8099", True),
        ("127.0.0.1:8000-8099", "127.0.0.1:8100", False),
        ("127.0.0.1:8000-8099", "127.0.0.1:0", False),
        ("127.0.0.1:*", "0.0.0.0:80", False),
    ],
)
def test_allows(one: str, text: str, is_allowed: bool) -> None:
    """Names match names, addresses match addresses and networks, ports match ranges."""
    assert allows(["unrelated.example:1", one], parse(text)) is is_allowed


@pytest.mark.parametrize(
    ("inner", "outer", "is_within"),
    [
        ("a.example.com:443", "*.example.com:*", True),
        ("*.b.example.com:443", "*.example.com:443", True),
        ("*.example.com:443", "*.example.com:443", True),
        ("*.example.com:443", "*.b.example.com:443", False),
        ("*.example.com:443", "a.example.com:443", False),
        ("*:443", "*.example.com:443", False),
        ("*:443", "0.0.0.0/0:443", False),
        ("0.0.0.0/0:443", "*:443", True),
        ("10.1.0.0/16:80", "10.0.0.0/8:80", True),
        ("10.0.0.0/8:80", "10.1.0.0/16:80", False),
        ("10.0.0.1:80-90", "10.0.0.1:80-89", False),
        ("10.0.0.1:80-90", "10.0.0.1:*", True),
    ],
)
def test_covers(inner: str, outer: str, is_within: bool) -> None:
    """A child's pattern must be covered by one of its parent's."""
    assert covers(outer, inner) is is_within


@given(st.text(max_size=40) | st.from_regex(r"[\[\]*./:0-9a-f%-]{1,30}", fullmatch=True))
def test_any_text(text: str) -> None:
    """Is an address or a pattern, or none; an address means the same when it is written again."""
    for read in (parse, pattern):
        try:
            found = read(text)
        except BadPattern:
            continue
        if read is parse:
            assert parse(str(found)) == found


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_an_address_is_its_own_pattern(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    """What a manifest names can be connected to."""
    text = f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"
    if "%" not in text:
        assert allows([text], parse(text))
