"""``theater:simple/filesystem``: what each function does, and that nothing leads out of the granted directories."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.local import Calls, calls, make_any_calls
from theater import types
from theater.grants import FILESYSTEM
from theater.values import U32, U64, UNIT, Bool, List, Record, String, bytes_of
from worker import beneath
from worker.interfaces.filesystem import Files
from worker.interfaces.places import names_of

RACE_S = 0.4
SECRET = b"outside"


class Place:
    """A directory to read and write, /data; one in it for reading only, /data/fixed; and what is around them."""

    def __init__(self, home: Path) -> None:
        self.data, self.fixed, self.outside = home / "data", home / "fixed", home / "outside"
        for each in (self.data, self.fixed, self.outside):
            each.mkdir()
        (self.outside / "secret").write_bytes(SECRET)
        (self.fixed / "known").write_bytes(b"known")

    def options(self, **more: Any) -> dict[str, Any]:
        directories = [
            {"host": str(self.data), "guest": "/data", "write": True},
            {"host": str(self.fixed), "guest": "/data/fixed", "write": False},
        ]
        return {"directories": directories, **more}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(params=["at once", "step by step"])
def files(place: Place, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Both ways to open a file: one system call, and one directory after the other."""
    monkeypatch.setattr(beneath, "_state", {} if request.param == "at once" else {"walks": True})
    with calls(FILESYSTEM, **place.options(file_bytes_max=100, entries_max=5)) as made:
        yield made


def at(path: str) -> String:
    return String(path)


def write(files: Calls, path: str, data: bytes = b"") -> None:
    assert files.ok("write-file", at(path), bytes_of(data)) == UNIT


# -- what each function does -------------------------------------------------------------------------------------------


def test_files_are_written_and_read(files: Calls, place: Place) -> None:
    """Made, and replaced as a whole; no draft stays behind."""
    write(files, "/data/a", b"one, and longer")
    write(files, "/data/a", b"two")

    assert files.ok("read-file", at("/data/a")).items == b"two"
    assert os.listdir(place.data) == ["a"]


def test_replacing_keeps_the_permissions(files: Calls, place: Place) -> None:
    """Of a script, for instance."""
    (place.data / "a").touch()
    (place.data / "a").chmod(0o751)
    write(files, "/data/a", b"x")

    assert stat.S_IMODE((place.data / "a").stat().st_mode) == 0o751


def test_a_replacement_that_fails_leaves_everything_as_it_was(
    files: Calls, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the old content stays, and the draft is gone."""
    write(files, "/data/a", b"old")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "write", full)

    assert files.refused("write-file", at("/data/a"), bytes_of(b"new")) == "/data/a: No space left on device"
    assert (os.listdir(place.data), (place.data / "a").read_bytes()) == (["a"], b"old")


def test_append(files: Calls) -> None:
    """Makes the file, and adds to it."""
    for part in (b"a", b"", b"bc"):
        assert files.ok("append", at("/data/a"), bytes_of(part)) == UNIT

    assert files.ok("read-file", at("/data/a")).items == b"abc"


@pytest.mark.parametrize(
    ("offset", "length", "found"),
    [(0, 3, b"abc"), (2, 100, b"cdef"), (6, 1, b""), (2**64 - 1, 1, b""), (0, 0, b""), (5, 1, b"f")],
)
def test_read_range(files: Calls, offset: int, length: int, found: bytes) -> None:
    """Less at the end, nothing behind it."""
    write(files, "/data/a", b"abcdef")

    assert files.ok("read-range", at("/data/a"), U64(offset), U32(length)) == bytes_of(found)


def test_large_files_are_read_in_parts(files: Calls, place: Place) -> None:
    """The limit is on a call, not on a file."""
    (place.data / "a").write_bytes(bytes(range(200)))

    assert files.refused("read-file", at("/data/a")) == "/data/a: more than 100 bytes"
    assert files.ok("read-range", at("/data/a"), U64(150), U32(100)).items == bytes(range(150, 200))


def test_list_dir(files: Calls, place: Place) -> None:
    """Sorted names; what no path could say is left out."""
    for name in ("b", "a", "\u00e9"):
        (place.data / name).touch()
    (place.data / os.fsdecode(b"\xff")).touch()

    assert files.ok("list-dir", at("/data")) == List(types.STRING, (String("a"), String("b"), String("\u00e9")))
    assert files.ok("list-dir", at("/data/fixed/")).items == (String("known"),)


def test_a_crowded_directory_is_refused(files: Calls, place: Place) -> None:
    """Beyond the grant's limit."""
    for number in range(6):
        (place.data / str(number)).touch()

    assert files.refused("list-dir", at("/data")) == "/data: more than 5 entries"


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/data", "directory"), ("/data/dir", "directory"), ("/data/a", "file"), ("/data/link", "link"),
     ("/data/pipe", "other")],
)  # fmt: skip
def test_stat(files: Calls, place: Place, path: str, kind: str) -> None:
    """Kind, size and time; a link is a link."""
    (place.data / "dir").mkdir()
    (place.data / "a").write_bytes(b"12345")
    (place.data / "link").symlink_to("a")
    os.mkfifo(place.data / "pipe")
    os.utime(place.data / "a", ns=(0, 1_234_567_890_123_456_789))
    found = files.ok("stat", at(path))

    assert isinstance(found, Record) and found.name == "file-info"
    assert found["kind"] == String(kind)
    if kind == "file":
        assert (found["size"], found["modified-ns"]) == (U64(5), U64(1_234_567_890_123_456_789))


