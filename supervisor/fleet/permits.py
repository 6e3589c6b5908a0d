"""Whether a child asks for no more than its parent holds: every grant, and every option of one (design D10).

What a parent holds, and passes on (``pass``), is the most its children may have, by whatever way they are declared: a
manifest comes from the guest, and is not to be trusted. How options compare is declared with them (theater.grants).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theater.grants import SHORT_NAMES, declared, short_name

Options = Mapping[str, Any]
Grants = Mapping[str, Options]


def beyond(held: Grants, asked: Grants) -> list[str]:
    """What of ``asked`` is not covered by ``held``, one text each; empty if all of it is."""
    found = [short_name(name) for name in sorted(set(asked) - set(held))]
    for name in SHORT_NAMES.values():
        if name in held and name in asked:
            found += _wider(name, held[name], asked[name])
    return found


def withheld(held: Grants, passes: Mapping[str, Any], asked: Grants) -> list[str]:
    """What of ``asked`` a parent with this ``pass`` section holds, but does not pass on; one text each.

    Options that a narrower rule does not name are as the parent holds them.
    """
    found = []
    for name, options in sorted(asked.items()):
        rule = passes.get(name, passes.get("others", "inherit"))
        if rule == "disallow":
            found.append(short_name(name))
        elif rule != "inherit":
            found += _wider(name, {**held.get(name, {}), **rule}, options)
    return found


def _wider(name: str, held: Options, asked: Options) -> list[str]:
    return [f"{short_name(name)}: {text}" for text in declared(name).beyond(held, asked)]
