"""The worker process: says hello, is told what it is, starts its two threads, and ends only by way of the post thread.

Forked by ``worker.zygote`` or started by ``python -m worker``; both call ``run``.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from typing import Any, Final, NoReturn

import zmq

from proto import control
from proto.envelope import WireError
from theater import cause as causes
from theater.cause import Cause
from theater.grants import MESSAGES, PROCESS, RPC
from worker import machine_actions as act
from worker import machine_notices as n
from worker.connections import SOCKETS_MAX
from worker.desk import Desk
from worker.ending import EXIT_BROKEN
from worker.engine.errors import StartError, StartRefused
from worker.guest import Guest
from worker.incarnation import Incarnation
from worker.limits import EXIT_LINGER_MS
from worker.logs import Logs
from worker.mailbox import Mailbox
from worker.metrics import Metrics
from worker.operations import Operations
from worker.peers import Peers
from worker.post import Post
from worker.pulse import Pulse
from worker.recorder import Recorder
from worker.rehearsal import rehearse
from worker.rlimits import restrict
from worker.start import load, options_of

SWITCH_INTERVAL_S: Final = 0.0005
"""How long one thread may keep the interpreter from the other: bounds what a host call can delay an info answer."""
LOGS_PER_SECOND_BEFORE_INIT: Final = 10
RECONNECT_IVL_MS: Final = 5


def preimport() -> None:
    """Do once, in the template process, what every worker would do again. Before an engine is made."""
    from worker.warm import warm

    _die_of_faults()
    warm()


def _die_of_faults() -> None:
    """Have a fault that is not the guest's end the process, with a traceback on standard error.

    The engine's own handler passes such faults on to the handler it found; with none there it would go on after a
    SIGSEGV somebody sent. So this comes before the first engine.
    """
    if not faulthandler.is_enabled():
        faulthandler.enable(file=2)


def run(boot: dict[str, Any], preloaded: Any) -> NoReturn:
    """Be a worker, from here to the end of the process.

    Args:
        boot: how to reach the root, and the token that proves who we are (worker contract of the root).
        preloaded: engine and modules inherited from the template process, or None.
    """
    _die_of_faults()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal's Ctrl-C reaches us too: the root decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    os.umask(0o077)
    context: zmq.Context[Any] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, SOCKETS_MAX)
    logs, metrics = Logs(LOGS_PER_SECOND_BEFORE_INIT), Metrics()
    desk = Desk(context, boot["endpoint"], logs, metrics)
    to_root = _connect(context, boot["control"], boot["routing"])
    upward = _connect(context, boot["stream"], boot["routing"])
    if boot.get("rehearses") and preloaded is not None:
        rehearse(preloaded.engine(False), desk, f"{boot['endpoint'].removeprefix('ipc://')}.ring")
    init, bodies = _introduce(to_root, boot)
    options = options_of(init)
    restrict(options)
    inc = Incarnation(init, options, desk, logs, metrics)
    logs.per_second = inc.options.log_per_second
    desk.message_bytes_max = inc.options.message_bytes_max
    if any(name in init.grants for name in (MESSAGES, RPC)):
        inc.peers = Peers(inc, boot["routing"])
        inc.mailbox = Mailbox(inc)
    if PROCESS in init.grants:
        _guard_programs(inc)
    inc.pulse = Pulse()
    try:
        inc.recorder = Recorder.create(inc)
    except (OSError, ValueError) as error:
        _end_without_ring(to_root, context, f"cannot create the ring {init.ring}: {error}")
    post = Post(context, inc, to_root, upward, boot["lifeline"])
    inc.pulse.start()
    threading.Thread(target=post.run, name="post", daemon=True).start()
    _serve(inc, preloaded, bodies)


def _serve(inc: Incarnation, preloaded: Any, bodies: list[bytes]) -> NoReturn:
    operations = Operations(inc)
    try:
        try:
            door = load(inc, preloaded, bodies)
        except StartError as error:
            if isinstance(error, StartRefused) and inc.init.parent is None:
                inc.recorder.refused(error.text)  # of a child that was spawned, the spawner's chain tells
            operations.fail(n.SetupFailed(error.step, error.text))
        inc.recorder.begin()
        operations.begin(Guest(inc, door))
        operations.serve()
    except BaseException as error:
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}"
        operations.finish(act.Exit(Cause(kind=causes.CRASHED, exit_code=EXIT_BROKEN, text=text)))


def _guard_programs(inc: Incarnation) -> None:
    """Fork the process above the actor's programs now: there is no guest whose memory it would keep, and no thread."""
    from worker.context import HostContext
    from worker.interfaces.process import Programs

    try:
        HostContext(inc).service(Programs).guard()
    except OSError:
        pass  # tried again for the first program, who is refused if it fails again


def _connect(context: Any, endpoint: str, routing: bytes) -> Any:
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.ROUTING_ID, routing)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_IVL_MS)
    socket.connect(endpoint)
    return socket


def _introduce(to_root: Any, boot: dict[str, Any]) -> tuple[control.Init, list[bytes]]:
    """Say hello and wait to be told what we are."""
    to_root.send(control.FROM_WORKER.encode(control.Hello(boot["token"], os.getpid())))
    poller = zmq.Poller()
    poller.register(to_root, zmq.POLLIN)
    poller.register(boot["lifeline"], zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if boot["lifeline"] in ready:
            os._exit(EXIT_BROKEN)  # the supervisor is gone before we were anybody
        header, *bodies = to_root.recv_multipart()
        try:
            message = control.TO_WORKER.decode(header)
        except WireError as error:
            print(f"expected Init, got a message that is none of ours: {error}", file=sys.stderr)
            continue
        if isinstance(message, control.Init):
            return message, bodies
        if isinstance(message, control.Ping):
            to_root.send(control.FROM_WORKER.encode(control.Pong(message.id)))


def _end_without_ring(to_root: Any, context: Any, text: str) -> NoReturn:
    """There is nowhere to record anything: say so and end."""
    to_root.send(control.FROM_WORKER.encode(control.StartFailed("manifest", text)))
    to_root.close(EXIT_LINGER_MS)
    context.destroy(linger=EXIT_LINGER_MS)
    os._exit(3)
