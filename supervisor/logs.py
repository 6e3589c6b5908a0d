"""Structured logs: for people on a terminal, JSON otherwise, and always as JSON lines in the store's ``logs.jsonl``.

Lines of workers and guests arrive as records and are logged here with their actor, incarnation and level; no worker
imports a logging library.
"""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

import structlog

FILE_BYTES_MAX = 16 * 1024 * 1024
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class LogFile:
    """``logs.jsonl``: one JSON object a line; past its size limit it becomes ``logs.jsonl.1`` and a new one begins."""

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "logs.jsonl")
        self._file: TextIO | None = None
        self._render = structlog.processors.JSONRenderer(default=repr)

    def __call__(self, logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        """Write the event and pass it on (a structlog processor). A full disk loses log lines, nothing else."""
        try:
            if self._file is None:
                self._file = open(self.path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
            self._file.write(str(self._render(logger, method, dict(event))) + "\n")
            if self._file.tell() > FILE_BYTES_MAX:
                self._turn_over()
        except (OSError, ValueError):
            self._file = None
        return event

    def _turn_over(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        os.replace(self.path, self.path + ".1")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def configure(level: str, to_console: bool, file: LogFile | None) -> Any:
    """Return the root's logger.

    Args:
        level: least level shown on standard error; the file always holds everything from ``debug`` up.
        to_console: render for people even if standard error is no terminal.
        file: where everything is kept, None for nowhere.
    """
    console = to_console or sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
        if console
        else structlog.processors.JSONRenderer(default=repr)
    )
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if file is not None:
        processors.append(file)
    processors += [_at_least(LEVELS[level]), renderer]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(10),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger()


def _at_least(number: int) -> Any:
    def drop_below(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        if LEVELS.get(event.get("level", "info"), 20) < number:
            raise structlog.DropEvent
        return event

    return drop_below
