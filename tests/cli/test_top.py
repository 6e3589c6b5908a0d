"""``theater top``: the table from plain records, the verb against the fake supervisor, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from proto import info
from supervisor.cli.asking import data_of
from supervisor.cli.gauges import Figures, Gauges, Sample, chosen
from supervisor.cli.screen import columns, cut_front, frame
from supervisor.cli.usage import budget_text, fullest, row_of, rows_of
from tests.cli.conftest import Cli, counter_of
from tests.client.faketree import FakeTree
from theater.records import ActorMetrics, OperationMetrics, ResourceMetrics
from theater.rundir import load

ROOT = Path(__file__).resolve().parents[2]
TREE = {"name": "shop", "state": "up", "pid": 1}
DEADLINE_S = 20.0


def node(path: str, **more: Any) -> dict[str, Any]:
    return {
        "path": path, "type": "worker", "state": "running", "incarnation": 2, "pid": 7, "restarts": 1, "cause": None,
    } | more  # fmt: skip


def metrics(seconds: float, cpu_ms: int = 0, calls: int = 0, queued: int = 0, **more: Any) -> ActorMetrics:
    return ActorMetrics(
        uptime_secs=seconds,
        cpu_ns=cpu_ms * 1_000_000,
        operation_metrics=OperationMetrics(total_operations=calls, failed_operations=3),
        resource_metrics=ResourceMetrics(memory_usage=32 << 20, operation_queue_size=queued),
        **more,
    )


def budget(used: int, limit: int, **more: Any) -> dict[str, Any]:
    return {"used": used, "limit": limit, "per_ms": None, "then": "stop", "refused": 0, "waited_ns": 0} | more


def sample_of(*figures: tuple[str, Figures]) -> Sample:
    return Sample(TREE, [node(path) for path, _ in figures], {(path, 2): each for path, each in figures})


# -- rows -------------------------------------------------------------------------------------------------------


def test_rates_are_of_the_time_between_two_answers() -> None:
    """Half a second of computing in two seconds is 25 percent; ten calls are five a second."""
    figures = Figures(metrics(12, 900, 30, host_calls=8, events=44), metrics(10, 400, 20, host_calls=4, events=40))
    row = row_of(node("/a"), figures)

    assert (row["cpu_percent"], row["calls_per_second"]) == (25.0, 5.0)
    assert (row["host_calls_per_second"], row["events_per_second"]) == (2.0, 2.0)


@pytest.mark.parametrize(
    "figures",
    [
        None,
        Figures(metrics(5)),
        Figures(metrics(5), metrics(4), fresh=False),
        Figures(metrics(5), metrics(5)),
        Figures(metrics(5), metrics(9)),
    ],
    ids=["nothing", "first", "stale", "same-moment", "clock-set-back"],
)
def test_no_rate_is_made_up(figures: Figures | None) -> None:
    """Where two answers of different times are not at hand there is no rate."""
    assert row_of(node("/a"), figures)["cpu_percent"] is None


def test_an_actor_without_a_process_is_shown_as_the_tree_knows_it() -> None:
    """Nothing is asked of it, so it cannot be silent either."""
    row = row_of(node("/a", state="failed", pid=None), None)

    assert (row["state"], row["restarts"], row["memory"], row["answers"]) == ("failed", 1, None, None)


def test_what_is_known_of_a_silent_actor_stays() -> None:
    """It is shown, and marked."""
    stale = Figures(metrics(5, queued=9), metrics(4), fresh=False)
    row = row_of(node("/a"), stale, frozenset({("/a", 2)}))

    assert (row["queued"], row["answers"]) == (9, False)
    assert "running?" in frame(TREE, [row])[2]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("queue", ["/b", "/c", "/a"]), ("cpu", ["/c", "/a", "/b"]), ("name", ["/a", "/b", "/c"])],
)
def test_order(sort: str, order: list[str]) -> None:
    """The largest first, equals by name, unknown last."""
    sample = sample_of(
        ("/c", Figures(metrics(2, 90, queued=1), metrics(1))),
        ("/b", Figures(metrics(2, queued=5))),
        ("/a", Figures(metrics(2, 10), metrics(1))),
    )

    assert [row["path"] for row in rows_of(sample, sort)] == order


def test_what_looks_equal_keeps_its_place() -> None:
    """The noise of idle actors does not shuffle the table."""
    sample = sample_of(*((path, Figures(metrics(1_000, cpu), metrics(0))) for path, cpu in (("/a", 1), ("/b", 2))))

    assert [row["path"] for row in rows_of(sample, "cpu")] == ["/a", "/b"]


def test_the_fullest_budget() -> None:
    """The one that is used up first is named with its percentage."""
    limits = {"guest_time": budget(10, 100), "host_calls": budget(5, 6), "outgoing": budget(0, 1)}

    assert fullest(limits) == "host_calls 83%"
    assert fullest({}) is None


@pytest.mark.parametrize(
    ("name", "use", "text"),
    [
        ("host_calls", budget(2, 3), "67%, 2 of 3 or stop"),
        ("host_calls", budget(4, 3, per_ms=9000, then="error", refused=1), "133%, 4 of 3 per 9s or error, 1 refused"),
        ("guest_time", budget(25, 50, per_ms=60_000, waited_ns=2e9), "50%, 25ms of 50ms per 1m or stop, waited 2s"),
        ("outgoing", budget(512, 1 << 20), "0%, 512B of 1.0MiB or stop"),
    ],
)
def test_a_budget_in_words(name: str, use: dict[str, Any], text: str) -> None:
    """In the units it was written in, with what has become of too much."""
    assert budget_text(name, use) == text


# -- the table --------------------------------------------------------------------------------------------------


def many(count: int) -> list[dict[str, Any]]:
    return [row_of(node(f"/agents/team-{n}/planner"), Figures(metrics(2, 20), metrics(1))) for n in range(count)]


def test_a_table_for_a_pipe_is_whole() -> None:
    """Every row, no colour, nothing cut."""
    lines = frame(TREE, many(50))

    assert len(lines) == 52
    assert lines[0].startswith("shop: up, 50 actors, cpu 100%, memory 1.6GiB, 0.0 calls/s")
    assert lines[1].split()[-1] == "BUDGET"
    assert lines[2].split()[:6] == ["/agents/team-0/planner", "running", "2", "7", "2.0", "32.0MiB"]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 5), (10, 3), (3, 2), (1, 1)])
def test_a_table_fits_its_terminal(width: int, height: int) -> None:
    """No line wraps and none scrolls, however small the terminal is."""
    lines = frame(TREE, many(50), width, height)

    assert len(lines) <= height
    assert max(map(columns, lines)) <= width


def test_rows_without_a_place_are_counted() -> None:
    """The headline says how many there are more."""
    assert "47 not shown" in frame(TREE, many(50), 80, 5)[0]


def test_a_long_path_leaves_room_for_figures() -> None:
    """Its end is what tells one from another."""
    assert cut_front("/agents/team-1/planner", 16) == "..team-1/planner"
    assert "2.0" in frame(TREE, many(1), 60)[2]


def test_wide_characters_count_twice() -> None:
    """So that a line with them does not wrap either."""
    assert columns("/日本") == 5
    assert columns(frame(TREE, [row_of(node("/日本" * 9), None)], 30, 9)[2]) <= 30


# -- whom it is about -------------------------------------------------------------------------------------------


def test_what_is_below_a_path() -> None:
    """Whole names count: /fleet is not above /fleets."""
    root = {"path": "/", "children": [node("/fleet/a"), node("/fleets"), node("/b", children=[node("/b/child")])]}

    assert [each["path"] for each in chosen(root, ("/fleet", "/b"))] == ["/fleet/a", "/b", "/b/child"]
    assert len(chosen(root, ())) == len(chosen(root, ("/",))) == 4


def test_a_path_nobody_has(cli: Cli, tree: FakeTree) -> None:
    """Exit code 4, with what it might have been."""
    said = cli("top", "/agents/planer", "--once")

    assert said.code == 4
    assert "did you mean /agents/planner?" in said.err


# -- asking -----------------------------------------------------------------------------------------------------


def test_once(cli: Cli, tree: FakeTree) -> None:
    """One table, of every actor."""
    said = cli("top", "--once", "-i", "100ms")

    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == ["PATH", "/agents/planner", "/counter"]


def test_lines_for_programs(cli: Cli, tree: FakeTree) -> None:
    """One round, every field as a number."""
    rows = [json.loads(line) for line in cli("top", "/counter", "-o", "jsonl", "-i", "100ms").out.splitlines()]

    assert [(row["path"], row["pid"], row["failed"], row["answers"]) for row in rows] == [("/counter", 111, 1, True)]


def test_rounds(cli: Cli, tree: FakeTree) -> None:
    """So many tables, with a blank line between them."""
    assert cli("top", "-n", "3", "-i", "100ms").out.count("\n\nfake: up") == 2


@pytest.mark.parametrize("options", [("-n", "0"), ("-i", "1ms"), ("--sort", "colour"), ("-n", "2", "--once")])
def test_what_makes_no_sense(cli: Cli, tree: FakeTree, options: tuple[str, ...]) -> None:
    """Usage errors are exit code 2."""
    assert cli("top", *options).code == 2


def test_nobody_answers(cli: Cli, tree: FakeTree) -> None:
    """The tree is shown as it is known, and nobody is asked twice before it has answered."""
    tree.silent.add(info.GetMetrics)
    said = cli("top", "-n", "3", "-i", "100ms")

    assert said.out.count("running?") == 6
    assert len([each for each in tree.seen if isinstance(each, info.GetMetrics)]) == 2


def test_actors_come_and_go(tree: FakeTree) -> None:
    """A new life begins without figures of the last one; who is gone is forgotten, a chosen path may come again."""
    gauges = Gauges(load(str(tree.run_dir)), ("/counter",))
    try:
        assert gauges.sample().figures.keys() == {("/counter", 2)}
        assert gauges.sample().figures["/counter", 2].before is not None
        counter_of(tree)["incarnation"] = 3
        assert gauges.sample().figures["/counter", 3].before is None
        counter = tree.tree_data["root"]["children"].pop(0)
        gone = gauges.sample()
        assert (gone.nodes, gone.figures) == ([], {})
        tree.tree_data["root"]["children"].append(counter)
        assert len(gauges.sample().nodes) == 1
    finally:
        gauges.close()


def test_large_answers() -> None:
    """What does not fit into the first frame is read from the last one."""
    assert data_of(info.Info(1, {"a": 1}), [b""]) == {"a": 1}
    assert data_of(info.Info(1, wide=True), [b"", b"\x81\xa1a\x02"]) == {"a": 2}


def test_budgets_in_status(cli: Cli, tree: FakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people in words, for programs as they are."""
    from supervisor.cli import status

    record = {"path": "/a", "state": "idle", "metrics": {"events": 1, "limits": {"host_calls": budget(2, 3)}}}
    monkeypatch.setattr(status, "_everything", lambda client, path: record)

    assert "host_calls: 67%, 2 of 3 or stop" in cli("status", "/a", "-o", "table").out
    assert json.loads(cli("status", "/a").out) == record


