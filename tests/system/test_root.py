"""The root process: killed, short of files, short of disk, alone in a container, with many actors."""

from __future__ import annotations

import os
import random
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.guests import ONE
from tests.system.running import ROOT, RunningTree, Start, is_running, until
from theater.errors import ActorError

ROOT_KILLS = 6


def _is_bump(line: str) -> bool:
    """Whether a line of `events -o jsonl` is the result of a bump."""
    return '"kind":"result"' in line and "bump" in line


def many(count: int) -> str:
    children = "".join(f"  - {{id: a{n}, actor: counter.wasm, grants: {{runtime: {{}}}}}}\n" for n in range(count))
    return f"version: 1\nname: many\nchildren:\n{children}"


@pytest.mark.parametrize("round_", range(ROOT_KILLS))
def test_no_worker_survives_a_killed_root(start: Start, round_: int) -> None:
    """SIGKILL of the root at a random moment of a start or a run; every process below it is gone within 2 s."""
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    tree = start(many(12), wait=round_ % 2 == 1)
    select.select([], [], [], random.Random(seed).uniform(0, 0.4))
    workers = tree.workers()
    tree.process.kill()
    tree.process.wait(10)

    until(lambda: not any(is_running(pid) for pid in workers), "the workers to be gone", 2.0)


def test_after_a_killed_root_the_next_one_goes_on_with_the_chains(start: Start) -> None:
    """Rings of the dead root are read first: nothing acknowledged is missing and the chain verifies."""
    tree = start(ONE)
    for _ in range(50):
        tree.actor("/counter").call("bump", (1,))
    tree.process.kill()
    tree.process.wait(10)
    tree.drop_client()
    tree.start()
    tree.wait_up()

    tree.actor("/counter").call("bump", (1,))
    events = tree.cli("events", "/counter", "-o", "jsonl").splitlines()
    results = [line for line in events if _is_bump(line)]

    assert len(results) == 51
    assert "ok" in tree.cli("verify", "/counter").lower()


def test_two_hundred_actors(start: Start) -> None:
    """All come up, all answer, all end."""
    tree = start(many(200))
    pids = set(tree.workers())

    assert [tree.actor(f"/a{n}").call("bump", (n,)) for n in range(200)] == list(range(200))
    assert tree.stop() == 0
    assert not any(is_running(pid) for pid in pids)


