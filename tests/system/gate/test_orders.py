"""Orders to a running root, at their limits."""

from __future__ import annotations

import os

import psutil
import pytest

from proto import control, info
from supervisor.gate.whom import DEADLINE_MS_MAX
from tests.system.gate.raw import Raw
from tests.system.running import RunningTree, until
from theater.errors import NotFound

RESTARTS = 200
FD_GROWTH_MAX = 8
RSS_GROWTH_BYTES_MAX = 8 * 1024 * 1024


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
