"""The console script ``theater``: the command line, after making sure that ``supervisor`` is ours.

Another distribution, supervisord, installs a package of the same name. If theirs is imported in place of ours, people
get this explanation instead of a traceback.
"""

from __future__ import annotations

import os
import sys

FAILED = 1


def main() -> int:
    """Run the command line; return its exit code."""
    clash = explain_clash()
    if clash:
        sys.stderr.write(f"theater: {clash}\n")
        return FAILED
    import importlib  # by name: nothing else in theater knows the supervisor

    code: int = importlib.import_module("supervisor.cli.main").main()
    return code


def explain_clash() -> str | None:
    """Say what is wrong if the ``supervisor`` that Python finds is not the one that came with us."""
    from importlib.util import find_spec

    ours = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "supervisor")
    try:
        spec = find_spec("supervisor")
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return f"the package `supervisor` is missing (expected in {ours}); reinstall theater-supervisor"
    found = os.path.dirname(os.path.abspath(spec.origin)) if spec.origin else ""
    if os.path.realpath(found) == os.path.realpath(ours):
        return None
    return (
        f"another package named `supervisor` is in the way: Python finds {found or 'a namespace of that name'}, "
        f"expected {ours}. It is probably supervisord's; "
        "install theater-supervisor into a virtual environment of its own."
    )
