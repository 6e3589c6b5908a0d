"""``wasi:filesystem``: the directories the grant names, and what is below them; no path leads out."""

from __future__ import annotations

import errno
import hashlib
import os
import stat as modes
from typing import Any, Final

from theater import types
from theater.grants import WASI
from theater.values import U32, U64, UNIT, Bool, Flags, List, Record, String, Tuple, Value, Variant, bytes_of, items_of
from worker.beneath import Outside, open_beneath, open_parent
from worker.interfaces.context import Context
from worker.interfaces.roots import open_root
from worker.interfaces.wasi.clocks import NAMES as CLOCK_NAMES
from worker.interfaces.wasi.clocks import SECOND_NS, datetime
from worker.interfaces.wasi.declaring import Failure, Maker, case, enum, names_of, nothing, record, some
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.streams import CHUNK_BYTES, Error, InputStream, OutputStream, StreamClosed, StreamFailed

READ_BYTES_MAX: Final = 1 << 20
"""One ``read`` gives at most so much; it may always give less than asked for."""
ENTRIES_MAX: Final = 100_000
"""Of one directory."""

ERRORS: Final = enum(
    "error-code",
    "access would-block already bad-descriptor busy deadlock quota exist file-too-large illegal-byte-sequence "
    "in-progress interrupted invalid io is-directory loop too-many-links message-size name-too-long no-device no-entry "
    "no-lock insufficient-memory insufficient-space not-directory not-empty not-recoverable unsupported no-tty "
    "no-such-device overflow not-permitted pipe read-only invalid-seek text-file-busy cross-device",
)
OF_ERRNO: Final[dict[int, str]] = {
    errno.EACCES: "access",
    errno.EAGAIN: "would-block",
    errno.EBADF: "bad-descriptor",
    errno.EBUSY: "busy",
    errno.EDQUOT: "quota",
    errno.EEXIST: "exist",
    errno.EFBIG: "file-too-large",
    errno.EILSEQ: "illegal-byte-sequence",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid",
    errno.EISDIR: "is-directory",
    errno.ELOOP: "loop",
    errno.EMLINK: "too-many-links",
    errno.ENAMETOOLONG: "name-too-long",
    errno.ENODEV: "no-device",
    errno.ENOENT: "no-entry",
    errno.ENOMEM: "insufficient-memory",
    errno.ENOSPC: "insufficient-space",
    errno.ENOTDIR: "not-directory",
    errno.ENOTEMPTY: "not-empty",
    errno.ENOTSUP: "unsupported",
    errno.ENXIO: "no-such-device",
    errno.EOVERFLOW: "overflow",
    errno.EPERM: "not-permitted",
    errno.EXDEV: "cross-device",
    errno.EROFS: "read-only",
    errno.ETXTBSY: "text-file-busy",
}
NAMES: Final = names_of(
    """
    descriptor-type = enum descriptor-type {unknown, block-device, character-device, directory, fifo, symbolic-link, regular-file, socket}
    descriptor-stat = record descriptor-stat {type: descriptor-type, link-count: u64, size: u64, data-access-timestamp: option<datetime>, data-modification-timestamp: option<datetime>, status-change-timestamp: option<datetime>}
    new-timestamp = variant new-timestamp {no-change, now, timestamp(datetime)}
    advice = enum advice {normal, sequential, random, will-need, dont-need, no-reuse}
    directory-entry = record directory-entry {type: descriptor-type, name: string}
    metadata-hash-value = record metadata-hash-value {lower: u64, upper: u64}
    """,  # noqa: E501
    {"error-code": ERRORS, "datetime": CLOCK_NAMES["datetime"]},
)
_KINDS: Final = {
    modes.S_IFBLK: "block-device",
    modes.S_IFCHR: "character-device",
    modes.S_IFDIR: "directory",
    modes.S_IFIFO: "fifo",
    modes.S_IFLNK: "symbolic-link",
    modes.S_IFREG: "regular-file",
    modes.S_IFSOCK: "socket",
}
READ, WRITE, FILE_SYNC, DATA_SYNC, MUTATE = 1, 2, 4, 8, 32
"""descriptor-flags"""
FOLLOW: Final = 1
"""path-flags"""
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
"""open-flags"""
NEW_FILE: Final = 0o666
NEW_DIRECTORY: Final = 0o777


