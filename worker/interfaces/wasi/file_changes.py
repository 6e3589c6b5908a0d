"""Changing what directories hold, and the times of files."""

from __future__ import annotations

import os
import time
from typing import Final

from theater.values import U32, UNIT, Flags, Record, String, Value, Variant
from worker.beneath import open_beneath, parent_of
from worker.interfaces.context import Context
from worker.interfaces.wasi.clocks import SECOND_NS
from worker.interfaces.wasi.declaring import Failure
from worker.interfaces.wasi.descriptors import FOLLOW, changing, descriptor, directory

NEW_DIRECTORY: Final = 0o777


def create_directory_at(context: Context, handle: U32, path: String) -> Value:
    """Make a directory."""
    with parent_of(changing(context, handle).fd, path.value) as (parent, name):
        os.mkdir(name, NEW_DIRECTORY, dir_fd=parent)
    return UNIT


def remove_directory_at(context: Context, handle: U32, path: String) -> Value:
    """Remove an empty directory."""
    with parent_of(changing(context, handle).fd, path.value) as (parent, name):
        os.rmdir(name, dir_fd=parent)
    return UNIT


def unlink_file_at(context: Context, handle: U32, path: String) -> Value:
    """Remove a file."""
    with parent_of(changing(context, handle).fd, path.value) as (parent, name):
        os.unlink(name, dir_fd=parent)
    return UNIT


def readlink_at(context: Context, handle: U32, path: String) -> Value:
    """What a symbolic link says; one that says an absolute path is not shown."""
    with parent_of(directory(context, handle).fd, path.value) as (parent, name):
        target = os.readlink(name, dir_fd=parent)
    if target.startswith("/"):
        raise Failure("not-permitted")
    return String(target)


def symlink_at(context: Context, handle: U32, target: String, path: String) -> Value:
    """Make a symbolic link; not to an absolute path."""
    if target.value.startswith("/"):
        raise Failure("not-permitted")
    if not target.value or "\0" in target.value:
        raise Failure("invalid")
    with parent_of(changing(context, handle).fd, path.value) as (parent, name):
        os.symlink(target.value, name, dir_fd=parent)
    return UNIT


def rename_at(context: Context, handle: U32, old: String, new_handle: U32, new: String) -> Value:
    """Move something, from one directory granted to another or within."""
    with (
        parent_of(changing(context, handle).fd, old.value) as (source, name),
        parent_of(changing(context, new_handle).fd, new.value) as (target, new_name),
    ):
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    return UNIT


def link_at(context: Context, handle: U32, flags: Flags, old: String, new_handle: U32, new: String) -> Value:
    """Another name for a file."""
    if flags.value & FOLLOW:
        raise Failure("invalid")
    with (
        parent_of(changing(context, handle).fd, old.value) as (source, name),
        parent_of(changing(context, new_handle).fd, new.value) as (target, new_name),
    ):
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    return UNIT


# -- times -------------------------------------------------------------------------------------------------------------


def _time(wanted: Variant, now: int) -> int:
    match wanted.case:
        case "now":
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
    found = descriptor(context, handle)
    if not found.may_write:
        raise Failure("read-only")
    _set_times(found.fd, access, modification)
    return UNIT


def set_times_at(
    context: Context, handle: U32, path_flags: Flags, path: String, access: Variant, modification: Variant
) -> Value:
    """Set the times of something below a directory."""
    base = changing(context, handle)
    follows = bool(path_flags.value & FOLLOW)
    fd = open_beneath(base.fd, path.value, os.O_RDONLY | os.O_NONBLOCK | (0 if follows else os.O_NOFOLLOW))
    try:
        _set_times(fd, access, modification)
    finally:
        os.close(fd)
    return UNIT
