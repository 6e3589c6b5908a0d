"""``wasi:filesystem``: what works below a granted directory, and that nothing leads out of it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.calling import Host
from theater.grants import WASI
from theater.values import U32, U64, Flags, String, Value, bytes_of
from worker import beneath

READ, WRITE, MUTATE = 1, 2, 32
FOLLOW, NO_FOLLOW = Flags(1), Flags(0)
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
TYPES, PREOPENS = "wasi:filesystem/types", "wasi:filesystem/preopens"


class Guest:
    """A guest with one directory."""

    def __init__(self, directory: Path, write: bool = True) -> None:
        self.host = Host({WASI: {"directories": [{"host": str(directory), "guest": "/d", "write": write}]}})
        (pair,) = self.host.call(PREOPENS, "get-directories").items
        self.root: U32 = pair.items[0]

    def ask(self, method: str, *arguments: Value, of: U32 | None = None) -> Any:
        """Call a method of a descriptor: what it gives, or the name of its error."""
        answer = self.host.call(TYPES, f"[method]descriptor.{method}", self.root if of is None else of, *arguments)
        if not hasattr(answer, "is_ok"):
            return answer
        return answer.value if answer.is_ok else answer.value.case

    def open(self, path: str, how: int = 0, flags: int = READ, follow: Flags = FOLLOW) -> Any:
        """Open something: a handle, or the name of the error."""
        return self.ask("open-at", follow, String(path), Flags(how), Flags(flags))

    def read(self, path: str) -> Any:
        """What is in a file."""
        opened = self.open(path)
        return opened if isinstance(opened, str) else bytes(self.ask("read", U64(99), U64(0), of=opened).items[0].items)


@pytest.fixture(params=["openat2", "walk"])
def places(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with something in it and something beside it, with the kernel's help and without."""
    monkeypatch.setattr(beneath, "_state", {"walks": True} if request.param == "walk" else {})
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "file").write_text("inside")
    (inside / "sub" / "deep").write_text("deep")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "insider").mkdir()
    (tmp_path / "insider" / "secret").write_text("secret")
    (inside / "to-secret").symlink_to("../secret")
    (inside / "to-root").symlink_to("/")
    (inside / "to-file").symlink_to("file")
    (inside / "to-here").symlink_to(".")
    (inside / "sub" / "to-secret").symlink_to("../../secret")
    os.mkfifo(inside / "pipe")
    return inside


ESCAPES = [
    "../secret", "/etc/passwd", "sub/../../secret", "sub/../../inside/../secret", "to-secret", "sub/to-secret",
    "to-root/etc/passwd", "./../secret", "..", "to-here/../secret", "../insider/secret", "/", "//etc/passwd",
    "a\0b",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_nothing_leads_out(places: Path, path: str) -> None:
    """Not to read, to write, to list, to look at, to make, to remove or to rename."""
    guest = Guest(places)
    refused = {"not-permitted", "invalid", "loop", "no-entry", "not-directory"}
    before = sorted((str(each), each.lstat().st_mode) for each in places.parent.rglob("*"))
    for how, flags in ((0, READ), (CREATE, READ | WRITE), (DIRECTORY, READ), (TRUNCATE, WRITE)):
        assert guest.open(path, how, flags) in refused
    assert guest.ask("stat-at", FOLLOW, String(path)) in refused
    assert guest.ask("metadata-hash-at", FOLLOW, String(path)) in refused
    if path.strip("/").rpartition("/")[2] not in ("to-secret", ""):
        for method in ("create-directory-at", "remove-directory-at", "unlink-file-at", "readlink-at"):
            assert guest.ask(method, String(path)) in refused, method
        assert guest.ask("rename-at", String("file"), guest.root, String(path)) in refused
        assert guest.ask("rename-at", String(path), guest.root, String("mine")) in refused
        assert guest.ask("link-at", NO_FOLLOW, String(path), guest.root, String("mine")) in refused
        assert guest.ask("symlink-at", String("file"), String(path)) in refused
    assert (places.parent / "secret").read_text() == "secret"
    assert sorted((str(each), each.lstat().st_mode) for each in places.parent.rglob("*")) == before


def test_what_is_inside(places: Path) -> None:
    """Files are read, written, made, measured, listed, moved and removed."""
    guest = Guest(places)
    assert guest.read("file") == b"inside"
    assert guest.read("sub/deep") == b"deep"
    assert guest.read("none") == "no-entry"
    new = guest.open("new", CREATE, READ | WRITE)
    assert guest.ask("write", bytes_of(b"hello"), U64(2), of=new) == U64(5)
    assert (places / "new").read_bytes() == b"\0\0hello"
    assert guest.ask("stat", of=new)["size"] == U64(7)
    assert guest.open("new", CREATE | EXCLUSIVE, WRITE) == "exist"
    assert guest.ask("set-size", U64(2), of=new).items == ()
    assert guest.ask("create-directory-at", String("made")).items == ()
    assert guest.ask("rename-at", String("new"), guest.root, String("made/newer")).items == ()
    assert guest.ask("remove-directory-at", String("made")) == "not-empty"
    assert guest.ask("unlink-file-at", String("made/newer")).items == ()
    assert guest.ask("remove-directory-at", String("made")).items == ()
    stream = guest.ask("read-directory")
    names = []
    while (entry := guest.host.call(TYPES, "[method]directory-entry-stream.read-directory-entry", stream)).value.value:
        names.append(entry.value.value["name"].value)
    assert names == sorted(each.name for each in places.iterdir())


def test_pipes_are_no_files(places: Path) -> None:
    """Opening one neither hangs nor succeeds."""
    assert Guest(places).open("pipe") == "not-permitted"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create-directory-at", (String("x"),)),
        ("unlink-file-at", (String("file"),)),
        ("remove-directory-at", (String("sub"),)),
        ("symlink-at", (String("file"), String("x"))),
        ("open-at", (FOLLOW, String("x"), Flags(CREATE), Flags(READ))),
        ("open-at", (FOLLOW, String("file"), Flags(0), Flags(WRITE))),
        ("open-at", (FOLLOW, String("file"), Flags(TRUNCATE), Flags(READ))),
    ],
)
def test_read_only(places: Path, method: str, arguments: tuple[Value, ...]) -> None:
    """A directory that is not granted for writing stays as it is."""
    assert Guest(places, write=False).ask(method, *arguments) == "read-only"
    assert (places / "file").read_text() == "inside"


def test_links_swapped_meanwhile(tmp_path: Path) -> None:
    """Somebody exchanges a directory for a link to the outside, over and over: never is the outside read."""
    inside, secret = tmp_path / "inside", tmp_path / "secret"
    for directory, text in ((inside / "sub", "fine"), (secret, "secret")):
        directory.mkdir(parents=True)
        (directory / "file").write_text(text)
    (inside / "link").symlink_to(secret)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.rename(inside / "sub", inside / "kept")
            os.rename(inside / "link", inside / "sub")
            os.rename(inside / "sub", inside / "link")
            os.rename(inside / "kept", inside / "sub")

    guest, seen, deadline = Guest(inside), set[object](), time.monotonic() + 20
    thread = threading.Thread(target=swap)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        while not {b"fine", "not-permitted"} <= seen and time.monotonic() < deadline:
            seen |= {guest.read("sub/file") for _ in range(2_000)}
    finally:
        sys.setswitchinterval(interval)
        done.set()
        thread.join()
    assert b"secret" not in seen
    assert {b"fine", "not-permitted"} <= seen, "the race was not met"