class Descriptor:
    """An open file or directory: of the system, with what the guest may do with it."""

    def __init__(self, fd: int, flags: int, may_write: bool) -> None:
        self.fd = fd
        self.flags = flags
        self.may_write = may_write
        """The directory it was found in is granted for writing."""
        self.is_directory = modes.S_ISDIR(os.fstat(fd).st_mode)

    def close(self) -> None:
        """Give it back."""
        os.close(self.fd)


class Entries:
    """``directory-entry-stream``: what a directory held when it was asked."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        self.found = iter(found)


def _failure(error: OSError) -> Failure:
    if isinstance(error, Outside):
        return Failure("not-permitted" if error.errno == errno.EXDEV else "invalid")
    return Failure(OF_ERRNO.get(error.errno or 0, "io"))


def _files(call: Any) -> Any:
    """Have errors of the system told as those of WASI."""

    def served(*given: Any) -> Value:
        try:
            return call(*given)  # type: ignore[no-any-return]
        except OSError as error:
            raise _failure(error) from None

    return served


def _of(context: Context, handle: U32) -> Descriptor:
    return resources(context).get(handle, Descriptor)


def _file(context: Context, handle: U32, flag: int) -> Descriptor:
    found = _of(context, handle)
    if found.is_directory:
        raise Failure("is-directory")
    if not found.flags & flag:
        raise Failure("bad-descriptor")
    return found


def _directory(context: Context, handle: U32, changes: bool = False) -> Descriptor:
    found = _of(context, handle)
    if not found.is_directory:
        raise Failure("not-directory")
    if changes and not (found.may_write and found.flags & MUTATE):
        raise Failure("read-only")
    return found


# -- directories granted -----------------------------------------------------------------------------------------------


def _preopened(grant: dict[str, Any]) -> Descriptor:
    may_write = bool(grant.get("write"))
    fd = open_root(grant, os.O_RDONLY)
    return Descriptor(fd, READ | (MUTATE if may_write else 0), may_write)


def get_directories(context: Context) -> Value:
    """Those of the grant that are there; one that is missing is told in the log."""
    found: list[Value] = []
    for grant in context.grant(WASI).get("directories", ()):
        try:
            opened = _preopened(grant)
        except OSError as error:
            context.log("warning", f"the granted directory {grant['host']} is not there: {error.strerror}")
            continue
        found.append(Tuple((resources(context).add(opened), String(grant["guest"]))))
    return List(types.Tuple((types.U32, types.STRING)), tuple(found))


def _revive_directories(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    grants = {grant["guest"]: grant for grant in context.grant(WASI).get("directories", ())}
    assert isinstance(answer, List)
    for pair in items_of(answer):
        handle, name = pair.items  # type: ignore[attr-defined]
        if name.value in grants:
            try:
                resources(context).revive(handle, _preopened(grants[name.value]))
            except OSError:
                continue


# -- opening -----------------------------------------------------------------------------------------------------------


def _open(base: Descriptor, path_flags: int, path: str, open_flags: int, flags: int) -> Descriptor:
    changes = bool(open_flags & (CREATE | TRUNCATE) or flags & (WRITE | MUTATE))
    if changes and not base.may_write:
        raise Failure("read-only")
    how = os.O_NONBLOCK | os.O_NOCTTY | (0 if path_flags & FOLLOW else os.O_NOFOLLOW)
    how |= (os.O_RDWR if flags & READ else os.O_WRONLY) if flags & WRITE else os.O_RDONLY
    how |= os.O_CREAT * bool(open_flags & CREATE) | os.O_EXCL * bool(open_flags & EXCLUSIVE)
    how |= os.O_TRUNC * bool(open_flags & TRUNCATE) | os.O_DIRECTORY * bool(open_flags & DIRECTORY)
    how |= os.O_SYNC * bool(flags & FILE_SYNC) | os.O_DSYNC * bool(flags & DATA_SYNC)
    found = Descriptor(open_beneath(base.fd, path, how, NEW_FILE), flags, base.may_write)
    if not found.is_directory and not modes.S_ISREG(os.fstat(found.fd).st_mode):
        found.close()  # devices, pipes and sockets are no files to us
        raise Failure("not-permitted")
    return found


def open_at(context: Context, handle: U32, path_flags: Flags, path: String, open_flags: Flags, flags: Flags) -> Value:
    """Open something below a directory."""
    base = _directory(context, handle)
    return resources(context).add(_open(base, path_flags.value, path.value, open_flags.value, flags.value))


def _revive_opened(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    handle, path_flags, path, _, flags = given
    opened = getattr(answer, "value", None)
    if not getattr(answer, "is_ok", False) or not isinstance(opened, U32):
        return
    assert isinstance(handle, U32) and isinstance(path, String)
    assert isinstance(path_flags, Flags) and isinstance(flags, Flags)
    try:
        base = _directory(context, handle)
        resources(context).revive(opened, _open(base, path_flags.value, path.value, 0, flags.value))
    except Exception:  # it is no more: who uses it is told
        return


# -- reading and writing -----------------------------------------------------------------------------------------------


class FileReader(InputStream):
    """A file, from an offset on."""

    def __init__(self, fd: int, offset: int) -> None:
        self._fd = os.dup(fd)
        self._offset = offset

    def read(self, size: int) -> bytes:
        """The next bytes."""
        try:
            data = os.pread(self._fd, size, self._offset)
        except OSError as error:
            raise StreamFailed(str(error)) from None
        if size and not data:
            raise StreamClosed
        self._offset += len(data)
        return data

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)


class FileWriter(OutputStream):
    """A file, from an offset on, or at its end."""

    leaves = False

    def __init__(self, fd: int, offset: int | None) -> None:
        self._fd = os.dup(fd)
        self._offset = offset

    def room(self) -> int:
        """Files take what they are given."""
        return CHUNK_BYTES

    def write(self, data: bytes) -> None:
        """Write all of it."""
        try:
            at = os.fstat(self._fd).st_size if self._offset is None else self._offset
            written = _write_all(self._fd, data, at)
        except OSError as error:
            raise StreamFailed(str(error)) from None
        if self._offset is not None:
            self._offset += written

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)


def _write_all(fd: int, data: bytes, at: int) -> int:
    rest = memoryview(data)
    while rest:
        size = os.pwrite(fd, rest, at)
        rest, at = rest[size:], at + size
    return len(data)


def read_via_stream(context: Context, handle: U32, offset: U64) -> Value:
    """A stream of a file's contents."""
    return resources(context).add(FileReader(_file(context, handle, READ).fd, offset.value))


