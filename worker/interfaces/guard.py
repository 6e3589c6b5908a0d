"""The process above an actor's programs: when the worker is gone, however it went, nothing of them is left.

A fork of the worker, made before there is a guest: it shares the template's pages and none of the guest's memory. It
starts programs on order and adopts what they leave behind (PR_SET_CHILD_SUBREAPER), so everything they ever start, in
whatever session, stays below it. The worker's end of the socket is its lifeline: when that closes, it kills all that
is below it until nothing is left, then ends. A session of its own and ignored signals keep the operator's Ctrl-C, and
programs that signal their own group, from it. Should it be killed all the same, programs are killed with it
(PR_SET_PDEATHSIG), and what they have started falls to the worker.

Orders, each answered in turn:

    ["start", path, arguments, environment, directory], three descriptors  ->  pid, its pidfd  |  why not, as text
    ["end", pid]                                                           ->  its exit code
    ["sweep"]                                                              ->  nil
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec

from worker.interfaces.children import children, clear

NAME: Final = "theater-guard"
PR_SET_PDEATHSIG: Final = 1
PR_SET_NAME: Final = 15
PR_SET_CHILD_SUBREAPER: Final = 36
SWEEP_S: Final = 2.0
"""Time to end what a program has left behind; what is still there then is tried again later."""
IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU)
"""Signals that workers and guards ignore, and programs do not."""
LENGTH: Final = struct.Struct("<I")
FDS_MAX: Final = 3

libc: Final = ctypes.CDLL(None, use_errno=True)


class Gone(Exception):
    """The other side of the socket has ended."""


# -- the wire, both sides ----------------------------------------------------------------------------------------------


def send(sock: socket.socket, message: Any, fds: Sequence[int] = ()) -> None:
    """Send a message, with descriptors. Raises Gone."""
    data = msgspec.msgpack.encode(message)
    try:
        socket.send_fds(sock, [LENGTH.pack(len(data))], fds)
        sock.sendall(data)
    except OSError as error:
        raise Gone from error


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """Wait for a message and its descriptors. Raises Gone."""
    try:
        # Not socket.recv_fds: it forgets the flags it is given.
        head, control, _, _ = sock.recvmsg(LENGTH.size, socket.CMSG_SPACE(FDS_MAX * 4), socket.MSG_CMSG_CLOEXEC)
        if not head:
            raise Gone
        head += _exactly(sock, LENGTH.size - len(head))
        fds = [fd for _, _, data in control for fd in struct.unpack(f"{len(data) // 4}i", data)]
        return msgspec.msgpack.decode(_exactly(sock, *LENGTH.unpack(head))), fds
    except OSError as error:
        raise Gone from error


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise Gone
        data += part
    return bytes(data)


# -- the process -------------------------------------------------------------------------------------------------------


def fork() -> tuple[int, socket.socket]:
    """Start a guard; return its pid, and the lifeline. Raises OSError."""
    adopt_orphans()
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        _stand(its)
    its.close()
    return pid, ours


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0)


def _stand(lifeline: socket.socket) -> NoReturn:
    """Be the guard; never return, whatever happens."""
    try:
        gc.disable()
        gc.freeze()  # nobody else's objects are finalised here, nor their pages copied
        _settle(lifeline.fileno())
        try:
            _Guard(lifeline).serve()
        except Gone:
            pass
        lifeline.close()
        clear(None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(0)


def _settle(lifeline: int) -> None:
    """Take leave of everything of the worker's but standard error."""
    os.setsid()
    os.chdir("/")
    adopt_orphans()
    libc.prctl(PR_SET_NAME, NAME.encode(), 0, 0, 0)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd != lifeline:
            try:
                os.close(fd)
            except OSError:
                pass  # it was the listing's
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1):
        os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)


class _Guard:
    """Takes orders until the worker is gone."""

    def __init__(self, lifeline: socket.socket) -> None:
        self._sock = lifeline
        self._pid = os.getpid()
        self._programs: set[int] = set()
        """Pids of those whose end was not asked for yet. They are not reaped: nobody else can have their numbers."""
        self._woken, wake = os.pipe()
        for fd in (self._woken, wake):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> NoReturn:
        """Raises Gone in the end."""
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll()}
            if self._sock.fileno() in ready:
                order, fds = receive(self._sock)
                try:
                    self._obey(order, fds)
                finally:
                    for fd in fds:
                        os.close(fd)
            elif self._woken in ready:
                os.read(self._woken, 1 << 16)
                self._reap_orphans()

    def _obey(self, order: list[Any], fds: list[int]) -> None:
        match order:
            case ["start", str(path), list(arguments), dict(environment), str(directory)]:
                self._start([path, *arguments], environment, directory, fds)
            case ["end", int(pid)]:
                send(self._sock, self._end(pid))
            case ["sweep"]:
                if not self._programs:
                    clear(time.monotonic() + SWEEP_S)
                send(self._sock, None)
            case _:
                raise AssertionError(f"no order: {order!r}")

    def _start(self, argv: list[str], environment: dict[str, str], directory: str, fds: list[int]) -> None:
        try:
            pid = self._launch(argv, environment, directory, fds)
        except (OSError, ValueError) as error:
            send(self._sock, _text(error))
            return
        if isinstance(pid, str):
            send(self._sock, pid)
            return
        self._programs.add(pid)
        pidfd = os.pidfd_open(pid)
        try:
            send(self._sock, pid, [pidfd])
        finally:
            os.close(pidfd)

    def _launch(self, argv: list[str], environment: dict[str, str], directory: str, fds: list[int]) -> int | str:
        told, tell = os.pipe()
        with open(told, "rb") as problems:
            try:
                pid = os.fork()
                if pid == 0:
                    self._become(argv, environment, directory, fds, tell)
            finally:
                os.close(tell)
            problem = problems.read()  # its end of the pipe closes when the program begins
        if problem:
            os.waitpid(pid, 0)
            return problem.decode()
        return pid

    def _become(
        self, argv: list[str], environment: dict[str, str], directory: str, fds: list[int], tell: int
    ) -> NoReturn:
        """In the new process: be the program."""
        try:
            os.setsid()
            libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != self._pid:
                os._exit(1)  # the guard died before we asked
            for number in (*IGNORED, signal.SIGPIPE, signal.SIGXFSZ):  # the last two are ignored by Python
                signal.signal(number, signal.SIG_DFL)
            for to, fd in enumerate(fds):
                os.dup2(fd, to)
            os.chdir(directory)
            os.execve(argv[0], argv, environment)
        except BaseException as error:
            os.write(tell, _text(error).encode())
        finally:
            os._exit(1)

    def _end(self, pid: int) -> int:
        """Kill a program with its session's group; return its exit code, negative for a signal."""
        if pid not in self._programs:
            return -signal.SIGKILL
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # only a zombie is left of it
        self._await_end(pid)
        self._programs.discard(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _await_end(self, pid: int) -> None:
        """What sits in the kernel may die late; the worker may be gone before it."""
        pidfd = os.pidfd_open(pid)
        try:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            poller.register(self._sock, 0)  # hang-ups are always told
            if not any(fd == pidfd for fd, _ in poller.poll()):
                raise Gone
        finally:
            os.close(pidfd)

    def _reap_orphans(self) -> None:
        for pid in children() - self._programs:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass  # the list was older


def _text(error: BaseException) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
