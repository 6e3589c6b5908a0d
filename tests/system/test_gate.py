"""The doors of a running root: nonsense on every socket, questions in every state, orders at their limits."""

from __future__ import annotations

import itertools
import json
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import psutil
import pytest
import zmq

from proto import control, info, limits, operation, stream
from proto.envelope import Codec
from supervisor.fleet.gate import DEADLINE_MS_MAX
from tests.homes import new_home
from tests.system import guests
from tests.system.frozen import Frozen
from tests.system.running import RunningTree, running_tree, until
from theater.errors import ActorError, ChannelClosed, NotFound

Start = Callable[..., RunningTree]

TREE = """
version: 1
name: gate
intensity: 10000
period: 10s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}}
  - {id: idle, actor: counter.wasm, grants: {runtime: {}}}
  - id: pool
    supervisor:
      strategy: simple_one_for_one
      intensity: 1000
      child: {id: one, actor: counter.wasm, restart: permanent, grants: {runtime: {}}}
  - id: slow
    supervisor:
      strategy: simple_one_for_one
      child: {id: one, actor: spinning_init.wasm, restart: temporary, shutdown: brutal_kill, grants: {runtime: {}}}
"""

ANSWER_S = 10.0
PROMPT_S = 0.05
"""The promise: answered so soon while a guest spins. Tests take the best of several, machines are busy."""

RESTARTS = 200
FD_GROWTH_MAX = 8
RSS_GROWTH_BYTES_MAX = 8 * 1024 * 1024

BAD_HEADERS = {
    "nothing": (b"", "foreign"),
    "another protocol": (b"GET / HTTP/1.1\r\n", "foreign"),
    "half a prefix": (b"TH\x01", "malformed"),
    "another version": (b"TH\x02\x02\x92\xa6status\x01", "version"),
    "no class": (b"TH\x01\x09\x92\xa6status\x01", "malformed"),
    "another class": (operation.REQUESTS.encode(operation.Call(1, "f")), "malformed"),
    "no record": (b"TH\x01\x02", "malformed"),
    "half a record": (b"TH\x01\x02\x93\xa6status\x01", "malformed"),
    "a record of nobody's": (b"TH\x01\x02\x92\xa6mystic\x01", "malformed"),
    "wrong field types": (b"TH\x01\x02\x93\xa6status\xa1x\x01", "malformed"),
    "nested without end": (b"TH\x01\x02" + b"\x91" * 200_000, "malformed"),
    "not UTF-8": (b"TH\x01\x02\x93\xa6status\x01\xa2\xff\xfe", "malformed"),
    "too large": (b"TH\x01\x02" + b"\0" * limits.HEADER_BYTES_MAX, "oversized"),
}


GOOD = [
    *(kind(1, "/counter") for kind in (info.Resolve, info.GetStatus, info.GetState, info.GetMetrics)),
    info.GetInterface(1, "/counter"),
    info.GetExportHashes(1, "/counter"),
    info.GetChain(1, "/counter", 0, 100),
    info.Flush(1, "/counter"),
    info.GetTree(1, "/pool"),
    info.Explain(1, "/counter"),
    info.WhichChildren(1, "/pool"),
    info.CountChildren(1, "/pool"),
    info.GetChildspec(1, "/pool", "one"),
    info.Subscribe(1, "/counter", 0, 100, "drop"),
    info.Unsubscribe(1, 1),
    info.Received(1, 10),
    control.Pause(1, "/nobody", "if_idle"),
    control.Resume(1, "/counter"),
    control.Shutdown(1, "/nobody", 1000),
    control.StartChild(1, "/counter", "name", {"count": 1}, True),
    control.TerminateChild(1, "/pool", "none"),
    control.RestartChild(1, "/", "counter"),
    control.DeleteChild(1, "/pool", "none"),
    control.Restart(1, "/nobody"),
]
FUZZED = 3000