def write_via_stream(context: Context, handle: U32, offset: U64) -> Value:
    """A stream into a file."""
    return resources(context).add(FileWriter(_file(context, handle, WRITE).fd, offset.value))


def append_via_stream(context: Context, handle: U32) -> Value:
    """A stream to the end of a file."""
    return resources(context).add(FileWriter(_file(context, handle, WRITE).fd, None))


def read(context: Context, handle: U32, length: U64, offset: U64) -> Value:
    """Bytes of a file, and whether it ends there."""
    size = min(length.value, READ_BYTES_MAX)
    data = os.pread(_file(context, handle, READ).fd, size, offset.value)
    return Tuple((bytes_of(data), Bool(bool(size) and not data)))


def write(context: Context, handle: U32, data: List, offset: U64) -> Value:
    """Write into a file."""
    return U64(_write_all(_file(context, handle, WRITE).fd, bytes(data.items), offset.value))


def set_size(context: Context, handle: U32, size: U64) -> Value:
    """Cut a file, or make it longer."""
    os.ftruncate(_file(context, handle, WRITE).fd, size.value)
    return UNIT


def sync(context: Context, handle: U32) -> Value:
    """Onto the disk."""
    os.fsync(_of(context, handle).fd)
    return UNIT


# -- what things are ---------------------------------------------------------------------------------------------------


