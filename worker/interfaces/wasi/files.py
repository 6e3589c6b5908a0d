"""``wasi:filesystem``: the directories the grant names, and what is below them; no path leads out."""

from __future__ import annotations

import os
from typing import Any, Final

from theater import types
from theater.grants.wasi import GRANT
from theater.values import U32, Flags, List, String, Tuple, Value, items_of
from worker.interfaces.context import Context
from worker.interfaces.roots import open_root
from worker.interfaces.wasi import file_changes as changes
from worker.interfaces.wasi import file_contents as contents
from worker.interfaces.wasi import file_facts as facts
from worker.interfaces.wasi.declaring import Maker, nothing, some
from worker.interfaces.wasi.descriptors import ERRORS, MUTATE, READ, Descriptor, directory, open_below, told
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.streams import Error

# -- directories granted -----------------------------------------------------------------------------------------------


def _preopened(grant: dict[str, Any]) -> Descriptor:
    may_write: bool = grant["write"]
    fd = open_root(grant, os.O_RDONLY)
    return Descriptor(fd, READ | (MUTATE if may_write else 0), may_write)


def get_directories(context: Context) -> Value:
    """Those of the grant that are there; one that is missing is told in the log."""
    found: list[Value] = []
    for grant in GRANT.held_by(context)["directories"]:
        try:
            opened = _preopened(grant)
        except OSError as error:
            context.log("warning", f"the granted directory {grant['host']} is not there: {error.strerror}")
            continue
        found.append(Tuple((resources(context).add(opened), String(grant["guest"]))))
    return List(types.Tuple((types.U32, types.STRING)), tuple(found))


def _revive_directories(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    grants = {grant["guest"]: grant for grant in GRANT.held_by(context)["directories"]}
    assert isinstance(answer, List)
    for pair in items_of(answer):
        handle, name = pair.items  # type: ignore[attr-defined]
        if name.value in grants:
            try:
                resources(context).revive(handle, _preopened(grants[name.value]))
            except OSError:
                continue


# -- opening -----------------------------------------------------------------------------------------------------------


def open_at(context: Context, handle: U32, path_flags: Flags, path: String, open_flags: Flags, flags: Flags) -> Value:
    """Open something below a directory."""
    base = directory(context, handle)
    return resources(context).add(open_below(base, path_flags.value, path.value, open_flags.value, flags.value))


def _revive_opened(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    handle, path_flags, path, _, flags = given
    opened = getattr(answer, "value", None)
    if not getattr(answer, "is_ok", False) or not isinstance(opened, U32):
        return
    assert isinstance(handle, U32) and isinstance(path, String)
    assert isinstance(path_flags, Flags) and isinstance(flags, Flags)
    try:
        base = directory(context, handle)
        resources(context).revive(opened, open_below(base, path_flags.value, path.value, 0, flags.value))
    except Exception:  # it is no more: who uses it is told
        return


def filesystem_error_code(context: Context, handle: U32) -> Value:
    """Which error a stream's error was; not told."""
    resources(context).get(handle, Error)
    return some(None)


_DONE: Final = "result<_, error-code>"
_METHODS: Final = (
    ("read-via-stream", "(offset: u64) -> result<u32, error-code>", contents.read_via_stream),
    ("write-via-stream", "(offset: u64) -> result<u32, error-code>", contents.write_via_stream),
    ("append-via-stream", "() -> result<u32, error-code>", contents.append_via_stream),
    ("advise", f"(offset: u64, length: u64, advice: advice) -> {_DONE}", nothing),
    ("sync-data", f"() -> {_DONE}", contents.sync),
    ("get-flags", "() -> result<flags, error-code>", facts.get_flags),
    ("get-type", "() -> result<descriptor-type, error-code>", facts.get_type),
    ("set-size", f"(size: u64) -> {_DONE}", contents.set_size),
    (
        "set-times",
        f"(data-access-timestamp: new-timestamp, data-modification-timestamp: new-timestamp) -> {_DONE}",
        changes.set_times,
    ),
    ("read", "(length: u64, offset: u64) -> result<tuple<list<u8>, bool>, error-code>", contents.read),
    ("write", "(buffer: list<u8>, offset: u64) -> result<u64, error-code>", contents.write),
    ("read-directory", "() -> result<u32, error-code>", facts.read_directory),
    ("sync", f"() -> {_DONE}", contents.sync),
    ("create-directory-at", f"(path: string) -> {_DONE}", changes.create_directory_at),
    ("stat", "() -> result<descriptor-stat, error-code>", facts.stat),
    ("stat-at", "(path-flags: flags, path: string) -> result<descriptor-stat, error-code>", facts.stat_at),
    (
        "set-times-at",
        "(path-flags: flags, path: string, data-access-timestamp: new-timestamp, "
        f"data-modification-timestamp: new-timestamp) -> {_DONE}",
        changes.set_times_at,
    ),
    (
        "link-at",
        f"(old-path-flags: flags, old-path: string, new-descriptor: u32, new-path: string) -> {_DONE}",
        changes.link_at,
    ),
    ("readlink-at", "(path: string) -> result<string, error-code>", changes.readlink_at),
    ("remove-directory-at", f"(path: string) -> {_DONE}", changes.remove_directory_at),
    ("rename-at", f"(old-path: string, new-descriptor: u32, new-path: string) -> {_DONE}", changes.rename_at),
    ("symlink-at", f"(old-path: string, new-path: string) -> {_DONE}", changes.symlink_at),
    ("unlink-file-at", f"(path: string) -> {_DONE}", changes.unlink_file_at),
    ("is-same-object", "(other: u32) -> bool", facts.is_same_object),
    ("metadata-hash", "() -> result<metadata-hash-value, error-code>", facts.metadata_hash),
    (
        "metadata-hash-at",
        "(path-flags: flags, path: string) -> result<metadata-hash-value, error-code>",
        facts.metadata_hash_at,
    ),
)


def _types() -> Maker:
    made = Maker(facts.NAMES, ERRORS)
    made.methods("descriptor", [(name, signature, told(call)) for name, signature, call in _METHODS])
    made.add(
        "[method]descriptor.open-at",
        "(self: u32, path-flags: flags, path: string, open-flags: flags, flags: flags) -> result<u32, error-code>",
        told(open_at),
        _revive_opened,
    )
    made.drop("descriptor", drop)
    made.methods(
        "directory-entry-stream",
        [("read-directory-entry", "() -> result<option<directory-entry>, error-code>", facts.read_directory_entry)],
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
