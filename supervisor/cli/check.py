"""Validate tree files without starting anything: all problems at once, as file:line:column.

Every package is loaded, too, and its imports are compared with what its actor is granted."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from supervisor.cli import exits
from supervisor.cli.options import examples
from supervisor.cli.output import one_line, say

if TYPE_CHECKING:
    from theater.actor import ActorSpec
    from theater.spec import SupervisorSpec

TIMEOUT_S = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater check tree.yaml
  theater check --quick tree.yaml other.yaml     only the files, not the packages
""",
    )
    parser.add_argument("tree", nargs="+", metavar="TREE", help="tree files")
    parser.add_argument("--quick", action="store_true", help="do not load the packages")
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing if all is well")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    problems = 0
    for tree in args.tree:
        found = _check(tree, args)
        for line in found:
            say(line)
        problems += len(found)
        if not found and not args.quiet:
            say(f"{tree}: ok")
    return exits.CONFIGURATION if problems else exits.OK


def _check(path: str, args: argparse.Namespace) -> list[str]:
    from theater.config import ConfigError, load_tree

    try:
        tree = load_tree(path)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    actors = list(_actors(tree.spec))
    _check_machine(path, actors)
    return [] if args.quick else _check_packages(actors, args.cache or cache_dir())


def _check_machine(path: str, actors: list[ActorSpec]) -> None:
    """Warn of limits that this machine cannot hold actors to."""
    from supervisor.cgroups import Unavailable, own_group, wants

    wanting = [actor.name for actor in actors if wants(actor.options)]
    try:
        _ = own_group() if wanting else None
    except Unavailable as error:
        say(f"{path}: warning: the limits cgroup_… of {', '.join(wanting)} cannot be held here: {error}")


def cache_dir() -> str:
    """Where compiled packages are kept."""
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "theater")


def _actors(root: SupervisorSpec) -> Iterator[ActorSpec]:
    todo = [root]
    while todo:
        spec = todo.pop(0)
        for child in spec.children:
            if child.supervisor is not None:
                todo.append(child.supervisor)
            elif child.actor is not None:
                yield child.actor  # type: ignore[misc]


def _check_packages(actors: list[ActorSpec], cache: str) -> list[str]:
    """Have a worker's own program look at the packages: it knows what a start would refuse, and we never load wasm."""
    requests = [
        {
            "file": actor.package,
            "grants": actor.grants,
            "options": msgspec.to_builtins(actor.options),
            "sha256": actor.sha256,
            "state": actor.state,
            "state_kind": actor.state_kind,
        }
        for actor in actors
    ]
    command = [sys.executable, "-m", "worker.prepare", "--cache", cache, "--inspect"]
    done = subprocess.run(command, input=msgspec.json.encode(requests), capture_output=True, timeout=TIMEOUT_S)
    answers = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    problems = [text for actor, answer in zip(actors, answers, strict=False) for text in _problems(actor, answer)]
    if len(answers) < len(actors):
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        problems.append(f"{actors[len(answers)].package}: looking at this package failed: {said}")
    return problems


def _problems(actor: ActorSpec, answer: dict[str, Any]) -> Iterator[str]:
    where = f"{actor.origin}: " if actor.origin else ""
    if answer.get("error"):
        yield f"{where}{one_line(answer['error'])}"
    for refusal in answer.get("refusals", ()):
        yield f"{where}{actor.package}: {refusal}"
    for warning in answer.get("warnings", ()):
        say(f"{where}{actor.package}: warning: {warning}")
