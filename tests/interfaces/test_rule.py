"""The rule for host interfaces, new ones too: described, granted, and each function tested, fuzzed and replayed.

What the other tests of this directory did is known from what really ran (tests.interfaces.accounts), not from a list.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interfaces import accounts
from tests.interfaces.bothdoors import WASI
from theater.grants import PREVIEW_1, SHORT_NAMES, opened_by
from worker.interfaces.registry import known

DOCS = (Path(__file__).parents[2] / "docs" / "host-interfaces.md").read_text(encoding="utf-8")
EACH = pytest.mark.parametrize("interface", sorted(known()))
FUNCTIONS = {name: {(name, function.name) for function in known()[name].functions} for name in known()}


@EACH
def test_it_is_described(interface: str) -> None:
    """In words that end, in the code and in the documentation made from it."""
    found = known()[interface]
    _, section = DOCS.split(f"\n## `{interface}`\n", 1)
    section = section.split("\n## ", 1)[0]

    ours = () if interface.startswith("wasi") else found.functions  # those of WASI are described by WASI
    assert all(item.doc.endswith(".") for item in (found, *ours, *found.callbacks))
    assert all(f"`{function.name}`" in section for function in found.functions)


@EACH
def test_it_is_granted_or_not_there(interface: str) -> None:
    """By a grant that a manifest can name."""
    assert opened_by(interface)
    assert set(opened_by(interface)) <= set(SHORT_NAMES.values())


@EACH
@pytest.mark.parametrize("how", accounts.WAYS)
def test_every_function_was_called(everything_ran: None, interface: str, how: str) -> None:
    """Of WASI, where many functions are one in several forms, a few are enough for a test with values of its own."""
    called = FUNCTIONS[interface] & accounts.ran[how]
    if called and (interface == PREVIEW_1 or (interface in WASI and how == accounts.TABLE)):
        return
    missing = sorted(name for _, name in FUNCTIONS[interface] - called)
    assert missing == [], f"nobody has called these {how}"
