r"""``theater:simple/terminal``: lines to the log, bytes to a terminal, and what is typed back to the actor."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interfaces.local import Calls, calls, make_any_calls, until
from theater import cgrf
from theater.grants import TERMINAL
from theater.values import U16, U64, UNIT, Bool, Tuple, Variant, bytes_of
from worker.interfaces.terminal import INPUT, RESIZE, SIGNAL
from worker.machine_notices import Declined, Returned

NONE = "no terminal is attached"


@pytest.fixture
def log() -> Iterator[Calls]:
    """Without a terminal."""
    with calls(TERMINAL) as made:
        yield made


class Screen:
    """Both ends of a terminal, and an actor at one of them."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        self.slave = slave
        self.original = termios.tcgetattr(slave)
        self.calls = Calls(TERMINAL, device=os.ttyname(slave), write_ms_max=50)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def shown(self, size: int = 4096) -> bytes:
        return os.read(self.master, size)

    def shown_all(self, size: int) -> bytes:
        """So many bytes, however many pieces they come in."""
        data = b""
        while len(data) < size:
            data += self.shown(size - len(data))
        return data

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def got(self, how: Any = None) -> tuple[str, Any]:
        """The next callback, which ends like this."""
        context = self.calls.context
        until(lambda: context.thens, "a callback")
        function, params = context.delivered.pop(0)
        context.wanteds.pop(0)
        context.thens.pop(0)(Returned(cgrf.encode(UNIT)) if how is None else how)
        return function, params[0] if len(params) == 1 else params

    def hang_up(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def close(self) -> None:
        self.calls.context.close()
        self.hang_up()
        os.close(self.slave)


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.close()


def typed(data: bytes) -> tuple[str, Any]:
    return INPUT, bytes_of(data)


# -- without a terminal ------------------------------------------------------------------------------------------------


def test_lines_go_to_the_log(log: Calls) -> None:
    """Whole lines, in parts as they may come; the rest at the end of the actor."""
    assert log.ok("write-stdout", bytes_of(b"one\ntw")) == U64(6)
    assert log.ok("write-stdout", bytes_of(b"o\nthree")) == U64(7)
    assert log.ok("write-stderr", bytes_of(b"oops\n")) == U64(5)
    assert log.context.logged == [("info", "one"), ("info", "two"), ("warning", "oops")]
    log.context.close()

    assert log.context.logged[3:] == [("info", "three")]


def test_long_lines_are_cut(log: Calls) -> None:
    """So that the worker keeps little."""
    log.ok("write-stdout", bytes_of(b"x" * 10_000))

    assert [len(line) for _, line in log.context.logged] == [4096, 4096]


def test_what_is_no_text(log: Calls) -> None:
    """Is marked."""
    log.ok("write-stdout", bytes_of(b"\xff\n"))

    assert log.context.logged == [("info", "\ufffd")]


@pytest.mark.parametrize(
    ("function", "argument"), [("set-raw-mode", Bool(True)), ("get-size", UNIT), ("enable-input", UNIT)]
)
def test_refusals_without_a_terminal(log: Calls, function: str, argument: Any) -> None:
    """There is none to do it with."""
    assert log.refused(function, argument) == NONE


@pytest.mark.parametrize(
    ("device", "why"),
    [("/dev/null", "Inappropriate ioctl for device"), ("/no/such", "No such file or directory")],
)
def test_what_is_no_terminal(device: str, why: str) -> None:
    """Nothing is written to it."""
    with calls(TERMINAL, device=device) as made:
        assert made.refused("write-stdout", bytes_of(b"x")) == f"the terminal: {why}"
        assert made.refused("get-size", UNIT) == f"the terminal: {why}"


# -- with one ----------------------------------------------------------------------------------------------------------


def test_writing(screen: Screen) -> None:
    """Both outputs are the terminal."""
    assert screen.calls.ok("write-stdout", bytes_of(b"out ")) == U64(4)
    assert screen.calls.ok("write-stderr", bytes_of(b"err")) == U64(3)

    assert screen.shown_all(len(b"out err")) == b"out err"


def test_a_terminal_that_takes_nothing(screen: Screen) -> None:
    """What it took is told; then it is an error, and nobody waits for ever."""
    taken = screen.calls.ok("write-stdout", bytes_of(bytes(200_000))).value

    assert 0 < taken < 200_000
    assert screen.calls.refused("write-stdout", bytes_of(b"x")) == "the terminal takes nothing for 50 ms"


def test_a_stop_ends_the_writing() -> None:
    """However long the grant would let it wait (L5.3)."""
    screen = Screen()
    screen.calls.context.grants[TERMINAL]["write_ms_max"] = 3_600_000
    try:
        threading.Timer(0.05, screen.calls.context.asks.release).start()
        screen.calls.ok("write-stdout", bytes_of(bytes(200_000)))
        assert screen.calls.refused("write-stdout", bytes_of(b"x")) == "shutting-down"
    finally:
        screen.close()


def test_get_size(screen: Screen) -> None:
    """Columns, rows."""
    screen.resize(132, 43)

    assert screen.calls.ok("get-size", UNIT) == Tuple((U16(132), U16(43)))


def test_raw_mode_and_back(screen: Screen) -> None:
    """Keys one by one; as it was afterwards, and at the end of the actor, whatever it was then."""
    screen.calls.ok("set-raw-mode", Bool(True))
    assert not termios.tcgetattr(screen.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    screen.calls.ok("set-raw-mode", Bool(False))
    assert termios.tcgetattr(screen.slave) == screen.original
    screen.calls.ok("set-raw-mode", Bool(True))
    screen.calls.context.close()

    assert termios.tcgetattr(screen.slave) == screen.original


# -- input -------------------------------------------------------------------------------------------------------------


def test_lines_come_in(screen: Screen) -> None:
    """A line when it is complete; enabling input again changes nothing."""
    assert screen.calls.ok("enable-input", UNIT) == UNIT
    assert screen.calls.ok("enable-input", UNIT) == UNIT
    screen.type(b"hel")
    screen.type(b"lo\nwor")
    assert screen.got() == typed(b"hello\n")
    screen.type(b"ld\n")

    assert screen.got() == typed(b"world\n")


def test_keys_come_in(screen: Screen) -> None:
    """In raw mode one by one, and Ctrl-C is one of them."""
    screen.calls.ok("enable-input", UNIT)
    screen.calls.ok("set-raw-mode", Bool(True))
    for key in (b"a", b"\x03", b"\x1b[A"):
        screen.type(key)
        assert screen.got() == typed(key)


@pytest.mark.parametrize(("key", "case", "tag"), [(b"\x03", "interrupt", 0), (b"\x1c", "terminate", 1)])
def test_signals(screen: Screen, key: bytes, case: str, tag: int) -> None:
    """Ctrl-C and Ctrl-\\ do not wait for the end of the line, whose beginning comes before them."""
    screen.calls.ok("enable-input", UNIT)
    screen.type(b"abc" + key)

    assert screen.got() == typed(b"abc")
    assert screen.got() == (SIGNAL, Variant("terminal-signal", case, tag))


def test_the_next_piece_waits_for_the_guest(screen: Screen) -> None:
    """However much is typed, one piece is delivered at a time: the rest waits in the terminal."""
    screen.calls.ok("enable-input", UNIT)
    screen.calls.ok("set-raw-mode", Bool(True))
    context = screen.calls.context
    screen.type(b"a")
    until(lambda: context.delivered, "the first key")
    screen.type(b"b")
    screen.resize(10, 10)

    assert context.delivered == [(INPUT, (bytes_of(b"a"),))]
    assert screen.got() == typed(b"a")
    assert {screen.got()[0], screen.got()[0]} == {INPUT, RESIZE}


def test_another_size(screen: Screen) -> None:
    """Is told while input is enabled."""
    screen.calls.ok("enable-input", UNIT)
    screen.resize(100, 50)

    assert screen.got() == (RESIZE, (U16(100), U16(50)))


def test_a_handler_that_fails(screen: Screen) -> None:
    """Leaves a line in the log; the next piece comes all the same."""
    screen.calls.ok("enable-input", UNIT)
    screen.type(b"a\n")
    screen.got(Declined("cannot"))
    screen.type(b"b\n")

    assert screen.got() == typed(b"b\n")
    assert screen.calls.context.logged == [("warning", f"{INPUT} failed: cannot")]


def test_ctrl_d_is_no_hang_up(screen: Screen) -> None:
    """An empty line ended by it is nothing at all."""
    screen.calls.ok("enable-input", UNIT)
    screen.type(b"\x04")
    screen.type(b"a\n")

    assert screen.got() == typed(b"a\n")


@pytest.mark.parametrize("is_raw", [False, True])
def test_a_hang_up_is_terminate(screen: Screen, is_raw: bool) -> None:
    """Once; the reader ends, and what is asked of the terminal then is an error."""
    screen.calls.ok("enable-input", UNIT)
    screen.calls.ok("set-raw-mode", Bool(is_raw))
    screen.hang_up()

    assert screen.got() == (SIGNAL, Variant("terminal-signal", "terminate", 1))
    until(lambda: not [each for each in threading.enumerate() if each.name == "terminal"], "the reader's end")
    assert screen.calls.context.delivered == []
    assert screen.calls.refused("write-stdout", bytes_of(b"x")) == "the terminal: Input/output error"


def test_the_reader_ends_with_the_actor(screen: Screen) -> None:
    """Even if the guest never took what was delivered."""
    before = len(os.listdir("/proc/self/fd"))
    screen.calls.ok("enable-input", UNIT)
    screen.type(b"a\n")
    until(lambda: screen.calls.context.delivered, "a line")
    screen.calls.context.close()

    assert not [each for each in threading.enumerate() if each.name == "terminal"]
    assert len(os.listdir("/proc/self/fd")) == before
    assert termios.tcgetattr(screen.slave) == screen.original


# -- any calls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attached", [False, True])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_calls(attached: bool, data: st.DataObject) -> None:
    """Any values in any order: an answer as declared, or a refusal."""
    if not attached:
        with calls(TERMINAL) as made:
            make_any_calls(made, data)
        return
    screen = Screen()
    try:
        make_any_calls(screen.calls, data)
    finally:
        screen.close()