class Raw:
    """A client without manners: it sends what it likes and reads what comes."""

    def __init__(self, tree: RunningTree, door: str = "gate", identity: bytes | None = None) -> None:
        self._context = zmq.Context()
        self._context.linger = 0
        self.socket = self._context.socket(zmq.DEALER)
        if identity is not None:
            self.socket.setsockopt(zmq.ROUTING_ID, identity)
        self.socket.connect(f"ipc://{tree.run_dir}/{door}")

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def ask(self, question: Any) -> tuple[Any, list[bytes]]:
        """Put a question and return its answer and bodies; what else comes meanwhile is passed over."""
        self.tell(question)
        while True:
            message, bodies = self.next()
            if getattr(message, "id", None) == question.id:
                return message, bodies

    def tell(self, message: Any) -> None:
        codec = info.QUESTIONS if type(message).__module__ == info.__name__ else control.FROM_CLIENT
        self.send(codec.encode(message))

    def next(self) -> tuple[Any, list[bytes]]:
        assert self.socket.poll(int(ANSWER_S * 1000)), "no answer"
        header, *bodies = self.socket.recv_multipart()
        codec: Codec = info.ANSWERS if header[3] == 2 else control.TO_CLIENT
        return codec.decode(header), bodies

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests that leave it as it was."""
    with new_home() as home:
        guests.write_all(home)
        with running_tree(home, TREE) as tree:
            yield tree


@pytest.fixture
def raw(tree: RunningTree) -> Iterator[Raw]:
    client = Raw(tree)
    yield client
    client.close()


def refusals(tree: RunningTree, door: str, reason: str, event: str = "refused") -> list[dict[str, Any]]:
    """The log's lines about refused messages of one kind."""
    lines = [json.loads(line) for line in (tree.store_dir / "logs.jsonl").read_text().splitlines()]
    return [line for line in lines if (line["event"], line.get("place"), line.get("reason")) == (event, door, reason)]


def end(tree: RunningTree, path: str) -> None:
    tree.actor(path).terminate()


@pytest.fixture
def starting(tree: RunningTree) -> Iterator[str]:
    """An actor whose init never returns."""
    yield from _start_slowly(tree)


def _start_slowly(tree: RunningTree) -> Iterator[str]:
    path = f"/slow/{secrets.token_hex(4)}"
    asking = Raw(tree)
    asking.tell(control.StartChild(1, "/slow", os.path.basename(path)))
    until(lambda: _step(tree, path) == "init", "init to run")
    yield path
    end(tree, path)
    asking.close()


def _step(tree: RunningTree, path: str) -> str:
    try:
        return str(tree.status(path).detail)
    except ActorError:
        return ""


@pytest.fixture
def stopped(tree: RunningTree) -> Iterator[str]:
    """An actor that was told to stop, and stays so."""
    tree.wait_incarnation("/idle", 1)
    assert tree.client.terminate_child("/", "idle") == "ok"
    yield "/idle"
    tree.client.restart_child("/", "idle")


# -- nonsense ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", BAD_HEADERS)
def test_a_bad_frame_at_the_gate_is_answered_and_counted(tree: RunningTree, raw: Raw, what: str) -> None:
    """Whoever sent it hears why, under no question's number, and goes on as before."""
    header, reason = BAD_HEADERS[what]
    before = tree.pid("/counter")
    raw.send(header)
    refused, _ = raw.next()

    assert (refused.id, refused.kind) == (0, "serialization")
    assert raw.ask(info.GetStatus(7, "/counter"))[0].data["pid"] == before
    until(lambda: refusals(tree, "gate", reason), f"the {reason} frame to be logged")


@pytest.mark.parametrize("door", ["control", "stream"])
@pytest.mark.parametrize("what", BAD_HEADERS)
def test_a_bad_frame_at_the_workers_doors_is_counted_and_ignored(tree: RunningTree, door: str, what: str) -> None:
    """Nobody is there to be answered; the workers behind that door are not harmed."""
    header, reason = BAD_HEADERS[what]
    before = tree.pid("/counter")
    stranger = Raw(tree, door)
    stranger.send(header)

    until(lambda: refusals(tree, door, reason), f"the {reason} frame to be logged")
    assert tree.pid("/counter") == before
    assert not stranger.socket.poll(0)
    stranger.close()


