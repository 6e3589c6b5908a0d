r"""``theater:simple/terminal``: what an actor writes goes to its log, or to a terminal it also reads (pack-abi 10.7).

Keys come in as handle-input, one piece at a time: the next is read when the guest has taken the last. While input is
enabled Ctrl-C and Ctrl-\ are handle-signal, unless the terminal is raw, where they are input like any other key.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from theater.grants.terminal import GRANT
from theater.terminals import NAME
from theater.values import U16, U64, Bool, List, Tuple, Value, Variant, bytes_of, unit
from worker.asks import SHUTTING_DOWN
from worker.interfaces import registry
from worker.interfaces.context import Context
from worker.interfaces.outcomes import failure
from worker.interfaces.registry import Callback, Function, Interface, Refusal
from worker.interfaces.sending import GIVEN, STAYS, Sends
from worker.interfaces.tty import Tty

INPUT: Final = "theater:simple/terminal.handle-input"
SIGNAL: Final = "theater:simple/terminal.handle-signal"
RESIZE: Final = "theater:simple/terminal.handle-resize"
LINE_BYTES_MAX: Final = 4096
"""A longer line goes to the log in parts."""
READ_BYTES_MAX: Final = 4096
LOOK_MS: Final = 500
"""How often the size is looked at while input is enabled: its signal is for the foreground's processes only."""
SIGNALS: Final = {0x03: ("interrupt", 0), 0x1C: ("terminate", 1)}
LEVELS: Final = {1: "info", 2: "warning"}


