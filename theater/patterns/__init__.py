"""Pattern languages of grants: what a text may stand for, and whether one stands for no more than another.

Each is a module with ``check(text)``, which raises BadPattern, and ``covers(held, asked)``: whether everything that
``asked`` stands for is also something that ``held`` stands for. ``hosts`` has what those of networks share.
"""

from __future__ import annotations


class BadPattern(ValueError):
    """A text is not what it should be: a pattern, an address, an origin; the message says what was expected."""
