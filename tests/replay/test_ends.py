"""The process of a replay: interrupted at any time it tells how far it was, and it outlives nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.homes import new_home
from tests.replay.recording import Life
from tests.system.running import RunningTree, running_tree, until
from theater import cgrf
from theater.chain import payload, textform
from theater.values import Tuple

ROOT = Path(__file__).parents[2]
TREE = """
version: 1
name: memory
children:
  - {id: odd, actor: odd.wasm, grants: {runtime: {}}, recover: replay}
intensity: 5
period: 10s
"""


@pytest.fixture(scope="module")
def endless() -> Iterator[list[str]]:
    """The command of a replay that would compute for five minutes."""
    with new_home() as home:
        life = Life()
        life.put("wasm", payload.call("test:odd/api.spin", cgrf.encode(Tuple(()))))
        life.put("wasm", payload.result("test:odd/api.spin", life.state, cgrf.encode(Tuple(()))))
        (home / "odd.wasm").write_bytes(life.package)
        with (home / "odd.chain").open("w", encoding="utf-8", newline="\n") as file:
            textform.write(life.chain, file.write)
        command = [sys.executable, "-m", "supervisor", "replay", f"{home}/odd.chain"]
        yield [*command, "--package", f"{home}/odd.wasm", "--cache", f"{home}/cache", "--json"]


def start(command: list[str]) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """Begin a replay; return the verb's process and the one that replays."""
    verb = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children = until(lambda: psutil.Process(verb.pid).children(), "the process that replays")
    return verb, children[0]


@pytest.mark.parametrize("wait_s", [0.0, 0.05, 0.1, 0.2, 0.4, 1.0])
def test_a_summary_is_told_whenever_it_is_interrupted(endless: list[str], wait_s: float) -> None:
    """As soon as there is a process that replays, in its imports, while it compiles, inside the guest."""
    verb, _ = start(endless)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            verb.wait(wait_s)
        verb.send_signal(signal.SIGINT)
        out, err = verb.communicate(timeout=20)
    finally:
        verb.kill()

    assert verb.returncode == 130, err
    assert msgspec.json.decode(out)["summary"]["status"] == "stopped"
    assert b"Traceback" not in err


def test_it_ends_with_the_verb_that_began_it(endless: list[str]) -> None:
    """Also if that is killed: nothing goes on computing for nobody."""
    verb, worker = start(endless)
    until(lambda: worker.cpu_times().user > 0.8, "the guest to compute")
    verb.kill()
    verb.communicate()

    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the end of the replay", 5.0)


@pytest.fixture
def tree() -> Iterator[RunningTree]:
    """One guest that keeps to itself what it knows."""
    with new_home() as home:
        (home / "odd.wasm").write_bytes(Life().package)
        with running_tree(home, TREE) as tree:
            yield tree


def test_a_guest_with_a_memory_of_its_own_recovers_again_and_again(tree: RunningTree) -> None:
    """Every life is rebuilt from all lives before it, and the whole history replays."""
    odd = tree.actor("/odd")
    counted = [odd.call("count")]
    for _ in range(3):
        tree.kill("/odd")
        counted.append(odd.call("count"))

    assert counted == [1, 2, 3, 4]
    assert "Replay complete" in tree.cli("replay", "/odd")
