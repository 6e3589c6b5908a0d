"""Run a tree until it ends or is told to stop, in the foreground or (--detach) in the background."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from supervisor.cli.output import one_line, say
from supervisor.shown import shown_lines

if TYPE_CHECKING:
    from supervisor.fleet.lives import Life
    from supervisor.root import Outcome, RootOptions
    from theater.config import TreeConfig

OK, FAILED, CONFIGURATION, UNHEALTHY = 0, 1, 2, 7
DETACH_POLL_S = 0.05

EPILOG = """\
examples:
  theater start tree.yaml                      run in the foreground; Ctrl-C stops it in order, twice by force
  theater start tree.yaml --detach             come back when the tree is up
  theater start tree.yaml --ready-file up      create the file "up" once the tree is up
  theater start tree.yaml --recover            go on where the last run on the same store ended
  theater start tree.yaml --spawner exec       plain interpreters instead of forks of a template

exit codes: 0 stopped in order, 1 the tree did not start or gave up, or a worker had to be killed while stopping,
2 the configuration is wrong.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("tree", metavar="TREE", help="the tree file, usually tree.yaml")
    parser.add_argument("--run-dir", metavar="DIR", help="where sockets go (default: one per tree file)")
    store = "where the history goes (default: the tree's `store`, or .theater/NAME beside it)"
    parser.add_argument("--store", metavar="DIR", help=store)
    parser.add_argument("--cache", metavar="DIR", help="compiled packages (default: $XDG_CACHE_HOME/theater)")
    parser.add_argument("--spawner", choices=("zygote", "exec"), default="zygote", help="where workers come from")
    recover = "go on from what an earlier run on the same store left, as each actor's `recover` says"
    parser.add_argument("--recover", action="store_true", help=recover)
    parser.add_argument("--detach", action="store_true", help="run in the background; return when the tree is up")
    parser.add_argument("--ready-file", metavar="FILE", help="create FILE once the tree is up; removed at the end")
    levels = ("debug", "info", "warning", "error")
    shown = "least level shown (default: warning, error beside progress lines; the store's logs.jsonl keeps all)"
    parser.add_argument("--log-level", choices=levels, help=shown)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress lines")
    parser.add_argument("--detached", metavar="FILE", help=argparse.SUPPRESS)  # what --detach starts in the background


def run(args: argparse.Namespace) -> int:
    """Run the verb; return the exit code."""
    from theater.config import ConfigError, load_tree

    try:
        tree = load_tree(args.tree)
    except ConfigError as error:
        say(str(error))
        return CONFIGURATION
    return _detach(args) if args.detach else _foreground(args, tree)


def _foreground(args: argparse.Namespace, tree: TreeConfig) -> int:
    from supervisor.logs import LogFile, configure
    from supervisor.resources import ResourceError
    from supervisor.root import Root
    from supervisor.rundir import RunDirError
    from supervisor.store import StoreError

    options = _options(args, tree)
    os.makedirs(options.store_dir, mode=0o700, exist_ok=True)
    file = LogFile(options.store_dir)
    has_progress = args.detached is not None or (sys.stderr.isatty() and not args.quiet)
    log = configure(args.log_level or ("error" if has_progress else "warning"), False, file)
    progress = Progress(args.quiet, args.ready_file, tree.name, args.detached)
    root = Root(options, tree.spec, log, progress.life, progress.up)
    root.on_compiling = progress.compiling
    try:
        outcome = root.run()
    except (RunDirError, ResourceError, StoreError, OSError, ValueError) as error:
        say(f"theater: cannot start: {error}")
        return FAILED
    finally:
        progress.close()
        file.close()
    return _conclude(outcome, progress.told)


def _options(args: argparse.Namespace, tree: TreeConfig) -> RootOptions:
    from supervisor.root import RootOptions
    from supervisor.rundir import default_run_dir

    here = os.path.dirname(os.path.abspath(args.tree))
    store = args.store or tree.store or os.path.join(here, ".theater", tree.name)
    cache = args.cache or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "theater")
    return RootOptions(
        name=tree.name,
        tree_file=os.path.abspath(args.tree),
        run_dir=args.run_dir or os.environ.get("THEATER_RUN_DIR") or default_run_dir(tree.name, args.tree),
        store_dir=os.path.abspath(store),
        cache_dir=os.path.abspath(cache),
        spawner=args.spawner,
        recovers=args.recover,
        retention=tree.retention,
    )


