"""Packages: prepared by a helper process, every question answered once, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from supervisor import packages as module
from supervisor.loop import Loop
from supervisor.packages import Packages, Prepared

DEADLINE_S = 20.0
EMPTY_WASM = b"\0asm\1\0\0\0"


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def packages(loop: Loop, tmp_path: Path) -> Iterator[Packages]:
    packages = Packages(loop, str(tmp_path / "cache"))
    yield packages
    packages.close()


def run_until(loop: Loop, answers: list[Prepared], count: int) -> None:
    """Turn the loop until so many answers are there."""
    deadline = time.monotonic() + DEADLINE_S
    while len(answers) < count:
        assert time.monotonic() < deadline, f"{len(answers)} of {count} answers"
        loop.run_once(0.1)


def helpers() -> list[psutil.Process]:
    living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if "worker.prepare" in child.cmdline()]


def test_good_and_bad_files_are_answered_and_good_ones_remembered(
    loop: Loop, packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One helper for all that is asked together; the second time none."""
    good, missing = tmp_path / "good.wasm", tmp_path / "missing.wasm"
    good.write_bytes(EMPTY_WASM)
    answers: list[Prepared] = []
    for file in (good, missing, good):
        packages.resolve(str(file), answers.append)
    run_until(loop, answers, 3)
    monkeypatch.setattr(subprocess, "Popen", None)
    packages.resolve(str(good), answers.append)

    by_file = {answer.file: answer for answer in answers}
    assert os.path.exists(by_file[str(good)].artefact)
    assert by_file[str(missing)].error
    assert len(answers) == 4


def test_one_file_for_actors_with_fuel_and_without(loop: Loop, packages: Packages, tmp_path: Path) -> None:
    """Asked together, each gets its own artefact; a bad file is told to both."""
    good, missing = str(tmp_path / "good.wasm"), str(tmp_path / "missing.wasm")
    Path(good).write_bytes(EMPTY_WASM)
    answers: list[Prepared] = []
    for file in (good, missing):
        for counts_fuel in (False, True):
            packages.resolve(file, answers.append, counts_fuel)
    run_until(loop, answers, 4)

    found = {(each.file, each.counts_fuel): each for each in answers}
    assert len(found) == 4
    assert found[good, True].artefact != found[good, False].artefact
    assert found[missing, True].error == found[missing, False].error


def test_what_is_compiled_is_told(loop: Loop, tmp_path: Path) -> None:
    """When it begins; what is in the cache is not compiled, however slow the machine is."""
    file = tmp_path / "a.wasm"
    file.write_bytes(EMPTY_WASM)
    told: list[str] = []
    for _ in range(2):
        packages = Packages(loop, str(tmp_path / "cache"))
        packages.on_compiling = told.append
        answers: list[Prepared] = []
        packages.resolve(str(file), answers.append)
        run_until(loop, answers, 1)
        assert answers[0].error is None
        packages.close()

    assert told == [str(file)]


def test_a_changed_file_is_prepared_again(loop: Loop, packages: Packages, tmp_path: Path) -> None:
    """Size and modification time tell."""
    file = tmp_path / "a.wasm"
    answers: list[Prepared] = []
    for content in (EMPTY_WASM, EMPTY_WASM + b"\0\2\1x"):
        file.write_bytes(content)
        packages.resolve(str(file), answers.append)
        run_until(loop, answers, len(answers) + 1)

    assert answers[0].digest != answers[1].digest


def test_a_helper_that_cannot_be_started_is_an_error_of_each_file(
    loop: Loop, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of processes or descriptors: the starts fail, the root goes on."""

    def refuse(*args: Any, **options: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    answers: list[Prepared] = []
    for file in ("/a.wasm", "/b.wasm"):
        packages.resolve(file, answers.append)
    run_until(loop, answers, 2)

    assert all("cannot start the compiler process" in str(answer.error) for answer in answers)


def test_a_helper_that_is_killed_is_an_error_that_says_so(loop: Loop, packages: Packages, tmp_path: Path) -> None:
    """And the next question starts another."""
    file = tmp_path / "a.wasm"
    file.write_bytes(EMPTY_WASM)
    answers: list[Prepared] = []
    packages.resolve(str(file), answers.append)
    loop.run_once(0.1)
    helpers()[0].send_signal(signal.SIGKILL)
    run_until(loop, answers, 1)
    packages.resolve(str(file), answers.append)
    run_until(loop, answers, 2)

    assert "ended by signal 9" in str(answers[0].error)
    assert answers[1].error is None


def test_a_helper_somebody_else_has_reaped_is_no_harm(
    loop: Loop, packages: Packages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As PID 1: what it has answered counts."""
    file = tmp_path / "a.wasm"
    file.write_bytes(EMPTY_WASM)
    reap = module.reap

    def taken(pidfd: int) -> None:
        if reap(pidfd) is not None:
            raise ChildProcessError

    monkeypatch.setattr(module, "reap", taken)
    answers: list[Prepared] = []
    packages.resolve(str(file), answers.append)
    run_until(loop, answers, 1)

    assert answers[0].error is None


def test_closing_ends_the_helper(loop: Loop, packages: Packages, tmp_path: Path) -> None:
    """No process, no descriptor, nobody called."""
    before = len(os.listdir("/proc/self/fd"))
    answers: list[Prepared] = []
    packages.resolve(str(tmp_path / "a.wasm"), answers.append)
    loop.run_once(0.1)
    packages.close()

    assert helpers() == []
    assert len(os.listdir("/proc/self/fd")) == before
    assert answers == []


def test_many_files_are_prepared_in_portions(
    loop: Loop, packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command line has its limits, and so has what is remembered."""
    monkeypatch.setattr(module, "FILES_PER_RUN_MAX", 2)
    monkeypatch.setattr(module, "KNOWN_MAX", 3)
    answers: list[Prepared] = []
    for number in range(5):
        file = tmp_path / f"{number}.wasm"
        file.write_bytes(EMPTY_WASM)
        packages.resolve(str(file), answers.append)
    run_until(loop, answers, 5)

    assert [answer.error for answer in answers] == [None] * 5
    assert len(packages._known) == 3
