"""``theater:simple/process``: run the programs that the grant names, and no others.

No shell, no environment but the grant's, bounded input, output and time; programs end with the actor, and all that they
have started does. What they do is not sandboxed: a program may do what the user may who runs the supervisor.
"""

from __future__ import annotations

import os
from typing import Any, Final

from theater import types
from theater.grants.process import GRANT
from theater.values import S32, U64, List, Option, Record, String, Value, bytes_of, unit
from worker.interfaces.context import Context
from worker.interfaces.guard import Gone
from worker.interfaces.programs import Guard, Program
from worker.interfaces.registry import Function, Interface, Refusal, Variant
from worker.interfaces.sending import GIVEN, STAYS, Sends

RESULT: Final = types.Record(
    "process-result", (("exit-code", types.S32), ("stdout", types.BYTES), ("stderr", types.BYTES))
)
STATUS: Final = types.Record(
    "process-status", (("exit-code", types.Option(types.S32)), ("stdout", types.BYTES), ("stderr", types.BYTES))
)


class Programs:
    """What runs for an actor."""

    def __init__(self, context: Context) -> None:
        options = GRANT.held_by(context)
        self._context = context
        self._allowed: list[str] = options["programs"]
        self._environment: dict[str, str] = options["environment"]
        self._directory: str = options["directory"]
        self.run_ms_max: int = options["run_ms_max"]
        self.input_bytes_max: int = options["input_bytes_max"]
        self.output_bytes_max: int = options["output_bytes_max"]
        self._processes_max: int = options["processes_max"]
        self._running: dict[str, Program] = {}
        self._guard: Guard | None = None

    def close(self) -> None:
        """Kill all."""
        while self._running:
            self._running.popitem()[1].let_go()
        if self._guard is not None:
            self._guard.close()

    def guard(self) -> Guard:
        """The process that programs run below, forked if there is none, or none any more. Raises OSError."""
        if self._guard is not None and not self._guard.is_there:
            self._guard.close()
            self._guard = None
        if self._guard is None:
            self._guard = Guard()
        return self._guard

    def run(self, path: str, arguments: list[str], data: bytes, timeout_ms: int) -> tuple[int, bytes, bytes]:
        """Start, feed, wait; whatever comes of it, nothing is left running."""
        program = self._start(path, arguments)
        try:
            outputs = program.run(
                data, timeout_ms=timeout_ms, output_max=self.output_bytes_max, stop_fd=self._context.stop_fd
            )
        finally:
            code = program.end()
            self._sweep()
        return code, *outputs

    def spawn(self, path: str, arguments: list[str]) -> str:
        """Start; return the id. It means nothing to another life."""
        program = self._start(path, arguments)
        name = f"proc_{os.urandom(8).hex()}"
        self._running[name] = program
        return name

    def find(self, name: str) -> Program:
        """A program that was started and has not been told to have ended."""
        program = self._running.get(name)
        if program is None:
            raise Refusal(f"no program of this actor has the id {name!r}")
        return program

    def end(self, name: str) -> int:
        """Kill it if it runs, and forget it."""
        program = self.find(name)
        del self._running[name]
        code = program.end()
        self._sweep()
        return code

    def bounded(self, data: bytes) -> bytes:
        """Refuse more input than the grant allows at once."""
        if len(data) > self.input_bytes_max:
            raise Refusal(f"expected at most {self.input_bytes_max} bytes of input, got {len(data)}")
        return data

    def _start(self, path: str, arguments: list[str]) -> Program:
        if path not in self._allowed:
            raise Refusal(f"{path!r} is none of the granted programs ({', '.join(self._allowed) or 'none'})")
        if len(self._running) >= self._processes_max:
            raise Refusal(f"{self._processes_max} programs are running; the grant allows no more")
        if any("\0" in each for each in arguments):
            raise Refusal("expected arguments without null characters")
        try:
            return Program(self.guard(), path, arguments, environment=self._environment, directory=self._directory)
        except Gone:
            raise Refusal(f"{path}: the process above it was killed") from None
        except OSError as error:
            raise Refusal(f"{path}: {os.strerror(error.errno)}" if error.errno else f"{path}: {error}") from None

    def _sweep(self) -> None:
        """What has left its session cannot be told from what a program that still runs has: so only when none does."""
        if self._guard is not None and not self._running:
            self._guard.sweep()


# -- functions ---------------------------------------------------------------------------------------------------------


