"""``python -m theater_actor [MODULE]``: shows the WIT of the actor in a module (``app``) of this directory.

``--plan`` prints what a build needs instead, as JSON; that is how ``theater build`` asks.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from typing import Any

from theater_actor.places import told
from theater_actor.reading import ActorError, find, read
from theater_actor.wit import WORLD, Wit, generate

ENTRY = "theater_entry"
"""The module that componentize-py is given."""


def main() -> int:
    """Look into the module; complain in ``file:line: …``."""
    parser = argparse.ArgumentParser(prog="python -m theater_actor", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", nargs="?", default="app")
    parser.add_argument("--plan", action="store_true", help="print what a build needs, as JSON")
    args = parser.parse_args()
    sys.path.insert(0, os.getcwd())
    try:
        declared = read(find(importlib.import_module(args.module)))
        made = generate(declared)
    except ActorError as error:
        sys.stderr.write("".join(f"{told(problem)}\n" for problem in error.problems))
        return 1
    except (Exception, SystemExit) as error:
        sys.stderr.write(f"{_where(error)}: {type(error).__name__}: {error}\n")
        return 1
    if args.plan:
        json.dump(plan(args.module, declared.cls.__name__, made, declared.package, declared.wasi), sys.stdout)
    else:
        sys.stdout.write("\n".join(made.files.values()))
    return 0


def plan(module: str, cls: str, wit: Wit, package: str, wasi: bool) -> dict[str, Any]:
    """What a build needs: files, and the arguments of the tool."""
    names = [("--export-interface-name", f"{each.interface}={each.alias}") for each in wit.exports]
    names += [("--import-interface-name", f"{interface}={alias}") for interface, alias in wit.imports.items()]
    return {
        "name": package.partition("@")[0].partition(":")[2],
        "wit": wit.files,
        "entry": ENTRY,
        "source": entry(module, cls, wit),
        "world": WORLD,
        "names": [word for pair in names for word in pair],
        "wasi": wasi,
    }


def entry(module: str, cls: str, wit: Wit) -> str:
    """The module whose classes are the component's exports."""
    first = wit.exports[0].alias
    hosts = ", ".join(f"{interface!r}: {alias}" for interface, alias in wit.imports.items())
    return "\n".join(
        [
            "from componentize_py_types import Err",
            f"from wit_world.exports import {first}",
            *(f"from wit_world.imports import {alias}" for alias in wit.imports.values()),
            "",
            f"from {module} import {cls} as Actor",
            "from theater_actor.serving import serve",
            "",
            f"served = serve(Actor, {first}, {{{hosts}}}, Err)",
            *(f"{_camel(each.alias)} = served[{each.alias!r}]" for each in wit.exports),
            "",
        ]
    )


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _where(error: BaseException) -> str:
    """The last line of the actor's own that was running; a mistake in the text says its line itself."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if os.path.abspath(each.filename).startswith(os.getcwd() + os.sep)]
    return f"{os.path.relpath(own[-1].filename)}:{own[-1].lineno}" if own else "import"


if __name__ == "__main__":
    sys.exit(main())
