"""The content-addressed store of a tree (docs/store.md, *Contents*): what actors keep in it, and who may use it.

``names``, ``sharing`` and ``quotas`` are rules without files. ``files`` keeps contents, ``schema`` is the database of
who has which, ``stores`` is both together, and ``collecting`` takes away what nobody wants.
"""

from __future__ import annotations

DIRECTORY = "content"
"""In the tree's store directory."""