def _stat(found: os.stat_result) -> Record:
    times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    return record(
        NAMES["descriptor-stat"],
        _kind(found.st_mode),
        U64(found.st_nlink),
        U64(found.st_size),
        *(some(datetime(each)) for each in times),
    )


def _kind(mode: int) -> Variant:
    return case(NAMES["descriptor-type"], _KINDS.get(modes.S_IFMT(mode), "unknown"))


def _stat_at(base: Descriptor, path_flags: Flags, path: String) -> os.stat_result:
    follows = bool(path_flags.value & FOLLOW)
    fd = open_beneath(base.fd, path.value, os.O_PATH | (0 if follows else os.O_NOFOLLOW))
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def stat(context: Context, handle: U32) -> Value:
    """What it is."""
    return _stat(os.fstat(_of(context, handle).fd))


def stat_at(context: Context, handle: U32, path_flags: Flags, path: String) -> Value:
    """What something below a directory is."""
    return _stat(_stat_at(_directory(context, handle), path_flags, path))


def get_flags(context: Context, handle: U32) -> Value:
    """What the guest may do with it."""
    return Flags(_of(context, handle).flags)


def get_type(context: Context, handle: U32) -> Value:
    """What kind of thing it is."""
    return _kind(os.fstat(_of(context, handle).fd).st_mode)


def is_same_object(context: Context, handle: U32, other: U32) -> Value:
    """Whether two descriptors are of one thing."""
    return Bool(os.path.samestat(os.fstat(_of(context, handle).fd), os.fstat(_of(context, other).fd)))


def _hash(found: os.stat_result) -> Record:
    text = f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
    digest = hashlib.sha256(text.encode()).digest()
    lower, upper = (int.from_bytes(digest[at : at + 8], "little") for at in (0, 8))
    return record(NAMES["metadata-hash-value"], U64(lower), U64(upper))


def metadata_hash(context: Context, handle: U32) -> Value:
    """A number that changes when the file does."""
    return _hash(os.fstat(_of(context, handle).fd))


def metadata_hash_at(context: Context, handle: U32, path_flags: Flags, path: String) -> Value:
    """The same of something below a directory."""
    return _hash(_stat_at(_directory(context, handle), path_flags, path))


