"""Event subscriptions of clients (lifecycle 8.4): live batches under credit, history first where asked for.

A subscriber grants credit for ``buffer`` events and renews it as it reads. What does not fit is dropped and told as one
exact Gap before the next delivery (policy ``drop``), or ends the subscription (policy ``disconnect``). No subscriber
can delay another, the actor or the root.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proto import info
from supervisor.fleet.lives import Actor, Life
from supervisor.fleet.services import Services
from supervisor.sockets import send

BUFFER_EVENTS_MAX = 65_536
SUBSCRIPTIONS_MAX = 10_000
PAGE_EVENTS = 512


class Subscription:
    """One client's wish for one actor's events."""

    __slots__ = ("actor", "client", "credit", "gap_first", "is_live", "next_seq", "number", "policy", "reading")

    def __init__(self, number: int, client: bytes, actor: Actor, question: info.Subscribe) -> None:
        self.number = number
        self.client = client
        self.actor = actor
        self.policy = question.policy
        self.credit = max(1, min(question.buffer, BUFFER_EVENTS_MAX))
        self.is_live = question.since is None
        self.next_seq = actor.last_seq + 1 if question.since is None else max(0, question.since)
        self.gap_first: int | None = None
        self.reading = False


class Subscriptions:
    """Everybody's subscriptions."""

    def __init__(self, services: Services) -> None:
        self._s = services
        self._all: dict[int, Subscription] = {}
        self._by_actor: dict[str, dict[int, Subscription]] = {}
        self._last = 0

    def add(self, client: bytes, actor: Actor, question: info.Subscribe) -> int:
        """Register a subscription; ``begin`` starts its deliveries, after its number was told."""
        self._last += 1
        subscription = Subscription(self._last, client, actor, question)
        self._all[self._last] = subscription
        self._by_actor.setdefault(actor.id, {})[self._last] = subscription
        while len(self._all) > SUBSCRIPTIONS_MAX:
            self._drop(next(iter(self._all.values())))
        return self._last

    def begin(self, number: int) -> None:
        """Deliver history if it was asked for."""
        subscription = self._all.get(number)
        if subscription is not None and not subscription.is_live:
            self._read_on(subscription)

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
        subscription.credit = min(subscription.credit + count, BUFFER_EVENTS_MAX)
        if not subscription.is_live:
            self._read_on(subscription)
        elif subscription.gap_first is not None and self._tell_gap(subscription, subscription.actor.last_seq):
            subscription.next_seq = subscription.actor.last_seq + 1

    # -- live --------------------------------------------------------------------------------------------------------

    def on_events(self, life: Life, first_seq: int, last_seq: int, batch: bytes) -> None:
        """A batch of an actor has arrived."""
        for subscription in list(self._by_actor.get(life.actor.id, {}).values()):
            if subscription.is_live:
                self._deliver(subscription, life.number, first_seq, last_seq, batch)

    def _deliver(self, subscription: Subscription, incarnation: int, first: int, last: int, batch: bytes) -> None:
        if last < subscription.next_seq:
            return
        count = last - first + 1
        if subscription.credit < count:
            self._overrun(subscription, first, last)
            return
        if subscription.gap_first is not None and not self._tell_gap(subscription, first - 1):
            return
        subscription.credit -= count
        subscription.next_seq = last + 1
        self._send(subscription, info.Events(subscription.number, incarnation, first, last), batch)

    def _overrun(self, subscription: Subscription, first: int, last: int) -> None:
        if subscription.policy == "disconnect":
            self._send(subscription, info.SubscriptionEnded(subscription.number, None, last - first + 1))
            self._drop(subscription)
        elif subscription.gap_first is None:
            subscription.gap_first = first

    def _tell_gap(self, subscription: Subscription, last: int) -> bool:
        gap = info.Gap(subscription.number, subscription.gap_first or 0, last)
        subscription.gap_first = None
        return self._send(subscription, gap)

    # -- history -----------------------------------------------------------------------------------------------------

    def _read_on(self, subscription: Subscription) -> None:
        """Fetch the next page of history, or go live when there is none left."""
        if subscription.reading or subscription.credit <= 0:
            return
        if subscription.next_seq > subscription.actor.last_seq:
            subscription.is_live = True
            self._maybe_over(subscription)
            return
        subscription.reading = True
        limit = min(PAGE_EVENTS, subscription.credit)
        self._s.history.read(subscription.actor, subscription.next_seq, limit, self._page_of(subscription))

    def _page_of(self, subscription: Subscription) -> Callable[[dict[str, Any], bytes], None]:
        def page(data: dict[str, Any], batch: bytes) -> None:
            subscription.reading = False
            if subscription.number not in self._all:
                return
            count = data.get("count", 0)
            if count:
                first = data["first_seq"]
                subscription.credit -= count
                subscription.next_seq = first + count
                events = info.Events(subscription.number, 0, first, first + count - 1)
                if not self._send(subscription, events, batch):
                    return
            elif subscription.next_seq <= subscription.actor.last_seq:
                subscription.next_seq = subscription.actor.last_seq + 1  # retention has removed them
            self._read_on(subscription)

        return page

    # -- ends --------------------------------------------------------------------------------------------------------

    def on_actor_gone(self, actor: Actor) -> None:
        """The actor has ended for good (C2)."""
        for subscription in list(self._by_actor.get(actor.id, {}).values()):
            if subscription.is_live:
                self._maybe_over(subscription)

    def _maybe_over(self, subscription: Subscription) -> None:
        actor = subscription.actor
        if not actor.is_alive and actor.is_over:
            if subscription.gap_first is not None:
                self._tell_gap(subscription, actor.last_seq)
            cause = actor.cause.plain() if actor.cause else None
            self._send(subscription, info.SubscriptionEnded(subscription.number, cause))
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