class Lines:
    """Writes to the log, line by line."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rest: dict[int, bytes] = {1: b"", 2: b""}

    def write(self, stream: int, data: bytes) -> None:
        """Log the lines that are complete; keep what is not."""
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        while len(rest) > LINE_BYTES_MAX:
            lines.append(rest[:LINE_BYTES_MAX])
            rest = rest[LINE_BYTES_MAX:]
        self._rest[stream] = rest
        for line in lines:
            self._context.log(LEVELS[stream], line.decode(errors="replace"))

    def close(self) -> None:
        """Log what is left."""
        for stream, rest in self._rest.items():
            if rest:
                self.write(stream, b"\n")


class Terminal:
    """The actor's terminal, or its log in place of one."""

    def __init__(self, context: Context) -> None:
        options = GRANT.held_by(context)
        self._context = context
        self._write_ms_max: int = options["write_ms_max"]
        self._device: str | None = options["device"]
        self._lines = Lines(context)
        self._tty: Tty | None = None
        self._input: Input | None = None

    @property
    def tty(self) -> Tty:
        """The terminal, opened when first asked for."""
        if self._device is None:
            raise Refusal("no terminal is attached")
        if self._tty is None:
            with _told():
                context = self._context
                self._tty = Tty(self._device, context.notes(NAME), f"{context.actor_id}-{context.incarnation}")
        return self._tty

    def write(self, stream: int, data: bytes) -> int:
        """Return how much was taken: all of it, but for a terminal that stops taking on the way."""
        if self._device is None:
            self._lines.write(stream, data)
            return len(data)
        with _told():
            return self._write(self.tty, data)

    def _write(self, tty: Tty, data: bytes) -> int:
        until_ns = time.monotonic_ns() + self._write_ms_max * 1_000_000
        taken = 0
        while taken < len(data):
            taken += tty.write(data[taken:])
            if taken == len(data):
                break
            left_ms = max(0, -(-(until_ns - time.monotonic_ns()) // 1_000_000))
            ready = _poll({tty.fd: select.POLLOUT, self._context.stop_fd: select.POLLIN}, left_ms)
            if tty.fd not in ready:
                if taken:
                    break
                raise Refusal(SHUTTING_DOWN if ready else f"the terminal takes nothing for {self._write_ms_max} ms")
        return taken

    def set_raw(self, is_raw: bool) -> None:
        """Keys as they come, or lines with echo and editing."""
        with _told():
            self.tty.set_mode(is_raw=is_raw)

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        with _told():
            return self.tty.size()

    def listen(self) -> None:
        """Have input delivered, from now on."""
        if self._input is None:
            with _told():
                self.tty.set_mode(is_input=True)
                self._input = Input(self._context, self.tty)

    def abandon(self) -> None:
        """The process ends, whatever the guest is at: leave the terminal as it was. Post thread."""
        tty = self._tty
        if tty is not None:
            tty.give_back()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._lines.close()
        if self._input is not None:
            self._input.close()
        if self._tty is not None:
            self._tty.close()


class Input:
    """Reads a terminal, in a thread of its own. It never waits for the guest: it reads when the guest has time."""

    def __init__(self, context: Context, tty: Tty) -> None:
        self._context = context
        self._tty = tty
        self._waiting = 0
        """Callbacks that were delivered and have not ended; changed by both threads, under the lock."""
        self._lock = threading.Lock()
        self._is_over = False
        self._size = tty.size()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._is_over = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    def _run(self) -> None:
        while not self._is_over:
            wanted = {self._wake: select.POLLIN}
            if self._waiting == 0:
                wanted[self._tty.fd] = select.POLLIN
            ready = _poll(wanted, LOOK_MS)
            if self._wake in ready:
                os.eventfd_read(self._wake)
            if self._tty.fd in ready and not self._read():
                self._signal("terminate", 1)
                return  # hung up: nothing comes any more
            if self._waiting == 0:
                self._look_at_the_size()

    def _read(self) -> bool:
        try:
            data = self._tty.read(READ_BYTES_MAX)
        except BlockingIOError:
            return True  # somebody else has read it
        except OSError:
            return False
        if not data:
            return not self._tty.has_hung_up  # Ctrl-D on an empty line is no hang-up
        for part in [data] if self._tty.is_raw else _parts(data):
            found = SIGNALS.get(part[0]) if len(part) == 1 and not self._tty.is_raw else None
            if found is None:
                self._deliver(INPUT, bytes_of(part))
            else:
                self._signal(*found)
        return True

    def _signal(self, case: str, tag: int) -> None:
        self._deliver(SIGNAL, Variant("terminal-signal", case, tag))

    def _look_at_the_size(self) -> None:
        try:
            size = self._tty.size()
        except OSError:
            return  # hung up: reading finds out
        if size != self._size:
            self._size = size
            self._deliver(RESIZE, U16(size[0]), U16(size[1]))

    def _deliver(self, function: str, *params: Value) -> None:
        with self._lock:
            self._waiting += 1
        self._context.deliver(function, *params, then=lambda notice: self._taken(function, notice))

    def _taken(self, function: str, notice: Any) -> None:
        """Guest thread."""
        with self._lock:
            self._waiting -= 1
        why = failure(notice)
        if why is not None:
            self._context.log("warning", f"{function} failed: {why}")
        if not self._is_over:
            os.eventfd_write(self._wake, 1)


def _parts(data: bytes) -> list[bytes]:
    """Input taken apart at the keys that are signals, each of which is a part of its own."""
    parts = [b""]
    for byte in data:
        if byte in SIGNALS:
            parts += [bytes((byte,)), b""]
        else:
            parts[-1] += bytes((byte,))
    return [part for part in parts if part]


def _poll(wanted: dict[int, int], timeout_ms: int) -> set[int]:
    poller = select.poll()
    for fd, events in wanted.items():
        poller.register(fd, events)
    return {fd for fd, _ in poller.poll(min(timeout_ms, 1 << 30))}


@contextmanager
def _told() -> Iterator[None]:
    """What the system refuses, in words."""
    import termios

    try:
        yield
    except OSError as error:
        raise Refusal(f"the terminal: {os.strerror(error.errno or 0)}") from None
    except termios.error as error:
        raise Refusal(f"the terminal: {os.strerror(error.args[0])}") from None


# -- functions ---------------------------------------------------------------------------------------------------------


def write_stdout(context: Context, data: List) -> Value:
    """Answers how many bytes were taken."""
    return U64(context.service(Terminal).write(1, bytes(data.items)))


def write_stderr(context: Context, data: List) -> Value:
    """Answers how many bytes were taken; a terminal has one output for both."""
    return U64(context.service(Terminal).write(2, bytes(data.items)))


def set_raw_mode(context: Context, is_raw: Bool) -> Value:
    """The terminal is as it was when the actor has ended."""
    context.service(Terminal).set_raw(is_raw.value)
    return unit()


def get_size(context: Context) -> Value:
    """Columns and rows, as handle-resize has them."""
    columns, rows = context.service(Terminal).size()
    return Tuple((U16(columns), U16(rows)))


def enable_input(context: Context) -> Value:
    """A second time changes nothing."""
    context.service(Terminal).listen()
    return unit()


def _one(name: str, signature: str, call: Any, doc: str, sends: Sends) -> Function:
    return Function(name, doc, (registry.Variant(signature, call),), sends=sends)


INTERFACE: Final = Interface(
    GRANT.name,
    "Write to the log, line by line, or to the terminal that the grant names, and have its keys: "
    "`theater:simple/terminal.handle-input` gets what is typed, `handle-signal` Ctrl-C (interrupt), Ctrl-\\ and the "
    "end of the terminal (terminate), `handle-resize` another size. In raw mode all keys are input.",
    (
        _one(
            "write-stdout",
            "func(data: list<u8>) -> result<u64, string>",
            write_stdout,
            "Write; answers how many bytes were taken. Without a terminal each line is a line of the log.",
            sends=GIVEN,
        ),
        _one(
            "write-stderr",
            "func(data: list<u8>) -> result<u64, string>",
            write_stderr,
            "The same; without a terminal the lines are warnings.",
            sends=GIVEN,
        ),
        _one(
            "set-raw-mode",
            "func(enabled: bool) -> result<_, string>",
            set_raw_mode,
            "Have keys one by one, without echo, or lines again. When the actor has ended, whatever ended it, all is "
            "as it was.",
            sends=STAYS,
        ),
        _one(
            "get-size",
            "func() -> result<tuple<u16, u16>, string>",
            get_size,
            "Columns and rows of the terminal.",
            sends=STAYS,
        ),
        _one(
            "enable-input",
            "func() -> result<_, string>",
            enable_input,
            "From now on have what is typed delivered.",
            sends=STAYS,
        ),
    ),
    (
        Callback(INPUT, "func(data: list<u8>)", "Something was typed: keys in raw mode, else a line."),
        Callback(
            SIGNAL, "func(signal: enum terminal-signal {interrupt, terminate})", "Ctrl-C, or Ctrl-\\ or a hang-up."
        ),
        Callback(RESIZE, "func(cols: u16, rows: u16)", "The terminal has another size."),
    ),
)

INTERFACES: Final = (INTERFACE,)