def run(context: Context, program: String, arguments: List, stdin: List, timeout_ms: Option) -> Value:
    """Ends early, with an error, when the actor is to stop (L5.3)."""
    service = context.service(Programs)
    most = service.run_ms_max
    given = timeout_ms.value
    asked = given.value if isinstance(given, U64) else most
    if asked > most:
        raise Refusal(f"expected a timeout of at most {most} ms, got {asked}")
    data = service.bounded(bytes(stdin.items))
    code, stdout, stderr = service.run(program.value, _texts(arguments), data, asked)
    return Record(RESULT.name, (("exit-code", S32(code)), ("stdout", bytes_of(stdout)), ("stderr", bytes_of(stderr))))


def spawn(context: Context, program: String, arguments: List) -> Value:
    """Answers an id at once."""
    return String(context.service(Programs).spawn(program.value, _texts(arguments)))


def poll(context: Context, name: String) -> Value:
    """Never waits. With the exit code comes the last of the outputs, and the id is forgotten."""
    service = context.service(Programs)
    program, most = service.find(name.value), service.output_bytes_max
    has_ended = program.has_ended  # asked first: what it wrote before its end is there
    stdout, stderr = program.take(1, most), program.take(2, most)
    is_all = has_ended and len(stdout) < most and len(stderr) < most
    code = S32(service.end(name.value)) if is_all else None
    fields = (("exit-code", Option(types.S32, code)), ("stdout", bytes_of(stdout)), ("stderr", bytes_of(stderr)))
    return Record(STATUS.name, fields)


def write_stdin(context: Context, name: String, data: List) -> Value:
    """Never waits; answers how many bytes were taken."""
    service = context.service(Programs)
    program = service.find(name.value)
    try:
        return U64(program.feed(service.bounded(bytes(data.items))))
    except BrokenPipeError:
        raise Refusal(f"{program.path}: takes no more input") from None


def close_stdin(context: Context, name: String) -> Value:
    """Closing what is closed changes nothing."""
    context.service(Programs).find(name.value).close_input()
    return unit()


def kill(context: Context, name: String) -> Value:
    """The id is forgotten, and output that was not taken is lost."""
    context.service(Programs).end(name.value)
    return unit()


def _texts(value: List) -> list[str]:
    return [each.value for each in value.items if isinstance(each, String)]


def _own(name: str, signature: str, call: Any, doc: str, sends: Sends) -> Function:
    names = {RESULT.name: RESULT, STATUS.name: STATUS}
    return Function(name, doc, (Variant(signature, call, names=names),), own=True, sends=sends)


INTERFACE: Final = Interface(
    GRANT.name,
    "Run the programs that the grant names, by the paths it names them by: without a shell, with the grant's "
    "environment and no other, each in a session of its own. They end with the actor, however it ends, and so does "
    "everything they have started, daemons included. `process-result` is a record "
    "{exit-code: s32, stdout: list<u8>, stderr: list<u8>}, the exit code of a program that a signal has ended is the "
    "negative number of the signal; in a `process-status` the exit code is an option.",
    (
        _own(
            "run",
            "func(program: string, arguments: list<string>, stdin: list<u8>, timeout-ms: option<u64>) "
            "-> result<process-result, string>",
            run,
            "Run a program with this input and wait for its end. More output than the grant allows, the timeout and a "
            "stop of the actor kill it and are errors.",
            sends=GIVEN,
        ),
        _own(
            "spawn",
            "func(program: string, arguments: list<string>) -> result<string, string>",
            spawn,
            "Start a program and answer its id at once.",
            sends=GIVEN,
        ),
        _own(
            "poll",
            "func(process-id: string) -> result<process-status, string>",
            poll,
            "What a program has written since the last poll. The exit code comes with the last of it; then the id is "
            "forgotten. Never waits; a program whose output nobody takes waits.",
            sends=STAYS,
        ),
        _own(
            "write-stdin",
            "func(process-id: string, data: list<u8>) -> result<u64, string>",
            write_stdin,
            "Give a program input; answers how many bytes it took. Never waits.",
            sends=GIVEN,
        ),
        _own(
            "close-stdin",
            "func(process-id: string) -> result<_, string>",
            close_stdin,
            "Let a program find the end of its input.",
            sends=STAYS,
        ),
        _own(
            "kill",
            "func(process-id: string) -> result<_, string>",
            kill,
            "End a program at once, with what it has started. Its id is forgotten.",
            sends=STAYS,
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