def test_more_bodies_than_allowed_are_refused(raw: Raw) -> None:
    """A message has at most three, in the gate's eyes too."""
    raw.send(info.QUESTIONS.encode(info.GetStatus(1, "/counter")), *[b""] * (limits.BODIES_MAX + 1))

    assert "body frames" in raw.next()[0].data[0]


def test_a_frame_beyond_all_limits_cuts_its_sender_off_and_nobody_else(tree: RunningTree, raw: Raw) -> None:
    """It is never read into memory; the others' connections stay."""
    giant = Raw(tree)
    giant.send(b"TH\x01\x02" + b"\0" * (8 * 1024 * 1024))
    giant.tell(info.GetStatus(1, "/counter"))

    assert raw.ask(info.GetStatus(1, "/counter"))[0].data["state"] == "idle"
    giant.close()


def test_ten_thousand_bad_frames_are_one_line_and_one_number(start: Start) -> None:
    """A flood harms nobody, is logged once and counted to the last frame."""
    tree = start(TREE)
    before = tree.pid("/counter")
    flood = Raw(tree)
    flood.socket.setsockopt(zmq.SNDHWM, 0)
    for _ in range(10_000):
        flood.send(b"\xff nonsense")
    for _ in range(10_000):
        flood.next()

    assert tree.actor("/counter").call("bump", (1,)) == 1
    assert tree.pid("/counter") == before
    assert len(refusals(tree, "gate", "foreign")) <= 2  # one every ten seconds
    flood.close()
    assert tree.stop() == 0
    assert [line["count"] for line in refusals(tree, "gate", "foreign", "refused_in_all")] == [10_000]


def test_random_damage_to_good_messages_harms_nobody(tree: RunningTree, raw: Raw) -> None:
    """Bytes changed, lost and doubled in every question and order a client has, from one printed seed."""
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    chance = random.Random(seed)
    good = [
        (info.QUESTIONS if type(message).__module__ == info.__name__ else control.FROM_CLIENT).encode(message)
        for message in GOOD
    ]
    for _ in range(FUZZED):
        header = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(4, len(header))
            match chance.randrange(3):
                case 0:
                    header[place] = chance.randrange(256)
                case 1:
                    del header[place:]
                case _:
                    header[place:place] = header[4:place]
            if len(header) < 6:
                break
        raw.send(bytes(header))
    status, _ = raw.ask(info.GetStatus(2**40, "/counter"))

    assert isinstance(status, info.Info)
    assert tree.process.poll() is None
    tree.wait_incarnation("/counter", 1)


def test_a_hello_nobody_expects_is_refused(tree: RunningTree) -> None:
    """A routing id and a token of one's own make nobody a worker."""
    stranger = Raw(tree, "control", identity=secrets.token_bytes(16))
    stranger.send(control.FROM_WORKER.encode(control.Hello(secrets.token_bytes(16), os.getpid())))

    until(lambda: refusals(tree, "control", "stranger"), "the stranger to be logged")
    assert not stranger.socket.poll(0)
    stranger.close()


def test_nobody_speaks_for_a_worker_that_lives(tree: RunningTree, raw: Raw) -> None:
    """A second connection under a living incarnation's routing id is not let in: its goodbye is not believed."""
    tree.wait_incarnation("/counter", 1)
    incarnation = raw.ask(info.GetStatus(1, "/counter"))[0].data["incarnation"]
    rings = [bytes.fromhex(ring.stem) for ring in (tree.store_dir / "rings").glob("*.ring")]
    thieves = [Raw(tree, door, identity=routing) for routing in rings for door in ("control", "stream")]
    for thief in thieves:
        thief.send(control.FROM_WORKER.encode(control.StartFailed("init", "stolen")))
        thief.send(stream.UP.encode(stream.LogRecord(time.time_ns(), "error", "guest", "stolen")))

    assert tree.actor("/counter").call("bump", (1,)) >= 1
    assert raw.ask(info.GetStatus(2, "/counter"))[0].data["incarnation"] == incarnation
    assert "stolen" not in (tree.store_dir / "logs.jsonl").read_text()
    for thief in thieves:
        thief.close()


