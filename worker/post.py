"""The post thread: control, info, heartbeat, guest time, the stream upward. It never waits for the guest (design D6).

Owns the control and the stream socket. While the guest thread is inside the guest, it also serves the desk on every
tick, so that callers learn at once what needs no guest. Blocks, at no cost, while nothing is going on.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import msgspec
import zmq

from proto import control, info
from proto.envelope import MessageClass, WireError, check_bodies, class_of
from theater import cause as causes
from theater.cause import Cause
from worker import child_events
from worker import machine_actions as act
from worker import machine_notices as n
from worker.desk import Caller, request_number
from worker.incarnation import Incarnation
from worker.limits import CONTROL_DRAIN_MAX, DRAIN_MAX, EXIT_LINGER_MS, EXIT_STORE_MS, KILL_GRACE_MS
from worker.machine_state import State
from worker.questions import Questions
from worker.uplink import Uplink

EXIT_ORDERLY: Final = 0
EXIT_FAILED: Final = 1
EXIT_START_FAILED: Final = 3
EXIT_KILLED: Final = 4
EXIT_BROKEN: Final = 70

UPDATE_PACKAGE: Final = "update-package"
UPDATES_FROM: Final = 1 << 40
"""Numbers of our own questions, above those of the guest."""
SLEEP_MS_MAX: Final = 3_600_000
"""poll counts milliseconds in 32 bits."""

EXIT_CODES: Final[dict[str, int]] = {
    causes.FAILED: EXIT_FAILED,
    causes.START_FAILED: EXIT_START_FAILED,
    causes.KILLED: EXIT_KILLED,
    causes.CRASHED: EXIT_BROKEN,
}


class Orderer(msgspec.Struct, frozen=True, gc=False):
    """Who is owed the answer to a control order: the root, under this number."""

    id: int


class Post:
    """Runs in a thread of its own until the process ends, which it brings about itself."""

    def __init__(self, context: Any, inc: Incarnation, control_socket: Any, stream_socket: Any, lifeline: int) -> None:
        self._context = context
        self._inc = inc
        self._control = control_socket
        self._uplink = Uplink(inc, stream_socket)
        self._questions = Questions(inc, self._uplink, self._send_info)
        self._lifeline = lifeline
        self._stop_deadline_ns: int | None = None
        self._slow_start_ns = time.monotonic_ns() + inc.options.init_warn_ms * 1_000_000
        self._exiting = False
        self._updates: dict[int, Any] = {}
        """Who asked for an update, by the number of our question to the root."""
        self._orders: dict[type, Callable[[Any, list[bytes]], None]] = {
            control.Ping: lambda message, bodies: self._send(control.Pong(message.id)),
            control.Pause: lambda message, bodies: self._feed(
                n.Pause(Orderer(message.id), if_idle=message.mode == "if_idle")
            ),
            control.Resume: lambda message, bodies: self._feed(n.Resume(Orderer(message.id))),
            control.Shutdown: lambda message, bodies: self._feed(
                n.Shutdown(Orderer(message.id), message.deadline_ms, message.by)
            ),
            control.Notify: self._notify,
            control.ChildEvents: self._child_events,
            control.Answered: self._answered,
            control.Refused: self._answered,
            control.Init: self._second_init,
            control.HandOver: lambda message, bodies: self._feed(n.HandOver(Orderer(message.id))),
            control.TakeBack: self._take_back,
            control.TakeAgain: lambda message, bodies: self._take_again(message),
            control.Retire: lambda message, bodies: self._feed(n.Retire(Orderer(message.id))),
            control.Expect: lambda message, bodies: self._expect(message),
            control.PeerEnded: self._peer_ended,
            control.PeerMoved: self._peer_moved,
            control.TakenOver: self._taken_over,
        }
        self._perform: dict[type, Callable[[Any], None]] = {
            act.Answer: self._answer,
            act.Refuse: self._refuse,
            act.Run: self._hand_over,
            act.StartInit: self._hand_over,
            act.Announce: self._hand_over,
            act.Leave: self._hand_over,
            act.Handed: self._handed,
            act.Forward: self._forward,
            act.AskUpdate: self._ask_update,
            act.ArmStopDeadline: lambda action: self.arm(action.at_ns),
            act.ReleaseHostCalls: lambda action: inc.asks.release(),
            act.InterruptGuest: lambda action: None,  # performed by feed
            act.Exit: lambda action: self._exit(action.cause),
        }

    def run(self) -> NoReturn:
        """The thread's life."""
        try:
            self._loop()
        except BaseException as error:
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"
            self._exit(Cause(kind=causes.CRASHED, exit_code=EXIT_BROKEN, text=text))
        os._exit(EXIT_BROKEN)

    def arm(self, at_ns: int) -> None:
        """Say StopDeadline then. The root kills at the deadline; we only see to it that we do not outlive it."""
        self._stop_deadline_ns = at_ns if self._inc.is_orphan else at_ns + KILL_GRACE_MS * 1_000_000

    # -- the loop ----------------------------------------------------------------

    def _loop(self) -> NoReturn:
        inc = self._inc
        poller = zmq.Poller()
        for source in (self._control, self._uplink.socket, inc.post_bell.fd, inc.pulse.fd):
            poller.register(source, zmq.POLLIN)
        poller.register(self._lifeline, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(self._timeout_ms()))
            if self._lifeline in ready:
                poller.unregister(self._lifeline)
                self._orphaned()
            if inc.post_bell.fd in ready:
                inc.post_bell.silence()
            self._say_outgoing()
            if self._control in ready:
                self._drain_control()
            if self._uplink.socket in ready:
                self._uplink.receive()
            if inc.pulse.fd in ready and inc.pulse.tick():
                self._tick()
            self._look_at_the_clock()
            self._uplink.send()
            self._questions.settle()

    def _timeout_ms(self) -> int | None:
        inc = self._inc
        times = (self._stop_deadline_ns, inc.machine.earliest_expiry_ns, inc.alarms.next_ns)
        due = [at for at in times if at is not None]
        if not due:
            return None
        return min(max(0, -(-(min(due) - time.monotonic_ns()) // 1_000_000)), SLEEP_MS_MAX)

    def _tick(self) -> None:
        inc = self._inc
        if inc.clock is not None:
            inc.clock.tick()
        has_work = inc.in_guest or self._uplink.can_send
        if inc.in_guest:
            self._serve_desk()
            self._tell_step()
        if inc.pulse.rest(has_work) and (inc.in_guest or self._uplink.can_send):
            inc.pulse.start()

    def _look_at_the_clock(self) -> None:
        now = time.monotonic_ns()
        if self._stop_deadline_ns is not None and now >= self._stop_deadline_ns:
            self._stop_deadline_ns = None
            self._feed(n.StopDeadline())
        expiry = self._inc.machine.earliest_expiry_ns
        if expiry is not None and now >= expiry:
            self._feed(n.TimePassed())
        alarm = self._inc.alarms.next_ns
        if alarm is not None and now >= alarm:
            self._inc.alarms.ring(now)
            self._say_outgoing()  # what they want delivered

    def _tell_step(self) -> None:
        """Steps of a start are told when they last; a slow start is visible (L14)."""
        inc = self._inc
        step, inc.step = inc.step, None
        if step is not None:
            self._send(control.Step(step))
        now = time.monotonic_ns()
        if inc.machine.state is State.STARTING and now >= self._slow_start_ns:
            self._slow_start_ns = now + inc.options.init_warn_ms * 1_000_000
            seconds = (now - inc.machine.since_ns) // 1_000_000_000
            inc.logs.put("warning", "worker", f"still starting after {seconds} s, at step {inc.machine.step}")

    def _orphaned(self) -> None:
        self._inc.is_orphan = True
        self._inc.asks.release()
        self._feed(n.ParentLost())

    # -- the desk ----------------------------------------------------------------

    def _serve_desk(self) -> None:
        """Take requests and give answers in place of the guest thread, if that is inside the guest."""
        inc = self._inc
        desk = inc.desk
        if not desk.lock.acquire(blocking=False):
            return
        try:
            self._clear_desk()
        finally:
            desk.lock.release()

    def _clear_desk(self) -> None:
        """Only with the desk's lock held."""
        for _ in range(DRAIN_MAX):
            notice = self._inc.desk.receive()
            if notice is None:
                break
            self._feed(notice)
        self._give_replies()

    def _give_replies(self) -> None:
        """Only with the desk's lock held."""
        replies, desk = self._inc.replies, self._inc.desk
        while replies:
            give(desk, replies.popleft())

    # -- control ----------------------------------------------------------------

    def _drain_control(self) -> None:
        for _ in range(CONTROL_DRAIN_MAX):
            try:
                header, *bodies = self._control.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                check_bodies(bodies)
                self._take(header, bodies)
            except WireError as error:
                self._refuse_frame(header, error)

    def _take(self, header: bytes, bodies: list[bytes]) -> None:
        if class_of(header) is MessageClass.INFO:
            self._questions.answer(info.QUESTIONS.decode(header))
            return
        message = control.TO_WORKER.decode(header)
        self._orders[type(message)](message, bodies)

    def _refuse_frame(self, header: bytes, error: WireError) -> None:
        self._inc.metrics.frame_refused(error.reason)
        self._inc.logs.warn(f"control {error.reason}", f"control socket: {error.reason} frame refused: {error}")
        number = request_number(header)
        if number is None:
            return
        if class_of(header) is MessageClass.INFO:
            self._send_info(info.Refused(number, "serialization", (str(error),)), ())
        elif class_of(header) is MessageClass.CONTROL:
            self._send(control.Refused(number, "serialization", (str(error),)))

    def _notify(self, message: control.Notify, bodies: list[bytes]) -> None:
        payload = bodies[0] if bodies else b""
        key = None if message.key is None else (message.function, message.key)
        self._feed(n.HostCall(function=message.function, payload=payload, key=key, received_ns=time.monotonic_ns()))

    def _child_events(self, message: control.ChildEvents, bodies: list[bytes]) -> None:
        for notice in child_events.notices(message, bodies, self._inc.logs):
            self._feed(notice)

    def _take_back(self, message: control.TakeBack, bodies: list[bytes]) -> None:
        self._feed(n.TakeBack(Orderer(message.id)))
        if self._inc.server is not None:
            self._inc.server.resume()

    def _take_again(self, message: control.TakeAgain) -> None:
        self._inc.init.set_aside.pop(message.digest, None)

    def _expect(self, message: control.Expect) -> None:
        from worker.context import HostContext
        from worker.tcp.service import expect

        self._send(expect(HostContext(self._inc), message))

    def _peer_ended(self, message: control.PeerEnded, bodies: list[bytes]) -> None:
        if self._inc.peers is not None:
            self._inc.peers.ended(message)

    def _peer_moved(self, message: control.PeerMoved, bodies: list[bytes]) -> None:
        if self._inc.peers is not None:
            self._inc.peers.moved(message)

    def _taken_over(self, message: control.TakenOver, bodies: list[bytes]) -> None:
        if self._inc.mailbox is not None:
            for refusal in self._inc.mailbox.taken_over():
                self._reply(refusal)

    def _second_init(self, message: control.Init, bodies: list[bytes]) -> None:
        self._inc.logs.warn("init", "a second Init was ignored")

    def _answered(self, message: Any, bodies: list[bytes]) -> None:
        waiter = self._updates.pop(message.id, None)
        if waiter is None:
            self._inc.asks.answer(message, bodies)
        elif isinstance(message, control.Refused):
            self._refuse(act.Refuse(waiter, message.kind, message.data))
        else:
            self._answer(act.Answer(waiter))

    def _ask_update(self, action: act.AskUpdate) -> None:
        number = UPDATES_FROM + len(self._updates)
        while number in self._updates:
            number += 1
        self._updates[number] = action.waiter
        self._send(control.Ask(number, UPDATE_PACKAGE, {"package": action.package}))

    # -- performing ----------------------------------------------------------------

    def _feed(self, notice: Any) -> None:
        for action in self._inc.feed(notice):
            self._perform[type(action)](action)

    def _answer(self, action: act.Answer) -> None:
        if isinstance(action.waiter, Orderer):
            self._send(control.Done(action.waiter.id))
        else:
            self._reply(action)

    def _refuse(self, action: act.Refuse) -> None:
        if isinstance(action.waiter, Orderer):
            self._inc.metrics.refused(action.kind)
            self._send(control.Refused(action.waiter.id, action.kind, action.data))
        else:
            self._reply(action)

    def _handed(self, action: act.Handed) -> None:
        """Between two operations, for good: what is recorded is all there is."""
        recorder, waiter = self._inc.recorder, action.waiter
        assert isinstance(waiter, Orderer) and recorder.head is not None
        if self._inc.server is not None:
            self._inc.server.pause()
        self._send(control.HandedOver(waiter.id, recorder.seq, recorder.head), [self._inc.state])

    def _forward(self, action: act.Forward) -> None:
        self._send(control.Forward(action.function), [action.payload])

    def _reply(self, action: act.Answer | act.Refuse) -> None:
        """Leave it for whoever holds the desk next; that is soon: the bell, or our own next tick."""
        self._inc.replies.append(action)
        self._inc.guest_bell.ring()

    def _hand_over(self, action: act.Action) -> None:
        self._inc.work.append(action)
        self._inc.guest_bell.ring()

    def _say_outgoing(self) -> None:
        """Send what the guest thread wants said."""
        outgoing = self._inc.outgoing
        while outgoing:
            message, bodies = outgoing.popleft()
            match message:
                case act.Answer():
                    self._answer(message)
                case act.Refuse():
                    self._refuse(message)
                case act.ArmStopDeadline():
                    self.arm(message.at_ns)
                case act.Handed():
                    self._handed(message)
                case act.Forward():
                    self._forward(message)
                case act.AskUpdate():
                    self._ask_update(message)
                case act.Exit():
                    self._exit(message.cause)
                case act.InterruptGuest():
                    pass  # performed by feed
                case n.HostCall():
                    message.received_ns = time.monotonic_ns()
                    self._feed(message)
                case _:
                    self._send(message, bodies)

    def _say_undelivered(self) -> None:
        """What only became known while the desk was cleared for the last time."""
        for message, bodies in self._inc.outgoing:
            if isinstance(message, control.Undelivered):
                self._send(message, bodies)

    def _send(self, message: Any, bodies: Sequence[bytes] = ()) -> None:
        self._send_frames([control.FROM_WORKER.encode(message), *bodies])

    def _send_info(self, message: Any, bodies: Sequence[bytes]) -> None:
        self._send_frames([info.ANSWERS.encode(message), *bodies])

    def _send_frames(self, frames: list[bytes]) -> None:
        try:
            self._control.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            self._inc.logs.warn("control full", "the root takes no control messages: one was lost")

    # -- the end ----------------------------------------------------------------

    def _exit(self, cause: Cause) -> NoReturn:
        """Say the last words, let what was said leave the process, end it."""
        self._last_words(cause)
        if not self._exiting:
            self._exiting = True
            self._flush(cause)
        os._exit(EXIT_CODES.get(cause.kind, EXIT_ORDERLY))

    def _last_words(self, cause: Cause) -> None:
        recorder = getattr(self._inc, "recorder", None)
        if recorder is not None:
            recorder.last_words(cause)

    def _flush(self, cause: Cause) -> None:
        inc = self._inc
        try:
            if cause.kind == causes.START_FAILED:
                self._send(control.StartFailed(cause.step or "", cause.text or ""))
            elif cause.kind not in EXIT_CODES:
                self._send(control.Goodbye(cause.plain()))
            self._await_store()
            inc.work.append(act.Exit(cause))  # should the guest thread be at the desk, it leaves
            inc.guest_bell.ring()
            if inc.desk.lock.acquire(timeout=EXIT_LINGER_MS / 1000):
                self._clear_desk()
                self._say_undelivered()
                inc.desk.close(EXIT_LINGER_MS)
            self._uplink.send_last()
            for socket in (self._control, self._uplink.socket):
                socket.close(EXIT_LINGER_MS)
            is_alone = inc.peers is None or inc.peers.close(EXIT_LINGER_MS)
            if inc.desk.is_closed and is_alone:
                self._context.term()
        except Exception:
            traceback.print_exc()

    def _await_store(self) -> None:
        """Answers that wait for the store still go out, if it is not too slow."""
        holding = self._inc.holding
        deadline = time.monotonic() + EXIT_STORE_MS / 1000
        while holding and not self._inc.is_orphan and (left := deadline - time.monotonic()) > 0:
            self._uplink.send()
            if self._uplink.socket.poll(int(left * 1000)):
                self._uplink.receive()


def give(desk: Any, action: act.Action) -> None:
    """Send a caller its answer. Only with the desk's lock held."""
    assert isinstance(action, act.Answer | act.Refuse)
    caller: Caller = action.waiter
    if type(caller) is not Caller:
        action.waiter.settle(action)  # somebody in this process (worker.http.visitor)
    elif isinstance(action, act.Answer):
        desk.answer(caller, action.response)
    else:
        desk.refuse(caller, action.kind, action.data)
