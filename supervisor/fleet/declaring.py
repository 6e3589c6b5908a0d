"""What a guest's manifest declares: read, and held against what its parent has, in a process of its own.

``python -m supervisor.fleet.declaring FD`` serves the root (supervisor.fleet.declarations). Manifests come from guests,
and so may the directories that they name, links and all: whatever it takes to look through them, the root does not
wait. One that takes too long ends the process.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any, Final

import msgspec

from theater.actor import ActorOptions, ActorSpec

DECLARE_S_MAX: Final = 5
"""Real time: it takes a few milliseconds."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest (its text, or its path below ``base_dir``), and the parent that gave it: where, and what it holds."""

    manifest: str
    parent: str
    base_dir: str
    brings_package: bool = False
    grants: dict[str, dict[str, Any]] = {}
    passes: dict[str, Any] = {}
    options: ActorOptions = ActorOptions()


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The actor, ready to be started; or why not: what the guest is told, and what only the log is."""

    spec: ActorSpec | None = None
    refusal: str = ""
    why: str = ""


class _Refused(Exception):
    """What the guest is told, and what only the log is."""

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(text, why)
        self.text = text
        self.why = why


def declare(wish: Wish) -> Declared:
    """The actor that the manifest declares, if the parent holds and passes on all that it asks for."""
    try:
        return Declared(spec=_within(wish, _read(wish)))
    except _Refused as refused:
        return Declared(refusal=refused.text, why=refused.why)


def _within(wish: Wish, spec: ActorSpec) -> ActorSpec:
    from supervisor.fleet.permits import beyond, withheld
    from supervisor.fleet.shares import shares
    from theater.directories import settled

    _check(beyond(wish.grants, spec.grants), "the parent does not hold it")
    _check(withheld(wish.grants, wish.passes, spec.grants), "the parent does not pass it on")
    options, missing = shares(wish.options, spec.options)
    _check(missing, "its limits are the parent's at most")
    return msgspec.structs.replace(spec, options=options, grants=settled(spec.grants, wish.grants))


def _check(missing: list[str], why: str) -> None:
    from theater.errors import PermissionDenied

    if missing:
        raise _Refused(PermissionDenied(", ".join(missing), why).text())


def _read(wish: Wish) -> ActorSpec:
    """What is declared. The manifest, and the package it names, lie below the directory of the parent's declaration.

    What a file has in it is for the log alone: it may not be a manifest at all.
    """
    from theater.config import ConfigError, parse_manifest
    from theater.config.manifest import is_path
    from theater.config.source import fault_of
    from theater.directories import is_inside

    base, given = wish.base_dir, wish.manifest.strip()
    if is_path(given):
        path = os.path.join(base, given)
        fault = fault_of(path) if is_inside(path, base) else f"expected a file below {base}"
        if fault is not None:
            raise _Refused(f"Start failed at manifest: {given}: {fault}")
    origin = f"manifest given by {wish.parent}"
    needed = not wish.brings_package
    try:
        return parse_manifest(wish.manifest, base_dir=base, origin=origin, package_needed=needed, within=base)
    except ConfigError as error:
        if not is_path(given):
            raise _Refused(f"Start failed at manifest: {error}") from None
        text = f"{given}: not a manifest that can be used (the supervisor's log says why)"
        raise _Refused(f"Start failed at manifest: {text}", str(error)) from None


# -- the process -----------------------------------------------------------------------------------------------------


def send(sock: socket.socket, message: Wish | Declared) -> None:
    """Pass a message on as a file in memory: however large, nobody waits until the other side has read it."""
    fd = os.memfd_create("theater")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(msgspec.msgpack.encode(message))
        socket.send_fds(sock, [b"."], [fd])
    finally:
        os.close(fd)


def receive(sock: socket.socket) -> bytes | None:
    """The message that has come; None once the other side is gone."""
    _, fds, _, _ = socket.recv_fds(sock, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not fds:
        return None
    with open(fds[0], "rb") as file:
        file.seek(0)
        return file.read()


def serve(sock: socket.socket) -> None:
    """Answer wishes, one after the other, until the root is gone. Time is up: SIGALRM ends the process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the root's: it ends us when the tree has ended
    while (data := receive(sock)) is not None:
        signal.alarm(DECLARE_S_MAX)
        answer = declare(msgspec.msgpack.decode(data, type=Wish))
        signal.alarm(0)
        send(sock, answer)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        serve(inherited)
