"""Control: orders to a worker's process and what it reports of its life; orders to the tree.

On the control connection of a worker the root also sends info questions (proto.info) and host-originated operations
(Notify), each with the root's own ids, and the worker sends Ask records for its guest's supervision functions.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proto.envelope import Codec, Message, MessageClass

# -- worker to root ---------------------------------------------------------------------------------------------


class Hello(Message, tag="hello", frozen=True):
    """First word of a worker; the token proves that it is the process the root asked for. Answered by Init."""

    token: bytes
    pid: int


class Step(Message, tag="step", frozen=True):
    """The start has reached this step (lifecycle section 5)."""

    step: str


class Ready(Message, tag="ready", frozen=True):
    """``init`` has returned; the actor is there for others. ``callbacks`` are the supervisor callbacks it exports."""

    callbacks: tuple[str, ...] = ()


class StartFailed(Message, tag="start_failed", frozen=True):
    """The start has failed; the worker ends itself next. The same words are in the ring (last words)."""

    step: str
    text: str


class Goodbye(Message, tag="goodbye", frozen=True):
    """An orderly end is complete; the process exits next. ``cause`` as theater.cause.Cause plain data."""

    cause: dict[str, Any]


class Pong(Message, tag="pong", frozen=True):
    """Answer to Ping."""

    id: int


class Done(Message, tag="done", frozen=True):
    """A control order took effect (Pause, Resume, Shutdown accepted, Cancel)."""

    id: int


class Refused(Message, tag="refused", frozen=True):
    """A control order, or an Ask, was refused: kind and data of lifecycle section 7."""

    id: int
    kind: str
    data: tuple[Any, ...] = ()


class HandedOver(Message, tag="handed_over", frozen=True):
    """Answer to HandOver: nothing is recorded after event ``last_seq`` unless TakeBack comes. Body 0: the state."""

    id: int
    last_seq: int
    head_hash: bytes


class Forward(Message, tag="forward", frozen=True):
    """A call that nobody waits for came after HandOver: it is for the next incarnation. Body 0: its parameters."""

    function: str


class Ask(Message, tag="ask", frozen=True):
    """The guest (or its host) asks the root for a supervision function (lifecycle section 10).

    ``function`` is the host function's name without interface (``spawn``, ``list-children`` …); ``arguments`` are plain
    data; bodies hold encoded state and wasm bytes as named in the arguments. Answered by Answered or Refused.
    """

    id: int
    function: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class Undelivered(Message, tag="undelivered", frozen=True):
    """A message was not delivered: a dead letter. Body 0: its bytes. Not answered.

    The sender's worker says so: ``target`` is the actor it was for, by id, or by whatever the guest called it if there
    was none. Where the sender has ended, the receiver's worker does: ``sender`` is its id, and ``target`` is ignored.
    """

    target: str
    function: str
    reason: str
    channel: str = ""
    sender: str = ""


# -- root to worker ---------------------------------------------------------------------------------------------


class Answered(Message, tag="answered", frozen=True):
    """Result of an Ask; bodies as the function says."""

    id: int
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class Init(Message, tag="init", frozen=True):
    """Everything an incarnation needs to know. Body 0: the initial state as an encoded value, if ``has_state``."""

    actor_id: str
    path: str
    name: str
    incarnation: int
    package: str
    """Path of the package file (wasm, or wat text)."""
    digest: str
    """SHA-256 of the package, lower-case hex."""
    artefact: str
    """Path of the compiled artefact in the cache."""
    manifest_digest: str
    ring: str
    """Path of the ring file to create."""
    ring_bytes: int
    chain_seq: int
    """Sequence number of the first event of this incarnation."""
    chain_head: bytes | None
    """Hash of the event before it."""
    previous_end: dict[str, Any] | None
    """Cause of the previous incarnation's end, None for the first."""
    grants: dict[str, dict[str, Any]]
    """Granted host interfaces by full name, with their options."""
    options: dict[str, Any]
    """Limits and switches: theater.actor.ActorOptions as plain data."""
    state: Any = None
    """Initial state as plain data, converted by the worker to the declared type (if ``state_kind`` is plain)."""
    state_kind: str = "none"
    """none | text (manifest initial_state) | plain | value (body 0)."""
    resume: bool = False
    """The given state becomes the committed state and ``init`` is not called."""
    parent: str | None = None
    """Id of the actor whose guest spawned this one."""
    setup: bool = False
    """Stop before ``init``, or ``handle-recovered`` (S1)."""
    keeps_state: bool = False
    """Write each committed state beside the ring, for the next incarnation (theater.committed)."""
    notes_operations: bool = False
    """Note beside the ring which operation is under way (poison)."""
    set_aside: dict[str, int] = {}
    """Operations to be refused, by digest in hex (theater.committed), with the event that is their dead letter."""
    history: str | None = None
    """Path of the recorded chain to be played back first (recover: replay); the worker removes the file."""
    children: str | None = None
    """Path of the events of children that ``history`` refers to (MessagePack: hash -> [type, data]); removed too."""
    repeats: str | None = None
    """Path of what is known of idempotency keys (theater.chain.keyed), as MessagePack; the worker removes the file."""
    recovered: str = "initial"
    """initial | last | replay | update | fork: what this incarnation begins from, as its first event says."""
    origin: dict[str, Any] | None = None
    """Of a fork: actor, id, seq and hash of the event its state comes from."""
    migrates: bool = False
    """The state is one of another package: the guest's ``migrate`` is called with it, or its type is checked."""
    has_children: bool = False
    """Children that its guest has spawned in the incarnation before are there (update)."""
    content: str = ""
    """Directory of the tree's content-addressed store (theater.content); empty if it is not granted."""
    listeners: str | None = None
    """Path of the socket where the worker gets its listening socket from (supervisor.listeners); None: it has none."""


