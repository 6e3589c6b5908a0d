"""The template process ("zygote"): imports everything once and forks a worker on request (design D4).

Started by the root as ``python -m worker.zygote FD MODE``: FD is a SEQPACKET socket to the root, MODE how a fork
becomes the root's own child: ``clone`` (CLONE_PARENT) or ``double`` (double fork, the root being a subreaper). It says
["up", probe] once: probe is the pid of a cloned child that has ended at once, for the root to see whether such
children are its own, or nil where cloning does not work. Requests are MessagePack arrays, one a datagram, answered in
order:

    ["preload", artefact]  ->  ["ok"] | ["error", text]      map a compiled artefact, to be shared by all workers
    ["learn", metadata]    ->  ["ok"] | ["error", text]      keep the decoded metadata of a package
    ["fork", boot, stderr] ->  ["forked", pid] | ["error", text]

It stays single-threaded for ever: it never compiles, never runs a guest, never holds a ZeroMQ context. An end of the
socket ends it.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import platform
import select
import signal
import socket
import sys
from typing import Any, Final, NoReturn

import msgspec

DATAGRAM_BYTES_MAX: Final = 64 * 1024
PR_SET_PDEATHSIG: Final = 1
PR_GET_TID_ADDRESS: Final = 40
CLONE_FLAGS: Final = 0x8000 | 0x1000000 | 0x200000 | signal.SIGCHLD
"""CLONE_PARENT, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID."""
SYS_CLONE: Final = {"x86_64": 56, "aarch64": 220}

_libc = ctypes.PyDLL(None, use_errno=True)
"""PyDLL: the GIL stays held across the system call."""


class Preloaded:
    """What the template hands to its forks: the engines and the artefacts already mapped."""

    def __init__(self, engine: Any) -> None:
        self._engines = {False: engine}
        self._modules: dict[str, Any] = {}

    def engine(self, counts_fuel: bool) -> Any:
        """Return the engine, or the one that counts fuel, made when it is first needed."""
        if counts_fuel not in self._engines:
            from worker.engine.config import make_engine

            self._engines[counts_fuel] = make_engine(counts_fuel)
        return self._engines[counts_fuel]

    def module(self, artefact: str) -> Any | None:
        """Return the module of an artefact path, or None if it was not preloaded."""
        return self._modules.get(artefact)

    def preload(self, artefact: str) -> None:
        """Map a compiled artefact. Raises whatever the engine says of a bad one."""
        if artefact not in self._modules:
            from worker.engine import doors
            from worker.interfaces import registry

            engine = self.engine(doors.counts_fuel(artefact))
            self._modules[artefact] = module = doors.load_artefact(engine, artefact)
            shape = doors.shape_of(engine, module)
            registry.warm({item.interface for item in shape.imports})


def main(argv: list[str]) -> NoReturn:
    """Serve fork requests until the root closes the socket."""
    fd, mode = int(argv[0]), argv[1]
    sock = socket.socket(fileno=fd)
    supervisor = os.getppid()
    die_with_parent(supervisor)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    preloaded = _load()
    _settle()
    send = msgspec.msgpack.Encoder().encode
    sock.send(send(["up", _probe() if mode == "clone" else None]))
    while True:
        datagram = sock.recv(DATAGRAM_BYTES_MAX)
        if not datagram:
            os._exit(0)
        sock.send(send(_serve(msgspec.msgpack.decode(datagram), sock, mode, supervisor, preloaded)))


def _load() -> Preloaded:
    import zmq  # noqa: F401

    import worker.process
    from worker.engine.config import make_engine

    worker.process.preimport()
    return Preloaded(make_engine())


def _probe() -> int | None:
    """Clone a child that ends at once; None where that does not work."""
    try:
        pid = _clone_sibling()
    except (OSError, KeyError):
        return None
    if pid == 0:
        os._exit(0)
    return pid


def _serve(request: list[Any], sock: socket.socket, mode: str, supervisor: int, preloaded: Preloaded) -> list[Any]:
    try:
        match request:
            case ["preload", str(artefact)]:
                preloaded.preload(artefact)
                _settle()
                return ["ok"]
            case ["learn", bytes(metadata)]:
                from worker.engine.module import metadata_of

                metadata_of(metadata)
                _settle()
                return ["ok"]
            case ["fork", dict(boot), str(stderr)]:
                return ["forked", _fork(boot, stderr, sock, mode, supervisor, preloaded)]
            case _:
                return ["error", "unknown request"]
    except Exception as error:  # whatever it is, the root must get its answer
        return ["error", f"{type(error).__name__}: {error}"]


def _settle() -> None:
    """Make everything so far permanent, so that no collection in a fork copies its pages."""
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("the template process must stay single-threaded")
    gc.collect()
    gc.disable()
    gc.freeze()


def _fork(
    boot: dict[str, Any], stderr: str, sock: socket.socket, mode: str, supervisor: int, preloaded: Preloaded
) -> int:
    if mode == "clone":
        pid = _clone_sibling()
        if pid == 0:
            _become_worker(boot, stderr, sock, supervisor, preloaded)
        return pid
    return _double_fork(boot, stderr, sock, supervisor, preloaded)


def _clone_sibling() -> int:
    """Fork, but with our own parent as the child's parent."""
    address = ctypes.c_ulong(0)
    if _libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_GET_TID_ADDRESS)")
    # libc caches the thread id at this address; the kernel writes the child's there, as libc's own fork does.
    tid = ctypes.c_void_p(address.value)
    machine = platform.machine()
    tls_and_tid = (tid, None) if machine == "x86_64" else (None, tid)
    api = ctypes.pythonapi
    api.PyOS_BeforeFork()
    pid = int(_libc.syscall(SYS_CLONE[machine], CLONE_FLAGS, None, None, *tls_and_tid))
    if pid == 0:
        api.PyOS_AfterFork_Child()
        return 0
    api.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone(CLONE_PARENT)")
    return pid


def _double_fork(
    boot: dict[str, Any], stderr: str, sock: socket.socket, supervisor: int, preloaded: Preloaded
) -> int:
    slot = mmap.mmap(-1, 8)
    middle = os.fork()
    if middle == 0:
        pid = os.fork()
        if pid == 0:
            _become_worker(boot, stderr, sock, supervisor, preloaded)
        slot[:8] = pid.to_bytes(8, "little")
        os._exit(0)
    os.waitpid(middle, 0)
    pid = int.from_bytes(slot[:8], "little")
    slot.close()
    return pid


def _become_worker(
    boot: dict[str, Any], stderr: str, sock: socket.socket, supervisor: int, preloaded: Preloaded
) -> NoReturn:
    """Run the worker; never return into the template's loop, whatever happens."""
    try:
        sock.close()
        await_parent(supervisor, boot["lifeline"])
        die_with_parent(supervisor)
        _redirect_stderr(stderr)
        gc.enable()
        import worker.process

        worker.process.run(boot, preloaded)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(70)


def await_parent(supervisor: int, lifeline: int) -> None:
    """Wait until the supervisor is our parent: the middle process of a double fork may still be there.

    Should the supervisor have died meanwhile it never will be; its end of the lifeline is closed then: end at once.
    """
    gone = select.poll()
    gone.register(lifeline, 0)  # hang-ups are always told
    while os.getppid() != supervisor:
        if gone.poll(0):
            os._exit(1)
        os.sched_yield()


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies; end at once if it is already gone.

    Set only once the parent is the lasting one: the signal fires at the end of *any* parent.
    """
    _libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _redirect_stderr(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(fd, 2, inheritable=False)
    os.close(fd)


if __name__ == "__main__":
    main(sys.argv[1:])
