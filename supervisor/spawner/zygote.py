"""Spawn workers by asking the template process (worker/zygote.py) to fork.

The template is started first and works while the root is still importing. If it dies, running workers are not
touched: another one is booted and takes over what was still unanswered.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import Any, Final

import msgspec

from supervisor.loop import Loop
from supervisor.spawner import Answer
from supervisor.spawner.children import become_subreaper, send_signal

REQUESTS_IN_FLIGHT_MAX: Final = 8
DATAGRAM_BYTES_MAX: Final = 64 * 1024
BOOTS_IN_A_ROW_MAX: Final = 3
METADATA_BYTES_MAX: Final = 32 * 1024
LESSONS_MAX: Final = 64

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

Request = tuple[list[Any], "Answer | None"]


class Template:
    """The template process itself, from boot to end. Created before the loop exists, so that it boots early."""

    def __init__(self, lifeline: int, log_path: str, mode: str = "clone") -> None:
        self.mode = mode
        self.log_path = log_path
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker.zygote", str(theirs.fileno()), mode],
                pass_fds=(theirs.fileno(), lifeline),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
        self.pidfd = os.pidfd_open(self.process.pid)
        self.sock.setblocking(False)

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        try:
            with open(self.log_path, "rb") as log:
                return log.read()[-2000:].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def close(self) -> None:
        """End it and reap it."""
        self.sock.close()
        send_signal(self.pidfd, signal.SIGKILL)
        self.process.wait()
        os.close(self.pidfd)


class ZygoteSpawner:
    """Spawner over a template process; see ``supervisor.spawner.Spawner``."""

    spares = 1

    def __init__(self, loop: Loop, lifeline: int, log_path: str, template: Template | None = None) -> None:
        self._loop = loop
        self._lifeline = lifeline
        self._log_path = log_path
        self._artefacts: list[str] = []
        self._lessons: list[list[Any]] = []
        self._waiting: deque[Request] = deque()
        self._in_flight: deque[Request] = deque()
        self._up = False
        self._boots = 0
        self._closed = False
        self._template = template or Template(lifeline, log_path)
        self._watch()

    @property
    def template_pid(self) -> int:
        """Pid of the template process."""
        return self._template.process.pid

    def preload(self, artefact: str) -> None:
        """Map an artefact in the template; remembered for its successors."""
        if artefact not in self._artefacts:
            self._artefacts.append(artefact)
            self._waiting.append((["preload", artefact], None))
            self._pump()

    def learn(self, metadata: bytes) -> None:
        """Have a package's metadata decoded in the template; remembered for its successors."""
        request: list[Any] = ["learn", metadata]
        if len(metadata) <= METADATA_BYTES_MAX and len(self._lessons) < LESSONS_MAX and request not in self._lessons:
            self._lessons.append(request)
            self._waiting.append((request, None))
            self._pump()

    def spawn(self, boot: dict[str, Any], stderr: str, answer: Answer) -> None:
        """Fork one worker; see Spawner."""
        self._waiting.append((["fork", boot, stderr], answer))
        self._pump()

    def close(self) -> None:
        """End the template."""
        if self._closed:
            return
        self._closed = True
        self._unwatch()
        self._template.close()

    # -- the template's life ---------------------------------------------------------------------------------------

    def _watch(self) -> None:
        self._up = False
        self._loop.add_reader(self._template.sock.fileno(), self._on_readable)
        self._loop.add_reader(self._template.pidfd, self._on_death)

    def _unwatch(self) -> None:
        self._loop.remove_reader(self._template.sock.fileno())
        self._loop.remove_reader(self._template.pidfd)

    def _on_death(self) -> None:
        mode, words = self._template.mode, self._template.last_words()
        self._unwatch()
        self._template.close()
        if not self._up:
            self._boots += 1
            if self._boots >= BOOTS_IN_A_ROW_MAX:
                self._refuse_all(f"the template process does not start: {words or 'no output'}")
                self._boots = 0
        self._reboot(mode)

    def _reboot(self, mode: str) -> None:
        self._waiting.extendleft(reversed(self._in_flight))
        self._in_flight.clear()
        preloads: list[Request] = [(["preload", artefact], None) for artefact in self._artefacts]
        preloads += [(lesson, None) for lesson in self._lessons]
        forks = [request for request in self._waiting if request[0][0] == "fork"]
        self._waiting = deque(preloads + forks)
        self._template = Template(self._lifeline, self._log_path, mode)
        self._watch()

    def _refuse_all(self, text: str) -> None:
        requests = [*self._in_flight, *self._waiting]
        self._in_flight.clear()
        self._waiting.clear()
        for _, answer in requests:
            if answer is not None:
                answer(text)

    # -- requests ---------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        while self._up and self._waiting and len(self._in_flight) < REQUESTS_IN_FLIGHT_MAX:
            datagram = _encode(self._waiting[0][0])
            if len(datagram) > DATAGRAM_BYTES_MAX:
                _, answer = self._waiting.popleft()
                if answer is not None:
                    answer(f"spawn request of {len(datagram)} bytes, at most {DATAGRAM_BYTES_MAX} fit")
                continue
            try:
                self._template.sock.send(datagram)
            except (BlockingIOError, OSError):
                return  # full: the next answer pumps again; gone: its death reboots
            self._in_flight.append(self._waiting.popleft())

    def _on_readable(self) -> None:
        while True:
            try:
                datagram = self._template.sock.recv(DATAGRAM_BYTES_MAX)
            except OSError:
                return
            if not datagram:
                return
            self._on_answer(_decode(datagram))
            if self._closed:
                return

    def _on_answer(self, message: list[Any]) -> None:
        if message[0] == "up":
            self._on_up(message[1])
            return
        _, answer = self._in_flight.popleft()
        if answer is not None:
            answer(message[1])
        self._pump()

    def _on_up(self, probe: int | None) -> None:
        """The template is ready; its probe child must be ours to reap, or forks would not be."""
        if self._template.mode == "clone" and not _is_our_child(probe):
            become_subreaper()
            self._unwatch()
            self._template.close()
            self._reboot("double")
            return
        self._up = True
        self._boots = 0
        self._pump()


def _is_our_child(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        return False
    finally:
        os.close(pidfd)
    return True
