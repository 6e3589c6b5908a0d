"""The throwaway compiler process: packages in, artefacts and reports out, one JSON line per package.

    python -m worker.prepare --cache DIR FILE...            compile into the cache
    python -m worker.prepare --cache DIR --fuel FILE ...    for actors with limits of fuel
    python -m worker.prepare --cache DIR --inspect FILE...  and tell imports, exports and interface hashes
    python -m worker.prepare --cache DIR --inspect          requests from standard input: a JSON list of
        {"file": …, "grants": {…}, "options": {…}, "sha256": …}; answers add the problems a start would have

Neither the root nor the template process ever compiles: threads and memory of a compiler stay out of them. A bad
package gives a line with ``error``, never a traceback; the process exits with 1 if any package had one. Before one is
compiled, which takes its time, there is a line ``{"file": …, "compiling": true}`` (without --inspect).
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import stat
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec
import wasmtime

from theater.actor import ActorOptions
from worker.cache import Cache, CacheError
from worker.engine import config, doors
from worker.engine.errors import StartError

WASM_BYTES_MAX: Final = 256 << 20
TEXT_BYTES_MAX: Final = 16 << 20
"""A package in WebAssembly text."""
REQUESTS_BYTES_MAX: Final = 64 << 20
ERROR_CHARS_MAX: Final = 4000

MAGIC: Final = b"\0asm"


class PackageError(Exception):
    """A package cannot be used; the text says why."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One package to look at, with what its actor is granted. Without ``grants`` nothing is checked against them."""

    file: str
    grants: dict[str, dict[str, Any]] | None = None
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    sha256: str | None = None
    state: Any = None
    """Initial state, as in Init."""
    state_kind: str = "none"


class Answer(msgspec.Struct, kw_only=True):
    """What is known of one package. ``ok`` means: compiled, and no problem found among those looked for."""

    file: str
    ok: bool = False
    error: str | None = None
    digest: str = ""
    """SHA-256 of the package file."""
    artefact: str = ""
    """Path of the compiled artefact."""
    wasm: str | None = None
    """Path of the assembled binary, for a package in text form."""
    counts_fuel: bool = False
    """The artefact is for an engine that counts fuel."""


class Inspection(Answer, kw_only=True):
    """An answer that also tells what is inside."""

    imports: list[dict[str, str]] = msgspec.field(default_factory=list)
    exports: list[str] = msgspec.field(default_factory=list)
    metadata: bool = False
    import_hashes: dict[str, str] = msgspec.field(default_factory=dict)
    export_hashes: dict[str, str] = msgspec.field(default_factory=dict)
    refusals: list[str] = msgspec.field(default_factory=list)
    """Why a start would fail."""
    warnings: list[str] = msgspec.field(default_factory=list)


class Preparer:
    """Compiles packages into one cache; those of actors with limits of fuel with an engine of their own."""

    def __init__(self, cache_dir: str, began: Callable[[str], None] = lambda file: None) -> None:
        """``began``: told of a file that is really compiled, before that."""
        self._cache = Cache(cache_dir)
        self._began = began
        self._engine = functools.cache(config.make_engine)

    def close(self) -> None:
        """Keep the cache within its size."""
        self._cache.trim()

    def prepare(self, file: str, counts_fuel: bool = False) -> Answer:
        """Compile a package; a bad one gives an answer with ``error``."""
        return self._try(Answer(file=file, counts_fuel=counts_fuel), lambda answer: self._prepare(answer, None))

    def inspect(self, request: Request) -> Inspection:
        """Compile a package and say what is inside and what a start with these grants would complain about."""

        def work(answer: Answer) -> None:
            assert isinstance(answer, Inspection)
            options = msgspec.convert(request.options, ActorOptions)
            answer.counts_fuel = options.counts_fuel
            self._inspect(answer, request, options, self._prepare(answer, request.sha256))

        answer = self._try(Inspection(file=request.file), work)
        assert isinstance(answer, Inspection)
        answer.ok = answer.error is None and not answer.refusals
        return answer

    def _try(self, answer: Answer, work: Any) -> Answer:
        try:
            work(answer)
            answer.ok = True
        except (PackageError, StartError, CacheError, wasmtime.WasmtimeError, msgspec.ValidationError) as error:
            text = error.text if isinstance(error, StartError) else str(error)
            answer.error = f"{answer.file}: {text}"[:ERROR_CHARS_MAX]
        return answer

    def _prepare(self, answer: Answer, sha256: str | None) -> Any:
        data = _read(answer.file)
        answer.digest = hashlib.sha256(data).hexdigest()
        if sha256 is not None and sha256 != answer.digest:
            raise PackageError(f"expected sha256 {sha256}, the file has {answer.digest}")
        wasm = data if data.startswith(MAGIC) else _assemble(data)
        if wasm is not data:
            answer.wasm = self._cache.assembled(wasm)
        _require_known(wasm)
        engine = self._engine(answer.counts_fuel)

        def compiling(wasm: bytes) -> bytes:
            self._began(answer.file)
            return doors.compile_package(engine, wasm)

        answer.artefact = self._cache.artefact(wasm, compiling, answer.counts_fuel)
        try:
            return doors.load_artefact(engine, answer.artefact)
        except StartError:  # sound by its digest, yet refused: made by an engine that calls itself the same
            self._cache.discard(answer.artefact)
            answer.artefact = self._cache.artefact(wasm, compiling, answer.counts_fuel)
            return doors.load_artefact(engine, answer.artefact)

    def _inspect(self, answer: Inspection, request: Request, options: ActorOptions, compiled: Any) -> None:
        from worker import report

        engine = self._engine(answer.counts_fuel)
        shape = doors.shape_of(engine, compiled)
        answer.imports = [{"interface": item.interface, "function": item.function} for item in shape.imports]
        answer.exports = sorted(shape.exports)
        found = report.report(engine, compiled, request.grants, options)
        answer.refusals, answer.warnings = found.refusals, found.warnings
        if found.metadata is not None:
            answer.metadata = True
            answer.refusals += report.state_problems(found.metadata, request.state_kind, request.state)
            answer.import_hashes = {name: hash_.hex() for name, hash_ in found.metadata.import_hashes.items()}
            answer.export_hashes = {name: hash_.hex() for name, hash_ in found.metadata.export_hashes.items()}