# -- questions in every state ------------------------------------------------------------------------------------------

QUESTIONS: dict[str, tuple[Any, str | None]] = {
    # question: what is refused while the actor is stopped (None: answered)
    "status": (info.GetStatus(1), None),
    "state": (info.GetState(1), None),
    "chain": (info.GetChain(1), None),
    "flush": (info.Flush(1), None),
    "metrics": (info.GetMetrics(1), "channel_closed"),
    "hashes": (info.GetExportHashes(1), "channel_closed"),
    "interface": (info.GetInterface(1), "channel_closed"),
    "save": (info.SaveChain(1), "channel_closed"),
    "resolve": (info.Resolve(1, ""), "channel_closed"),
}


def about(path: str, question: Any) -> Any:
    return msgspec.structs.replace(question, target=path)


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_about_an_idle_actor(raw: Raw, name: str) -> None:
    """All are answered."""
    message, _ = raw.ask(about("/counter", QUESTIONS[name][0]))

    assert not isinstance(message, info.Refused)


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_about_a_starting_actor(raw: Raw, starting: str, name: str) -> None:
    """All are answered while init computes: the state is the initial one, the chain what there is so far."""
    message, _ = raw.ask(about(starting, QUESTIONS[name][0]))

    assert not isinstance(message, info.Refused)


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_about_a_stopped_actor(raw: Raw, stopped: str, name: str) -> None:
    """What the root knows is answered; the rest is refused with the cause of the end."""
    question, refused = QUESTIONS[name]
    message, _ = raw.ask(about(stopped, question))

    if refused is None:
        assert isinstance(message, info.Info)
    else:
        assert (message.kind, message.data[0]["kind"]) == (refused, "stopped")


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_about_nobody(raw: Raw, name: str) -> None:
    """not_found, with the name as it was asked for."""
    message, _ = raw.ask(about("/nobody", QUESTIONS[name][0]))

    assert (message.kind, message.data) == ("not_found", ("/nobody",))


def test_the_status_tells_where_an_actor_is(tree: RunningTree, starting: str, stopped: str) -> None:
    """starting with its step, idle, stopped with its cause."""
    young, idle, gone = tree.status(starting), tree.status("/counter"), tree.status(stopped)

    assert (young.state, young.detail, idle.state) == ("starting", "init", "idle")
    assert (gone.state, gone.cause.kind, gone.pid) == ("stopped", "stopped", None)


def test_the_state_of_a_stopped_actor_is_its_last(tree: RunningTree) -> None:
    """It is there as long as the actor is remembered."""
    before = tree.actor("/idle").call("bump", (5,))
    tree.client.terminate_child("/", "idle")
    state = tree.actor("/idle").get_state()
    tree.client.restart_child("/", "idle")

    assert state == before


def test_a_stopped_actor_takes_no_orders_but_ends(tree: RunningTree, raw: Raw, stopped: str) -> None:
    """Pause and resume are refused with the cause; shutdown and terminate report how it had ended."""
    for order in (control.Pause(1, stopped), control.Resume(2, stopped)):
        refused, _ = raw.ask(order)
        assert (refused.kind, refused.data[0]["kind"]) == ("channel_closed", "stopped")
    for order in (control.Shutdown(3, stopped), control.Terminate(4, stopped)):
        report, _ = raw.ask(order)
        assert (report.cause["kind"], report.forced, report.exit_status) == ("stopped", False, None)


