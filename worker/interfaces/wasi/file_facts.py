"""What files and directories are, and what directories hold."""

from __future__ import annotations

import hashlib
import os
import stat as modes
from itertools import islice
from typing import Final

from theater.values import U32, U64, Bool, Flags, Record, String, Value, Variant
from worker.beneath import open_beneath
from worker.interfaces.context import Context
from worker.interfaces.wasi.clocks import NAMES as CLOCK_NAMES
from worker.interfaces.wasi.clocks import datetime
from worker.interfaces.wasi.declaring import case, names_of, record, some
from worker.interfaces.wasi.descriptors import ERRORS, FOLLOW, Descriptor, descriptor, directory
from worker.interfaces.wasi.resources import resources

ENTRIES_MAX: Final = 100_000
"""Of one directory."""

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


class Entries:
    """``directory-entry-stream``: what a directory held when it was asked."""

    def __init__(self, found: list[tuple[str, int]]) -> None:
        self.found = iter(found)


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


def status_at(base: Descriptor, path_flags: Flags, path: String) -> os.stat_result:
    """What the system says of something below a directory."""
    follows = bool(path_flags.value & FOLLOW)
    fd = open_beneath(base.fd, path.value, os.O_PATH | (0 if follows else os.O_NOFOLLOW))
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def stat(context: Context, handle: U32) -> Value:
    """What it is."""
    return _stat(os.fstat(descriptor(context, handle).fd))


def stat_at(context: Context, handle: U32, path_flags: Flags, path: String) -> Value:
    """What something below a directory is."""
    return _stat(status_at(directory(context, handle), path_flags, path))


def get_flags(context: Context, handle: U32) -> Value:
    """What the guest may do with it."""
    return Flags(descriptor(context, handle).flags)


def get_type(context: Context, handle: U32) -> Value:
    """What kind of thing it is."""
    return _kind(os.fstat(descriptor(context, handle).fd).st_mode)


def is_same_object(context: Context, handle: U32, other: U32) -> Value:
    """Whether two descriptors are of one thing."""
    return Bool(os.path.samestat(os.fstat(descriptor(context, handle).fd), os.fstat(descriptor(context, other).fd)))


def _hash(found: os.stat_result) -> Record:
    text = f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
    digest = hashlib.sha256(text.encode()).digest()
    lower, upper = (int.from_bytes(digest[at : at + 8], "little") for at in (0, 8))
    return record(NAMES["metadata-hash-value"], U64(lower), U64(upper))


def metadata_hash(context: Context, handle: U32) -> Value:
    """A number that changes when the file does."""
    return _hash(os.fstat(descriptor(context, handle).fd))


def metadata_hash_at(context: Context, handle: U32, path_flags: Flags, path: String) -> Value:
    """The same of something below a directory."""
    return _hash(status_at(directory(context, handle), path_flags, path))


def read_directory(context: Context, handle: U32) -> Value:
    """What is in a directory, in the order of names."""
    found = listed(directory(context, handle), ENTRIES_MAX)
    return resources(context).add(Entries([(name, mode) for name, _, mode in found]))


def listed(base: Descriptor, most: int | None = None) -> list[tuple[str, int, int]]:
    """Name, inode and mode of what is in a directory, in the order of names."""
    fd = open_beneath(base.fd, ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(fd) as entries:
            return sorted(
                (each.name, each.inode(), each.stat(follow_symlinks=False).st_mode) for each in islice(entries, most)
            )
    finally:
        os.close(fd)


def read_directory_entry(context: Context, handle: U32) -> Value:
    """The next one, or none."""
    found = next(resources(context).get(handle, Entries).found, None)
    if found is None:
        return some(None)
    name, mode = found
    return some(record(NAMES["directory-entry"], _kind(mode), String(name)))