class Ping(Message, tag="ping", frozen=True):
    """Heartbeat (L13)."""

    id: int


class Pause(Message, tag="pause", frozen=True):
    """Pause after the current call, or ``if_idle`` (the seed's)."""

    id: int
    target: str = ""
    mode: str = "after_call"


class Resume(Message, tag="resume", frozen=True):
    """Go on."""

    id: int
    target: str = ""


class Shutdown(Message, tag="shutdown", frozen=True):
    """Stop gracefully. A worker answers Done when it has accepted; a client gets a Report when it is reaped."""

    id: int
    target: str = ""
    deadline_ms: int | None = None
    by: str = "supervisor"


class Notify(Message, tag="notify", frozen=True):
    """A host-originated operation: call an export, discard its result. Body 0: encoded parameters. Not answered."""

    function: str
    key: int | None = None
    """By which the guest can have it taken back while it waits (a monitor's reference)."""


class ChildEvents(Message, tag="child_events", frozen=True):
    """Events of a subscribed child; the worker turns them into handle-child-event callbacks. Body 0: batch."""

    child_id: str
    first_seq: int
    last_seq: int


class HandOver(Message, tag="hand_over", frozen=True):
    """Hand the actor over to its next package: finish the operation under way, take no other. Answered by HandedOver.

    Whoever calls from then on is told ``moved``, and asks the root again where the actor is.
    """

    id: int
    target: str = ""


class TakeBack(Message, tag="take_back", frozen=True):
    """The update came to nothing: go on. Answered by Done."""

    id: int
    target: str = ""


class Retire(Message, tag="retire", frozen=True):
    """The next package has taken over: end, recording nothing. Answered by Done."""

    id: int
    target: str = ""


class TakenOver(Message, tag="taken_over", frozen=True):
    """The next package has taken over: who waits for an answer that only this life could give waits in vain.

    Not answered. Retire follows.
    """

    target: str = ""


class Expect(Message, tag="expect", frozen=True):
    """Another actor is about to hand a TCP connection over: take it from whoever shows this token (tcp.transfer).

    The socket is in the run directory, and the worker's own; it is bound when the first one is expected. Answered by
    Done or Refused.
    """

    id: int
    socket: str
    """Path at which to wait."""
    token: bytes
    expires_ms: int
    target: str = ""


class TakeAgain(Message, tag="take_again", frozen=True):
    """An operation that was set aside is no dead letter any more. Not answered."""

    digest: str


class PeerEnded(Message, tag="peer_ended", frozen=True):
    """An incarnation has ended that this worker was told the endpoint of (``find-peer``). Not answered."""

    actor_id: str
    incarnation: int
    cause: dict[str, Any]


class PeerMoved(Message, tag="peer_moved", frozen=True):
    """Another incarnation has taken over from one that this worker was told the endpoint of. Not answered.

    What it has answered is still on its way; PeerEnded follows.
    """

    actor_id: str
    incarnation: int


# -- client to root ---------------------------------------------------------------------------------------------


class Update(Message, tag="update", frozen=True):
    """Go on with another package (hot update). ``package`` is an absolute path; answered by Outcome or Refused."""

    id: int
    target: str
    package: str
    timeout_ms: int | None = None
    """How long the new package may take to be ready; None: a minute."""


class Terminate(Message, tag="terminate", frozen=True):
    """SIGKILL the actor's worker at once; answered by Report when it is reaped (L6)."""

    id: int
    target: str


class StartChild(Message, tag="start_child", frozen=True):
    """supervisor:start_child/2: under simple_one_for_one, start one more of the template under ``name``."""

    id: int
    target: str
    name: str = ""
    state: Any = None
    has_state: bool = False


class Fork(Message, tag="fork", frozen=True):
    """Start another actor like the target, beside it, from a state of its past. Body 0: the state, encoded."""

    id: int
    target: str
    name: str
    seq: int
    """The last event that the state comes from."""
    hash: bytes


class TerminateChild(Message, tag="terminate_child", frozen=True):
    """supervisor:terminate_child/2 by child id (or name under simple_one_for_one)."""

    id: int
    target: str
    child: str


