"""The languages of the kits, as parameters of tests: skipped with a reason where the tool is missing."""

from __future__ import annotations

import os
from typing import Final

import pytest

from supervisor.kits import clang, components, rustc, tools

HAS_NPM: Final = os.environ.get("THEATER_KIT_JS") == "1"
"""npm fetches the tool: not in every test run."""

REASONS: Final = {
    "python": "" if tools.find(components.COMPONENTIZE) else "needs componentize-py (tox -e kits)",
    "js": "" if HAS_NPM else "THEATER_KIT_JS=1 builds with npm (tox -e kits)",
    "c": "" if clang.compiler() else clang.MISSING,
    "rust": "" if rustc.compiler() else rustc.MISSING,
}
"""Why actors in a language cannot be built here."""

PYTHON, JS, C, RUST = ALL = tuple(
    pytest.param(language, marks=pytest.mark.skipif(bool(reason), reason=reason or "it is there"))
    for language, reason in REASONS.items()
)
