"""The guest thread: takes operations off the desk, runs them in the guest, answers. One at a time (design D6)."""

from __future__ import annotations

import select
import threading
from typing import Any, NoReturn

import zmq

from theater.errors import ActorError, from_wire
from worker import machine_actions as act
from worker import machine_notices as n
from worker.desk import Caller
from worker.guest import Guest
from worker.incarnation import Incarnation
from worker.post import Orderer, give


class Operations:
    """Serves the desk from the end of the start to the end of the process."""

    def __init__(self, inc: Incarnation) -> None:
        self._inc = inc
        self._desk = inc.desk
        self._guest: Guest
        self._at_desk = False

    def begin(self, guest: Guest) -> None:
        """The guest is loaded: call ``init``, or take over the state it is given."""
        self._guest = guest
        self._feed(n.Loaded())

    def serve(self) -> NoReturn:
        """Take requests until something ends the process."""
        self._sit_down()
        desk, inc = self._desk, self._inc
        bell = inc.guest_bell
        # The socket's descriptor tells of changes only: it may be waited on because ``receive`` has just found nothing.
        poller = select.poll()
        poller.register(desk.socket.getsockopt(zmq.FD), select.POLLIN)
        poller.register(bell.fd, select.POLLIN)
        while True:
            if inc.replies or inc.work:
                self._do_what_was_left()
            notice = None if inc.holding is not None and inc.holding.is_full else desk.receive()
            if notice is not None:
                self._feed(notice)
            elif not (inc.replies or inc.work):
                if not inc.pulse.beating and (inc.logs.waiting or inc.machine.earliest_expiry_ns is not None):
                    inc.pulse.start()  # something for the post thread to see to, soon
                if any(fd == bell.fd for fd, _ in poller.poll()):
                    bell.silence()

    def fail(self, notice: Any) -> NoReturn:
        """The start has failed: tell the machine, which ends the process."""
        self._feed(notice)
        raise AssertionError("a failed start ends the process")

    def finish(self, action: act.Exit) -> NoReturn:
        """Have the post thread end the process; nothing more happens here."""
        inc = self._inc
        if self._at_desk:
            self._give_replies()
        inc.in_guest = True
        self._leave_desk()
        inc.say(action)
        threading.Event().wait()
        raise AssertionError("unreachable")

    # -- performing ----------------------------------------------------------------

    def _feed(self, notice: Any) -> None:
        """Tell the machine and perform what it wants, until it wants nothing more."""
        inc = self._inc
        while notice is not None:
            done = inc.feed(notice)
            notice = None
            for action in done:
                notice = self._perform(action)

    def _perform(self, action: act.Action) -> Any:
        """Perform one action; what comes of it is the next notice. Only the last action of a list has one."""
        kind = type(action)
        if kind is act.Answer or kind is act.Refuse:
            self._reply(action)
            return None
        match action:
            case act.Run():
                return self._guest.run(action.operation)
            case act.StartInit():
                return self._init()
            case act.Announce():
                self._announce()
            case act.Leave():
                return self._leave(action)
            case act.Exit():
                self.finish(action)
            case act.ReleaseHostCalls():
                self._inc.asks.release()
            case act.ArmStopDeadline() | act.Handed() | act.Forward() | act.AskUpdate():
                self._inc.say(action)
        return None

    def _reply(self, action: Any) -> None:
        holding = self._inc.holding
        if type(action.waiter) is Orderer:
            self._inc.say(action)
            return
        if action.waiter.delivery is not None:
            action = delivered(action)
        if action is None:
            return
        if holding is not None and holding.hold(self._inc.recorder.seq, action):
            self._inc.post_bell.ring()  # have what it waits for sent
        elif self._at_desk:
            if holding is not None:
                self._give_replies()  # in the order of the operations
            give(self._desk, action)
        else:
            self._inc.replies.append(action)

    def _do_what_was_left(self) -> None:
        self._give_replies()
        work = self._inc.work
        while work:
            notice = self._perform(work.popleft())
            if notice is not None:
                self._feed(notice)

    def _give_replies(self) -> None:
        replies = self._inc.replies
        while replies:
            give(self._desk, replies.popleft())

    # -- the desk ----------------------------------------------------------------

    def _sit_down(self) -> None:
        if not self._at_desk:
            self._desk.lock.acquire()
            self._at_desk = True
            self._inc.in_guest = False

    def _leave_desk(self) -> None:
        if self._at_desk:
            self._at_desk = False
            self._desk.lock.release()

    # -- beginning and end ----------------------------------------------------------------

    def _init(self) -> Any:
        notice = self._first()
        if self._inc.mailbox is not None:
            self._inc.mailbox.started()
        return notice

    def _first(self) -> Any:
        inc = self._inc
        if inc.resumes or inc.init.setup:
            return n.SetupDone()
        notice = self._guest.init()
        if type(notice) is n.Rejected:
            return n.Trapped(from_wire(notice.kind, notice.data).text())
        return notice

    def _announce(self) -> None:
        """What ``init`` left is committed; from here on operations run, and they run at the desk."""
        self._sit_down()
        self._inc.step = None
        self._inc.announce()
        if self._inc.server is not None:
            self._inc.server.start()

    def _leave(self, action: act.Leave) -> n.Left:
        """The orderly end (L5, steps 5 to 7). The post thread tends the desk meanwhile."""
        inc = self._inc
        inc.in_guest = True
        if not inc.pulse.beating:
            inc.pulse.start()
        self._leave_desk()
        if inc.has_children and not inc.is_orphan:
            inc.stop_children()
        if inc.server is not None:
            inc.server.drain()
        if inc.peers is not None:
            inc.peers.settle()
        inc.close_services()
        inc.recorder.shutdown(action.cause)
        return n.Left()


def delivered(action: act.Answer | act.Refuse) -> act.Answer | act.Refuse | None:
    """What the sender of mail is told, now that the guest has dealt with it; None: nothing (yet)."""
    caller: Caller = action.waiter
    plain = Caller(caller.identity, caller.id)
    if isinstance(action, act.Refuse):
        return act.Refuse(plain, action.kind, action.data) if caller.delivery.failed() else None
    try:
        response = caller.delivery.returned(action.response)
    except ActorError as error:
        return act.Refuse(plain, error.kind, error.data)
    return None if response is None else act.Answer(plain, response)
