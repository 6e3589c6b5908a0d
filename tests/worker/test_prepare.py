"""The compiler process: good packages, bad packages, reports. Through its functions, and once as a process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from tests.guests import wat
from tests.guests.pack import u32
from tests.worker.enginekit import engine
from theater.actor import RUNTIME
from worker import prepare
from worker.cache import Cache

GOOD = wat.source([wat.starts(u32(0))], [wat.LOG])


@pytest.fixture
def preparer(tmp_path: Path) -> prepare.Preparer:
    return prepare.Preparer(str(tmp_path / "cache"))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    file = tmp_path / "good.wasm"
    file.write_bytes(wasmtime.wat2wasm(GOOD))
    return file


def write(tmp_path: Path, data: bytes | str, name: str = "bad.wasm") -> str:
    file = tmp_path / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(file)


def test_binary_package(preparer: prepare.Preparer, package: Path) -> None:
    """The artefact can be mapped by an engine of the same configuration."""
    answer = preparer.prepare(str(package))

    assert answer.ok, answer.error
    assert answer.digest == hashlib.sha256(package.read_bytes()).hexdigest()
    assert answer.wasm is None
    assert wasmtime.Module.deserialize_file(engine(), answer.artefact).exports


def test_text_package(preparer: prepare.Preparer, tmp_path: Path) -> None:
    """Text is assembled; its digest is the file's, and the binary is kept beside the artefact."""
    answer = preparer.prepare(write(tmp_path, GOOD, "good.wat"))

    assert answer.ok, answer.error
    assert answer.digest == hashlib.sha256(GOOD.encode()).hexdigest()
    assert answer.wasm is not None
    assert Path(answer.wasm).read_bytes() == bytes(wasmtime.wat2wasm(GOOD))


