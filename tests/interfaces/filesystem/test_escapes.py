"""Nothing leads out of the directories of a grant, whatever is swapped meanwhile; and any calls."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.filesystem.kit import RACE_S, SECRET, Place, at, write
from tests.interfaces.local import Calls, calls, make_any_calls
from theater import types
from theater.grants import FILESYSTEM
from theater.values import U32, U64, List, String, bytes_of
from worker import beneath
from worker.interfaces.filesystem import Files
from worker.interfaces.places import names_of

# -- nothing leads out -------------------------------------------------------------------------------------------------

ESCAPES = [
    "/data/../outside/secret", "/data/../../../../../../etc/passwd", "/data/fixed/../../outside/secret", "/..", "..",
    "/etc/passwd", "data/a", "", "/", "//", "/data\0", "/dataa", "/Data/a", "/proc/self/root/etc/passwd", "~",
    "/" * 5000, "/data/" + "a/" * 3000, "file:///etc/passwd", "/data/./../outside/secret", "\\data\\..", "/.../data",
]  # fmt: skip
BY_PATH = ["read-file", "list-dir", "stat", "exists", "create-dir", "delete-file", "delete-dir"]


@pytest.mark.parametrize("path", ESCAPES)
def test_paths_that_lead_out(files: Calls, path: str) -> None:
    """Refused by every function, whatever is there."""
    for function in BY_PATH:
        assert files.refused(function, at(path))
    assert files.refused("write-file", at(path), bytes_of(b""))
    assert files.refused("append", at(path), bytes_of(b""))
    assert files.refused("copy", at(path), at("/data/x"))
    assert files.refused("rename", at("/data/fixed/known"), at(path))


@pytest.mark.parametrize("target", ["../outside", "OUTSIDE", "/etc", "/proc/self/cwd", "/proc/self/root", "fixed", "."])
def test_links_are_not_followed(files: Calls, place: Place, target: str) -> None:
    """Neither at the end of a path nor on the way, neither out nor in; nothing changes outside."""
    (place.data / "sub").mkdir()
    where = str(place.outside) if target == "OUTSIDE" else target
    (place.data / "link").symlink_to(where)
    (place.data / "file").symlink_to(place.outside / "secret")
    before = sorted(os.listdir(place.outside))
    for path in ("/data/link/secret", "/data/link/new", "/data/link/sub/x"):
        for function in (*BY_PATH[:3], *BY_PATH[4:]):
            assert files.refused(function, at(path))
        assert files.refused("write-file", at(path), bytes_of(b"x"))
        assert files.refused("append", at(path), bytes_of(b"x"))
        assert files.refused("rename", at("/data/sub"), at(path))
        assert files.refused("rename", at(path), at("/data/y"))
        assert files.refused("copy", at(path), at("/data/y"))
    for function in ("read-file", "list-dir"):
        assert files.refused(function, at("/data/link"))
        assert files.refused(function, at("/data/file"))
    assert files.refused("append", at("/data/file"), bytes_of(b"x"))
    assert files.refused("write-file", at("/data/file"), bytes_of(b"x"))

    assert sorted(os.listdir(place.outside)) == before
    assert (place.outside / "secret").read_bytes() == SECRET


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_a_kernel_without_openat2(place: Place, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Missing, or forbidden by the sandbox around us: found out once, and done without."""
    asked = []

    class Libc:
        def syscall(self, *arguments: Any) -> int:
            asked.append(arguments)
            beneath.ctypes.set_errno(number)
            return -1

    monkeypatch.setattr(beneath, "_libc", Libc())
    monkeypatch.setattr(beneath, "_state", {})
    with calls(FILESYSTEM, **place.options()) as files:
        for _ in range(3):
            assert files.ok("read-file", at("/data/fixed/known")).items == b"known"
        assert "not followed" in _linked(files, place)

    assert len(asked) == 2


def _linked(files: Calls, place: Place) -> str:
    (place.data / "l").symlink_to(place.outside / "secret")
    return files.refused("read-file", at("/data/l"))