def test_questions_wait_for_a_worker_that_is_being_forked(tree: RunningTree, raw: Raw) -> None:
    """Asked before there is a process: answered once it is there, none is lost."""
    with NoSpare(tree) as frozen:
        name = frozen.start_child(raw)
        for question in (info.Resolve(11, name), info.GetState(12, name), info.GetMetrics(13, name)):
            raw.tell(question)
        raw.tell(control.Pause(14, name))
        assert raw.ask(info.GetStatus(15, name))[0].data["state"] == "starting"
    answers = {message.id: message for message, _ in (raw.next() for _ in range(5))}

    assert answers[11].incarnation == 1
    assert isinstance(answers[12], info.Info) or answers[12].data == ("not ready",)  # no types yet to show a state in
    assert isinstance(answers[13], info.Info)
    assert isinstance(answers[14], control.Done)
    tree.client.terminate_child("/pool", os.path.basename(name))


def test_questions_for_a_worker_that_never_was_are_answered_too(tree: RunningTree, raw: Raw) -> None:
    """The start is given up before the fork: whoever waited hears the cause."""
    with NoSpare(tree) as frozen:
        name = frozen.start_child(raw)
        raw.tell(info.Resolve(11, name))
        raw.tell(control.Pause(12, name))
        raw.tell(control.Terminate(13, name))
        assert raw.ask(info.GetStatus(15, name))[0].data["state"] == "starting"
    answers: dict[int, Any] = {}
    while len(answers) < 4:
        message, _ = raw.next()
        if not isinstance(message, info.Ended):
            answers[message.id] = message

    assert (answers[11].kind, answers[11].data[0]["kind"]) == ("channel_closed", "killed")
    assert (answers[12].kind, answers[12].data[0]["kind"]) == ("channel_closed", "killed")
    assert answers[13].forced
    assert answers[1].value == {"error": "killed"}


class NoSpare(Frozen):
    """No worker is left that was forked ahead, either: starts wait for their fork."""

    def start_child(self, raw: Raw) -> str:
        """Ask for children until one has to wait for its fork; return its path. Its start is the raw client's 1."""
        while True:
            path = f"/pool/{secrets.token_hex(4)}"
            raw.tell(control.StartChild(1, "/pool", os.path.basename(path)))
            until(partial(self._is_known, path), "the child to be known")
            if not self._tree.status(path).pid:
                return path
            raw.next()  # a spare was left after all
            self._tree.client.terminate_child("/pool", os.path.basename(path))

    def _is_known(self, path: str) -> bool:
        try:
            return bool(self._tree.status(path))
        except NotFound:
            return False


def test_everything_is_answered_at_once_while_a_guest_spins(tree: RunningTree) -> None:
    """Status, state, metrics and chain within 50 ms, whatever the guest does (H5)."""
    actor = tree.actor("/counter")
    caller = threading.Thread(target=_spin, args=(tree,))
    caller.start()
    until(lambda: tree.status("/counter").operation, "the call to run")
    questions = (actor.get_status, actor.get_state, actor.get_metrics, actor.get_chain)
    best_s = [min(_seconds(question) for _ in range(20)) for question in questions]
    still = tree.status("/counter").operation
    actor.terminate()
    caller.join(ANSWER_S)

    assert still is not None
    assert max(best_s) < PROMPT_S
    tree.wait_incarnation("/counter", 2)


def _spin(tree: RunningTree) -> None:
    with pytest.raises(ActorError):
        tree.actor("/counter").call("spin", (), timeout=60)


def _seconds(question: Callable[[], object]) -> float:
    began = time.monotonic()
    question()
    return time.monotonic() - began


# -- orders ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "a\nb", "\x1b[31m", "n" * 101])
def test_a_child_needs_a_name_that_can_be_part_of_a_path(tree: RunningTree, name: str) -> None:
    """The same rule as for ids in a tree file; nothing is started."""
    assert tree.client.start_child("/pool", name) == {"error": {"invalid_child_name": name}}
    assert tree.client.count_children("/pool")["active"] == 0


