"""Origins, and addresses to serve: what is one, and what covers another."""

from __future__ import annotations

import pytest

from theater.patterns import BadPattern, listening, origins


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "127.0.0.1", 65_535),
        ("*:80", "0.0.0.0", 80),
    ],
)
def test_addresses_to_serve(text: str, host: str, port: int) -> None:
    """Numbers, and two words that stand for some."""
    assert listening.split(text) == (host, port)


@pytest.mark.parametrize("text", ["", ":80", "80", "example.com:80", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:８０",
                                  "127.0.0.1:" + "9" * 5_000])  # fmt: skip
def test_no_addresses_to_serve(text: str) -> None:
    """Whatever the port, the words say what was expected."""
    with pytest.raises(BadPattern, match="expected an address such as"):
        listening.check(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://API.example.com", ("https", "api.example.com", 443)),
        ("http://127.0.0.1:8080/", ("http", "127.0.0.1", 8080)),
        ("https://*.example.com.", ("https", "*.example.com", 443)),
    ],
)
def test_origins(text: str, origin: tuple[str, str, int]) -> None:
    """In one form, with the port that the scheme has."""
    assert origins.parse(text) == origin


@pytest.mark.parametrize(
    "text", ["", "example.com", "ftp://a", "https://", "https://a/path", "https://a?q", "https://u@a", "https://a:x",
             "https://a:99999"],
)  # fmt: skip
def test_no_origins(text: str) -> None:
    """The words say what was expected."""
    with pytest.raises(BadPattern, match="expected an origin such as"):
        origins.check(text)


@pytest.mark.parametrize(
    ("held", "asked", "is_covered"),
    [
        ("https://a.example", "https://A.example:443", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://b.a.example", False),
        ("https://*.example", "https://b.a.example", True),
        ("https://*.example", "https://*.a.example", True),
        ("https://*.example", "https://*.example", True),
        ("https://*.example", "https://example", False),
        ("https://*.example", "https://.example", False),
        ("https://*.a.example", "https://*.example", False),
        ("https://a.example", "https://*.a.example", False),
    ],
)
def test_what_an_origin_covers(held: str, asked: str, is_covered: bool) -> None:
    """Scheme and port are the same; ``*.`` stands for every host below."""
    assert origins.covers(held, asked) is is_covered
    assert origins.allows([held], asked) is is_covered
