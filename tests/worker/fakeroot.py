"""A root without supervision: starts one real worker process, says what the test says, remembers what it heard.

with FakeRoot(tmp_path, artefact) as root:
    root.init(); root.expect(control.Ready)
    caller = root.caller()
    caller.call("test:counter/api.bump", params)
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import zmq

from proto import control, info, operation, stream
from proto.envelope import MessageClass, class_of
from theater.actor import RUNTIME, SUPERVISOR

M = TypeVar("M")

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 10.0
RING_BYTES = 1 << 20


class NothingCame(AssertionError):
    """What the test waited for did not happen in time."""


class FakeRoot:
    """One worker and the sockets a root has towards it."""

    def __init__(self, directory: Path, artefact: str, digest: str = "00" * 32) -> None:
        self.directory = directory
        self.artefact = artefact
        self.digest = digest
        self.endpoint = f"ipc://{directory}/op"
        self.ring = str(directory / "ring")
        self.acks = True
        """Acknowledge event batches as they come."""
        self.heard: deque[tuple[Any, list[bytes]]] = deque()
        """Control and info messages not yet expected."""
        self.batches: list[tuple[stream.EventBatch, bytes]] = []
        self.logs: list[stream.LogRecord] = []
        self.last_state: bytes | None = None
        """What the last words said of the state, once they were read."""
        self._ids = 0
        self._routing = secrets.token_bytes(16)
        self._token = secrets.token_bytes(16)
        self._context: zmq.Context[Any] = zmq.Context()
        self._control = self._bind("control")
        self._stream = self._bind("stream")
        self._lifeline = os.pipe()
        self.process = self._spawn()

    def __enter__(self) -> FakeRoot:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.lose()
        self._context.destroy(linger=0)

    # -- the worker's life ----------------------------------------------------------------

    def init(self, bodies: tuple[bytes, ...] = (), **changes: Any) -> None:
        """Wait for Hello and answer with Init."""
        hello, _ = self.expect(control.Hello)
        assert (self._token, self.process.pid) == (hello.token, hello.pid)
        options = changes.pop("options", {})
        init = control.Init(
            actor_id="11111111-2222-3333-4444-555555555555",
            path="/fleet/tested",
            name="tested",
            incarnation=1,
            package="tested.wasm",
            digest=self.digest,
            artefact=self.artefact,
            manifest_digest="11" * 32,
            ring=self.ring,
            ring_bytes=RING_BYTES,
            chain_seq=0,
            chain_head=None,
            previous_end=None,
            grants={RUNTIME: {}, SUPERVISOR: {}},
            options=options,
        )
        self.tell(msgspec.structs.replace(init, **changes), *bodies)

    def start(self, **changes: Any) -> FakeRoot:
        """Init, and wait until the actor is ready."""
        self.init(**changes)
        self.expect(control.Ready)
        return self

    def wait_for_exit(self, timeout_s: float = PATIENCE_S) -> int:
        """The exit status, once the process has ended; what it said before is heard too."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None:
            self._pass(0.01)
            if time.monotonic() > deadline:
                raise NothingCame("the worker does not end")
        self._pass(0.02)
        return int(self.process.returncode)

    def lose(self) -> None:
        """Be gone, as far as the worker's lifeline tells."""
        for fd in self._lifeline:
            if fd >= 0:
                os.close(fd)
        self._lifeline = (-1, -1)

    def last_words(self) -> dict[str, Any]:
        """The cause in the ring of the ended worker."""
        from theater.ring import RingReader

        words = RingReader.open(self.ring).last_words()
        assert words is not None
        plain: dict[str, Any] = msgspec.msgpack.decode(words)
        self.last_state = plain.pop("state", None)
        return plain

    # -- conversation ----------------------------------------------------------------

    def tell(self, message: Any, *bodies: bytes) -> None:
        """Send the worker a control message."""
        self._control.send_multipart([self._routing, control.TO_WORKER.encode(message), *bodies])

    def raw(self, *frames: bytes, link: str = "control") -> None:
        """Send the worker anything at all."""
        sock = self._control if link == "control" else self._stream
        sock.send_multipart([self._routing, *frames])

    def order(self, message: Any) -> int:
        """Send an order under a fresh number; return the number."""
        self._ids += 1
        self.tell(msgspec.structs.replace(message, id=self._ids))
        return self._ids

    def answer_to(self, number: int, timeout_s: float = PATIENCE_S) -> Any:
        """The answer to an order or question."""
        return self._answer_to(number, timeout_s)[0]

    def obey(self, message: Any) -> Any:
        """Send an order and return its answer."""
        return self.answer_to(self.order(message))

    def ask(self, question: Any, timeout_s: float = PATIENCE_S) -> tuple[Any, list[bytes]]:
        """Put an info question; return answer and bodies."""
        number = self.ask_later(question)
        return self._answer_to(number, timeout_s)

    def ask_later(self, question: Any) -> int:
        """Put an info question; return its number."""
        self._ids += 1
        question = msgspec.structs.replace(question, id=self._ids)
        self._control.send_multipart([self._routing, info.QUESTIONS.encode(question)])
        return self._ids

    def expect(self, kind: type[M], timeout_s: float = PATIENCE_S) -> tuple[M, list[bytes]]:
        """The next message of a kind."""
        return self._wait(lambda message: isinstance(message, kind), timeout_s, kind.__name__)

    def until(self, fact: Any, timeout_s: float = PATIENCE_S) -> None:
        """Listen until a fact holds."""
        deadline = time.monotonic() + timeout_s
        while not fact():
            if time.monotonic() > deadline:
                raise NothingCame("the fact does not come to hold")
            self._pass(0.005)

    def ack(self) -> None:
        """Acknowledge everything that came so far."""
        if self.batches:
            self._acknowledge(self.batches[-1][0].last_seq)

    def stored_events(self) -> int:
        """How many events have come up."""
        return self.batches[-1][0].last_seq - self.batches[0][0].first_seq + 1 if self.batches else 0

    def caller(self) -> Caller:
        """A client with a connection of its own to the worker's operation endpoint, once that is bound."""
        self.until(lambda: (self.directory / "op").exists())
        return Caller(self._context, self.endpoint)

    # -- inside ----------------------------------------------------------------

    def _bind(self, name: str) -> zmq.Socket[bytes]:
        sock: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        sock.setsockopt(zmq.ROUTER_MANDATORY, 1)
        sock.setsockopt(zmq.RCVHWM, 0)
        sock.bind(f"ipc://{self.directory}/{name}")
        return sock

    def _spawn(self) -> subprocess.Popen[bytes]:
        boot = {
            "routing": self._routing,
            "token": self._token,
            "control": f"ipc://{self.directory}/control",
            "stream": f"ipc://{self.directory}/stream",
            "endpoint": self.endpoint,
            "lifeline": self._lifeline[0],
            "supervisor_pid": os.getpid(),
        }
        with open(self.directory / "stderr", "wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker"],
                stdin=subprocess.PIPE,
                stderr=stderr,
                pass_fds=(self._lifeline[0],),
                cwd=REPOSITORY,
            )
        assert process.stdin is not None
        process.stdin.write(msgspec.msgpack.encode(boot))
        process.stdin.close()
        return process

    def _answer_to(self, number: int, timeout_s: float) -> tuple[Any, list[bytes]]:
        found: tuple[Any, list[bytes]] = self._wait(
            lambda message: getattr(message, "id", None) == number, timeout_s, f"an answer to {number}"
        )
        return found

    def _wait(self, wanted: Any, timeout_s: float, what: str) -> Any:
        deadline = time.monotonic() + timeout_s
        while True:
            for message, bodies in self.heard:
                if wanted(message):
                    self.heard.remove((message, bodies))
                    return message, bodies
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                stderr = (self.directory / "stderr").read_text()
                raise NothingCame(f"{what} did not come; heard {[m for m, _ in self.heard]}; stderr: {stderr}")
            self._pass(min(remaining, 0.05))

    def _pass(self, seconds: float) -> None:
        """Wait at most so long for something, then take everything that is there."""
        poller = zmq.Poller()
        poller.register(self._control, zmq.POLLIN)
        poller.register(self._stream, zmq.POLLIN)
        poller.poll(seconds * 1000)
        while self._take(self._control) or self._take(self._stream):
            pass

    def _take(self, sock: Any) -> bool:
        try:
            _, header, *bodies = sock.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        if sock is self._control:
            codec = info.ANSWERS if class_of(header) is MessageClass.INFO else control.FROM_WORKER
            self.heard.append((codec.decode(header), bodies))
            return True
        message = stream.UP.decode(header)
        if isinstance(message, stream.LogRecord):
            self.logs.append(message)
        else:
            self.batches.append((message, bodies[0]))
            if self.acks:
                self._acknowledge(message.last_seq)
        return True

    def _acknowledge(self, seq: int) -> None:
        try:
            self._stream.send_multipart([self._routing, stream.DOWN.encode(stream.Ack(seq))])
        except zmq.ZMQError as error:
            assert error.errno == zmq.EHOSTUNREACH, error  # it has ended meanwhile

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the worker."""
        self.process.send_signal(number)


class Caller:
    """One client's connection to the operation endpoint."""

    def __init__(self, context: zmq.Context[Any], endpoint: str) -> None:
        self._socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoint)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._ids = 0
        self._answers: dict[int, tuple[Any, bytes | None]] = {}

    def is_connected(self) -> bool:
        """The connection is made, so what was sent is on its way."""
        return bool(self._monitor.poll(0))

    def send(self, function: str, params: bytes, **more: Any) -> int:
        """Send a call; return its number."""
        self._ids += 1
        self._socket.send_multipart([operation.REQUESTS.encode(operation.Call(self._ids, function, **more)), params])
        return self._ids

    def send_other(self, message: Any) -> int:
        """Send another request under a fresh number."""
        self._ids += 1
        self._socket.send(operation.REQUESTS.encode(msgspec.structs.replace(message, id=self._ids)))
        return self._ids

    def raw(self, *frames: bytes) -> None:
        """Send anything at all."""
        self._socket.send_multipart(list(frames))

    def answer(self, number: int, timeout_s: float = PATIENCE_S) -> tuple[Any, bytes | None]:
        """The answer to a request: message and body."""
        deadline = time.monotonic() + timeout_s
        while number not in self._answers:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._socket.poll(remaining * 1000):
                raise NothingCame(f"no answer to {number}; there are {self._answers}")
            header, *bodies = self._socket.recv_multipart()
            message = operation.ANSWERS.decode(header)
            assert message.id not in self._answers, "two answers to one request"
            self._answers[message.id] = (message, bodies[0] if bodies else None)
        return self._answers.pop(number)

    def error(self, number: int, timeout_s: float = PATIENCE_S) -> operation.Failed:
        """The answer to a request that must be an error."""
        message, _ = self.answer(number, timeout_s)
        assert isinstance(message, operation.Failed), message
        return message

    def call(self, function: str, params: bytes, timeout_s: float = PATIENCE_S, **more: Any) -> bytes | None:
        """Call and return the response; the call must succeed."""
        message, body = self.answer(self.send(function, params, **more), timeout_s)
        assert isinstance(message, operation.Returned), message
        return body
