"""The post thread: control, info, heartbeat, guest time, the stream upward. It never waits for the guest (design D6).

Owns the control and the stream socket. While the guest thread is inside the guest, it also serves the desk on every
tick, so that callers learn at once what needs no guest. Blocks, at no cost, while nothing is going on.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn

import zmq

from proto import control
from theater import cause as causes
from theater.cause import Cause
from worker import machine_actions as act
from worker import machine_notices as n
from worker.control_line import ControlLine
from worker.desk import Caller
from worker.ending import EXIT_BROKEN, Ending
from worker.incarnation import Incarnation
from worker.limits import DRAIN_MAX, KILL_GRACE_MS
from worker.machine_state import State
from worker.orders import Orderer, Orders
from worker.questions import Questions
from worker.uplink import Uplink

SLEEP_MS_MAX: Final = 3_600_000
"""poll counts milliseconds in 32 bits."""


class Post:
    """Runs in a thread of its own until the process ends, which it brings about itself."""

    def __init__(self, context: Any, inc: Incarnation, control_socket: Any, stream_socket: Any, lifeline: int) -> None:
        self._inc = inc
        self._line = ControlLine(inc, control_socket)
        self._uplink = Uplink(inc, stream_socket)
        self._questions = Questions(inc, self._uplink, self._line.send_info)
        self._orders = Orders(inc, self._line, self._feed, self._perform)
        self._ending = Ending(context, inc, self._line, self._uplink, self._clear_desk)
        self._lifeline = lifeline
        self._stop_deadline_ns: int | None = None
        self._slow_start_ns = time.monotonic_ns() + inc.options.init_warn_ms * 1_000_000
        self._table: dict[type, Callable[[Any], None]] = {
            act.Answer: self._answer,
            act.Refuse: self._refuse,
            act.Run: self._hand_over,
            act.StartInit: self._hand_over,
            act.Announce: self._hand_over,
            act.Leave: self._hand_over,
            act.Handed: self._handed,
            act.Forward: self._forward,
            act.AskUpdate: self._orders.ask_update,
            act.ArmStopDeadline: lambda action: self.arm(action.at_ns),
            act.ReleaseHostCalls: lambda action: inc.asks.release(),
            act.InterruptGuest: lambda action: None,  # performed by feed
            act.Exit: lambda action: self._ending.exit(action.cause),
        }

    def run(self) -> NoReturn:
        """The thread's life."""
        try:
            self._loop()
        except BaseException as error:
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"
            self._ending.exit(Cause(kind=causes.CRASHED, exit_code=EXIT_BROKEN, text=text))
        os._exit(EXIT_BROKEN)

    def arm(self, at_ns: int) -> None:
        """Say StopDeadline then. The root kills at the deadline; we only see to it that we do not outlive it."""
        self._stop_deadline_ns = at_ns if self._inc.is_orphan else at_ns + KILL_GRACE_MS * 1_000_000

    # -- the loop ----------------------------------------------------------------

    def _loop(self) -> NoReturn:
        inc = self._inc
        poller = zmq.Poller()
        for source in (self._line.socket, self._uplink.socket, inc.post_bell.fd, inc.pulse.fd):
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
            if self._line.socket in ready:
                self._line.receive(self._orders.take, self._questions.answer)
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
            self._line.send(control.Step(step))
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

    # -- performing ----------------------------------------------------------------

    def _feed(self, notice: Any) -> None:
        for action in self._inc.feed(notice):
            self._table[type(action)](action)

    def _perform(self, action: act.Action) -> None:
        self._table[type(action)](action)

    def _answer(self, action: act.Answer) -> None:
        if isinstance(action.waiter, Orderer):
            self._line.send(control.Done(action.waiter.id))
        else:
            self._reply(action)

    def _refuse(self, action: act.Refuse) -> None:
        if isinstance(action.waiter, Orderer):
            self._inc.metrics.refused(action.kind)
            self._line.send(control.Refused(action.waiter.id, action.kind, action.data))
        else:
            self._reply(action)

    def _handed(self, action: act.Handed) -> None:
        """Between two operations, for good: what is recorded is all there is."""
        recorder, waiter = self._inc.recorder, action.waiter
        assert isinstance(waiter, Orderer) and recorder.head is not None
        if self._inc.server is not None:
            self._inc.server.pause()
        self._inc.hand_over_services()
        self._line.send(control.HandedOver(waiter.id, recorder.seq, recorder.head), [self._inc.state])

    def _forward(self, action: act.Forward) -> None:
        self._line.send(control.Forward(action.function), [action.payload])

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
            perform = self._table.get(type(message))
            if perform is not None:
                perform(message)
            elif isinstance(message, n.HostCall):
                message.received_ns = time.monotonic_ns()
                self._feed(message)
            else:
                self._line.send(message, bodies)


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
