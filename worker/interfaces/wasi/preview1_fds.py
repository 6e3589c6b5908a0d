"""File descriptors of preview 1: 0 to 2 are the standard streams, then come granted directories."""

from __future__ import annotations

from typing import Any, Final

from theater.values import U32
from worker.interfaces.context import Context
from worker.interfaces.wasi.cli import Stderr, Stdout
from worker.interfaces.wasi.declaring import Failure
from worker.interfaces.wasi.descriptors import Descriptor
from worker.interfaces.wasi.files import get_directories
from worker.interfaces.wasi.resources import Resources, resources

FDS_MAX: Final = 1_000


class Opened:
    """A file descriptor of the guest's."""

    def __init__(self, handle: U32 | None, name: str | None = None, flags: int = 0, stream: Any = None) -> None:
        self.handle = handle
        """The file or directory among the resources; None for a standard stream."""
        self.name = name
        """Of a granted directory."""
        self.flags = flags
        self.position = 0
        self.stream = stream


class Fds:
    """The service that knows them all."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._begin()

    def _begin(self) -> None:
        context = self._context
        self.table: dict[int, Opened] = {
            0: Opened(None),
            1: Opened(None, stream=context.service(Stdout)),
            2: Opened(None, stream=context.service(Stderr)),
        }
        for pair in get_directories(context).items:  # type: ignore[attr-defined]
            handle, name = pair.items
            self.table[len(self.table)] = Opened(handle, name.value)

    def renew(self) -> None:
        """A fresh instance of the guest begins anew."""
        self._context.service(Resources).renew()
        self._begin()

    def add(self, opened: Opened) -> int:
        """Keep one; the lowest number that is free."""
        if len(self.table) >= FDS_MAX:
            raise Failure("too-many-files")
        number = next(each for each in range(len(self.table) + 1) if each not in self.table)
        self.table[number] = opened
        return number

    def get(self, fd: U32) -> Opened:
        """One that is open."""
        found = self.table.get(fd.value)
        if found is None:
            raise Failure("bad-descriptor")
        return found


def fds(context: Context) -> Fds:
    """Those of this actor."""
    return context.service(Fds)


def handle_of(context: Context, fd: U32) -> U32:
    """The resource behind a descriptor: a file or a directory."""
    found = fds(context).get(fd)
    if found.handle is None:
        raise Failure("bad-descriptor")
    return found.handle


def descriptor_of(context: Context, fd: U32) -> Descriptor:
    """What is open there: a file or a directory."""
    return resources(context).get(handle_of(context, fd), Descriptor)


def file_of(context: Context, fd: U32, flag: int) -> tuple[Opened, int]:
    """A file that is open for this, and its descriptor of the system."""
    found = fds(context).get(fd)
    descriptor = descriptor_of(context, fd)
    if descriptor.is_directory:
        raise Failure("is-directory")
    if not descriptor.flags & flag:
        raise Failure("not-capable")
    return found, descriptor.fd
