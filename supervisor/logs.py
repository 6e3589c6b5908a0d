"""Structured logs: for people on a terminal, JSON otherwise, and always as JSON lines in the store's ``logs.jsonl``.

Lines of workers and guests arrive as records and are logged here with their actor, incarnation and level; no worker
imports a logging library. Nothing here can stop the root: a full disk, a reader who is gone or who does not read
cost log lines and nothing else, and all actors together may say at most so many lines a second.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from typing import Any, TextIO

import structlog

from supervisor.shown import shown

FILE_BYTES_MAX = 16 * 1024 * 1024
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
ACTOR_LINES_PER_S_MAX = 2_000
"""Lines of all actors together; each has a limit of its own besides (``limits: log_per_second``)."""
CHUNK_BYTES = 4_096
"""A pipe that says it is writable takes so much (PIPE_BUF)."""
PATIENCE_MS = 20
"""How long the rest of a line that was begun may wait for its reader."""


class LogFile:
    """``logs.jsonl``: one JSON object a line; past its size limit it becomes ``logs.jsonl.1`` and a new one begins."""

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "logs.jsonl")
        self._fd = -1
        self._bytes = 0
        self._torn = False
        self._render = structlog.processors.JSONRenderer(default=repr)

    def __call__(self, logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        """Write the event and pass it on (a structlog processor). A full disk loses log lines, nothing else."""
        line = str(self._render(logger, method, dict(event))) + "\n"
        try:
            self._write(line.encode("utf-8", "replace"))
        except OSError:
            self.close()
        return event

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, line: bytes) -> None:
        if self._fd < 0:
            self._open()
        if self._torn:
            line = b"\n" + line  # a full disk has cut the line before
        written = os.write(self._fd, line)
        self._bytes += written
        self._torn = written < len(line)
        if self._bytes > FILE_BYTES_MAX:
            self.close()
            os.replace(self.path, self.path + ".1")

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._bytes = os.fstat(self._fd).st_size
        self._torn = self._bytes > 0 and os.pread(self._fd, 1, self._bytes - 1) != b"\n"


class Console:
    """Standard error, perhaps a halted terminal or a pipe nobody reads: written only while it takes more."""

    def __init__(self, file: TextIO) -> None:
        self._fd = file.fileno()
        self._takes_all = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)
        self._dropped = 0

    def msg(self, message: str) -> None:
        """Write one line; drop and count it if it would have to wait."""
        line = message + "\n"
        if self._dropped:
            line = f"... {self._dropped} log lines dropped, nobody read them\n{line}"
        try:
            is_written = self._write(line.encode("utf-8", "replace"))
        except OSError:
            is_written = False
        self._dropped = 0 if is_written else self._dropped + 1

    log = debug = info = warning = error = critical = msg

    def _write(self, data: bytes) -> bool:
        """Write all of it; False if the reader takes no more. The rest of a line that was begun waits a little."""
        rest, wait_ms = memoryview(data), 0
        while rest:
            if not self._takes_all and not self._is_writable(wait_ms):
                return False
            rest = rest[os.write(self._fd, rest[:CHUNK_BYTES]) :]
            wait_ms = PATIENCE_MS
        return True

    def _is_writable(self, wait_ms: int) -> bool:
        return any(events & select.POLLOUT for _, events in self._poll.poll(wait_ms))


class Throttle:
    """Lets actors' lines (those with an ``origin``) pass up to a limit; says how many were left out (a processor)."""

    def __init__(self, per_second: int = ACTOR_LINES_PER_S_MAX) -> None:
        self._per_second = per_second
        self._second = 0
        self._in_second = 0
        self._left_out = 0

    def __call__(self, logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        if "origin" not in event:
            return event
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > self._per_second:
            self._left_out += 1
            raise structlog.DropEvent
        if self._left_out:
            event["left_out"], self._left_out = self._left_out, 0
        return event


def configure(level: str, to_console: bool, file: LogFile | None) -> Any:
    """Return the root's logger.

    Args:
        level: least level shown on standard error; the file always holds everything from ``debug`` up.
        to_console: render for people even if standard error is no terminal.
        file: where everything is kept, None for nowhere.
    """
    processors: list[Any] = [
        Throttle(),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if file is not None:
        processors.append(file)
    processors.append(_at_least(LEVELS[level]))
    if to_console or sys.stderr.isatty():
        colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        processors += [_printable, structlog.dev.ConsoleRenderer(colors=colors)]
    else:
        processors.append(structlog.processors.JSONRenderer(default=repr))
    console = Console(sys.stderr)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(10),
        logger_factory=lambda *_: console,
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger()


def _at_least(number: int) -> Any:
    def drop_below(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        if LEVELS.get(event.get("level", "info"), 20) < number:
            raise structlog.DropEvent
        return event

    return drop_below


def _printable(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """What a guest says must not steer the terminal: control characters are shown, not sent (JSON does so itself)."""
    return {key: shown(value) if isinstance(value, str) else value for key, value in event.items()}