def test_a_time_before_1970(files: Calls, place: Place) -> None:
    """There is no number for it: 0."""
    (place.data / "a").touch()
    os.utime(place.data / "a", ns=(0, -5_000_000_000))

    assert files.ok("stat", at("/data/a"))["modified-ns"] == U64(0)


@pytest.mark.parametrize(
    ("path", "there"),
    [("/data", True), ("/data/a", True), ("/data/link", True), ("/data/b", False), ("/data/a/b", False),
     ("/data/no/such", False), ("/data//./a/", True), ("/data/fixed/known", True)],
)  # fmt: skip
def test_exists(files: Calls, place: Place, path: str, there: bool) -> None:
    """A link exists although it leads to nothing."""
    (place.data / "a").touch()
    (place.data / "link").symlink_to("nowhere")

    assert files.ok("exists", at(path)) == Bool(there)


def test_directories(files: Calls, place: Place) -> None:
    """Made one by one, deleted when empty."""
    files.ok("create-dir", at("/data/a"))
    files.ok("create-dir", at("/data/a/b"))
    assert files.refused("delete-dir", at("/data/a")) == "/data/a: Directory not empty"
    files.ok("delete-dir", at("/data/a/b"))
    files.ok("delete-dir", at("/data/a"))

    assert os.listdir(place.data) == []


def test_delete_file(files: Calls, place: Place) -> None:
    """A link itself, not what it leads to."""
    write(files, "/data/a")
    (place.data / "link").symlink_to(place.outside / "secret")
    files.ok("delete-file", at("/data/a"))
    files.ok("delete-file", at("/data/link"))

    assert os.listdir(place.data) == []
    assert (place.outside / "secret").exists()


def test_rename(files: Calls, place: Place) -> None:
    """Into another directory, over a file that is there; directories also."""
    write(files, "/data/a", b"a")
    write(files, "/data/b", b"b")
    files.ok("create-dir", at("/data/d"))
    assert files.ok("rename", at("/data/a"), at("/data/b")) == UNIT
    files.ok("rename", at("/data/b"), at("/data/d/c"))
    files.ok("rename", at("/data/d"), at("/data/e"))

    assert (place.data / "e" / "c").read_bytes() == b"a"


def test_copy(files: Calls, place: Place) -> None:
    """From a directory for reading only, too."""
    assert files.ok("copy", at("/data/fixed/known"), at("/data/a")) == UNIT

    assert (place.data / "a").read_bytes() == b"known"


# -- refusals ----------------------------------------------------------------------------------------------------------

LARGE = bytes_of(bytes(101))
NO_SUCH = "No such file or directory"