# -- Ctrl-C -----------------------------------------------------------------------------------------------------


def started(tree: FakeTree, output: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "supervisor", "top", "--run-dir", str(tree.run_dir), "-i", "100ms"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"}
    return subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, env=environment)


def read_until(fd: int, wanted: bytes) -> bytes:
    deadline = time.monotonic() + DEADLINE_S
    got = b""
    while wanted not in got:
        assert select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0], got
        got += os.read(fd, 65_536)
    return got


@pytest.mark.parametrize("is_terminal", [True, False])
def test_interrupted(tree: FakeTree, is_terminal: bool) -> None:
    """Ctrl-C ends it without a word, on a terminal and in a pipe."""
    read, write = pty.openpty() if is_terminal else os.pipe()
    verb = started(tree, write)
    try:
        got = read_until(read, b"/counter")
        verb.send_signal(signal.SIGINT)
        _, err = verb.communicate(timeout=DEADLINE_S)
    finally:
        verb.kill()
        os.close(read)
        os.close(write)

    assert (verb.returncode, err) == (130, b"")
    assert (b"\x1b[H" in got) is is_terminal


def test_the_supervisor_ends(tree: FakeTree) -> None:
    """There is nothing more to show: exit code 3, said once."""
    read, write = os.pipe()
    verb = started(tree, write)
    try:
        read_until(read, b"/counter")
        tree.die()
        _, err = verb.communicate(timeout=DEADLINE_S)
    finally:
        verb.kill()
        os.close(read)
        os.close(write)

    assert verb.returncode == 3
    assert b"has ended" in err
