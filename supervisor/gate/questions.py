"""Questions about one actor: where it is, how it is, what it holds; some the root answers, some its worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proto import info
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import Life
from supervisor.fleet.services import Services
from supervisor.fleet.shares import children_used
from supervisor.fleet.subscriptions import Subscriptions
from supervisor.fleet.view import actor_status
from supervisor.gate.clients import Clients
from supervisor.gate.whom import Serve, Whom, bounded, neither

WATCHERS_SWEEP: Final = 256
"""So many watchers of one incarnation, and again at each doubling: those that left without a word are forgotten."""
POLICIES: Final = ("drop", "disconnect")


class Questions:
    """Answers what the root knows; the rest it forwards, and passes the answer's bodies through undecoded."""

    def __init__(self, services: Services, clients: Clients, whom: Whom, subscriptions: Subscriptions) -> None:
        self._s = services
        self._clients = clients
        self._whom = whom
        self._subscriptions = subscriptions
        self.table: Mapping[type, Serve] = {
            info.Resolve: self._resolve,
            info.GetStatus: self._status,
            info.GetState: self._state,
            info.GetChain: self._chain,
            info.GetMetrics: self._metrics,
            info.GetExportHashes: self._forward_info,
            info.GetInterface: self._forward_info,
            info.SaveChain: self._save,
            info.Flush: self._flush,
            info.Subscribe: self._subscribe,
            info.Unsubscribe: self._unsubscribe,
            info.Received: self._received,
        }

    def _resolve(self, client: bytes, question: info.Resolve) -> None:
        life = self._whom.worker(client, question, self._clients.refuse_info, self._resolve)
        if life is not None:
            self._give_endpoint(client, question, life)

    def _give_endpoint(self, client: bytes, question: info.Resolve, life: Life) -> None:
        actor = life.actor
        if question.watch:
            self._watch(life, client)
        deadline = actor.spec.options.call_deadline_ms
        endpoint = info.Endpoint(question.id, actor.id, actor.path, life.number, life.endpoint, deadline, life.package)
        self._clients.tell(client, info.ANSWERS.encode(endpoint))

    def _watch(self, life: Life, client: bytes) -> None:
        """Remember whom to tell of the end. A command line that asked once and left is not remembered for ever."""
        count = len(life.watchers)
        if count >= WATCHERS_SWEEP and count & (count - 1) == 0:
            nothing = info.ANSWERS.encode(info.Info(0))  # an answer nobody has asked for: ignored
            life.watchers = {each for each in life.watchers if self._clients.tell(each, nothing)}
        life.watchers.add(client)

    def _status(self, client: bytes, question: info.GetStatus) -> None:
        actor = self._whom.actor(client, question, self._clients.refuse_info)
        if actor is None:
            return
        life = actor.life
        if life is None or not life.is_alive or not life.init_sent:
            self._clients.inform(client, question.id, actor_status(actor, self._s.loop.now_ns()))
        else:
            self._s.links.question(life, question, Pending(client, question.id, True))

    def _state(self, client: bytes, question: info.GetState) -> None:
        actor = self._s.register.find(question.target)
        if actor is not None and not actor.is_alive and actor.last_state is not None:
            self._clients.inform(client, question.id, {"present": True}, actor.last_state)
        else:
            self._forward_info(client, question)

    def _chain(self, client: bytes, question: info.GetChain) -> None:
        actor = self._whom.actor(client, question, self._clients.refuse_info)
        if actor is None:
            return
        if actor.is_alive and actor.life is not None and actor.life.init_sent:
            self._forward_info(client, question)
        elif self._clients.may_owe(client, question.id, self._clients.refuse_info):
            since, limit = bounded(question.since), bounded(question.limit)
            self._s.history.read(actor, since, limit, lambda data, body: self._read(client, question.id, data, body))

    def _read(self, client: bytes, asked: int, data: dict[str, Any], body: bytes) -> None:
        self._clients.paid()
        self._clients.inform(client, asked, data, body)

    def _flush(self, client: bytes, question: info.Flush) -> None:
        """Answered when the store holds what the worker had recorded when it was asked."""
        actor = self._whom.actor(client, question, self._clients.refuse_info)
        if actor is None or not self._clients.may_owe(client, question.id, self._clients.refuse_info):
            return
        life = actor.life

        def stored() -> None:
            self._clients.paid()
            self._clients.inform(client, question.id, {"last_seq": actor.last_seq})

        def flushed(message: Any, bodies: list[bytes]) -> None:
            last = message.data.get("last_seq", -1) if isinstance(message, info.Info) else actor.last_seq
            self._s.history.when_stored(actor, last, stored)

        if life is not None and life.is_alive and life.init_sent:
            self._s.links.question(life, question, Pending(client, question.id, True, flushed))
        else:
            self._s.history.when_stored(actor, actor.last_seq, stored)

    def _forward_info(self, client: bytes, question: Any) -> None:
        life = self._whom.worker(client, question, self._clients.refuse_info, self._forward_info)
        if life is not None:
            self._s.links.question(life, question, Pending(client, question.id, True))

    def _metrics(self, client: bytes, question: info.GetMetrics) -> None:
        """Passed on; what the worker cannot know of its limits, the children, is added."""
        life = self._whom.worker(client, question, self._clients.refuse_info, self._metrics)
        if life is None:
            return
        asked = Pending(client, question.id, True)

        def told(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, info.Info):
                message.data["limits"] = {**message.data.get("limits", {}), **children_used(life)}
            self._s.links.answer(asked, message, bodies)

        is_limited = life.actor.spec.options.children_max is not None
        self._s.links.question(life, question, Pending(client, question.id, True, told) if is_limited else asked)

    def _save(self, client: bytes, question: info.SaveChain) -> None:
        if question.path is not None and "\0" in question.path:
            self._clients.refuse_info(client, question.id, "unexpected", "a path cannot hold a null character")
        else:
            self._forward_info(client, question)

    def _subscribe(self, client: bytes, question: info.Subscribe) -> None:
        if question.policy not in POLICIES:
            self._clients.refuse_info(client, question.id, "unexpected", neither("policy", POLICIES, question.policy))
            return
        actor = self._whom.actor(client, question, self._clients.refuse_info)
        if actor is not None:
            number = self._subscriptions.add(client, actor, question)
            self._clients.inform(client, question.id, {"subscription": number})
            self._subscriptions.begin(number)

    def _unsubscribe(self, client: bytes, question: info.Unsubscribe) -> None:
        self._subscriptions.remove(client, question.subscription)
        self._clients.inform(client, question.id, {})

    def _received(self, client: bytes, message: info.Received) -> None:
        self._subscriptions.credit(client, message.subscription, message.count)