@pytest.mark.parametrize(
    ("function", "arguments", "why"),
    [
        ("read-file", (at("/data/no"),), f"/data/no: {NO_SUCH}"),
        ("read-file", (at("/data"),), "/data: Is a directory"),
        ("read-file", (at("/data/a/b"),), "/data/a/b: Not a directory"),
        ("read-file", (at("/data/pipe"),), "/data/pipe: not a plain file"),
        ("read-range", (at("/data/no"), U64(0), U32(1)), f"/data/no: {NO_SUCH}"),
        ("read-range", (at("/data/a"), U64(0), U32(101)), "expected at most 100 bytes, got 101"),
        ("read-range", (at("/data/dir"), U64(0), U32(1)), "/data/dir: Is a directory"),
        ("write-file", (at("/data/a"), LARGE), "/data/a: more than 100 bytes"),
        ("write-file", (at("/data/no/a"), UNIT), f"/data/no/a: {NO_SUCH}"),
        ("write-file", (at("/data/dir"), UNIT), "/data/dir: Is a directory"),
        ("write-file", (at("/data"), UNIT), "/data is the granted directory itself"),
        ("write-file", (at("/data/fixed/a"), UNIT), "/data/fixed/a: /data/fixed is granted for reading only"),
        ("write-file", (at("/data/link"), UNIT), "/data/link: symbolic links are not followed"),
        ("write-file", (at("/data/pipe"), UNIT), "/data/pipe: File exists"),
        ("append", (at("/data/a"), LARGE), "/data/a: more than 100 bytes"),
        ("append", (at("/data/link"), UNIT), "/data/link: symbolic links are not followed"),
        ("append", (at("/data/pipe"), UNIT), "/data/pipe: No such device or address"),
        ("append", (at("/data/dir"), UNIT), "/data/dir: Is a directory"),
        ("append", (at("/data/fixed/known"), UNIT), "/data/fixed/known: /data/fixed is granted for reading only"),
        ("list-dir", (at("/data/a"),), "/data/a: Not a directory"),
        ("list-dir", (at("/data/no"),), f"/data/no: {NO_SUCH}"),
        ("stat", (at("/data/no"),), f"/data/no: {NO_SUCH}"),
        ("create-dir", (at("/data/a"),), "/data/a: File exists"),
        ("create-dir", (at("/data/no/b"),), f"/data/no/b: {NO_SUCH}"),
        ("create-dir", (at("/data/fixed/b"),), "/data/fixed/b: /data/fixed is granted for reading only"),
        ("delete-file", (at("/data/dir"),), "/data/dir: Is a directory"),
        ("delete-file", (at("/data/fixed/known"),), "/data/fixed/known: /data/fixed is granted for reading only"),
        ("delete-file", (at("/data/fixed"),), "/data/fixed: /data/fixed is granted for reading only"),
        ("delete-dir", (at("/data/a"),), "/data/a: Not a directory"),
        ("delete-dir", (at("/data"),), "/data is the granted directory itself"),
        ("rename", (at("/data/no"), at("/data/b")), f"/data/no to /data/b: {NO_SUCH}"),
        ("rename", (at("/data/fixed/known"), at("/data/b")), "/data/fixed/known: /data/fixed is granted for reading"),
        ("rename", (at("/data/a"), at("/data/fixed/b")), "/data/fixed/b: /data/fixed is granted for reading only"),
        ("rename", (at("/data"), at("/data/dir/x")), "/data is the granted directory itself"),
        ("copy", (at("/data/no"), at("/data/b")), f"/data/no: {NO_SUCH}"),
        ("copy", (at("/data/a"), at("/data/fixed/b")), "/data/fixed/b: /data/fixed is granted for reading only"),
        ("copy", (at("/data/a"), at("/data/dir")), "/data/dir: Is a directory"),
    ],
)
def test_refusals(files: Calls, place: Place, function: str, arguments: tuple[Any, ...], why: str) -> None:
    """In words that name the guest's path."""
    (place.data / "a").write_bytes(b"a")
    (place.data / "dir").mkdir()
    (place.data / "link").symlink_to("a")
    os.mkfifo(place.data / "pipe")
    arguments = tuple(bytes_of(b"") if each is UNIT else each for each in arguments)
    text = files.refused(function, *arguments)

    assert text.startswith(why)
    assert str(place.data) not in text


def test_a_socket_is_no_file(files: Calls, place: Place) -> None:
    """Nor is any other special thing."""
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(place.data, os.O_RDONLY)
        try:
            bound.bind(f"/proc/self/fd/{here}/s")
        finally:
            os.close(here)

    assert "No such device or address" in files.refused("read-file", at("/data/s"))


def test_without_directories() -> None:
    """A grant without options opens nothing."""
    with calls(FILESYSTEM) as files:
        assert files.refused("read-file", at("/etc/passwd")) == (
            "/etc/passwd: in none of the granted directories (none)"
        )


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """Each call says so, and none says where it would be; one that is made later is found."""
    directories = [{"host": str(tmp_path / "later"), "guest": "/data", "write": True}]
    with calls(FILESYSTEM, directories=directories) as files:
        assert files.refused("list-dir", at("/data")) == f"/data: {NO_SUCH}"
        (tmp_path / "later").mkdir()
        assert files.ok("list-dir", at("/data")) == List(types.STRING, ())


def test_the_directory_may_be_a_link_of_the_host(tmp_path: Path) -> None:
    """Whoever grants it knows; links below it are another matter."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"a")
    (tmp_path / "link").symlink_to("real")
    with calls(FILESYSTEM, directories=[{"host": str(tmp_path / "link"), "guest": "/"}]) as files:
        assert files.ok("read-file", at("/a")).items == b"a"


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
