"""``wasi:cli``: arguments and environment from the manifest, standard output to the log, no terminal."""

from __future__ import annotations

from typing import Final

from theater import types
from theater.grants.wasi import GRANT
from theater.values import U8, U32, List, Option, Result, String, Tuple, Value
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Maker
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.streams import CHUNK_BYTES, InputStream, OutputStream

LINE_BYTES_MAX: Final = 4096
"""A longer line becomes several records."""
_PAIR: Final = types.Tuple((types.STRING, types.STRING))


class Lines:
    """Makes log records of a stream, one a line."""

    def __init__(self, context: Context, level: str) -> None:
        self._context = context
        self._level = level
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Take more text."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._log(line)
        while len(self._rest) >= LINE_BYTES_MAX:
            self._log(self._rest[:LINE_BYTES_MAX])
            self._rest = self._rest[LINE_BYTES_MAX:]

    def close(self) -> None:
        """Log what has no end of line."""
        if self._rest:
            self._log(self._rest)
            self._rest = b""

    def _log(self, line: bytes) -> None:
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        for start in range(0, len(text) or 1, LINE_BYTES_MAX):
            self._context.log(self._level, text[start : start + LINE_BYTES_MAX])


class Stdout(Lines):
    """The service that logs standard output."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "info")


class Stderr(Lines):
    """The service that logs standard error."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "warning")


class LogStream(OutputStream):
    """Standard output or standard error. Dropping it does not end the log."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def room(self) -> int:
        """Always some."""
        return CHUNK_BYTES

    def write(self, data: bytes) -> None:
        """Log it."""
        self._lines.write(data)


def get_stdin(context: Context) -> Value:
    """At its end from the beginning."""
    return resources(context).add(InputStream())


def get_stdout(context: Context) -> Value:
    """Goes to the log with the level info."""
    return resources(context).add(LogStream(context.service(Stdout)))


def get_stderr(context: Context) -> Value:
    """Goes to the log with the level warning."""
    return resources(context).add(LogStream(context.service(Stderr)))


def _revive_stdin(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    assert isinstance(answer, U32)
    resources(context).revive(answer, InputStream())


def _revive_stdout(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    assert isinstance(answer, U32)
    resources(context).revive(answer, LogStream(context.service(Stdout)))


def _revive_stderr(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    assert isinstance(answer, U32)
    resources(context).revive(answer, LogStream(context.service(Stderr)))


def get_environment(context: Context) -> Value:
    """What the grant says."""
    found = GRANT.held_by(context)["environment"]
    return List(_PAIR, tuple(Tuple((String(name), String(value))) for name, value in found.items()))


def get_arguments(context: Context) -> Value:
    """What the grant says."""
    return List(types.STRING, tuple(map(String, GRANT.held_by(context)["arguments"])))


def initial_cwd(context: Context) -> Value:
    """None: paths begin at the directories granted."""
    return Option(types.STRING, None)


def exit_(context: Context, status: Result) -> Value:
    """The guest ends itself in the middle of a call: that ends its process, as a trap does."""
    raise Trap(f"the guest called exit ({'success' if status.is_ok else 'failure'})", CONTRACT)


def exit_with_code(context: Context, code: U8) -> Value:
    """The same with a number."""
    raise Trap(f"the guest called exit ({code.value})", CONTRACT)


def no_terminal(context: Context) -> Value:
    """There is none."""
    return Option(types.U32, None)


def _one(name: str, signature: str, call: object, revive: object = None) -> Maker:
    made = Maker({})
    made.add(name, signature, call, revive)  # type: ignore[arg-type]
    return made


def _environment() -> Maker:
    made = Maker({})
    made.add("get-environment", "() -> list<tuple<string, string>>", get_environment)
    made.add("get-arguments", "() -> list<string>", get_arguments)
    made.add("initial-cwd", "() -> option<string>", initial_cwd)
    return made


def _exit() -> Maker:
    made = _one("exit", "(status: result<_, _>)", exit_)
    made.add("exit-with-code", "(status-code: u8)", exit_with_code)
    return made


def _only_drop(resource: str) -> Maker:
    made = Maker({})
    made.drop(resource, drop)
    return made


_TERMINAL: Final = "() -> option<u32>"
INTERFACES: Final = (
    _environment().interface("wasi:cli/environment", "Environment and arguments, as the grant has them."),
    _exit().interface("wasi:cli/exit", "Ends the actor's process, as a trap does."),
    _one("get-stdin", "() -> u32", get_stdin, _revive_stdin).interface("wasi:cli/stdin", "Standard input: empty."),
    _one("get-stdout", "() -> u32", get_stdout, _revive_stdout).interface(
        "wasi:cli/stdout", "Standard output: to the log, level info."
    ),
    _one("get-stderr", "() -> u32", get_stderr, _revive_stderr).interface(
        "wasi:cli/stderr", "Standard error: to the log, level warning."
    ),
    _only_drop("terminal-input").interface("wasi:cli/terminal-input", "There is no terminal."),
    _only_drop("terminal-output").interface("wasi:cli/terminal-output", "There is no terminal."),
    _one("get-terminal-stdin", _TERMINAL, no_terminal).interface("wasi:cli/terminal-stdin", "There is no terminal."),
    _one("get-terminal-stdout", _TERMINAL, no_terminal).interface("wasi:cli/terminal-stdout", "There is no terminal."),
    _one("get-terminal-stderr", _TERMINAL, no_terminal).interface("wasi:cli/terminal-stderr", "There is no terminal."),
)
