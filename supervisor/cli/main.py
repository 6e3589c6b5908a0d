"""Which verb, then only that verb: its module is imported, its arguments read, its ``run`` called.

``status`` in a shell prompt must not pay for ``start``; so nothing is imported here that not every verb needs.
"""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from typing import Any

from supervisor.cli import exits

VERBS: dict[str, str] = {
    "start": "run a tree",
    "check": "validate a tree file without starting anything",
    "new": "begin an actor in a language of your choice",
    "build": "build the actor in a directory",
    "dev": "build, run and update an actor while it is being written",
    "status": "what runs and whether it is well",
    "tree": "the supervision tree, drawn",
    "top": "what actors use, again and again",
    "explain": "what an actor may do, and why",
    "call": "call a function of an actor and print its result",
    "send": "call a function of an actor without waiting for it",
    "events": "the recorded history of an actor",
    "verify": "check that the recorded history is complete and unchanged",
    "export": "write the recorded history of an actor into a file",
    "import": "take recorded history from a file into a store",
    "replay": "run the recorded history of an actor again and compare",
    "inspect": "the state of an actor at any event of its history",
    "diff": "what changed in an actor's state between two events",
    "fork": "start another actor from any event of an actor's history",
    "rehearse": "try a new package against recorded histories",
    "update": "have actors go on with another package, without an interruption",
    "dead-letters": "operations set aside, messages not delivered, and what becomes of them",
    "logs": "log lines of the supervisor, the workers and their guests",
    "pause": "pause actors after their current call",
    "resume": "let paused actors go on",
    "restart": "stop actors gracefully and start them again",
    "terminate": "kill actors at once",
    "stop": "stop the tree, or some of its actors",
    "doctor": "is the store sound, and what can be done about it",
    "store": "what actors keep by its SHA-256, and what becomes of it",
    "vacuum": "remove the oldest history and give the space back",
    "completion": "shell completion for bash, zsh or fish",
}
"""The verbs, in the order the help lists them; ``module_of`` finds the module of each."""

EPILOG = f"""\
examples:
  theater start tree.yaml --detach      run a tree in the background
  theater status                        is everything well? (exit code 7 if not)
  theater call /counter add 5           call a function, with JSON for its parameters
  theater events /counter --follow      watch what an actor does
  theater stop                          stop everything, in order

A verb finds its supervisor by --run-dir, by $THEATER_RUN_DIR, or takes the only one that runs.
Each verb has examples: theater VERB --help

{exits.DESCRIPTION}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _hush()


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-") or arguments[0] == "help":
        return _overview(arguments)
    verb = arguments[0]
    if verb not in VERBS:
        return _unknown(verb)
    module = module_of(verb)
    parser = argparse.ArgumentParser(
        prog=f"{_program()} {verb}",
        description=(module.__doc__ or VERBS[verb]).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter if _wants_help(arguments) else _narrow,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return _perform(module, parser.parse_args(arguments[1:]))


def module_of(verb: str) -> Any:
    """Return the module of a verb: it has its name, and an underline where Python wants one (import, dead-letters)."""
    name = verb.replace("-", "_")
    return importlib.import_module(f"supervisor.cli.{name}{'_' if keyword.iskeyword(verb) else ''}")


def _wants_help(arguments: list[str]) -> bool:
    return "-h" in arguments or "--help" in arguments


def _narrow(prog: str) -> argparse.HelpFormatter:
    """A formatter that does not ask for the terminal's width, which costs an import of 3 ms."""
    return argparse.RawDescriptionHelpFormatter(prog, width=98)


def _perform(module: Any, args: argparse.Namespace) -> int:
    from theater.errors import TheaterError

    try:
        code: int = module.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        raise
    except (TheaterError, OSError) as error:
        from supervisor.cli.advice import told
        from supervisor.cli.output import say

        say(f"theater: {told(error, args)}")
        return exits.code_for(error)


def _overview(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=_program(),
        usage=f"{_program()} VERB …",
        description="Supervise fleets of WebAssembly actors.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    group = parser.add_argument_group("verbs")
    for verb, what in VERBS.items():
        group.add_argument(verb, nargs="?", help=what, metavar=verb)
    if arguments[:1] == ["help"]:
        return _run([arguments[1], "--help"]) if len(arguments) > 1 else _overview([])
    if "--version" in arguments:
        from theater._version import __version__

        sys.stdout.write(f"theater {__version__}\n")
        return exits.OK
    if arguments and arguments[0] not in ("-h", "--help"):
        sys.stderr.write(f"{_program()}: unknown option {arguments[0]}; options go after the verb\n")
        return exits.CONFIGURATION
    parser.print_help(sys.stdout)
    return exits.OK


def _unknown(verb: str) -> int:
    import difflib

    near = difflib.get_close_matches(verb, VERBS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    sys.stderr.write(f"{_program()}: no such verb: {verb}{hint} (verbs: {', '.join(VERBS)})\n")
    return exits.CONFIGURATION


def _program() -> str:
    name = os.path.basename(sys.argv[0])
    return "python -m supervisor" if name == "__main__.py" else "theater"


def _hush() -> int:
    """The reader of our output has gone (``| head``): no reason for words."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return exits.OK
