"""``theater:simple/process``: programs run as granted, within bounds, and never longer than the actor."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.local import Calls, calls, make_any_calls, until
from theater import types
from theater.grants import PROCESS
from theater.values import S32, U64, UNIT, List, Option, Record, String, bytes_of
from worker.interfaces import guard
from worker.interfaces.process import Programs

NOW = Option(types.U64)
SH = os.path.realpath("/bin/sh")
CAT = "/bin/cat"


@pytest.fixture(autouse=True)
def no_subreaper() -> Iterator[None]:
    """What a worker sets for itself is not to stay with the test run."""
    yield
    ctypes.CDLL(None).prctl(guard.PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(0), 0, 0, 0)


def options(**more: Any) -> dict[str, Any]:
    return {"programs": [SH, CAT, "/no/such", "/etc/passwd"], "environment": {"A": "1"}, **more}


@pytest.fixture
def process() -> Iterator[Calls]:
    with calls(PROCESS, **options(output_bytes_max=1000, input_bytes_max=500, processes_max=2)) as made:
        yield made


def texts(*items: str) -> List:
    return List(types.STRING, tuple(map(String, items)))


def run(process: Calls, script: str, data: bytes = b"", timeout: Option = NOW) -> tuple[int, bytes, bytes]:
    """Run a script; return exit code and both outputs."""
    found = process.ok("run", String(SH), texts("-c", script), bytes_of(data), timeout)
    assert isinstance(found, Record) and found.name == "process-result"
    return found["exit-code"].value, found["stdout"].items, found["stderr"].items  # type: ignore[attr-defined]


def refused(process: Calls, script: str, data: bytes = b"", timeout: Option = NOW) -> str:
    return process.refused("run", String(SH), texts("-c", script), bytes_of(data), timeout)


def spawn(process: Calls, script: str) -> String:
    name = process.ok("spawn", String(SH), texts("-c", script))
    assert isinstance(name, String)
    return name


def polled(process: Calls, name: String) -> tuple[int | None, bytes, bytes]:
    found = process.ok("poll", name)
    code = found["exit-code"].value
    return None if code is None else code.value, found["stdout"].items, found["stderr"].items


def to_the_end(process: Calls, name: String) -> tuple[int | None, bytes, bytes]:
    """Poll until the exit code is there; everything it wrote."""
    outputs = [b"", b""]

    def over() -> list[int]:
        code, *parts = polled(process, name)
        outputs[0] += parts[0]
        outputs[1] += parts[1]
        return [] if code is None else [code]

    [code] = until(over, "the program's end")
    return code, outputs[0], outputs[1]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# -- run ---------------------------------------------------------------------------------------------------------------


def test_run(process: Calls) -> None:
    """Input in, two outputs and the exit code out."""
    assert run(process, "cat; echo oops >&2; exit 3", b"hello") == (3, b"hello", b"oops\n")


def test_a_signal_is_a_negative_exit_code(process: Calls) -> None:
    """As Python tells it."""
    assert run(process, "kill -TERM $$") == (-15, b"", b"")


def test_arguments_are_not_for_a_shell(process: Calls) -> None:
    """They reach the program as they are."""
    found = process.ok("run", String(CAT), texts("$(id)", "; true"), bytes_of(b""), NOW)

    assert found["exit-code"] == S32(1)
    assert b"$(id)" in found["stderr"].items


def test_the_environment_is_the_grants(process: Calls) -> None:
    """Nothing of the host's: no PATH, no HOME, no secrets."""
    code, out, _ = run(process, "exec /usr/bin/env")
    lines = {line.partition(b"=")[0] for line in out.split()}

    assert code == 0
    assert b"A=1" in out.split()
    assert lines <= {b"A", b"PWD", b"SHLVL", b"OLDPWD", b"_"}


def test_the_directory_is_the_grants(tmp_path: Path) -> None:
    """And / if it says nothing."""
    with calls(PROCESS, **options(directory=str(tmp_path))) as process:
        assert run(process, "pwd -P")[1] == os.fsencode(os.path.realpath(tmp_path)) + b"\n"
    with calls(PROCESS, **options()) as process:
        assert run(process, "pwd")[1] == b"/\n"