def test_too_few_open_files_are_an_error_before_anything_starts(home: Path) -> None:
    """The limit, the need and the remedy are named."""
    (home / "tree.yaml").write_text(many(100))
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "start", "tree.yaml", "--run-dir", "r", "--store", "s"],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)),
        timeout=60,
    )

    assert done.returncode == 1
    assert "open files" in done.stderr
    assert "200" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_supervisor_in_the_same_place_is_refused(start: Start) -> None:
    """One per run directory; the first goes on."""
    tree = start(ONE)
    said = subprocess.run(
        [
            *(sys.executable, "-m", "supervisor", "start", str(tree.tree_file)),
            *("--run-dir", str(tree.run_dir), "--store", str(tree.home / "other")),
        ],
        cwd=tree.home,
        env=tree.env(),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert said.returncode == 1
    assert "another supervisor is running here" in said.stderr
    assert f"pid {tree.process.pid}, tree {tree.tree_file}" in said.stderr
    assert tree.actor("/counter").call("bump", (1,)) == 1


@pytest.mark.parametrize(
    ("guest", "code", "words"),
    [
        ("bad_init.wasm", 1, "/counter  start failed at init: wasm trap: "),
        ("missing.wasm", 2, "children[0].actor: expected a file, found nothing of that name"),
        ("garbage.wasm", 1, "garbage.wasm: WebAssembly binary of version 20627574, expected 01000000 (a module)"),
    ],
)
def test_a_tree_that_cannot_start_says_why(home: Path, start: Start, guest: str, code: int, words: str) -> None:
    """The exit code, the actor or its place in the file, and the reason; no traceback, nothing left."""
    (home / "garbage.wasm").write_bytes(b"\0asm but not really")
    tree = start(ONE.replace("counter.wasm", guest), wait=False)

    assert tree.process.wait(30) == code
    said = tree.said.read_text()
    assert words in said
    assert "Traceback" not in said
    assert not tree.run_dir.exists()


def test_a_start_that_hangs_is_ended_by_its_timeout(start: Start) -> None:
    """start_timeout bounds the whole start, whatever the guest does."""
    tree = start(
        ONE.replace("counter.wasm", "spinning_init.wasm").replace("grants", "start_timeout: 500ms, grants"), wait=False
    )

    assert tree.process.wait(30) == 1
    assert "/counter" in tree.said.read_text()


def test_the_exec_spawner_does_the_same_job(start: Start) -> None:
    """Plain interpreters behind the same interface."""
    tree = start(ONE, "--spawner", "exec")
    tree.actor("/counter").call("bump", (1,))
    os.kill(tree.pid("/counter"), signal.SIGKILL)
    tree.wait_incarnation("/counter", 2)

    assert tree.actor("/counter").call("bump", (2,)) == 2
    assert tree.stop() == 0


def test_the_template_may_die_without_harm(start: Start) -> None:
    """Running workers are not touched; the next start boots another template."""
    import psutil

    tree = start(ONE)
    counter = tree.pid("/counter")
    template = next(pid for pid in tree.workers() if "worker.zygote" in psutil.Process(pid).cmdline())
    os.kill(template, signal.SIGKILL)
    until(lambda: not is_running(template), "the template to be gone")
    assert tree.actor("/counter").call("bump", (1,)) == 1

    os.kill(counter, signal.SIGKILL)
    tree.wait_incarnation("/counter", 2)

    assert tree.actor("/counter").call("bump", (2,)) == 2


def test_detached_it_returns_when_the_tree_is_up(start: Start) -> None:
    """`start --detach` comes back with the tree running; `stop` ends it."""
    tree = start(ONE)
    tree.stop()
    tree.cli("start", "tree.yaml", "--detach", "--run-dir", str(tree.run_dir), "--store", str(tree.store_dir))
    pid = int(tree.client.tree()["pid"])

    assert tree.actor("/counter").call("bump", (1,)) == 1
    tree.drop_client()
    tree.cli("stop")
    until(lambda: not is_running(pid), "the supervisor to end")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a mount needs privileges")
def test_a_full_disk_loses_nothing_that_was_answered(home: Path, start: Start) -> None:
    """The store's file system fills up: actors go on until their ring is full, then wait; with space all is stored."""
    place = home / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not permitted here")
    try:
        tree = start(ONE, "--store", str(place / "store"))
        filler = place / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        answered = 0
        try:
            while answered < 5000:
                tree.actor("/counter").call("bump", (1,), timeout=0.5)
                answered += 1
        except ActorError:
            pass
        filler.unlink()
        until(lambda: _answers(tree), "the actor to go on")
        events = tree.cli("events", "/counter", "-o", "jsonl", "--store", str(place / "store")).splitlines()

        assert answered > 0
        assert sum(_is_bump(line) for line in events) >= answered
        assert tree.stop() == 0
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _answers(tree: RunningTree) -> bool:
    try:
        return bool(tree.actor("/counter").call("bump", (1,), timeout=1.0))
    except ActorError:
        return False


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a pid namespace needs privileges")
def test_it_works_as_pid_1(home: Path) -> None:
    """In a pid namespace of its own: strangers are reaped, SIGTERM stops in order."""
    (home / "tree.yaml").write_text(ONE)
    script = (
        "import os, sys, subprocess;"
        "subprocess.Popen(['sh', '-c', 'sleep 0.1 & exit 0']).wait();"
        "os.execv(sys.executable, [sys.executable, '-m', 'supervisor', 'start', 'tree.yaml', '--run-dir', 'r',"
        " '--store', 's', '--ready-file', 'ready'])"
    )
    process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL", sys.executable, "-c", script],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: (home / "ready").exists() or process.poll() is not None, "the tree to come up")
        if process.poll() is not None and process.stderr is not None:
            said = process.stderr.read()
            assert "unshare:" in said, said
            pytest.skip(f"no namespaces here: {said.strip()}")
        assert until(lambda: (home / "ready").read_text().strip(), "the pid in the ready file") == "1"
        import psutil

        inner = next(p for p in psutil.Process(process.pid).children())
        until(lambda: all(is_running(child.pid) for child in inner.children()), "strangers to be reaped")
        inner.send_signal(signal.SIGTERM)

        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