def test_a_file_that_may_not_be_read_is_no_missing_call(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """EPERM can be about the file: then it is an answer, and the call stays in use."""
    monkeypatch.setattr(beneath, "_state", {})
    root, real = os.open(place.fixed, beneath.HOLD), beneath._libc
    try:
        os.close(beneath.open_beneath(root, b"known", os.O_RDONLY, resolve=beneath.NO_LINKS))

        class Libc:
            def syscall(self, number: Any, fd: int, path: bytes, *rest: Any) -> int:
                if path != b".":
                    beneath.ctypes.set_errno(errno.EPERM)
                    return -1
                return int(real.syscall(number, fd, path, *rest))

        monkeypatch.setattr(beneath, "_libc", Libc())
        with pytest.raises(PermissionError):
            beneath.open_beneath(root, b"known", os.O_RDONLY, resolve=beneath.NO_LINKS)
        assert not beneath._state
    finally:
        os.close(root)


# -- races -------------------------------------------------------------------------------------------------------------


class Swapping:
    """A thread that makes /data/d a directory, then a link out, then a directory again, as fast as it can."""

    def __init__(self, place: Place) -> None:
        self._place = place
        (place.data / "real").mkdir()
        (place.data / "real" / "secret").write_bytes(b"inside")
        (place.data / "out").symlink_to(place.outside)
        (place.data / "leaf").write_bytes(b"inside")
        (place.data / "leaf-out").symlink_to(place.outside / "secret")
        self._done = threading.Event()
        self.swaps = 0
        self._thread = threading.Thread(target=self._swap)

    def __enter__(self) -> Swapping:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join()

    def _swap(self) -> None:
        data = self._place.data
        while not self._done.is_set():
            for inside, out, name in (("real", "out", "d"), ("leaf", "leaf-out", "f")):
                os.rename(data / inside, data / name)
                os.rename(data / name, data / inside)
                os.rename(data / out, data / name)
                os.rename(data / name, data / out)
            self.swaps += 1


READS: list[Callable[[Calls], Any]] = [
    lambda files: files("read-file", at("/data/d/secret")),
    lambda files: files("read-file", at("/data/f")),
    lambda files: files("read-range", at("/data/d/secret"), U64(0), U32(10)),
    lambda files: files("list-dir", at("/data/d")),
    lambda files: files("copy", at("/data/d/secret"), at("/data/copied")),
    lambda files: files("copy", at("/data/f"), at("/data/copied")),
]
WRITES: list[Callable[[Calls], Any]] = [
    lambda files: files("write-file", at("/data/d/new"), bytes_of(b"new")),
    lambda files: files("write-file", at("/data/f"), bytes_of(b"inside")),
    lambda files: files("append", at("/data/d/more"), bytes_of(b"x")),
    lambda files: files("append", at("/data/f"), bytes_of(b"")),
    lambda files: files("create-dir", at("/data/d/dir")),
    lambda files: files("delete-dir", at("/data/d/dir")),
    lambda files: files("delete-file", at("/data/d/new")),
    lambda files: files("rename", at("/data/d/more"), at("/data/d/other")),
    lambda files: files("delete-file", at("/data/d/other")),
]


def test_races_lead_nowhere(files: Calls, place: Place) -> None:
    """Somebody swaps directories and links on the way: nothing outside is read, made, changed or deleted."""
    files.context.service(Files).entries_max = 1000
    with Swapping(place) as swapping:
        until_s = time.monotonic() + RACE_S
        while time.monotonic() < until_s:
            for each in (*READS, *WRITES):
                answer = each(files)
                assert SECRET not in bytes(getattr(answer.value, "items", b"") if _is_bytes(answer) else b"")
            copied = place.data / "copied"
            assert not copied.exists() or copied.read_bytes() in (b"inside", b"inside" * 2, b"")

    assert swapping.swaps > 0
    assert os.listdir(place.outside) == ["secret"]
    assert (place.outside / "secret").read_bytes() == SECRET


def _is_bytes(answer: Any) -> bool:
    return isinstance(answer.value, List) and answer.value.element == types.U8


# -- any calls ---------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "..", ".", "", "link", "fixed", "data", "\u00e9", "x" * 300])
PATHS = st.lists(NAMES, max_size=4).map(lambda names: String("/data/" + "/".join(names)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_calls(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any values in any order: an answer as declared, or a refusal; outside everything stays as it was."""
    place = Place(tmp_path_factory.mktemp("any"))
    (place.data / "link").symlink_to("../outside")
    with calls(FILESYSTEM, **place.options(file_bytes_max=20, entries_max=3)) as made:
        make_any_calls(made, data, {types.STRING: PATHS})

    assert os.listdir(place.outside) == ["secret"]
    assert os.listdir(place.fixed) == ["known"]


def test_everything_is_closed(place: Place) -> None:
    """Calls that end well and calls that do not leave no descriptor open."""
    with calls(FILESYSTEM, **place.options()) as files:
        files.ok("list-dir", at("/data"))
        files.ok("exists", at("/data/fixed"))
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            write(files, "/data/a", b"x")
            files.refused("read-file", at("/data"))
            files.refused("read-file", at("/data/a/b/c"))
            files.refused("rename", at("/data/a"), at("/data/no/b"))
            files.ok("list-dir", at("/data"))
        assert len(os.listdir("/proc/self/fd")) == before


def test_names_are_utf_8() -> None:
    """Whatever the locale."""
    assert names_of("/\u00e9//./b/") == [b"\xc3\xa9", b"b"]
