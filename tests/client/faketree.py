"""A supervisor and its workers, faked in one thread over real ipc sockets: the client cannot tell the difference.

What each function of a fake worker does is told by its name: ``echo`` returns its parameters, ``hold`` answers when the
test releases it, ``fail`` fails, ``last-words`` answers and dies at once, and so on (``_operate``).
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from proto import control, info, operation
from proto.envelope import VERSION, MessageClass

KILLED = {"kind": "killed", "by": "test"}
STOPPED = {"kind": "stopped", "by": "test"}
PACKAGE = "ab" * 32
PATIENCE_S = 5.0


class FakeActor:
    """One actor: its present worker socket, or the cause of its end."""

    def __init__(self, path: str, metadata: bytes | None) -> None:
        self.path = path
        self.actor_id = f"id-of-{path.strip('/')}"
        self.metadata = metadata
        self.incarnation = 0
        self.context: Any = None
        self.line: Any = None
        self.endpoint = ""
        self.cause: dict[str, Any] | None = None
        self.held: list[tuple[bytes, Any, list[bytes]]] = []
        self.watchers: set[bytes] = set()
        self.is_coming_back = False
        self.state: bytes | None = None
        self.chain: tuple[dict[str, Any], bytes] = ({"first_seq": 0, "base_hash": None, "count": 0}, b"")


class FakeTree:
    """The whole supervisor. Start it with ``fake_tree``."""

    def __init__(self, run_dir: Path, store: Path | None = None) -> None:
        self.run_dir = run_dir
        run_dir.mkdir(mode=0o700, parents=True)
        self._lock = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        about = {
            "pid": os.getpid(), "name": "fake", "tree": "/x/fake.yaml", "store": str(store or run_dir / "store"),
            "started_ns": 1, "version": "0", "protocol": VERSION,
        }  # fmt: skip
        (run_dir / "supervisor.json").write_text(json.dumps(about))
        self.context = zmq.Context()
        self.gate = self.context.socket(zmq.ROUTER)
        self.gate.bind(f"ipc://{run_dir}/gate")
        self.actors: dict[str, FakeActor] = {}
        self.tree_data: dict[str, Any] = {"name": "fake", "pid": os.getpid(), "state": "up", "root": {}}
        self.seen: list[Any] = []
        """Every message received, in order."""
        self._news = threading.Condition()
        self.silent: set[type] = set()
        """Questions that get no answer."""
        self.on_subscribe: list[tuple[Any, list[bytes]]] = []
        """What a subscriber is sent at once."""
        self._subscribers: dict[int, tuple[bytes, info.Subscribe]] = {}
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = os.eventfd(0)
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="fake-tree", daemon=True)
        self._thread.start()

    # -- what tests do --------------------------------------------------------------------------------------------

    def add(self, path: str, metadata: bytes | None = None) -> FakeActor:
        """Add an actor and start it."""
        actor = self.actors[path] = FakeActor(path, metadata)
        self.do(lambda: self._start(actor))
        return actor

    def kill(self, path: str, cause: dict[str, Any] = KILLED, comes_back: bool = False) -> None:
        """End the present incarnation."""
        self.do(lambda: self._end(self.actors[path], cause, comes_back))

    def restart(self, path: str) -> None:
        """Start the next incarnation."""
        self.do(lambda: self._start(self.actors[path]))

    def release(self, path: str) -> None:
        """Answer the calls that are held."""

        def answer() -> None:
            actor = self.actors[path]
            held, actor.held = actor.held, []
            for peer, call, bodies in held:
                _reply(actor.line, peer, operation.Returned(call.id), bodies)

        self.do(answer)

    def await_seen(self, kind: type, count: int = 1) -> list[Any]:
        """Wait until so many messages of a kind were received, and return them."""

        def found() -> list[Any]:
            return [message for message in self.seen if isinstance(message, kind)]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, PATIENCE_S), f"seen only {self.seen}"
            return found()

    def publish(self, message: Any, bodies: list[bytes], number: int = 1) -> None:
        """Send something to the subscriber of that number."""
        self.do(lambda: self._tell(self._subscribers[number][0], message, bodies))

    def do(self, errand: Callable[[], None]) -> None:
        """Run something in the tree's thread and wait for it."""
        done = threading.Event()

        def run() -> None:
            try:
                errand()
            finally:
                done.set()

        self._errands.put(run)
        os.eventfd_write(self._wake, 1)
        assert done.wait(PATIENCE_S)

    def die(self) -> None:
        """Go as at SIGKILL: sockets closed, lock released, no word to anybody."""
        if self._is_over:
            return

        def end() -> None:
            self._is_over = True

        self.do(end)
        self._thread.join(PATIENCE_S)
        for context in (self.context, *(actor.context for actor in self.actors.values())):
            context.destroy(linger=0)
        os.close(self._lock)

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_over:
            lines = {actor.line: actor for actor in self.actors.values() if actor.line is not None}
            ready = zmq.zmq_poll([(sock, zmq.POLLIN) for sock in (self._wake, self.gate, *lines)], -1)
            for sock, _ in ready:
                if sock == self._wake:
                    os.eventfd_read(self._wake)
                    while not self._errands.empty():
                        self._errands.get()()
                elif sock is self.gate:
                    self._serve_client(self.gate.recv_multipart())
                elif sock in lines and not sock.closed:
                    self._operate(lines[sock], sock.recv_multipart())

    def _start(self, actor: FakeActor) -> None:
        actor.incarnation += 1
        actor.cause = None
        actor.is_coming_back = False
        actor.context = zmq.Context()
        actor.line = actor.context.socket(zmq.ROUTER)
        actor.line.setsockopt(zmq.LINGER, 1000)
        actor.endpoint = f"ipc://{self.run_dir}/{actor.path.strip('/').replace('/', '-')}.{actor.incarnation}"
        actor.line.bind(actor.endpoint)

    def _end(self, actor: FakeActor, cause: dict[str, Any], comes_back: bool = False) -> None:
        actor.line.close(1000)
        actor.context.term()  # as with a process: what it sent is out before its death is known
        actor.line = None
        actor.held.clear()
        actor.cause = cause
        actor.is_coming_back = comes_back
        for peer in actor.watchers:
            self._tell(peer, info.Ended(actor.actor_id, actor.path, actor.incarnation, cause))
        actor.watchers.clear()

    def _tell(self, peer: bytes, message: Any, bodies: list[bytes] | None = None) -> None:
        codec = control.TO_CLIENT if isinstance(message, control.ToClient) else info.ANSWERS
        self.gate.send_multipart([peer, codec.encode(message), *(bodies or ())])

    def _serve_client(self, frames: list[bytes]) -> None:
        peer, header, *_ = frames
        codec = control.FROM_CLIENT if header[3] == MessageClass.CONTROL else info.QUESTIONS
        message = codec.decode(header)
        self._note(message)
        if type(message) in self.silent:
            return
        if isinstance(message, info.Received | info.Unsubscribe | info.Subscribe):
            self._subscription(peer, message)
        elif isinstance(message, info.GetTree):
            self._tell(peer, info.Info(message.id, self.tree_data))
        elif isinstance(message, control.StopTree | control.StartChild | control.RestartChild):
            self._tell(peer, control.Outcome(message.id, "done"))
        else:
            actor = self._actor(message.target)
            if actor is None:
                self._tell(peer, info.Refused(message.id, "not_found", (message.target,)))
            else:
                self._about(peer, actor, message)

    def _note(self, message: Any) -> None:
        with self._news:
            self.seen.append(message)
            self._news.notify_all()

    def _actor(self, target: str) -> FakeActor | None:
        known = [actor for actor in self.actors.values() if target in (actor.path, actor.actor_id)]
        return known[0] if known else None

    def _subscription(self, peer: bytes, message: Any) -> None:
        if isinstance(message, info.Subscribe):
            if self._actor(message.target) is None:
                self._tell(peer, info.Refused(message.id, "not_found", (message.target,)))
                return
            number = len(self._subscribers) + 1
            self._subscribers[number] = (peer, message)
            self._tell(peer, info.Info(message.id, {"subscription": number}))
            for item, bodies in self.on_subscribe:
                self._tell(peer, item, bodies)

    def _about(self, peer: bytes, actor: FakeActor, message: Any) -> None:
        match message:
            case info.Resolve():
                self._resolve(peer, actor, message)
            case info.GetStatus():
                state = "idle" if actor.line else "restarting" if actor.is_coming_back else "stopped"
                data = {
                    "state": state,
                    "text": "Running",
                    "incarnation": actor.incarnation,
                    "pid": 1,
                    "cause": actor.cause,
                }
                self._tell(peer, info.Info(message.id, data))
            case info.GetState():
                self._tell(peer, info.Info(message.id), [actor.state] if actor.state else [])
            case info.GetChain():
                self._tell(peer, info.Info(message.id, actor.chain[0]), [actor.chain[1]])
            case info.GetMetrics():
                data = {"operation_metrics": {"total_operations": 4, "failed_operations": 1}, "uptime_secs": 2.0}
                self._tell(peer, info.Info(message.id, data))
            case info.GetExportHashes():
                self._tell(peer, info.Info(message.id, {"hashes": [["a:b/c", bytes(32)]]}))
            case info.GetInterface():
                self._tell(
                    peer, info.Info(message.id, {"package": PACKAGE}), [actor.metadata] if actor.metadata else []
                )
            case info.SaveChain():
                self._tell(
                    peer, info.Info(message.id, {"path": message.path or "/store/x", "count": 3, "head": bytes(32)})
                )
            case info.Flush():
                self._tell(peer, info.Info(message.id, {"last_seq": 0}))
            case control.Shutdown() | control.Terminate():
                cause = STOPPED if isinstance(message, control.Shutdown) else KILLED
                self._end(actor, cause)
                self._tell(peer, control.Report(message.id, cause, cause is KILLED, 0, 0.01))
            case control.Resume():
                self._tell(peer, control.Refused(message.id, "not_paused"))
            case _:
                self._tell(peer, control.Done(message.id))

    def _resolve(self, peer: bytes, actor: FakeActor, message: info.Resolve) -> None:
        if actor.line is None:
            self._tell(peer, info.Refused(message.id, "channel_closed", (actor.cause,)))
            return
        actor.watchers.add(peer)
        where = (actor.actor_id, actor.path, actor.incarnation, actor.endpoint, 300_000, PACKAGE)
        self._tell(peer, info.Endpoint(message.id, *where))

    def _operate(self, actor: FakeActor, frames: list[bytes]) -> None:
        peer, header, *bodies = frames
        request = operation.REQUESTS.decode(header)
        self._note(request)
        line = actor.line
        if isinstance(request, operation.Cancel):
            _reply(line, peer, operation.Failed(request.id, "not_found", ()))
            return
        name = request.function.rpartition(".")[2] if isinstance(request, operation.Call) else "http"
        match name:
            case "hold":
                actor.held.append((peer, request, bodies))
            case "fail":
                _reply(line, peer, operation.Failed(request.id, "internal", ({"function": "fail", "message": "no"},)))
            case "garbage":
                _reply(line, peer, operation.Returned(request.id), [b"\x00garbage"])
            case "big":
                _reply(line, peer, operation.Returned(request.id), [bytes(2_000_000)])
            case "die":
                self._end(actor, KILLED)
            case "die-and-return":
                self._end(actor, KILLED, comes_back=True)
                self._errands.put(lambda: self._start(actor))
                os.eventfd_write(self._wake, 1)
            case "last-words":
                _reply(line, peer, operation.Returned(request.id), bodies)
                self._end(actor, KILLED)
            case "http":
                reason = "HandleWasiHttpRequest should be handled by the HTTP handler directly"
                _reply(line, peer, operation.Failed(request.id, "unexpected", (reason,)))
            case _:
                line.send_multipart([peer, b"not ours"])  # a client has to live with that
                _reply(line, peer, operation.Returned(request.id), bodies)


def _reply(line: Any, peer: bytes, message: Any, bodies: list[bytes] | None = None) -> None:
    line.send_multipart([peer, operation.ANSWERS.encode(message), *(bodies or ())])


@contextmanager
def fake_tree(run_dir: Path) -> Iterator[FakeTree]:
    """A running fake supervisor."""
    tree = FakeTree(run_dir)
    try:
        yield tree
    finally:
        tree.die()