@pytest.mark.parametrize("deadline_ms", [2**64 - 1, 2**63 - 1, 2**31 - 1, DEADLINE_MS_MAX, 0, -(2**63)])
def test_a_stop_may_be_asked_for_with_any_deadline(tree: RunningTree, raw: Raw, deadline_ms: int) -> None:
    """More than any timer holds is a week; less than nothing is at once. Nobody is harmed, it comes back."""
    before = tree.wait_incarnation("/counter", 1).incarnation
    report, _ = raw.ask(control.Shutdown(1, "/counter", deadline_ms))

    assert report.cause["kind"] == ("stopped" if deadline_ms > 0 else "killed")
    tree.wait_incarnation("/counter", before + 1)


def test_words_the_protocol_does_not_know_are_refused(raw: Raw) -> None:
    """A pause of another kind, a subscription of another policy: refused, naming what there is."""
    paused, _ = raw.ask(control.Pause(1, "/counter", "at_dawn"))
    subscribed, _ = raw.ask(info.Subscribe(2, "/counter", policy="block"))

    assert "after_call or if_idle, got 'at_dawn'" in paused.data[0]
    assert "drop or disconnect, got 'block'" in subscribed.data[0]


def test_a_path_no_file_can_have_is_refused(tree: RunningTree, raw: Raw) -> None:
    """A null character in the path of a saved chain ends nobody."""
    before = tree.pid("/counter")
    refused, _ = raw.ask(info.SaveChain(1, "/counter", "a\0b"))

    assert refused.kind == "unexpected"
    assert tree.pid("/counter") == before


@pytest.mark.parametrize("since", [-1, 2**63 - 1, 2**64 - 1])
@pytest.mark.parametrize("limit", [-1, 0, 2**64 - 1])
def test_any_numbers_may_be_asked_of_a_stored_chain(raw: Raw, stopped: str, since: int, limit: int) -> None:
    """Past the ends there is nothing, and that is no error."""
    message, _ = raw.ask(info.GetChain(1, stopped, since, limit))

    assert isinstance(message, info.Info)
    assert "error" not in message.data


def test_restart_of_a_dynamic_child(tree: RunningTree) -> None:
    """A simple_one_for_one supervisor keeps no specification per child: it begins from what it was started with."""
    tree.client.start_child("/pool", "again")
    tree.actor("/pool/again").call("bump", (3,))

    assert "ok" in tree.client.restart("/pool/again")
    assert tree.actor("/pool/again").call("bump", (1,)) == 1
    assert tree.status("/pool/again").incarnation == 2
    assert tree.client.count_children("/pool")["active"] == 1
    assert tree.client.terminate_child("/pool", "again") == "ok"


def test_orders_to_no_supervisor(tree: RunningTree) -> None:
    """OTP's noproc for orders; not_found, with the name, for questions."""
    assert tree.client.start_child("/counter", "x") == {"exit": "noproc"}
    with pytest.raises(NotFound, match="/counter"):
        tree.client.which_children("/counter")