def test_no_descriptors_are_inherited(process: Calls) -> None:
    """Only the three."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        assert run(process, "exec ls /proc/self/fd")[1].split() == [b"0", b"1", b"2", b"3"]  # 3: what it lists
    finally:
        os.close(read)
        os.close(write)


def test_signals_are_as_usual(process: Calls) -> None:
    """A worker ignores SIGTERM; its programs do not."""
    import signal

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert run(process, "kill -TERM $$; echo still here")[0] == -15
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_program_that_does_not_read_its_input(process: Calls) -> None:
    """Its choice; more than a pipe holds, too."""
    with calls(PROCESS, **options()) as large:
        assert run(large, "exec <&-; echo done", bytes(200_000)) == (0, b"done\n", b"")


def test_much_input_and_much_output_at_once() -> None:
    """Neither waits for the other."""
    data = os.urandom(900_000)
    with calls(PROCESS, **options()) as process:
        assert run(process, "cat", data) == (0, data, b"")


def test_too_much_output(process: Calls) -> None:
    """The program is killed; a limit counts for each of the two outputs."""
    text = f"{SH}: more than 1000 bytes of output"

    assert run(process, "printf %01000d 0; printf %01000d 0 >&2")[0] == 0
    assert refused(process, "printf %01001d 0") == text
    assert refused(process, "printf %01001d 0 >&2") == text
    assert refused(process, "while :; do echo yes; done") == text


def test_a_program_that_takes_too_long(process: Calls) -> None:
    """It is killed at the timeout, with what it has started."""
    text = refused(process, "sleep 1000 & echo; wait", timeout=Option(types.U64, U64(50)))

    assert text == f"{SH}: still running after 50 ms"
    assert not _ours()


def test_the_grants_timeout_holds() -> None:
    """Without one in the call, and for one in the call."""
    with calls(PROCESS, **options(run_ms_max=50)) as process:
        assert refused(process, "sleep 1000") == f"{SH}: still running after 50 ms"
        longer = Option(types.U64, U64(51))
        assert refused(process, ":", timeout=longer) == "expected a timeout of at most 50 ms, got 51"


def test_a_stop_ends_the_waiting(process: Calls) -> None:
    """The actor is to stop: the program is killed, and the guest can return (L5.3)."""
    threading.Timer(0.05, process.context.asks.release).start()

    assert refused(process, "sleep 1000") == "shutting-down"
    assert not _ours()


def test_background_programs_end_with_the_run(process: Calls) -> None:
    """One that holds the output open keeps nobody waiting."""
    code, out, _ = run(process, "sleep 1000 & echo $!")

    assert code == 0
    assert is_gone(int(out))


def test_a_daemon_ends_with_the_run(process: Calls) -> None:
    """It has left the session and its parent is gone: it is ours now, and found."""
    code, out, _ = run(process, "echo $(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!')")

    assert code == 0
    assert is_gone(int(out))


def _ours() -> list[psutil.Process]:
    """Programs that run, and what they have started."""
    running = [each for each in psutil.Process().children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in running if each.name() != guard.NAME]


# -- what is not granted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/bin/ls", "cat", "", "./cat", "/bin/../bin/cat", "/bin//cat", "/bin/cat ", "/bin/cat\0", "/BIN/CAT"],
)
def test_other_programs(process: Calls, path: str) -> None:
    """Only the very paths of the grant."""
    assert "is none of the granted programs" in process.refused("run", String(path), texts(), bytes_of(b""), NOW)
    assert "is none of the granted programs" in process.refused("spawn", String(path), texts())


@pytest.mark.parametrize(
    ("path", "arguments", "data", "why"),
    [
        ("/no/such", [], b"", "/no/such: No such file or directory"),
        ("/etc/passwd", [], b"", "/etc/passwd: Permission denied"),
        (CAT, ["a\0b"], b"", "expected arguments without null characters"),
        (CAT, ["x" * 3_000_000], b"", f"{CAT}: Argument list too long"),
        (CAT, [], bytes(501), "expected at most 500 bytes of input, got 501"),
    ],
)
def test_refusals(process: Calls, path: str, arguments: list[str], data: bytes, why: str) -> None:
    """Each says what; nothing is left running."""
    assert process.refused("run", String(path), texts(*arguments), bytes_of(data), NOW) == why
    assert not _ours()


def test_without_programs() -> None:
    """A grant cannot be without, but if it were."""
    with calls(PROCESS) as process:
        assert process.refused("spawn", String(CAT), texts()) == "'/bin/cat' is none of the granted programs (none)"


# -- spawn -------------------------------------------------------------------------------------------------------------


def test_a_program_that_is_talked_to(process: Calls) -> None:
    """Written to, read from, and told that this is all."""
    name = spawn(process, "read a; echo got $a; cat >&2; exit 4")
    assert process.ok("write-stdin", name, bytes_of(b"one\n")) == U64(4)
    until(lambda: polled(process, name)[1], "the first answer")
    assert process.ok("write-stdin", name, bytes_of(b"two")) == U64(3)
    assert process.ok("close-stdin", name) == UNIT

    assert to_the_end(process, name) == (4, b"", b"two")
    assert process.refused("poll", name) == f"no program of this actor has the id {name.value!r}"


def test_output_is_taken_in_parts(process: Calls) -> None:
    """No more than the limit at once, all in the end; the exit code comes last."""
    name = spawn(process, "printf %02500d 0")
    code, out, _ = to_the_end(process, name)

    assert (code, out) == (0, b"0" * 2500)


def test_a_program_waits_for_whoever_takes_its_output(process: Calls) -> None:
    """Nothing is lost, and nothing piles up in the worker."""
    name = spawn(process, "while :; do echo yes; done")
    assert all(len(polled(process, name)[1]) <= 1000 for _ in range(20))
    process.ok("kill", name)


def test_input_that_is_not_read(process: Calls) -> None:
    """As much as a pipe holds is taken, then nothing; the call never waits."""
    name = spawn(process, "sleep 1000")
    taken = [process.ok("write-stdin", name, bytes_of(bytes(500))).value for _ in range(200)]

    assert (taken[0], taken[-1]) == (500, 0)


def test_input_that_nobody_takes_any_more(process: Calls) -> None:
    """Refused, again and again."""
    name = spawn(process, "exec <&-; sleep 1000")

    def closed() -> bool:
        answer: Any = process("write-stdin", name, bytes_of(b"x"))
        return not answer.is_ok

    until(closed, "the closed input")
    assert process.refused("write-stdin", name, bytes_of(b"x")) == f"{SH}: takes no more input"
    assert process.ok("close-stdin", name) == UNIT


def test_kill(process: Calls) -> None:
    """At once, with what it has started; the id is forgotten."""
    name = spawn(process, "sleep 1000 & echo $!; wait")
    inner = int(until(lambda: polled(process, name)[1], "the inner pid"))
    assert process.ok("kill", name) == UNIT

    assert is_gone(inner)
    assert "no program" in process.refused("kill", name)


@pytest.mark.parametrize("call", ["poll", "close-stdin", "kill"])
@pytest.mark.parametrize("name", ["", "proc_0000000000000000", "1", "../1"])
def test_ids_of_nobody(process: Calls, call: str, name: str) -> None:
    """Forged ones, and those of an earlier life."""
    assert process.refused(call, String(name)) == f"no program of this actor has the id {name!r}"
    assert "no program" in process.refused("write-stdin", String(name), bytes_of(b""))


def test_no_more_programs_than_granted(process: Calls) -> None:
    """Those that ended and were told to have ended do not count."""
    first, second = spawn(process, "sleep 1000"), spawn(process, ":")
    text = "2 programs are running; the grant allows no more"
    assert process.refused("spawn", String(CAT), texts()) == text
    assert refused(process, ":") == text
    to_the_end(process, second)

    assert run(process, "echo hi")[1] == b"hi\n"
    process.ok("kill", first)


def test_a_run_leaves_other_programs_alone(process: Calls) -> None:
    """Only its own children end with it."""
    name = spawn(process, "read a; echo alive")
    run(process, "sleep 1000 &")
    process.ok("write-stdin", name, bytes_of(b"\n"))

    assert to_the_end(process, name) == (0, b"alive\n", b"")


def test_everything_ends_with_the_actor() -> None:
    """Programs, what they have started, and daemons that got away; no descriptor stays open."""
    before = len(os.listdir("/proc/self/fd"))
    with calls(PROCESS, **options()) as process:
        process.context.stop_fd  # noqa: B018  (the fake worker's own)
        name = spawn(process, "sleep 1000 & echo $!; setsid sh -c 'echo $$; exec sleep 1000' & wait")
        found = bytearray()

        def both() -> bool:
            found.extend(polled(process, name)[1])
            return found.count(b"\n") == 2

        until(both, "two pids")
    assert all(is_gone(int(pid)) for pid in found.split())
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_program_that_kills_the_process_above_it(process: Calls) -> None:
    """All programs end with it; those that are started later have another."""
    name = spawn(process, "sleep 1000 & setsid sleep 1000 & wait")
    assert run(process, "read a; kill -9 $PPID; sleep 1000", b"\n")[0] == -9

    assert to_the_end(process, name)[0] == -9
    assert run(process, "echo again") == (0, b"again\n", b"")
    assert not _ours()


def test_a_worker_makes_the_process_above_programs_before_it_has_a_guest(process: Calls) -> None:
    """One is enough; programs run below it."""
    made = process.context.service(Programs)
    above = made.guard()

    assert made.guard() is above
    assert run(process, "echo $PPID")[1] == b"%d\n" % above._pid


# -- any calls ---------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from([SH, CAT, "-c", "echo hi", "exit 7", "cat", "kill -9 $$", "sleep 1000 &", "\0", "proc_0"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_calls(data: st.DataObject) -> None:
    """Any values in any order: an answer as declared, or a refusal; nothing is left running."""
    with calls(PROCESS, **options(run_ms_max=300, output_bytes_max=100, processes_max=2)) as made:
        make_any_calls(made, data, {types.STRING: WORDS.map(String)})
    assert not _ours()
