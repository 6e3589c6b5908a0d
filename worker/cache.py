"""The cache of compiled artefacts: compile once per package and engine, map the file ever after.

An artefact is native code that the engine trusts, so the directory belongs to us alone (0700) and an entry is used only
if its bytes have the digest noted beside it. Writers need no lock: each writes its own temporary file and renames it,
and equal inputs give equal bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import msgspec

from worker.engine import config
from worker.engine.doors import COUNTS_FUEL, is_component

BYTES_MAX: Final = 1 << 30
"""The cache is trimmed to this size, least recently used entries first."""
SPARED_SECONDS: Final = 600
"""Entries used this recently stay: a worker may be about to map them."""
SUFFIXES: Final = (".cwasm", ".json", ".wasm")


class CacheError(Exception):
    """The cache directory cannot be used; the text says why."""


class Note(msgspec.Struct, frozen=True):
    """What is noted beside an artefact."""

    artefact_sha256: str
    wasm_sha256: str
    engine: str


class Cache:
    """A directory of compiled artefacts, made if it is missing."""

    def __init__(self, directory: str, *, bytes_max: int = BYTES_MAX) -> None:
        self.directory = os.path.abspath(directory)
        self._bytes_max = bytes_max
        self._engine = cache(config.fingerprint)
        _own(self.directory)

    def artefact(self, wasm: bytes, compile: Callable[[bytes], bytes], counts_fuel: bool = False) -> str:
        """Return the path of the artefact of this module, calling ``compile`` if there is no sound one.

        ``counts_fuel``: for an engine that counts fuel, which is another artefact.
        """
        engine = self._engine(counts_fuel)
        key = hashlib.sha256(hashlib.sha256(wasm).digest() + engine.encode()).hexdigest()
        key += (COUNTS_FUEL if counts_fuel else "") + ("-component" if is_component(wasm) else "")
        note, path = self._path(key, ".json"), self._path(key, ".cwasm")
        if self._sound(path, note, engine):
            _touch(path)
            return path
        compiled = compile(wasm)
        wanted = Note(hashlib.sha256(compiled).hexdigest(), hashlib.sha256(wasm).hexdigest(), engine)
        self._write(path, compiled)
        self._write(note, msgspec.json.encode(wanted))
        return path

    def discard(self, artefact: str) -> None:
        """Forget an artefact that the engine would not load."""
        for path in (artefact, artefact.removesuffix(".cwasm") + ".json"):
            _remove(path)

    def assembled(self, wasm: bytes) -> str:
        """Keep the binary form of a text package; return its path."""
        path = self._path(hashlib.sha256(wasm).hexdigest(), ".wasm")
        if _read(path) != wasm:
            self._write(path, wasm)
        _touch(path)
        return path

    def trim(self) -> None:
        """Remove the least recently used entries beyond the size limit, and what dead writers left."""
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        spared = time.time() - SPARED_SECONDS
        for used, size, path in entries:
            if used > spared or (total <= self._bytes_max and path.endswith(SUFFIXES)):
                continue
            total -= size
            for each in (path, path.removesuffix(".cwasm") + ".json") if path.endswith(".cwasm") else (path,):
                _remove(each)

    def _path(self, key: str, suffix: str) -> str:
        return os.path.join(self.directory, key + suffix)

    def _sound(self, path: str, note: str, engine: str) -> bool:
        compiled, noted = _read(path), _read(note)
        if compiled is None or noted is None:
            return False
        try:
            found = msgspec.json.decode(noted, type=Note)
        except msgspec.MsgspecError:
            return False
        return found.engine == engine and found.artefact_sha256 == hashlib.sha256(compiled).hexdigest()

    def _write(self, path: str, data: bytes) -> None:
        try:
            fd, temporary = tempfile.mkstemp(dir=self.directory, prefix=".new-")  # 0600
            try:
                with open(fd, "wb") as file:
                    file.write(data)
                os.replace(temporary, path)
            except BaseException:
                _remove(temporary)
                raise
        except OSError as error:
            raise CacheError(f"{self.directory}: cannot write: {error.strerror}") from None

    def _entries(self) -> Iterator[tuple[float, int, str]]:
        with os.scandir(self.directory) as found:
            for entry in found:
                if entry.name.endswith(SUFFIXES) or entry.name.startswith(".new-"):
                    try:
                        info = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield info.st_mtime, info.st_size, entry.path


def _own(directory: str) -> None:
    """Make the directory, or make sure that nobody else can write to it."""
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        info = os.stat(directory)
    except OSError as error:
        raise CacheError(f"{directory}: cannot be used as a cache directory: {error.strerror}") from None
    if info.st_uid != os.geteuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheError(f"{directory}: others may write there (expected our own directory, mode 0700)")


def _read(path: str) -> bytes | None:
    """A regular file's bytes; None for anything else. Links are not followed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as file:
        try:
            return file.read() if stat.S_ISREG(os.fstat(fd).st_mode) else None
        except OSError:
            return None


def _touch(path: str) -> None:
    try:
        os.utime(path)
    except OSError:
        pass


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
