"""What workers send on the control socket: checked, counted, answered exactly once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from proto import control, info
from proto.limits import BODIES_MAX, HEADER_BYTES_MAX
from supervisor.fleet import links as module
from supervisor.fleet.links import PENDING_MAX, Links, Pending
from tests.root.fakes import numbers

ROUTING = b"r" * 16


class Frame:
    """A received frame."""

    def __init__(self, data: bytes) -> None:
        self.bytes = data


class Scene:
    """One worker that said hello, one client that asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counted: list[str] = []
        self.sent: list[tuple[bytes, bytes]] = []
        self.is_reachable = True
        self.life: Any = SimpleNamespace(
            actor=SimpleNamespace(path="/a"),
            routing=ROUTING,
            is_alive=True,
            init_sent=True,
            pending={},
            heartbeats_missed=3,
        )
        ids = numbers()
        services: Any = SimpleNamespace(
            register=SimpleNamespace(by_routing={ROUTING: self.life}),
            sockets=SimpleNamespace(gate="gate", control="control"),
            next_id=lambda: next(ids),
        )
        births: Any = SimpleNamespace(
            on_step=lambda life, step: None,
            on_ready=lambda life, message: None,
            on_start_failed=lambda life, message: None,
            on_hello=lambda life, message, peer: "wrong token",
            spares=SimpleNamespace(on_hello=lambda routing, message, peer: False),
        )
        refusals: Any = SimpleNamespace(count=lambda place, reason, text: self.counted.append(reason))
        monkeypatch.setattr(module, "send", self._send)
        monkeypatch.setattr(module, "credentials", lambda frame: None)
        self.links = Links(services, births, refusals, lambda life, ask, bodies: None)

    def hear(self, *frames: bytes, routing: bytes = ROUTING) -> None:
        self.links.on_frames([Frame(routing), *map(Frame, frames)])

    def ask(self, question: Any, is_info: bool = True) -> int:
        """A client asks; the id the worker sees."""
        self.links.question(self.life, question, Pending(b"client", 77, is_info))
        return max(self.life.pending, default=0)

    def answers(self) -> list[Any]:
        """What the client was sent."""
        codecs = {2: info.ANSWERS, 3: control.TO_CLIENT}
        return [codecs[header[3]].decode(header) for to, header in self.sent if to == b"client"]

    def _send(self, sock: str, peer: bytes, header: bytes, bodies: object = ()) -> bool:
        if sock == "control" and not self.is_reachable:
            return False
        self.sent.append((peer, header))
        return True


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


PONG = control.FROM_WORKER.encode(control.Pong(1))

BAD = {
    "nothing at all": ((), "foreign"),
    "an empty frame": ((b"",), "foreign"),
    "another protocol": ((b"GET / HTTP/1.1",), "foreign"),
    "only the prefix": ((b"TH",), "malformed"),
    "another version": ((b"TH\x02" + PONG[3:],), "version"),
    "another class": ((b"TH\x01\x04" + PONG[4:],), "malformed"),
    "an unknown class": ((b"TH\x01\x63" + PONG[4:],), "malformed"),
    "half a record": ((PONG[:-1],), "malformed"),
    "an unknown record": ((b"TH\x01\x03\x91\xa3foo",), "malformed"),
    "a wrong type": ((b"TH\x01\x03\x92\xa4pong\xa1x",), "malformed"),
    "deep nesting": ((b"TH\x01\x03" + b"\x91" * 100_000,), "malformed"),
    "too large a header": ((b"TH\x01\x03" + bytes(HEADER_BYTES_MAX),), "oversized"),
    "too many bodies": ((PONG, *[b""] * (BODIES_MAX + 1)), "oversized"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_frame_is_counted_and_nothing_else(scene: Scene, name: str) -> None:
    """No answer, no effect, no exception."""
    frames, reason = BAD[name]
    scene.hear(*frames)

    assert scene.counted == [reason]
    assert scene.life.heartbeats_missed == 3
    assert scene.sent == []


UNASKED = (
    info.Events(1, 1, 0, 0),
    info.Gap(1, 0, 0),
    info.Ended("id", "/a", 1, {}),
    info.SubscriptionEnded(1),
    info.Endpoint(1, "id", "/a", 1, "ipc:///elsewhere", None, ""),
)


@pytest.mark.parametrize("message", UNASKED, ids=lambda message: type(message).__name__)
def test_what_no_worker_says_is_counted(scene: Scene, message: Any) -> None:
    """Records of the right class from the wrong side."""
    scene.hear(info.ANSWERS.encode(message))

    assert scene.counted == ["unasked"]


def test_a_stranger_is_counted(scene: Scene) -> None:
    """A routing id nobody has."""
    scene.hear(PONG, routing=b"somebody else")

    assert scene.counted == ["stranger"]


def test_the_dead_are_not_heard(scene: Scene) -> None:
    """Nothing said by an earlier life is taken for a later one."""
    scene.life.is_alive = False
    scene.hear(PONG)

    assert scene.counted == ["stranger"]
    assert scene.life.heartbeats_missed == 3


def test_a_hello_with_the_wrong_token_is_refused(scene: Scene) -> None:
    """Counted; no Init is sent."""
    scene.hear(control.FROM_WORKER.encode(control.Hello(b"wrong", 1)))

    assert scene.counted == ["hello"]
    assert scene.sent == []


def test_nothing_is_heard_before_hello(scene: Scene) -> None:
    """Ready before Init would be a lie."""
    scene.life.init_sent = False
    scene.hear(control.FROM_WORKER.encode(control.Ready()))

    assert scene.counted == ["hello"]


def test_an_answer_goes_to_who_asked_under_its_own_id_once(scene: Scene) -> None:
    """A second answer to the same question is nobody's."""
    ours = scene.ask(info.GetStatus(77, "/a"))
    for _ in range(2):
        scene.hear(info.ANSWERS.encode(info.Info(ours, {"state": "idle"})))

    assert scene.answers() == [info.Info(77, {"state": "idle"})]
    assert scene.life.pending == {}


def test_an_answer_that_does_not_fit_the_question_is_a_refusal(scene: Scene) -> None:
    """The client gets one answer it can read, whatever the worker said."""
    ours = scene.ask(info.GetStatus(77, "/a"))
    scene.hear(control.FROM_WORKER.encode(control.Done(ours)))
    ours = scene.ask(control.Pause(77, "/a"), is_info=False)
    scene.hear(info.ANSWERS.encode(info.Info(ours, {})))

    assert [(type(answer).__name__, answer.kind) for answer in scene.answers()] == [("Refused", "unexpected")] * 2


def test_a_worker_that_cannot_be_reached_is_a_refusal(scene: Scene) -> None:
    """Nobody waits for an answer that cannot come."""
    scene.is_reachable = False
    scene.ask(info.GetStatus(77, "/a"))

    assert [answer.kind for answer in scene.answers()] == ["unexpected"]
    assert scene.life.pending == {}


def test_questions_under_way_are_bounded(scene: Scene) -> None:
    """One too many is refused at once; the others go on waiting."""
    for _ in range(PENDING_MAX + 1):
        scene.ask(info.GetStatus(77, "/a"))

    assert [answer.kind for answer in scene.answers()] == ["unexpected"]
    assert len(scene.life.pending) == PENDING_MAX
