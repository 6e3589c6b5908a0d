"""``theater:simple/filesystem``: what each function does."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from tests.interfaces.filesystem.kit import Place, at, write
from tests.interfaces.local import Calls
from theater import types
from theater.values import U32, U64, UNIT, Bool, List, Record, String, bytes_of


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
