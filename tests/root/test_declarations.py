"""Guests' manifests are read by another process: every wish is answered once, and the loop waits for none."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from supervisor.fleet.declarations import Declarations
from supervisor.fleet.declaring import Declared, Wish, declare, receive, send
from supervisor.loop import Loop

DEADLINE_S = 20.0
MANIFEST = (
    'name = "x"\npackage = "x.wasm"\nstate = {a = [1, 2.5, "b"]}\n'
    '[grants.tcp]\nconnect = ["a.example.com:443"]\n'
)
TCP = {"theater:simple/tcp": {"connect": ["*.example.com:*"]}}


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def declarations(loop: Loop) -> Iterator[Declarations]:
    declarations = Declarations(loop)
    yield declarations
    declarations.close()


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    """One that can be granted."""
    (tmp_path / "x.wasm").write_bytes(b"\0asm\1\0\0\0")
    return Wish(manifest=MANIFEST, parent="/p", base_dir=str(tmp_path), grants=TCP)


def run_until(loop: Loop, answers: list[Declared], count: int) -> None:
    """Turn the loop until so many answers are there."""
    deadline = time.monotonic() + DEADLINE_S
    while len(answers) < count:
        assert time.monotonic() < deadline, f"{len(answers)} of {count} answers"
        loop.run_once(0.1)


def reader() -> psutil.Process:
    """The process that reads."""
    living = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    (found,) = [each for each in living if "supervisor.fleet.declaring" in each.cmdline()]
    return found


def test_the_actor_comes_over_as_it_was_declared(loop: Loop, declarations: Declarations, wish: Wish) -> None:
    """State, grants and limits survive the way from one process to the other."""
    answers: list[Declared] = []
    declarations.ask(wish, answers.append)
    run_until(loop, answers, 1)

    assert answers[0].spec is not None
    assert answers == [declare(wish)]


def test_what_the_parent_does_not_hold_is_refused(loop: Loop, declarations: Declarations, wish: Wish) -> None:
    """The words are those of the permission."""
    answers: list[Declared] = []
    declarations.ask(msgspec.structs.replace(wish, grants={}), answers.append)
    declarations.ask(msgspec.structs.replace(wish, passes={"theater:simple/tcp": "disallow"}), answers.append)
    run_until(loop, answers, 2)

    assert "the parent does not hold it" in answers[0].refusal
    assert "the parent does not pass it on" in answers[1].refusal


def test_wishes_are_answered_in_their_order(loop: Loop, declarations: Declarations, wish: Wish) -> None:
    """All that come at once, by one process."""
    answers: list[Declared] = []
    for number in range(20):
        declarations.ask(msgspec.structs.replace(wish, parent=f"/p{number}"), answers.append)
    run_until(loop, answers, 20)

    assert [each.spec.origin for each in answers if each.spec] == [f"manifest given by /p{i}" for i in range(20)]
    assert reader().is_running()


def test_a_parent_that_holds_much_is_no_trouble(loop: Loop, declarations: Declarations, wish: Wish) -> None:
    """A wish may be larger than anything between two processes holds."""
    allowed = [f"host-{number}.example.com:{number}" for number in range(60_000)]
    large = msgspec.structs.replace(wish, grants={"theater:simple/tcp": {"connect": [*allowed, "*:*"]}})
    answers: list[Declared] = []
    declarations.ask(large, answers.append)
    run_until(loop, answers, 1)

    assert len(msgspec.msgpack.encode(large)) > 1 << 20
    assert answers[0].spec is not None


def test_the_loop_goes_on_while_a_manifest_is_read(loop: Loop, declarations: Declarations, wish: Wish) -> None:
    """Whatever holds the reading up: here its process stands still."""
    answers: list[Declared] = []
    declarations.ask(wish, answers.append)
    run_until(loop, answers, 1)
    reader().send_signal(signal.SIGSTOP)
    declarations.ask(wish, answers.append)
    passes: list[int] = []
    for number in range(100):
        loop.call_soon(lambda number=number: passes.append(number))  # type: ignore[misc]
        loop.run_once(0)

    assert (len(passes), len(answers)) == (100, 1)
    reader().send_signal(signal.SIGCONT)
    run_until(loop, answers, 2)
    assert answers[1].spec is not None


def test_a_process_that_ends_refuses_one_wish(loop: Loop, declarations: Declarations, wish: Wish) -> None:
    """The next one is read by another process."""
    answers: list[Declared] = []
    declarations.ask(wish, answers.append)
    run_until(loop, answers, 1)
    first = reader()
    first.send_signal(signal.SIGSTOP)
    for _ in range(2):
        declarations.ask(wish, answers.append)
    loop.run_once(0)
    loop.run_once(0)
    first.kill()
    run_until(loop, answers, 3)

    assert [each.spec is not None for each in answers] == [True, False, True]
    assert "could not be read in time" in answers[1].refusal
    assert reader().pid != first.pid


def test_nothing_is_read_for_longer_than_allowed(wish: Wish) -> None:
    """The process ends itself, even if the root is not there any more to end it."""
    code = "import sys, socket, itertools\nfrom supervisor.fleet import declaring\ndeclaring.DECLARE_S_MAX = 1\n"
    code += "declaring.declare = lambda wish: sum(itertools.count())\n"
    code += "declaring.serve(socket.socket(fileno=int(sys.argv[1])))\n"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        arguments = [sys.executable, "-c", code, str(theirs.fileno())]
        process = subprocess.Popen(arguments, pass_fds=[theirs.fileno()])
        send(ours, wish)

        assert process.wait(DEADLINE_S) == -signal.SIGALRM


def test_the_process_ends_with_the_root(wish: Wish) -> None:
    """When there is nobody to answer any more."""
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [sys.executable, "-m", "supervisor.fleet.declaring", str(theirs.fileno())]
        process = subprocess.Popen(arguments, pass_fds=[theirs.fileno()])
    with ours:
        send(ours, wish)
        assert receive(ours)

    assert process.wait(DEADLINE_S) == 0