def read_directory(context: Context, handle: U32) -> Value:
    """What is in a directory, in the order of names."""
    base = _directory(context, handle)
    fd = open_beneath(base.fd, ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(fd) as entries:
            found = [(entry.name, _KINDS.get(modes.S_IFMT(entry.stat(follow_symlinks=False).st_mode), "unknown"))
                     for entry, _ in zip(entries, range(ENTRIES_MAX), strict=False)]  # fmt: skip
    finally:
        os.close(fd)
    return resources(context).add(Entries(sorted(found)))


def read_directory_entry(context: Context, handle: U32) -> Value:
    """The next one, or none."""
    found = next(resources(context).get(handle, Entries).found, None)
    if found is None:
        return some(None)
    name, kind = found
    return some(record(NAMES["directory-entry"], case(NAMES["descriptor-type"], kind), String(name)))


# -- changing directories ----------------------------------------------------------------------------------------------


def create_directory_at(context: Context, handle: U32, path: String) -> Value:
    """Make a directory."""
    parent, name = open_parent(_directory(context, handle, changes=True).fd, path.value)
    try:
        os.mkdir(name, NEW_DIRECTORY, dir_fd=parent)
    finally:
        os.close(parent)
    return UNIT


def remove_directory_at(context: Context, handle: U32, path: String) -> Value:
    """Remove an empty directory."""
    parent, name = open_parent(_directory(context, handle, changes=True).fd, path.value)
    try:
        os.rmdir(name, dir_fd=parent)
    finally:
        os.close(parent)
    return UNIT


def unlink_file_at(context: Context, handle: U32, path: String) -> Value:
    """Remove a file."""
    parent, name = open_parent(_directory(context, handle, changes=True).fd, path.value)
    try:
        os.unlink(name, dir_fd=parent)
    finally:
        os.close(parent)
    return UNIT


def readlink_at(context: Context, handle: U32, path: String) -> Value:
    """What a symbolic link says; one that says an absolute path is not shown."""
    parent, name = open_parent(_directory(context, handle).fd, path.value)
    try:
        target = os.readlink(name, dir_fd=parent)
    finally:
        os.close(parent)
    if target.startswith("/"):
        raise Failure("not-permitted")
    return String(target)


def symlink_at(context: Context, handle: U32, target: String, path: String) -> Value:
    """Make a symbolic link; not to an absolute path."""
    if target.value.startswith("/"):
        raise Failure("not-permitted")
    if not target.value or "\0" in target.value:
        raise Failure("invalid")
    parent, name = open_parent(_directory(context, handle, changes=True).fd, path.value)
    try:
        os.symlink(target.value, name, dir_fd=parent)
    finally:
        os.close(parent)
    return UNIT


def rename_at(context: Context, handle: U32, old: String, new_handle: U32, new: String) -> Value:
    """Move something, from one directory granted to another or within."""
    source, name = open_parent(_directory(context, handle, changes=True).fd, old.value)
    try:
        target, new_name = open_parent(_directory(context, new_handle, changes=True).fd, new.value)
        try:
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        finally:
            os.close(target)
    finally:
        os.close(source)
    return UNIT


def link_at(context: Context, handle: U32, flags: Flags, old: String, new_handle: U32, new: String) -> Value:
    """Another name for a file."""
    if flags.value & FOLLOW:
        raise Failure("invalid")
    source, name = open_parent(_directory(context, handle, changes=True).fd, old.value)
    try:
        target, new_name = open_parent(_directory(context, new_handle, changes=True).fd, new.value)
        try:
            os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        finally:
            os.close(target)
    finally:
        os.close(source)
    return UNIT


def _time(wanted: Variant, now: int) -> int:
    match wanted.case:
        case "now":
            import time

            return time.time_ns()
        case "timestamp":
            (when,) = wanted.payload
            assert isinstance(when, Record)
            seconds, nanoseconds = (value.value for _, value in when.fields)  # type: ignore[attr-defined]
            return int(seconds * SECOND_NS + nanoseconds)
        case _:
            return now


def _set_times(fd: int, access: Variant, modification: Variant) -> None:
    found = os.fstat(fd)
    times = _time(access, found.st_atime_ns), _time(modification, found.st_mtime_ns)
    try:
        os.utime(fd, ns=times)
    except OverflowError:
        raise Failure("overflow") from None


def set_times(context: Context, handle: U32, access: Variant, modification: Variant) -> Value:
    """Set the times of a file."""
    found = _of(context, handle)
    if not found.may_write:
        raise Failure("read-only")
    _set_times(found.fd, access, modification)
    return UNIT


def set_times_at(
    context: Context, handle: U32, path_flags: Flags, path: String, access: Variant, modification: Variant
) -> Value:
    """Set the times of something below a directory."""
    base = _directory(context, handle, changes=True)
    follows = bool(path_flags.value & FOLLOW)
    fd = open_beneath(base.fd, path.value, os.O_RDONLY | os.O_NONBLOCK | (0 if follows else os.O_NOFOLLOW))
    try:
        _set_times(fd, access, modification)
    finally:
        os.close(fd)
    return UNIT


def filesystem_error_code(context: Context, handle: U32) -> Value:
    """Which error a stream's error was; not told."""
    resources(context).get(handle, Error)
    return some(None)


_DONE: Final = "result<_, error-code>"
_METHODS: Final = (
    ("read-via-stream", "(offset: u64) -> result<u32, error-code>", read_via_stream),
    ("write-via-stream", "(offset: u64) -> result<u32, error-code>", write_via_stream),
    ("append-via-stream", "() -> result<u32, error-code>", append_via_stream),
    ("advise", f"(offset: u64, length: u64, advice: advice) -> {_DONE}", nothing),
    ("sync-data", f"() -> {_DONE}", sync),
    ("get-flags", "() -> result<flags, error-code>", get_flags),
    ("get-type", "() -> result<descriptor-type, error-code>", get_type),
    ("set-size", f"(size: u64) -> {_DONE}", set_size),
    (
        "set-times",
        f"(data-access-timestamp: new-timestamp, data-modification-timestamp: new-timestamp) -> {_DONE}",
        set_times,
    ),
    ("read", "(length: u64, offset: u64) -> result<tuple<list<u8>, bool>, error-code>", read),
    ("write", "(buffer: list<u8>, offset: u64) -> result<u64, error-code>", write),
    ("read-directory", "() -> result<u32, error-code>", read_directory),
    ("sync", f"() -> {_DONE}", sync),
    ("create-directory-at", f"(path: string) -> {_DONE}", create_directory_at),
    ("stat", "() -> result<descriptor-stat, error-code>", stat),
    ("stat-at", "(path-flags: flags, path: string) -> result<descriptor-stat, error-code>", stat_at),
    (
        "set-times-at",
        "(path-flags: flags, path: string, data-access-timestamp: new-timestamp, "
        f"data-modification-timestamp: new-timestamp) -> {_DONE}",
        set_times_at,
    ),
    (
        "link-at",
        f"(old-path-flags: flags, old-path: string, new-descriptor: u32, new-path: string) -> {_DONE}",
        link_at,
    ),
    ("readlink-at", "(path: string) -> result<string, error-code>", readlink_at),
    ("remove-directory-at", f"(path: string) -> {_DONE}", remove_directory_at),
    ("rename-at", f"(old-path: string, new-descriptor: u32, new-path: string) -> {_DONE}", rename_at),
    ("symlink-at", f"(old-path: string, new-path: string) -> {_DONE}", symlink_at),
    ("unlink-file-at", f"(path: string) -> {_DONE}", unlink_file_at),
    ("is-same-object", "(other: u32) -> bool", is_same_object),
    ("metadata-hash", "() -> result<metadata-hash-value, error-code>", metadata_hash),
    (
        "metadata-hash-at",
        "(path-flags: flags, path: string) -> result<metadata-hash-value, error-code>",
        metadata_hash_at,
    ),
)


def _types() -> Maker:
    made = Maker(NAMES, ERRORS)
    made.methods("descriptor", [(name, signature, _files(call)) for name, signature, call in _METHODS])
    made.add(
        "[method]descriptor.open-at",
        "(self: u32, path-flags: flags, path: string, open-flags: flags, flags: flags) -> result<u32, error-code>",
        _files(open_at),
        _revive_opened,
    )
    made.drop("descriptor", drop)
    made.methods(
        "directory-entry-stream",
        [("read-directory-entry", "() -> result<option<directory-entry>, error-code>", read_directory_entry)],
    )
    made.drop("directory-entry-stream", drop)
    made.add("filesystem-error-code", "(err: u32) -> option<error-code>", filesystem_error_code)
    return made


def _preopens() -> Maker:
    made = Maker({})
    made.add("get-directories", "() -> list<tuple<u32, string>>", get_directories, _revive_directories)
    return made


INTERFACES: Final = (
    _types().interface("wasi:filesystem/types", "Files and directories below those granted."),
    _preopens().interface("wasi:filesystem/preopens", "The directories granted."),
)
