"""Event subscriptions of clients (lifecycle 8.4): live batches under credit, history first where asked for.

A subscriber grants credit for ``buffer`` events and renews it as it reads. What does not fit is dropped and told as
one exact Gap before the next delivery (policy ``drop``), or ends the subscription (policy ``disconnect``). No
subscriber can delay another, the actor or the root.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from proto import info
from supervisor.fleet.ends import Ends
from supervisor.fleet.lives import Actor, Life
from supervisor.fleet.services import Services
from supervisor.sockets import send

BUFFER_EVENTS_MAX = 65_536
SUBSCRIPTIONS_MAX = 10_000
SWEEP_FIRST = 256
"""So many subscriptions, and their clients are asked whether they are still there; again at twice what is left."""
PAGE_EVENTS = 512


class Subscription:
    """One client's wish for one actor's events."""

    __slots__ = (
        "actor", "buffer", "client", "credit", "gap_first", "is_live", "next_seq", "number", "policy", "reading",
    )  # fmt: skip

    def __init__(self, number: int, client: bytes, actor: Actor, question: info.Subscribe) -> None:
        self.number = number
        self.client = client
        self.actor = actor
        self.policy = question.policy
        self.buffer = max(1, min(question.buffer, BUFFER_EVENTS_MAX))
        self.credit = self.buffer
        """Below zero after a batch that is larger than the whole buffer."""
        self.is_live = question.since is None
        self.next_seq = actor.last_seq + 1 if question.since is None else max(0, question.since)
        self.gap_first: int | None = None
        self.reading = False

    def has_room(self, count: int) -> bool:
        """Whether so many events may be sent. To a client that has taken all it was sent (credit comes back in steps
        of a quarter) one batch always may, however large: else a small buffer would never see an event.
        """
        return self.credit >= count or self.credit > self.buffer - max(1, self.buffer // 4)


class Subscriptions:
    """Everybody's subscriptions."""

    def __init__(self, services: Services) -> None:
        self._s = services
        self._all: dict[int, Subscription] = {}
        self._by_actor: dict[str, dict[int, Subscription]] = {}
        self._ends = Ends(services, self._on_over)
        self._last = 0
        self._sweep_at = SWEEP_FIRST

    def add(self, client: bytes, actor: Actor, question: info.Subscribe) -> int:
        """Register a subscription; ``begin`` starts its deliveries, after its number was told."""
        self._make_room()
        self._last += 1
        subscription = Subscription(self._last, client, actor, question)
        self._all[self._last] = subscription
        self._by_actor.setdefault(actor.id, {})[self._last] = subscription
        return self._last

    def begin(self, number: int) -> None:
        """Deliver history if it was asked for."""
        subscription = self._all.get(number)
        if subscription is None:
            return
        if not subscription.is_live:
            self._read_on(subscription)
        elif not subscription.actor.is_alive:
            self._ends.look(subscription.actor)

    def remove(self, client: bytes, number: int) -> None:
        """End a subscription; unknown ones are fine (C3)."""
        subscription = self._all.get(number)
        if subscription is not None and subscription.client == client:
            self._drop(subscription)

    def credit(self, client: bytes, number: int, count: int) -> None:
        """The client has taken ``count`` events."""
        subscription = self._all.get(number)
        if subscription is None or subscription.client != client or count < 1:
            return
        subscription.credit = min(subscription.credit + count, subscription.buffer)
        if not subscription.is_live:
            self._read_on(subscription)
        elif subscription.gap_first is not None:
            self._tell_gap(subscription, subscription.actor.last_seq)

    # -- live --------------------------------------------------------------------------------------------------------

    def on_events(self, life: Life, first_seq: int, last_seq: int, prev_hash: bytes | None, batch: bytes) -> None:
        """A batch of an actor has arrived."""
        for subscription in list(self._by_actor.get(life.actor.id, {}).values()):
            if subscription.is_live and last_seq >= subscription.next_seq:
                self._deliver(subscription, info.Events(0, life.number, first_seq, last_seq, prev_hash), batch)

    def _deliver(self, subscription: Subscription, events: info.Events, batch: bytes) -> None:
        """Send a batch, or drop it. Events of it that were delivered before are the client's to leave out."""
        fresh = max(events.first_seq, subscription.next_seq)
        count = events.last_seq - fresh + 1
        if not subscription.has_room(count):
            self._overrun(subscription, fresh, count)
            return
        if subscription.gap_first is not None and not self._tell_gap(subscription, fresh - 1):
            return
        subscription.credit -= count
        subscription.next_seq = events.last_seq + 1
        self._send(subscription, msgspec.structs.replace(events, subscription=subscription.number), batch)

    def _overrun(self, subscription: Subscription, first: int, count: int) -> None:
        if subscription.policy == "disconnect":
            self._end(subscription, None, lagged=count)
        elif subscription.gap_first is None:
            subscription.gap_first = first

    def _tell_gap(self, subscription: Subscription, last: int) -> bool:
        """Say what was left out, up to ``last``; False if there is nobody any more."""
        first, subscription.gap_first = subscription.gap_first, None
        if first is None or last < first:
            return True
        subscription.next_seq = last + 1
        return self._send(subscription, info.Gap(subscription.number, first, last))

    # -- history -----------------------------------------------------------------------------------------------------

    def _read_on(self, subscription: Subscription) -> None:
        """Fetch the next page of history, or go live when there is none left."""
        if subscription.reading or subscription.credit <= 0:
            return
        if subscription.next_seq > subscription.actor.last_seq:
            subscription.is_live = True
            self._ends.look(subscription.actor)
            return
        subscription.reading = True
        limit = min(PAGE_EVENTS, subscription.credit)
        self._s.history.read(subscription.actor, subscription.next_seq, limit, self._page_of(subscription))

    def _page_of(self, subscription: Subscription) -> Callable[[dict[str, Any], bytes], None]:
        def page(data: dict[str, Any], batch: bytes) -> None:
            subscription.reading = False
            if subscription.number in self._all and self._take_page(subscription, data, batch):
                self._read_on(subscription)

        return page

    def _take_page(self, subscription: Subscription, data: dict[str, Any], batch: bytes) -> bool:
        """Send a page of history. What the store does not have (any more) is a gap."""
        count = data.get("count", 0)
        first = data["first_seq"] if count else subscription.actor.last_seq + 1
        if first > subscription.next_seq:
            subscription.gap_first = subscription.next_seq
            if not self._tell_gap(subscription, first - 1):
                return False
        if not count:
            return True
        last = first + count - 1
        subscription.credit -= count
        subscription.next_seq = last + 1
        events = info.Events(subscription.number, 0, first, last, data.get("base_hash"))
        return self._send(subscription, events, batch)

    # -- ends --------------------------------------------------------------------------------------------------------

    def on_actor_gone(self, actor: Actor) -> None:
        """An incarnation has ended, perhaps the last one."""
        if actor.id in self._by_actor:
            self._ends.look(actor)

    def _on_over(self, actor: Actor) -> None:
        """The actor has ended for good: after its last event everybody hears why (C2)."""
        cause = actor.cause.plain() if actor.cause else None
        for subscription in list(self._by_actor.get(actor.id, {}).values()):
            if subscription.is_live and self._tell_gap(subscription, actor.last_seq):
                self._end(subscription, cause)

    def _end(self, subscription: Subscription, cause: dict[str, Any] | None, lagged: int = 0) -> None:
        self._send(subscription, info.SubscriptionEnded(subscription.number, cause, lagged))
        self._drop(subscription)

    def _send(self, subscription: Subscription, message: Any, *bodies: bytes) -> bool:
        if send(self._s.sockets.gate, subscription.client, info.ANSWERS.encode(message), bodies):
            return True
        self._drop(subscription)
        return False

    def _drop(self, subscription: Subscription) -> None:
        self._all.pop(subscription.number, None)
        mine = self._by_actor.get(subscription.actor.id)
        if mine is not None:
            mine.pop(subscription.number, None)
            if not mine:
                del self._by_actor[subscription.actor.id]

    # -- room --------------------------------------------------------------------------------------------------------

    def _make_room(self) -> None:
        """Clients that left without a word are found out by sending; past the limit the oldest subscription ends."""
        if len(self._all) >= self._sweep_at:
            nothing = info.Info(0)  # an answer nobody has asked for: ignored
            for subscription in list(self._all.values()):
                self._send(subscription, nothing)
            self._sweep_at = max(SWEEP_FIRST, 2 * len(self._all))
        if len(self._all) >= SUBSCRIPTIONS_MAX:
            oldest = next(iter(self._all.values()))
            self._end(oldest, None, lagged=max(1, oldest.actor.last_seq + 1 - oldest.next_seq))