def _conclude(outcome: Outcome, told: bool) -> int:
    """Say how it ended; the failures of a start only if the progress lines have not told them."""
    if not outcome.started:
        for line in dict.fromkeys(outcome.failures) if not told else ():
            say(f"theater: {one_line(line)}")
        if outcome.failures:
            say("theater: the tree did not start")
            return FAILED
        if outcome.reason != "shutdown":
            say(f"theater: the tree did not start: {outcome.reason}")
            return FAILED
        return OK
    if outcome.killed:
        say(f"theater: {outcome.killed} worker(s) had to be killed")
        return FAILED
    if outcome.stopped_by_request:
        return OK
    say(f"theater: the tree has ended: {outcome.reason}")
    return FAILED


class Progress:
    """One line per actor as it comes up, on standard error.

    ``detached`` is the file by which whoever started us in the background learns that the tree is up; nobody reads
    what we say from then on.
    """

    def __init__(self, quiet: bool, ready_file: str | None, name: str, detached: str | None = None) -> None:
        self.told = False
        """Whether failures have been said."""
        self._quiet = quiet
        self._ready_file = ready_file
        self._name = name
        self._detached = detached
        self._began = time.monotonic()
        self._count = 0
        self._is_up = False

    def compiling(self, file: str) -> None:
        """This package takes its time; compiled once, it starts at once."""
        self._say(f"  … compiling {os.path.basename(file)}: once for each package")

    def life(self, what: str, life: Life) -> None:
        """An incarnation has come up or ended."""
        if what == "started":
            self._count += 1
            took_ms = (time.monotonic_ns() - life.started_ns) / 1e6
            again = f" (incarnation {life.number})" if life.actor.restarts else ""
            self._say(f"  ✓ {life.actor.path}{again}  pid {life.pid}  {took_ms:.0f} ms")
        elif life.cause is not None and not (life.cause.is_clean and self._is_up):
            from theater.cause import describe

            self._say(f"  ✗ {life.actor.path}  {one_line(describe(life.cause))}")
            self.told = not self._quiet

    def up(self) -> None:
        """The whole tree is up."""
        self._is_up = True
        took_ms = (time.monotonic() - self._began) * 1000
        self._say(f"{self._name} is up: {self._count} actor{'s' if self._count != 1 else ''} in {took_ms:.0f} ms")
        if self._ready_file:
            _put_pid(self._ready_file)
        if self._detached:
            _put_pid(self._detached)
            _leave_terminal()
            self._quiet = True

    def close(self) -> None:
        """Remove the ready file."""
        if self._ready_file and self._is_up:
            try:
                os.unlink(self._ready_file)
            except OSError:
                pass

    def _say(self, line: str) -> None:
        if not self._quiet:
            try:
                say(line)
            except (OSError, ValueError):
                self._quiet = True  # nobody reads any more; the tree runs on


def _put_pid(path: str) -> None:
    """Create a file with our pid in it, in one step."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    os.replace(path + ".new", path)


def _leave_terminal() -> None:
    """Write to nowhere from now on: what we say went to a file that is removed when it has been shown."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)


def _detach(args: argparse.Namespace) -> int:
    """Start the tree in a session of its own and wait until it is up or has failed."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="theater-") as scratch:
        ready = os.path.join(scratch, "ready")
        said = os.path.join(scratch, "said")
        command = [sys.executable, "-m", "supervisor", "start", args.tree, "--detached", ready]
        for name in ("run_dir", "store", "cache", "spawner", "log_level", "ready_file"):
            value = getattr(args, name)
            if value is not None:
                command += ["--" + name.replace("_", "-"), value]
        for name in ("recover", "quiet"):
            if getattr(args, name):
                command.append("--" + name)
        with open(said, "wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        return _await_ready(process, ready, said)


def _await_ready(process: subprocess.Popen[bytes], ready: str, said: str) -> int:
    shown = 0
    try:
        while True:
            is_up = os.path.exists(ready)
            code = process.poll()  # both before reading: what is said before the end is in the file by then
            with open(said, "rb") as output:
                output.seek(shown)
                text = output.read()
            shown += len(text)
            if text:
                sys.stderr.write(shown_lines(text.decode("utf-8", "replace")))
            if is_up:
                return OK
            if code is not None:
                return code or FAILED
            time.sleep(DETACH_POLL_S)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        return 130
