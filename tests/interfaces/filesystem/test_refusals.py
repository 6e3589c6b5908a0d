"""``theater:simple/filesystem``: what is refused, in which words."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.filesystem.kit import Place, at
from tests.interfaces.local import Calls, calls
from theater import types
from theater.grants import FILESYSTEM
from theater.values import U32, U64, UNIT, List, bytes_of

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
