"""Paths of preview 1: what is below the granted directories."""

from __future__ import annotations

import os
from collections.abc import Callable

from theater.values import U16, U32, U64, Flags, String, Value
from worker.beneath import open_beneath
from worker.interfaces.context import Context
from worker.interfaces.wasi import file_changes as changes
from worker.interfaces.wasi.descriptors import (
    CREATE,
    DIRECTORY,
    MUTATE,
    READ,
    TRUNCATE,
    WRITE,
    Descriptor,
    changing,
    directory,
    open_below,
)
from worker.interfaces.wasi.file_facts import status_at
from worker.interfaces.wasi.preview1_fds import Opened, fds, handle_of
from worker.interfaces.wasi.preview1_files import APPEND, FD_READ, FD_WRITE, filestat, set_times
from worker.interfaces.wasi.resources import resources


def path_open(
    context: Context, fd: U32, lookup: U32, path: String, how: U16, rights: U64, inherited: U64, flags: U16
) -> Value:
    """Open something below a directory."""
    return U32(fds(context).add(opened(context, fd, lookup, path, how.value, rights, flags)))


def opened(context: Context, fd: U32, lookup: U32, path: String, how: int, rights: U64, flags: U16) -> Opened:
    """What ``path_open`` opens; it has no number yet."""
    base = directory(context, handle_of(context, fd))
    wanted = _wanted(base, how, rights.value)
    try:
        found = open_below(base, lookup.value & 1, path.value, how, wanted)
    except IsADirectoryError:
        found = open_below(base, lookup.value & 1, path.value, how, READ | (wanted & MUTATE))
    return Opened(resources(context).add(found), flags=flags.value & APPEND)


def _wanted(base: Descriptor, how: int, rights: int) -> int:
    """The flags of WASI 0.2 that rights stand for."""
    wanted = 0
    if rights & FD_READ or not rights & FD_WRITE:
        wanted |= READ
    if rights & FD_WRITE and not how & DIRECTORY:
        wanted |= WRITE
    if base.may_write and not wanted & WRITE:
        wanted |= MUTATE
    if wanted & WRITE and not base.may_write and not how & (CREATE | TRUNCATE):
        wanted = READ  # libraries ask for every right they may get
    return wanted


def below(call: Callable[[Context, U32, String], Value]) -> Callable[[Context, U32, String], Value]:
    """A function of WASI 0.2 on a path below a directory, for descriptors of preview 1."""
    return lambda context, fd, path: call(context, handle_of(context, fd), path)


def path_symlink(context: Context, target: String, fd: U32, path: String) -> Value:
    """Make a symbolic link."""
    return changes.symlink_at(context, handle_of(context, fd), target, path)


def path_rename(context: Context, fd: U32, old: String, new_fd: U32, new: String) -> Value:
    """Move something."""
    return changes.rename_at(context, handle_of(context, fd), old, handle_of(context, new_fd), new)


def path_link(context: Context, fd: U32, lookup: U32, old: String, new_fd: U32, new: String) -> Value:
    """Another name for a file."""
    return changes.link_at(context, handle_of(context, fd), Flags(lookup.value), old, handle_of(context, new_fd), new)


def path_filestat_get(context: Context, fd: U32, flags: U32, path: String) -> Value:
    """What something below a directory is."""
    base = directory(context, handle_of(context, fd))
    return filestat(status_at(base, Flags(flags.value & 1), path))


def path_filestat_set_times(
    context: Context, fd: U32, lookup: U32, path: String, access: U64, modification: U64, flags: U16
) -> Value:
    """Set the times of something below a directory."""
    base = changing(context, handle_of(context, fd))
    how = os.O_RDONLY | os.O_NONBLOCK | (0 if lookup.value & 1 else os.O_NOFOLLOW)
    number = open_beneath(base.fd, path.value, how)
    try:
        return set_times(number, access, modification, flags)
    finally:
        os.close(number)
