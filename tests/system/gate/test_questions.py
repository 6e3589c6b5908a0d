"""Questions about actors in every state, and while a guest spins."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from proto import control, info
from tests.system.frozen import Frozen
from tests.system.gate.raw import ANSWER_S, Raw
from tests.system.guests import call_spin
from tests.system.running import RunningTree, until
from theater.errors import NotFound

PROMPT_S = 0.05
"""The promise: answered so soon while a guest spins. Tests take the best of several, machines are busy."""

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
    caller = threading.Thread(target=call_spin, args=(tree,))
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


def _seconds(question: Callable[[], object]) -> float:
    began = time.monotonic()
    question()
    return time.monotonic() - began
