"""``theater:simple/filesystem``: files below the directories that the grant names.

Paths are absolute, as the grant's ``guest`` paths are. Nothing leads out of a directory: ``..`` is refused, symbolic
links are never followed, and files are opened relative to the directory itself (worker.beneath).
"""

from __future__ import annotations

import errno
import os
import stat as kinds
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from theater import types
from theater.grants.filesystem import GRANT
from theater.values import U32, U64, Bool, List, Record, String, Value, bytes_of, unit
from worker.interfaces.context import Context
from worker.interfaces.places import Place, Roots
from worker.interfaces.registry import Function, Interface, Refusal, Variant
from worker.interfaces.sending import STAYS

CALM: Final = os.O_NONBLOCK | os.O_NOCTTY
"""Opening a pipe that nobody writes must not wait, and a terminal must not become ours."""
FILE_MODE: Final = 0o666
DIRECTORY_MODE: Final = 0o777
READ: Final = os.O_RDONLY | CALM

FILE_INFO: Final = types.Record(
    "file-info", (("kind", types.STRING), ("size", types.U64), ("modified-ns", types.U64))
)
_KINDS: Final = {kinds.S_IFREG: "file", kinds.S_IFDIR: "directory", kinds.S_IFLNK: "link"}


class Files:
    """The directories of an actor, and what it may do in them."""

    def __init__(self, context: Context) -> None:
        options = GRANT.held_by(context)
        self.file_bytes_max: int = options["file_bytes_max"]
        self.entries_max: int = options["entries_max"]
        self.roots = Roots(options["directories"])

    def close(self) -> None:
        """Let go of all directories."""
        self.roots.close()

    def place(self, path: str, *, write: bool = False) -> Place:
        """Where a path leads, for reading or for writing."""
        return self.roots.place(path, write=write)

    @contextmanager
    def opened(self, place: Place, flags: int) -> Iterator[int]:
        """A descriptor of what is there, which must be a plain file."""
        fd = place.open(flags, FILE_MODE)
        try:
            mode = os.fstat(fd).st_mode
            if kinds.S_ISDIR(mode):
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not kinds.S_ISREG(mode):
                raise Refusal(f"{place.path}: not a plain file")
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def directory(self, place: Place) -> Iterator[int]:
        """A descriptor of a directory, for reading."""
        fd = place.open(os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    def status(self, place: Place) -> os.stat_result:
        """What is there, links themselves included."""
        if not place.names:
            return os.stat(place.root.fd)
        with place.parent() as at:
            return os.stat(place.name, dir_fd=at, follow_symlinks=False)

    def read(self, place: Place) -> bytes:
        """A whole file."""
        with self.opened(place, READ) as fd:
            data = _read(fd, self.file_bytes_max + 1)
        return self.bounded(place.path, data)

    def bounded(self, path: str, data: bytes) -> bytes:
        """Refuse more than the grant allows in one call."""
        if len(data) > self.file_bytes_max:
            raise Refusal(f"{path}: more than {self.file_bytes_max} bytes")
        return data

    def replace(self, place: Place, data: bytes) -> None:
        """Put a file there, whole or not at all: an actor may be killed at any time."""
        name, draft = place.name, f".theater-{os.urandom(8).hex()}.tmp".encode()
        with place.parent() as at:
            mode = _mode(name, at)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE, dir_fd=at)
            try:
                try:
                    if mode is not None:
                        os.fchmod(fd, mode)
                    _write(fd, data)
                finally:
                    os.close(fd)
                os.rename(draft, name, src_dir_fd=at, dst_dir_fd=at)
            except OSError:
                os.unlink(draft, dir_fd=at)
                raise


def _mode(name: bytes, at: int) -> int | None:
    """The permissions of the file that is replaced; None if there is none. Only files are replaced."""
    try:
        mode = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if kinds.S_ISREG(mode):
        return kinds.S_IMODE(mode) & 0o777
    number = errno.ELOOP if kinds.S_ISLNK(mode) else errno.EISDIR if kinds.S_ISDIR(mode) else errno.EEXIST
    raise OSError(number, os.strerror(number))


def _read(fd: int, most: int) -> bytes:
    found = bytearray()
    while len(found) < most and (data := os.read(fd, min(most - len(found), 1 << 20))):
        found += data
    return bytes(found)


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


@contextmanager
def _told(path: str) -> Iterator[None]:
    """What the system refuses, in words that name the guest's path and never the host's."""
    try:
        yield
    except OSError as error:
        words = "symbolic links are not followed" if error.errno == errno.ELOOP else os.strerror(error.errno or 0)
        raise Refusal(f"{path}: {words}") from None


# -- functions ---------------------------------------------------------------------------------------------------------


def read_file(context: Context, path: String) -> Value:
    """A whole file, if it is not too large."""
    files = context.service(Files)
    with _told(path.value):
        return bytes_of(files.read(files.place(path.value)))


def read_range(context: Context, path: String, offset: U64, length: U32) -> Value:
    """A part of a file of any size; less than asked for at its end."""
    files = context.service(Files)
    if length.value > files.file_bytes_max:
        raise Refusal(f"expected at most {files.file_bytes_max} bytes, got {length.value}")
    with _told(path.value), files.opened(files.place(path.value), READ) as fd:
        if offset.value >= os.fstat(fd).st_size:
            return bytes_of(b"")
        os.lseek(fd, offset.value, os.SEEK_SET)
        return bytes_of(_read(fd, length.value))


def write_file(context: Context, path: String, data: List) -> Value:
    """A new file, or one in place of the old one."""
    files = context.service(Files)
    with _told(path.value):
        files.replace(files.place(path.value, write=True), files.bounded(path.value, bytes(data.items)))
    return unit()


