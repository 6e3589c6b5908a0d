"""Info: questions about an actor or the tree. Answered in every state, never by the guest.

Clients send them to the root's gate with ``target`` (path or id of an actor, or a supervisor's path where a supervisor
is meant). The root answers what it knows itself and forwards the rest to the worker with an id of its own; the
answer's bodies pass through it undecoded. Refusals are proto.operation-like Refused records.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proto.envelope import Codec, Message, MessageClass


class Resolve(Message, tag="resolve", frozen=True):
    """Where is the actor? Answered by Endpoint. ``watch`` asks for one Ended when that incarnation ends."""

    id: int
    target: str
    watch: bool = True


class GetStatus(Message, tag="status", frozen=True):
    """Answered by Info with an ActorStatus map (lifecycle section 13)."""

    id: int
    target: str = ""


class GetState(Message, tag="state", frozen=True):
    """Answered by Info; body 0 is the committed state as an encoded value."""

    id: int
    target: str = ""


class GetChain(Message, tag="chain", frozen=True):
    """Answered by Info {first_seq, base_hash, count}; body 0 holds retained events as a batch, oldest first."""

    id: int
    target: str = ""
    since: int | None = None
    limit: int | None = None


class GetMetrics(Message, tag="metrics", frozen=True):
    """Answered by Info with an ActorMetrics map (lifecycle section 13)."""

    id: int
    target: str = ""


class GetExportHashes(Message, tag="hashes", frozen=True):
    """Answered by Info {hashes: [[name, 32 bytes], ...]}."""

    id: int
    target: str = ""


class GetInterface(Message, tag="interface", frozen=True):
    """Answered by Info {package: hex digest}; body 0 is the package's metadata as the guest gave it (pack-abi 7)."""

    id: int
    target: str = ""


class SaveChain(Message, tag="save", frozen=True):
    """Write the retained chain to ``path`` (None: beside the store). Answered by Info {path, count, head}."""

    id: int
    target: str = ""
    path: str | None = None
    format: str = "theater"


class Flush(Message, tag="flush", frozen=True):
    """Answered when everything the actor had recorded at the time of asking is in the store: Info {last_seq}."""

    id: int
    target: str = ""


class GetTree(Message, tag="tree", frozen=True):
    """Answered by Info: name, pid, uptime and the tree of supervisors and actors under ``target``."""

    id: int
    target: str = "/"


class Explain(Message, tag="explain", frozen=True):
    """What may the actor do? Answered by Info: what is declared of it, and of the actors that spawned it."""

    id: int
    target: str


class WhichChildren(Message, tag="which", frozen=True):
    """supervisor:which_children/1. Answered by Info {children: [...]}."""

    id: int
    target: str = "/"


class CountChildren(Message, tag="count", frozen=True):
    """supervisor:count_children/1. Answered by Info."""

    id: int
    target: str = "/"


class GetChildspec(Message, tag="childspec", frozen=True):
    """supervisor:get_childspec/2. Answered by Info."""

    id: int
    target: str
    child: str


class Whereis(Message, tag="whereis", frozen=True):
    """Who has this name (theater:simple/names)? Answered by Info {mode, members: [[id, path], ...]}, or not_found."""

    id: int
    name: str


class Subscribe(Message, tag="subscribe", frozen=True):
    """Send this client the actor's events from ``since`` on (None: from now), as Events, until Ended.

    At most ``buffer`` events are under way unacknowledged; ``policy`` drop replaces what does not fit by one Gap,
    disconnect ends the subscription with Lagged (lifecycle 8.4). Answered by Info {subscription}.
    """

    id: int
    target: str
    since: int | None = None
    buffer: int = 1024
    policy: str = "drop"


class Unsubscribe(Message, tag="unsubscribe", frozen=True):
    """End a subscription. Unknown ones are fine (C3)."""

    id: int
    subscription: int


class Received(Message, tag="received", frozen=True):
    """Credit: the client has taken ``count`` more events of a subscription. Not answered."""

    subscription: int
    count: int


class Endpoint(Message, tag="endpoint", frozen=True):
    """Where an incarnation takes operations, and what a caller needs to know of it."""

    id: int
    actor_id: str
    path: str
    incarnation: int
    endpoint: str
    call_deadline_ms: int | None
    package: str


class Info(Message, tag="info", frozen=True):
    """The answer to a question: plain data; large or opaque parts follow as bodies.

    ``wide``: the data would not fit here, it is the last body, as MessagePack.
    """

    id: int
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    wide: bool = False


class Refused(Message, tag="refused", frozen=True):
    """The question or order could not be served: kind and data of lifecycle section 7."""

    id: int
    kind: str
    data: tuple[Any, ...] = ()


class Ended(Message, tag="ended", frozen=True):
    """A watched incarnation has ended; ``cause`` is a theater.cause.Cause as plain data. Unasked."""

    actor_id: str
    path: str
    incarnation: int
    cause: dict[str, Any]


class Events(Message, tag="events", frozen=True):
    """Events of a subscription. Body 0: batch (theater.chain), after the event with ``prev_hash``. Unasked."""

    subscription: int
    incarnation: int
    first_seq: int
    last_seq: int
    prev_hash: bytes | None = None


class Gap(Message, tag="gap", frozen=True):
    """Events first..last of a subscription were not delivered."""

    subscription: int
    first_seq: int
    last_seq: int


class SubscriptionEnded(Message, tag="sub_ended", frozen=True):
    """The subscription is over: the actor ended for good (cause), or it lagged by ``lagged`` events."""

    subscription: int
    cause: dict[str, Any] | None = None
    lagged: int = 0


Question = (
    Resolve
    | GetStatus
    | GetState
    | GetChain
    | GetMetrics
    | GetExportHashes
    | GetInterface
    | SaveChain
    | Flush
    | GetTree
    | Explain
    | WhichChildren
    | CountChildren
    | GetChildspec
    | Whereis
    | Subscribe
    | Unsubscribe
    | Received
)
Answer = Endpoint | Info | Refused | Ended | Events | Gap | SubscriptionEnded

QUESTIONS = Codec(MessageClass.INFO, Question)
ANSWERS = Codec(MessageClass.INFO, Answer)
