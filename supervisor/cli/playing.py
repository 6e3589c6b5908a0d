"""Replays as the verbs need them: a chain and a package put together, a process that plays one against the other."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from supervisor.cli.check import cache_dir
from supervisor.cli.history import History, opened
from supervisor.store.references import Reference, given, references
from theater.errors import TheaterError

if TYPE_CHECKING:
    from supervisor.store.reader import StoredActor
    from theater.actor import ActorSpec
    from theater.chain import ChainEvent
    from theater.spec import SupervisorSpec

SILENCE_S = 1.0
"""After so long, a terminal is told how far it is."""
SEQ_DIGITS_MAX = 18

Job = dict[str, Any]
Last = dict[str, Any]
"""What ``worker.replay`` says last: summary, text, state, call, divergences."""


class ReplayProblem(TheaterError):
    """The replay cannot be begun; the text says why and what to do."""


# -- what to replay ---------------------------------------------------------------------------------------------------


@contextmanager
def job_of(what: str, args: argparse.Namespace) -> Iterator[Job]:
    """What to replay for ``what``: a chain in a file, or an actor of the history the arguments mean."""
    if os.path.isfile(what):
        with _children_of_file(what, args) as children:
            yield {"chain": os.path.abspath(what), "children": children} | _with(what, args, None)
        return
    with opened(args) as history, job_of_actor(history, history.actor(what), args) as job:
        yield job


@contextmanager
def job_of_actor(history: History, actor: StoredActor, args: argparse.Namespace) -> Iterator[Job]:
    """The same for an actor whose history is open."""
    with (
        tempfile.NamedTemporaryFile(prefix="theater-", suffix=".chain") as file,
        tempfile.NamedTemporaryFile(prefix="theater-", suffix=".children") as children,
    ):
        referenced: list[Reference] = []
        for batch in history.reader.batches(actor.id):
            file.write(batch)
            referenced += references((batch,))
        file.flush()
        children.write(msgspec.msgpack.encode(given(history.reader, referenced, _chains(args))))
        children.flush()
        declared, kept = _declared(history, actor.path, args), _kept(history, actor)
        job = {"chain": file.name, "children": children.name if referenced else None}
        yield job | _with(actor.path, args, declared, kept)


@contextmanager
def _children_of_file(what: str, args: argparse.Namespace) -> Iterator[str | None]:
    """Events of children, for a chain in a file: from the chains that --chain names."""
    chains = _chains(args)
    if not chains:
        yield None
        return
    with tempfile.NamedTemporaryFile(prefix="theater-", suffix=".children") as file:
        found = {event.hash: (event.event_type, event.data) for chain in chains for event in chain}
        file.write(msgspec.msgpack.encode(found))
        file.flush()
        yield file.name


def _chains(args: argparse.Namespace) -> list[Iterable[ChainEvent]]:
    """Chains of children in files of their own (--chain)."""
    from theater.chain.files import open_file

    return [open_file(path) for path in getattr(args, "chain", None) or ()]


def place_of(text: str | None) -> int | str | None:
    """Read the number of an event, or the beginning of a hash."""
    if text is not None and text.isascii() and text.isdigit() and len(text) <= SEQ_DIGITS_MAX:
        return int(text)
    return text


def _with(what: str, args: argparse.Namespace, spec: ActorSpec | None, kept: str | None = None) -> Job:
    """The package and its options."""
    package = args.package or kept or (spec.package if spec is not None else None)
    if package is None:
        raise ReplayProblem(f"{what}: no tree file says which package it ran; name it with --package")
    options = {} if spec is None else msgspec.to_builtins(spec.options)
    return {"package": os.path.abspath(package), "options": options, "cache": args.cache or cache_dir()}


def _declared(history: History, path: str, args: argparse.Namespace) -> ActorSpec | None:
    """What the tree file says of the actor at a path; None for one that a guest has spawned."""
    tree_file = args.tree or (history.client.run.tree if history.client is not None else None)
    if tree_file is None or not os.path.exists(tree_file):
        return None
    from theater.config import load_tree

    return actor_at(load_tree(tree_file).spec, path.strip("/").split("/"))


def _kept(history: History, actor: StoredActor) -> str | None:
    """The package of the actor's last life, where the store keeps it: it was updated, or spawned from bytes."""
    from supervisor.store.packages import kept_package

    lives = history.reader.incarnations(actor.id)
    return kept_package(history.reader.directory, lives[-1].package) if lives else None


def actor_at(spec: SupervisorSpec, names: list[str]) -> ActorSpec | None:
    """Return what a tree declares of the actor at a path; None if nothing."""
    if spec.strategy == "simple_one_for_one":
        found = spec.children[0] if spec.children else None
    else:
        found = next((child for child in spec.children if child.id == names[0]), None)
    if found is None:
        return None
    if found.supervisor is not None:
        return actor_at(found.supervisor, names[1:]) if len(names) > 1 else None
    return found.actor if len(names) == 1 else None  # type: ignore[return-value]


# -- playing ----------------------------------------------------------------------------------------------------------


def start(job: Job) -> subprocess.Popen[bytes]:
    """Start a process that replays; read its lines from ``stdout``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.replay"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,  # a terminal's Ctrl-C comes to us; we pass it on
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(job))
    process.stdin.close()
    return process


def play(job: Job) -> Last | None:
    """Replay; return the last line, None if the process ended without one. Ctrl-C stops it, and it still tells."""
    bar = Bar("events")
    with _sigint_waits():  # until both it and we know what to do about one
        process = start(job)
        before = signal.signal(signal.SIGINT, lambda *_: process.send_signal(signal.SIGINT))
    try:
        return follow(process, bar.show)
    finally:
        bar.clear()
        signal.signal(signal.SIGINT, before)
        end(process)


@contextmanager
def _sigint_waits() -> Iterator[None]:
    """A Ctrl-C comes afterwards. A process that is started meanwhile begins like this; it lets it come itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow(process: subprocess.Popen[bytes], progress: Callable[[int, int], None]) -> Last | None:
    """Read what a replay says until it has ended; return the last line."""
    last = None
    assert process.stdout is not None
    for line in process.stdout:
        said = msgspec.json.decode(line)
        if "progress" in said:
            progress(*said["progress"])
        else:
            last = said
    process.wait()
    return last


def end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process behind."""
    if process.poll() is None:
        process.kill()
        process.wait()


class Bar:
    """How far something is, on a terminal, once it takes long."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._is_shown = False

    def show(self, done: int, total: int) -> None:
        """Tell progress."""
        if sys.stderr.isatty() and time.monotonic() - self._began > SILENCE_S:
            self._is_shown = True
            sys.stderr.write(f"\r{done:>12,} of {total:,} {self._what}  {done * 100 // max(1, total):3} %")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line back."""
        if self._is_shown:
            sys.stderr.write("\r\033[K")
