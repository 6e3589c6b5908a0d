"""The artefact cache: entries are trusted native code, so they are checked, private and bounded."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from worker import cache
from worker.cache import Cache, CacheError

WASM = b"a module"
NOTE = b'{"artefact_sha256": "", "wasm_sha256": "", "engine": ""}'


class Compiler:
    """Counts what it compiles."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, wasm: bytes) -> bytes:
        self.calls += 1
        return b"native code of " + wasm


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def test_compiled_once(directory: str) -> None:
    """The second request finds the entry of the first, also in another process's cache object."""
    compiler = Compiler()

    assert Cache(directory).artefact(WASM, compiler) == Cache(directory).artefact(WASM, compiler)
    assert compiler.calls == 1


def test_modules_do_not_share_entries(directory: str) -> None:
    """Another module is another entry."""
    found = Cache(directory)

    assert found.artefact(WASM, Compiler()) != found.artefact(WASM + b"!", Compiler())


def test_engines_do_not_share_entries(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every knob, version and processor feature is part of the key."""
    first = Cache(directory).artefact(WASM, Compiler())
    monkeypatch.setattr(cache.config, "fingerprint", lambda counts_fuel: "another engine")

    assert Cache(directory).artefact(WASM, Compiler()) != first


@pytest.mark.parametrize("damage", [b"", b"native code of another", b"native code of a modulx", os.urandom(100)])
def test_damaged_artefact_is_rebuilt(directory: str, damage: bytes) -> None:
    """Truncated, exchanged or corrupted bytes are noticed by their digest."""
    compiler = Compiler()
    path = Path(Cache(directory).artefact(WASM, compiler))
    path.write_bytes(damage)

    assert Cache(directory).artefact(WASM, compiler) == str(path)
    assert (compiler.calls, path.read_bytes()) == (2, b"native code of a module")


@pytest.mark.parametrize("damage", [None, b"", b"{}", b"[1, 2", NOTE])
def test_damaged_note_is_rebuilt(directory: str, damage: bytes | None) -> None:
    """Without a sound note an artefact is not believed."""
    compiler = Compiler()
    note = Path(Cache(directory).artefact(WASM, compiler)).with_suffix(".json")
    note.unlink()
    if damage is not None:
        note.write_bytes(damage)
    Cache(directory).artefact(WASM, compiler)

    assert compiler.calls == 2


def test_link_in_place_of_an_artefact(directory: str, tmp_path: Path) -> None:
    """A symbolic link is not followed; it is replaced by a file."""
    compiler = Compiler()
    path = Path(Cache(directory).artefact(WASM, compiler))
    (tmp_path / "elsewhere").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    Cache(directory).artefact(WASM, compiler)

    assert (compiler.calls, path.is_symlink()) == (2, False)


def test_entries_are_private(directory: str) -> None:
    """The directory is 0700, the files 0600."""
    path = Cache(directory).artefact(WASM, Compiler())

    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_directory_others_can_write_to(directory: str) -> None:
    """Native code from a directory that others can write to is refused."""
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    with pytest.raises(CacheError, match="others may write there"):
        Cache(directory)


def test_file_in_place_of_the_directory(directory: str) -> None:
    """The error says what it could not use."""
    Path(directory).write_text("")
    with pytest.raises(CacheError, match="cannot be used as a cache directory"):
        Cache(directory)


def test_failed_compilation_leaves_nothing(directory: str) -> None:
    """An exception passes through and no entry appears."""

    def fails(wasm: bytes) -> bytes:
        raise ValueError("does not validate")

    with pytest.raises(ValueError):
        Cache(directory).artefact(WASM, fails)

    assert os.listdir(directory) == []


def test_concurrent_writers(directory: str) -> None:
    """Several compilers of one module end with one sound entry and no litter."""
    compiler = Compiler()
    threads = [threading.Thread(target=Cache(directory).artefact, args=(WASM, compiler)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls = compiler.calls
    path = Cache(directory).artefact(WASM, compiler)

    assert compiler.calls == calls
    assert sorted(os.listdir(directory)) == sorted([os.path.basename(path), os.path.basename(path)[:-6] + ".json"])


def test_trim_removes_the_least_recently_used(directory: str) -> None:
    """Beyond the limit the entry used longest ago goes, with its note."""
    found = Cache(directory, bytes_max=500)
    paths = [found.artefact(bytes([number]) * 200, Compiler()) for number in range(4)]
    age(directory, *paths)
    found.artefact(bytes([0]) * 200, Compiler())  # used again
    found.trim()

    assert os.path.exists(paths[0])
    assert not os.path.exists(paths[1])
    assert not os.path.exists(paths[1].replace(".cwasm", ".json"))


def test_trim_spares_what_is_in_use(directory: str) -> None:
    """An entry of the last minutes may be about to be mapped."""
    found = Cache(directory, bytes_max=0)
    path = found.artefact(WASM, Compiler())
    found.trim()

    assert os.path.exists(path)


def test_trim_removes_litter(directory: str) -> None:
    """Temporary files of writers that died go, however small the cache is."""
    found = Cache(directory)
    litter = Path(directory, ".new-abc")
    litter.write_bytes(b"half an artefact")
    age(directory, str(litter))
    found.trim()

    assert os.listdir(directory) == []


def age(directory: str, *paths: str) -> None:
    """Make these look as if last used an hour ago, in the order given."""
    hour_ago = time.time() - 3600
    for number, path in enumerate(paths):
        for each in (path, path.replace(".cwasm", ".json")):
            os.utime(each, (hour_ago + number, hour_ago + number))