def test_second_time_nothing_is_compiled(
    preparer: prepare.Preparer, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artefact in the cache is used as it is."""
    first = preparer.prepare(str(package))
    monkeypatch.setattr(wasmtime, "Module", None)
    monkeypatch.setattr(prepare.doors, "load_artefact", lambda engine, artefact: None)

    assert preparer.prepare(str(package)) == first


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"\0asm", "WebAssembly binary of version , expected 01000000"),
        (b"\0asm\x02\0\0\0", "WebAssembly binary of version 02000000, expected 01000000"),
        (b"\0asm\x0d\0\x01\0garbage", ""),
        (b"\0asm\x01\0\0\0garbage", ""),
        (b"\xff\xfe\x00", "neither a WebAssembly module (no magic number) nor text"),
        ("(module", "not WebAssembly text: "),
        ("no text either", "not WebAssembly text: "),
        (b"\x7fELF" + bytes(100), "not WebAssembly text: "),
    ],
)
def test_bad_packages(preparer: prepare.Preparer, tmp_path: Path, data: bytes | str, words: str) -> None:
    """Whatever the file holds: an answer with an error that begins with its name."""
    file = write(tmp_path, data)
    answer = preparer.prepare(file)

    assert not answer.ok
    assert answer.error is not None
    assert answer.error.startswith(f"{file}: {words}")


def test_missing_file(preparer: prepare.Preparer, tmp_path: Path) -> None:
    """The error is the system's."""
    assert preparer.prepare(str(tmp_path / "none.wasm")).error == f"{tmp_path}/none.wasm: No such file or directory"


def test_directory(preparer: prepare.Preparer, tmp_path: Path) -> None:
    """A directory is no package."""
    assert preparer.prepare(str(tmp_path)).error == f"{tmp_path}: expected a regular file"


def test_pipe(preparer: prepare.Preparer, tmp_path: Path) -> None:
    """A named pipe is refused at once instead of being waited for."""
    os.mkfifo(tmp_path / "pipe.wasm")

    assert "expected a regular file" in (preparer.prepare(str(tmp_path / "pipe.wasm")).error or "")


def test_package_too_large(preparer: prepare.Preparer, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte past the limit is too much."""
    monkeypatch.setattr(prepare, "WASM_BYTES_MAX", package.stat().st_size - 1)

    assert "bytes, at most" in (preparer.prepare(str(package)).error or "")


def test_text_too_large(preparer: prepare.Preparer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text has a smaller limit of its own."""
    monkeypatch.setattr(prepare, "TEXT_BYTES_MAX", len(GOOD) - 1)

    assert "WebAssembly text of" in (preparer.prepare(write(tmp_path, GOOD, "g.wat")).error or "")


# -- reports -----------------------------------------------------------------------------------------------------------


def test_inspection(preparer: prepare.Preparer, package: Path) -> None:
    """Imports, exports and hashes of a package; nothing is refused without grants to compare with."""
    answer = preparer.inspect(prepare.Request(str(package)))

    assert answer.ok, (answer.error, answer.refusals)
    assert answer.imports == [{"interface": RUNTIME, "function": "log"}]
    assert wat.INIT in answer.exports
    assert answer.metadata
    assert answer.import_hashes == {RUNTIME: "1dd3d02d5f489296fab56691f915636091203b3899500d8d6eb1706d54249e54"}


def test_ungranted_import_is_reported(preparer: prepare.Preparer, package: Path) -> None:
    """With grants given, an import that is missing there is a refusal."""
    answer = preparer.inspect(prepare.Request(str(package), grants={}))

    assert not answer.ok
    assert answer.refusals == [
        "import theater:simple/runtime.log is not granted: "
        "add theater:simple/runtime to the actor's grants (grants: {runtime: {}})"
    ]


def test_granted_import_is_fine(preparer: prepare.Preparer, package: Path) -> None:
    """The same package with the grant."""
    assert preparer.inspect(prepare.Request(str(package), grants={RUNTIME: {}})).ok


def test_pinned_digest(preparer: prepare.Preparer, package: Path) -> None:
    """A digest that differs is an error showing both."""
    answer = preparer.inspect(prepare.Request(str(package), sha256="0" * 64))

    assert answer.error == f"{package}: expected sha256 {'0' * 64}, the file has {answer.digest}"


@pytest.mark.parametrize(
    ("lenient", "field"), [("strict", "refusals"), ("lenient", "warnings")], ids=["strict", "lenient"]
)
def test_differing_hash_is_reported(preparer: prepare.Preparer, tmp_path: Path, lenient: str, field: str) -> None:
    """A hash difference is a refusal or a warning, as the actor's options say; hashes are told either way."""
    file = write(tmp_path, wat.build([wat.starts(u32(0))], [wat.LOG], wrong_hashes=True))
    answer = preparer.inspect(prepare.Request(file, grants={RUNTIME: {}}, options={"interface_hashes": lenient}))

    assert answer.ok == (lenient == "lenient")
    assert "was built for hash 0000" in getattr(answer, field)[0]
    assert answer.import_hashes == {RUNTIME: "00" * 32}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory": "imported"}, "member of a composite"),
        ({"alloc": "absent"}, "__pack_alloc"),
        ({"has_metadata": False}, "signatures: exports no __pack_types"),
        ({"start": "(loop $l (br $l))"}, "instantiate: deadline of"),
        ({"types": b"nothing"}, "signatures: __pack_types gives no metadata"),
    ],
)
def test_refusals(
    preparer: prepare.Preparer, tmp_path: Path, options: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything a start would refuse is found without starting, also by running out of time."""
    monkeypatch.setattr("worker.report.READ_MS_MAX", 30)
    answer = preparer.inspect(prepare.Request(write(tmp_path, wat.build([wat.starts(u32(0))], **options))))

    assert not answer.ok
    assert answer.error is None
    assert words in answer.refusals[0]


def test_bad_options_are_an_error(preparer: prepare.Preparer, package: Path) -> None:
    """Unknown options are the caller's mistake, said in the answer."""
    assert "unknown" in (preparer.inspect(prepare.Request(str(package), options={"nonsense": 1})).error or "")


# -- the process -------------------------------------------------------------------------------------------------------


def run(*arguments: str, stdin: str = "") -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "worker.prepare", *arguments], input=stdin, capture_output=True, text=True, timeout=60
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_process_answers_in_order(package: Path, tmp_path: Path) -> None:
    """One line per file, good or bad, after one if it is compiled; and exit status 1 because one was bad."""
    bad = write(tmp_path, "(module")
    code, (compiling, *answers), errors = run("--cache", str(tmp_path / "c"), str(package), bad)

    assert (code, errors) == (1, "")
    assert compiling == {"file": str(package), "compiling": True}
    assert [(it["file"], it["ok"]) for it in answers] == [(str(package), True), (bad, False)]


def test_process_reads_requests(package: Path, tmp_path: Path) -> None:
    """Requests come as a JSON list on standard input."""
    requests = json.dumps([{"file": str(package), "grants": {RUNTIME: {}}}, {"file": str(package), "grants": {}}])
    code, answers, errors = run("--cache", str(tmp_path / "c"), "--inspect", stdin=requests)

    assert (code, errors) == (1, "")
    assert [len(it["refusals"]) for it in answers] == [0, 1]


def test_process_with_bad_requests(tmp_path: Path) -> None:
    """Malformed requests are one clear line on standard error."""
    code, answers, errors = run("--cache", str(tmp_path / "c"), "--inspect", stdin="{not json")

    assert (code, answers) == (2, [])
    assert errors.startswith("worker.prepare: ")
    assert errors.count("\n") == 1


def test_cache_is_trimmed_at_the_end(preparer: prepare.Preparer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing keeps the cache within its size."""
    calls: list[Cache] = []
    monkeypatch.setattr(Cache, "trim", lambda self: calls.append(self))
    preparer.close()

    assert len(calls) == 1