def test_an_actor_may_be_restarted_for_ever(tree: RunningTree) -> None:
    """Two hundred restarts on request: free of the intensity, and the root keeps nothing of them."""
    root = psutil.Process(tree.process.pid)
    for _ in range(RESTARTS // 4):
        tree.client.restart("/counter")
    files, memory = root.num_fds(), root.memory_info().rss
    before = tree.wait_incarnation("/counter", 1).incarnation
    for _ in range(RESTARTS - RESTARTS // 4):
        tree.client.restart("/counter")

    assert tree.wait_incarnation("/counter", 1).incarnation == before + RESTARTS - RESTARTS // 4
    until(lambda: root.num_fds() <= files + FD_GROWTH_MAX, "descriptors to be given back")
    assert root.memory_info().rss - memory < RSS_GROWTH_BYTES_MAX
    until(lambda: len(os.listdir(tree.store_dir / "rings")) <= 8, "rings to be removed")


# -- subscriptions -----------------------------------------------------------------------------------------------------


def test_a_subscription_begins_in_the_past_and_goes_through_restarts(tree: RunningTree) -> None:
    """Stored events, then live ones, of every incarnation, each once, numbered without a gap; then the end."""
    tree.client.start_child("/pool", "told")
    actor = tree.actor("/pool/told")
    actor.call("bump", (1,))
    with actor.subscribe(since=0) as subscription:
        actor.call("bump", (2,))
        tree.client.restart("/pool/told")
        actor.call("bump", (3,))
        tree.client.terminate_child("/pool", "told")
        *events, ended = subscription

    assert [event.seq for event in events] == list(range(len(events)))
    assert [event.event_type for event in events].count("shutdown") == 2
    assert ended.cause.kind == "stopped"


def _bump(tree: RunningTree, times: int) -> None:
    """Calls whose events come in a batch each."""
    asking = Raw(tree)
    for number in range(times):
        tree.actor("/idle").call("bump", (1,))
        asking.ask(info.Flush(number, "/idle"))
    asking.close()


def _live(raw: Raw, tree: RunningTree, buffer: int, policy: str) -> int:
    """Subscribe from now on; everything recorded before is in the store."""
    raw.ask(info.Flush(1, "/idle"))
    answer, _ = raw.ask(info.Subscribe(2, "/idle", buffer=buffer, policy=policy))
    return int(answer.data["subscription"])


def test_a_subscriber_that_does_not_read_misses_exactly_what_it_is_told(tree: RunningTree, raw: Raw) -> None:
    """Policy drop: one gap, first and last included, before the next delivery."""
    number = _live(raw, tree, 4, "drop")
    _bump(tree, 10)
    last = raw.ask(info.Flush(3, "/idle"))[0].data["last_seq"]
    told = []
    raw.tell(info.Received(number, 4))
    while not told or told[-1].last_seq < last:
        message, _ = raw.next()
        if isinstance(message, info.Events | info.Gap):
            told.append(message)

    assert any(isinstance(message, info.Gap) for message in told)
    assert all(after.first_seq == before.last_seq + 1 for before, after in itertools.pairwise(told))
    raw.ask(info.Unsubscribe(4, number))


def test_a_strict_subscriber_that_lags_is_told_and_let_go(tree: RunningTree, raw: Raw) -> None:
    """Policy disconnect: the end says by how much."""
    number = _live(raw, tree, 4, "disconnect")
    _bump(tree, 10)
    message: Any = None
    while not isinstance(message, info.SubscriptionEnded):
        message, _ = raw.next()

    assert message.subscription == number
    assert message.lagged > 0


def test_a_watcher_hears_of_the_end_once(tree: RunningTree, raw: Raw) -> None:
    """With the cause, after whatever else it was sent; not again for the next incarnation."""
    endpoint, _ = raw.ask(info.Resolve(1, "/counter"))
    os.kill(tree.pid("/counter"), signal.SIGKILL)
    ended, _ = raw.next()
    tree.wait_incarnation("/counter", endpoint.incarnation + 1)
    tree.client.restart("/counter")

    assert (ended.incarnation, ended.cause["signal"]) == (endpoint.incarnation, signal.SIGKILL)
    assert raw.ask(info.GetStatus(2, "/counter"))[0].id == 2
    assert not raw.socket.poll(0)


def test_a_handle_of_one_life_ends_with_it(tree: RunningTree) -> None:
    """As a pid would (H2): the next incarnation is somebody else."""
    actor = tree.actor("/counter")
    pinned = actor.pinned()
    pinned.call("bump", (1,))
    actor.terminate()
    tree.wait_incarnation("/counter", 2)

    with pytest.raises(ChannelClosed):
        pinned.call("bump", (1,))