class RestartChild(Message, tag="restart_child", frozen=True):
    """supervisor:restart_child/2."""

    id: int
    target: str
    child: str


class DeleteChild(Message, tag="delete_child", frozen=True):
    """supervisor:delete_child/2."""

    id: int
    target: str
    child: str


class DropDeadLetter(Message, tag="drop_letter", frozen=True):
    """Let the actor take an operation again that was set aside; ``seq`` is its call event. Answered by Done.

    With ``undelivered``: forget the message that was not delivered under this number instead.
    """

    id: int
    target: str
    seq: int
    undelivered: bool = False


class KeepLetter(Message, tag="keep_letter", frozen=True):
    """Keep a message that was not delivered (again): whoever took it out, to deliver it, could not. Body 0: its bytes.

    ``target`` and ``sender`` are ids, or what they were called. Answered by Done.
    """

    id: int
    target: str
    sender: str
    function: str
    reason: str


class Restart(Message, tag="restart", frozen=True):
    """Stop the actor gracefully and start it again under its supervisor, outside the restart intensity."""

    id: int
    target: str


class StopTree(Message, tag="stop_tree", frozen=True):
    """End the whole tree in order and with it the supervisor process. Answered by Done when accepted."""

    id: int
    force: bool = False


class Link(Message, tag="link", frozen=True):
    """erlang:link/1 between this connection's client and the present incarnation of the target.

    Answered by Outcome {link, actor_id}; its end is a LinkExit: at once, with noproc, where nobody is. A link is one,
    with one number, however often it is made. The client lives until it says Leave, or its process ends.
    """

    id: int
    target: str
    incarnation: int | None = None
    """Only this one is meant."""


class Unlink(Message, tag="unlink", frozen=True):
    """erlang:unlink/1. Answered by Outcome: whether the link was there."""

    id: int
    link: int


class Monitor(Message, tag="monitor", frozen=True):
    """erlang:monitor/2. Answered by Outcome {ref, actor_id}; when it fires, at once if nobody is there: MonitorDown."""

    id: int
    target: str
    incarnation: int | None = None


class Demonitor(Message, tag="demonitor", frozen=True):
    """erlang:demonitor/1. Answered by Outcome: whether the monitor was there."""

    id: int
    ref: int


class Signal(Message, tag="signal", frozen=True):
    """erlang:exit/2: an exit signal on purpose. Answered by Done, whether there is anybody or not."""

    id: int
    target: str
    reason: str
    incarnation: int | None = None


class Leave(Message, tag="leave", frozen=True):
    """This connection's client ends in order: whoever is linked with it gets an exit signal. Answered by Done."""

    id: int
    reason: str = "normal"


class LinkExit(Message, tag="link_exit", frozen=True):
    """An exit signal has come by a link, which is no more. ``cause`` as plain data, None if nobody ended. Unasked."""

    link: int
    reason: str
    cause: dict[str, Any] | None = None


class MonitorDown(Message, tag="down", frozen=True):
    """A monitor has fired, and is no more; ``cause`` as in LinkExit. Unasked."""

    ref: int
    reason: str
    cause: dict[str, Any] | None = None


class Report(Message, tag="report", frozen=True):
    """How an actor ended, ``seconds`` after the order: answer to a client's Shutdown and Terminate."""

    id: int
    cause: dict[str, Any]
    forced: bool
    exit_status: int | None
    seconds: float


class Outcome(Message, tag="outcome", frozen=True):
    """Result of a tree order: plain data, OTP's answer in ``value``; ``wide``: it is body 0, as MessagePack."""

    id: int
    value: Any = None
    wide: bool = False


FromWorker = (
    Hello | Step | Ready | StartFailed | Goodbye | Pong | Done | Refused | Ask | HandedOver | Forward | Undelivered
)
ToWorker = (
    Init
    | Ping
    | Pause
    | Resume
    | Shutdown
    | Notify
    | ChildEvents
    | Answered
    | Refused
    | HandOver
    | TakeBack
    | Retire
    | TakenOver
    | TakeAgain
    | Expect
    | PeerEnded
    | PeerMoved
)
FromClient = (
    Pause
    | Resume
    | Shutdown
    | Terminate
    | StartChild
    | Fork
    | TerminateChild
    | RestartChild
    | DeleteChild
    | Restart
    | Update
    | DropDeadLetter
    | KeepLetter
    | StopTree
    | Link
    | Unlink
    | Monitor
    | Demonitor
    | Signal
    | Leave
)
ToClient = Done | Refused | Report | Outcome | LinkExit | MonitorDown

FROM_WORKER = Codec(MessageClass.CONTROL, FromWorker)
TO_WORKER = Codec(MessageClass.CONTROL, ToWorker)
FROM_CLIENT = Codec(MessageClass.CONTROL, FromClient)
TO_CLIENT = Codec(MessageClass.CONTROL, ToClient)