def append(context: Context, path: String, data: List) -> Value:
    """The file is made if there is none."""
    files = context.service(Files)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | CALM
    content = files.bounded(path.value, bytes(data.items))
    place = files.place(path.value, write=True)
    with _told(path.value), files.opened(place, flags) as fd:
        _write(fd, content)
    return unit()


def list_dir(context: Context, path: String) -> Value:
    """Names only; those that are not UTF-8 are left out, as no path could say them."""
    files = context.service(Files)
    names: list[bytes] = []
    with _told(path.value), files.directory(files.place(path.value)) as fd, os.scandir(fd) as entries:
        for entry in entries:
            if len(names) == files.entries_max:
                raise Refusal(f"{path.value}: more than {files.entries_max} entries")
            names.append(os.fsencode(entry.name))
    return List(types.STRING, tuple(String(text) for text in map(_text, sorted(names)) if text is not None))


def _text(name: bytes) -> str | None:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


def stat(context: Context, path: String) -> Value:
    """A link is told as what it is."""
    files = context.service(Files)
    with _told(path.value):
        found = files.status(files.place(path.value))
    kind = _KINDS.get(kinds.S_IFMT(found.st_mode), "other")
    fields = (("kind", String(kind)), ("size", U64(found.st_size)), ("modified-ns", U64(max(0, found.st_mtime_ns))))
    return Record(FILE_INFO.name, fields)


def exists(context: Context, path: String) -> Value:
    """A link exists, wherever it leads; what is behind it does not."""
    files = context.service(Files)
    place = files.place(path.value)
    with _told(path.value):
        try:
            files.status(place)
        except (FileNotFoundError, NotADirectoryError):
            return Bool(False)
    return Bool(True)


def create_dir(context: Context, path: String) -> Value:
    """One directory; the one that holds it must be there."""
    files = context.service(Files)
    place = files.place(path.value, write=True)
    with _told(path.value), place.parent() as at:
        os.mkdir(place.name, DIRECTORY_MODE, dir_fd=at)
    return unit()


def delete_file(context: Context, path: String) -> Value:
    """Deletes a link itself, never what it leads to."""
    files = context.service(Files)
    place = files.place(path.value, write=True)
    with _told(path.value), place.parent() as at:
        os.unlink(place.name, dir_fd=at)
    return unit()


def delete_dir(context: Context, path: String) -> Value:
    """An empty one."""
    files = context.service(Files)
    place = files.place(path.value, write=True)
    with _told(path.value), place.parent() as at:
        os.rmdir(place.name, dir_fd=at)
    return unit()


def rename(context: Context, old: String, new: String) -> Value:
    """A file that has the new name is replaced."""
    files = context.service(Files)
    source, target = files.place(old.value, write=True), files.place(new.value, write=True)
    with _told(f"{old.value} to {new.value}"), source.parent() as here, target.parent() as there:
        os.rename(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)
    return unit()


def copy(context: Context, old: String, new: String) -> Value:
    """The content; it does not pass through the guest, and is not recorded."""
    files = context.service(Files)
    source, target = files.place(old.value), files.place(new.value, write=True)
    with _told(old.value):
        data = files.read(source)
    with _told(new.value):
        files.replace(target, data)
    return unit()


def _own(name: str, signature: str, call: Any, doc: str) -> Function:
    return Function(name, doc, (Variant(signature, call, names={"file-info": FILE_INFO}),), own=True)


_BY_PATH: Final = "func(path: string) -> result<_, string>"

INTERFACE: Final = Interface(
    GRANT.name,
    "Files below the directories that the grant names, each under its `guest` path. Paths are absolute and without "
    "`..`; symbolic links are never followed, wherever they lead. `file-info` is a record {kind: string, size: u64, "
    "modified-ns: u64}; the kinds are file, directory, link and other.",
    (
        _own("read-file", "func(path: string) -> result<list<u8>, string>", read_file, "The content of a file."),
        _own(
            "read-range",
            "func(path: string, offset: u64, length: u32) -> result<list<u8>, string>",
            read_range,
            "A part of a file, of a large one also; less than asked for at its end.",
        ),
        _own(
            "write-file",
            "func(path: string, data: list<u8>) -> result<_, string>",
            write_file,
            "Make a file with this content, or replace one. Whoever reads it finds the old content or the new, whole.",
        ),
        _own(
            "append",
            "func(path: string, data: list<u8>) -> result<_, string>",
            append,
            "Add to the end of a file, which is made if there is none.",
        ),
        _own(
            "list-dir",
            "func(path: string) -> result<list<string>, string>",
            list_dir,
            "The names in a directory, sorted. Names that are not UTF-8 are left out.",
        ),
        _own("stat", "func(path: string) -> result<file-info, string>", stat, "What there is under a path."),
        _own(
            "exists", "func(path: string) -> result<bool, string>", exists, "Whether there is anything under a path."
        ),
        _own("create-dir", _BY_PATH, create_dir, "Make a directory in one that is there."),
        _own("delete-file", _BY_PATH, delete_file, "Delete a file, or a link itself."),
        _own("delete-dir", _BY_PATH, delete_dir, "Delete an empty directory."),
        _own(
            "rename",
            "func(old: string, new: string) -> result<_, string>",
            rename,
            "Give a file or a directory another path. A file that has it is replaced.",
        ),
        _own(
            "copy",
            "func(old: string, new: string) -> result<_, string>",
            copy,
            "Copy the content of a file. It is not recorded.",
        ),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
