"""A guided tour on the counter example: every command it shows is one you can type yourself.

Starts the tree, calls an actor, watches its state, kills its process and sees it back, makes it crash until its
supervisor gives up, reads and verifies its chain, and stops everything. Leaves nothing behind.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))
DEADLINE_S = 30.0
CRASHES_MAX = 10


def main() -> int:
    """Run the tour; return 0 if everything went as told."""
    with tempfile.TemporaryDirectory(prefix="tour-") as scratch:
        work = Path(scratch) / "counter"
        shutil.copytree(HERE / "counter", work)
        os.environ["XDG_RUNTIME_DIR"] = scratch
        os.environ["THEATER_RUN_DIR"] = str(Path(scratch) / "run")
        tour = Tour(work)
        try:
            tour.walk()
        finally:
            tour.leave()
    return 0


class Tour:
    """The stations, in order."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def walk(self) -> None:
        """Visit every station."""
        self.say("A supervision tree of WebAssembly actors comes up, each in a process of its own:")
        self.theater("start", "tree.yaml", "--detach")
        self.theater("tree")

        self.say("Call the counter and look at its state, which the host holds:")
        self.theater("call", "/counter", "add", "5")
        self.theater("call", "/counter", "add", "37")
        self.theater("call", "/counter", "get")

        self.say("Kill its process from outside. The supervisor sees the end at once and starts the next incarnation:")
        before = self.status("/counter")
        print(f"$ kill -9 {before['pid']}")
        os.kill(before["pid"], signal.SIGKILL)
        killed_at = time.monotonic()
        after = self.wait_for_incarnation("/counter", before["incarnation"] + 1)
        took_ms = (time.monotonic() - killed_at) * 1000
        print(f"  back as incarnation {after['incarnation']}, pid {after['pid']}, seen after {took_ms:.0f} ms")
        self.theater("call", "/counter", "get")

        self.say("Its history goes on over both lives. Every crossing of the sandbox is in it, linked by hashes:")
        self.theater("events", "/counter", "--limit", "8", "-o", "table")
        self.theater("verify", "-o", "table")

        self.say("Now make it crash until its supervisor gives up (more restarts than `intensity` allows):")
        for _ in range(CRASHES_MAX):
            self.theater("call", "/counter", "crash", expect=None)
            if not self.is_running():
                break
        self.wait_until_down()
        print("  the supervisor has given up and the tree is down, in order")

        self.say("The history survives the tree. Read and verify it from the store:")
        self.theater("events", "/counter", "--tree", "tree.yaml", "--limit", "4", "-o", "table")
        self.theater("verify", "--tree", "tree.yaml", "-o", "table")
        self.say("That was theater. The README's tutorial goes on from here.")

    def leave(self) -> None:
        """Stop the tree if a station went wrong."""
        if self.is_running():
            self.theater("stop", expect=None)

    # -- tools ------------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        print(f"\n{text}", flush=True)

    def theater(self, *arguments: str, expect: int | None = 0, show: bool = True) -> str:
        """Run one command as shown; fail the tour if it does not end as expected."""
        if show:
            print(f"$ theater {shlex.join(arguments)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "supervisor", *arguments],
            cwd=self.work,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE_S * 2,
        )
        if show:
            print("".join(f"  {line}\n" for line in done.stdout.splitlines()), end="", flush=True)
        if expect is not None and done.returncode != expect:
            sys.exit(f"the tour stops here: `theater {shlex.join(arguments)}` ended with {done.returncode}")
        return done.stdout

    def status(self, path: str) -> dict[str, int]:
        import theater

        with theater.connect() as client:
            status = client.actor(path).get_status()
            return {"pid": status.pid or 0, "incarnation": status.incarnation}

    def wait_for_incarnation(self, path: str, number: int) -> dict[str, int]:
        """Poll until the actor answers as that incarnation."""
        from theater.errors import ActorError

        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                status = self.status(path)
            except ActorError:
                continue
            if status["incarnation"] >= number and status["pid"]:
                return status
        sys.exit(f"the tour stops here: {path} did not come back within {DEADLINE_S:.0f} s")

    def is_running(self) -> bool:
        return (Path(os.environ["THEATER_RUN_DIR"]) / "supervisor.json").exists()

    def wait_until_down(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self.is_running():
            if time.monotonic() > deadline:
                sys.exit("the tour stops here: the tree did not come down")
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