def main(arguments: list[str]) -> int:
    """Answer every package named; return the exit status."""
    description = "Compile actor packages into a cache."
    parser = argparse.ArgumentParser(prog="python -m worker.prepare", description=description)
    parser.add_argument("--cache", required=True, metavar="DIR", help="cache directory, made if missing")
    parser.add_argument("--inspect", action="store_true", help="also tell what is inside the packages")
    fuel = "package of actors with limits of fuel, which is another artefact; not with --inspect"
    parser.add_argument("--fuel", action="append", default=[], metavar="FILE", help=fuel)
    parser.add_argument("files", nargs="*", metavar="FILE", help="package: .wasm, or .wat text")
    options = parser.parse_args(arguments)
    try:
        preparer = Preparer(options.cache) if options.inspect else Preparer(options.cache, _say_compiling)
        jobs = _jobs(preparer, options)
    except (CacheError, msgspec.MsgspecError) as error:
        print(f"worker.prepare: {error}", file=sys.stderr)
        return 2
    failed = False
    for job in jobs:
        answer = job()
        failed = failed or not answer.ok
        _say(answer)
    preparer.close()
    return int(failed)


def _jobs(preparer: Preparer, options: argparse.Namespace) -> list[Callable[[], Answer]]:
    if options.inspect:
        requests = [Request(file) for file in options.files] or _requests()
        return [functools.partial(preparer.inspect, request) for request in requests]
    jobs: list[Callable[[], Answer]] = [functools.partial(preparer.prepare, file) for file in options.files]
    return jobs + [functools.partial(preparer.prepare, file, True) for file in options.fuel]


def _say(answer: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()  # a package that kills this process must not take earlier answers along


def _say_compiling(file: str) -> None:
    _say({"file": file, "compiling": True})


def _requests() -> list[Request]:
    return msgspec.json.decode(sys.stdin.buffer.read(REQUESTS_BYTES_MAX), type=list[Request])


def _read(file: str) -> bytes:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            os.close(fd)
            raise PackageError("expected a regular file")
        with open(fd, "rb") as opened:
            if info.st_size > WASM_BYTES_MAX:
                raise PackageError(f"{info.st_size} bytes, at most {WASM_BYTES_MAX} are allowed")
            return opened.read(WASM_BYTES_MAX + 1)
    except OSError as error:
        raise PackageError(error.strerror or str(error)) from None


def _assemble(data: bytes) -> bytes:
    """Turn WebAssembly text into a binary."""
    if not data:
        raise PackageError("the file is empty")
    if len(data) > TEXT_BYTES_MAX:
        raise PackageError(f"WebAssembly text of {len(data)} bytes, at most {TEXT_BYTES_MAX} are allowed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise PackageError("neither a WebAssembly module (no magic number) nor text") from None
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise PackageError(f"not WebAssembly text: {error}") from None


def _require_known(wasm: bytes) -> None:
    if wasm[4:8] not in (doors.CORE, doors.COMPONENT):
        kinds = f"{doors.CORE.hex()} (a module) or {doors.COMPONENT.hex()} (a component)"
        raise PackageError(f"WebAssembly binary of version {wasm[4:8].hex()}, expected {kinds}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
