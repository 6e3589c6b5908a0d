"""What the two threads of a worker share: the machine, what is to be done, and the bells that wake the other thread.

The *guest thread* (main) runs the guest and owns the operation socket while it is outside the guest; the *post thread*
owns everything else (design D6). Either may feed the machine; whoever feeds performs the actions, except those only the
other thread can perform: these it leaves in ``work`` (for the guest thread), ``replies`` (for the owner of the desk)
or ``outgoing`` (for the post thread) and rings the bell.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from proto import control
from theater.actor import ActorOptions
from theater.errors import ActorError
from worker import recovered
from worker.alarms import Alarms
from worker.asks import Asks
from worker.bell import Bell
from worker.holding import Holding
from worker.machine import Machine
from worker.machine_actions import Action, InterruptGuest, Run
from worker.machine_notices import Cancel
from worker.machine_state import Rules

if TYPE_CHECKING:
    from worker.budgets import Budgets
    from worker.desk import Desk
    from worker.fuel import Fuel
    from worker.logs import Logs
    from worker.mailbox import Mailbox
    from worker.metrics import Metrics
    from worker.peers import Peers
    from worker.pulse import Pulse
    from worker.recorder import Recorder
    from worker.repeats import Repeats

HANDLERS: Final = ("theater:simple/supervisor-handlers.", "theater:simple/links-client.")
"""Interfaces of a guest that the root calls."""


class Incarnation:
    """One life of one actor, as both threads see it."""

    def __init__(self, init: control.Init, options: ActorOptions, desk: Desk, logs: Logs, metrics: Metrics) -> None:
        self.init = init
        self.options = options
        self.desk = desk
        self.logs = logs
        self.metrics = metrics
        self.lock = threading.Lock()
        """Guards the machine."""
        self.machine = Machine(_rules(options), time.monotonic_ns())
        self.work: deque[Action] = deque()
        """Actions for the guest thread."""
        self.replies: deque[Action] = deque()
        """Answers to callers, for whoever holds the desk."""
        self.outgoing: deque[tuple[Any, Sequence[bytes]]] = deque()
        """Control messages for the root, for the post thread."""
        self.guest_bell = Bell()
        self.post_bell = Bell()
        self.pulse: Pulse
        self.recorder: Recorder
        self.repeats: Repeats
        """Calls that must not be executed twice."""
        self.holding = Holding(init.chain_seq - 1) if options.durability == "group" else None
        """Answers that wait for the store, where the actor asks for that."""
        self.asks = Asks(self.say)
        self.state = b""
        """The committed state, encoded; empty before there is one."""
        self.door: Any = None
        """The guest's door once it is instantiated."""
        self.reopen: Callable[[], Any]
        """Makes another instance of the guest, behind a door of its own."""
        self.clock: Any = None
        """Guest time; there before the door, since instantiating runs guest code."""
        self.in_guest = True
        """The guest thread is not at the desk: it starts up, or is inside the guest."""
        self.budgets: Budgets | None = None
        """What it may use up, if it has such limits."""
        self.fuel: Fuel | None = None
        """What each call may use up, if the engine counts that."""
        self.has_children = init.has_children
        """The guest has asked for a child at least once (L5.5)."""
        self.resumes = init.resume
        """``init`` is not called: the state is one that was committed."""
        self.how_recovered = recovered.how(init)
        """What a life goes on from that begins without ``init``, as its guest is told."""
        self.is_orphan = False
        """The supervisor is gone."""
        self.services: dict[Any, Any] = {}
        """What host interfaces keep for this actor, by what makes it."""
        self.alarms = Alarms(self.post_bell.ring)
        self.server: Any = None
        """The actor's port (worker.http.server), if it has one."""
        self.peers: Peers | None = None
        """The way to other actors, where that is granted."""
        self.mailbox: Mailbox | None = None
        """What other actors send here, likewise."""
        self.step: str | None = None
        """A start-up step the root was not told of yet."""

    def feed(self, notice: Any) -> list[Action]:
        """Tell the machine; the caller performs what it returns.

        An interruption is performed at once: under the lock the machine cannot have moved on to the next operation.
        """
        with self.lock:
            done = self.machine.feed(notice, time.monotonic_ns())
            if type(notice) is Cancel:
                for action in done:
                    if type(action) is InterruptGuest:
                        self.clock.interrupt(action.reason)
            return done

    def announce(self) -> None:
        """Tell the root that the start is complete, and which callbacks of the root's the guest exports."""
        callbacks = tuple(name for name in self.door.functions if name.startswith(HANDLERS))
        self.say(control.Ready(callbacks))

    def stop_children(self) -> None:
        """Have the root stop the guest's children, and wait until they are gone (L5.5)."""
        try:
            self.asks.insist("stop-children", {}, ())
        except ActorError as error:
            self.logs.warn("stop-children", f"the children could not be stopped: {error.text()}")

    def close_services(self) -> None:
        """Give back what host interfaces keep: connections, processes, timers. Guest thread, outside the guest."""
        for service in list(self.services.values()):
            close = getattr(service, "close", None)
            if close is not None:
                close()
        self.services.clear()

    def hand_over_services(self) -> None:
        """Another package is to take over: let go of what it may want. Post thread; the guest does nothing."""
        for service in list(self.services.values()):
            hand_over = getattr(service, "hand_over", None)
            if hand_over is not None:
                hand_over()

    def take_back_services(self) -> None:
        """It has not taken over. Likewise."""
        for service in list(self.services.values()):
            take_back = getattr(service, "take_back", None)
            if take_back is not None:
                take_back()

    def abandon_services(self) -> None:
        """The process ends, perhaps in the middle of an operation: leave what outlives it as it was. Post thread."""
        for service in list(self.services.values()):
            abandon = getattr(service, "abandon", None)
            if abandon is not None:
                abandon()

    def renew_services(self) -> None:
        """A fresh instance of the guest has none of what the one before it held."""
        for service in list(self.services.values()):
            renew = getattr(service, "renew", None)
            if renew is not None:
                renew()

    def submit(self, notice: Any) -> None:
        """Hand in work, or take it back, from a thread of a host interface's."""
        for action in self.feed(notice):
            if type(action) is Run:
                self.work.append(action)
                self.guest_bell.ring()
            else:
                self.say(action)

    def tell(self, notice: Any) -> None:
        """Have the machine told of something by the post thread. Any thread."""
        self.outgoing.append((notice, ()))
        self.post_bell.ring()

    def say(self, message: Any, bodies: Sequence[bytes] = ()) -> None:
        """Have a control message sent to the root. Any thread but the post thread."""
        self.outgoing.append((message, bodies))
        self.post_bell.ring()


def _rules(options: ActorOptions) -> Rules:
    return Rules(
        operation_queue_max=options.operation_queue_max,
        child_notices_max=options.child_notices_max,
        shutdown_ms=options.shutdown_ms,
        orphan_ms=options.orphan_ms,
        reject_when_paused=options.on_paused == "reject",
        crash_on_decline=options.on_application_error == "crash",
    )
