"""The verbs that talk to a running tree, against the fake supervisor."""

from __future__ import annotations

import json

import pytest

from proto import control, operation
from tests.cli.conftest import CALLED, Cli, counter_of
from tests.client.faketree import FakeTree

CRASHED = {"kind": "crashed", "signal": 9}


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# -- status -----------------------------------------------------------------------------------------------------


def test_status_lines(cli: Cli, tree: FakeTree) -> None:
    """Into a pipe status prints one JSON line for each actor, and all is well."""
    said = cli("status")

    assert said.code == 0
    assert [(row["path"], row["pid"]) for row in lines(said.out)] == [("/counter", 111), ("/agents/planner", 222)]


def test_status_table(cli: Cli, tree: FakeTree) -> None:
    """A table on demand, without colour where no terminal is, and the talk on standard error."""
    said = cli("status", "-o", "table")

    assert said.out.splitlines()[1] == "/counter         running  111  2            1         3m20s"
    assert "fake: up, 2 actors, pid 4242" in said.err
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_status_forms(cli: Cli, tree: FakeTree, form: str) -> None:
    """JSON and YAML hold the same list."""
    import yaml

    rows = yaml.safe_load(cli("status", "-o", form).out)

    assert [row["state"] for row in rows] == ["running", "running"]


@pytest.mark.parametrize(
    ("state", "cause", "code"),
    [
        ("running", None, 0),
        ("paused", None, 0),
        ("starting", None, 0),
        ("restarting", CRASHED, 7),
        ("failed", CRASHED, 7),
        ("stopped", CRASHED, 7),
        ("stopped", {"kind": "completed"}, 0),
        ("stopped", {"kind": "stopped", "by": "client"}, 0),
    ],
)
def test_status_health(cli: Cli, tree: FakeTree, state: str, cause: object, code: int) -> None:
    """What needs somebody's attention is exit code 7."""
    counter_of(tree).update(state=state, cause=cause, pid=None)

    assert cli("status", "-q").code == code


def test_status_ignore(cli: Cli, tree: FakeTree) -> None:
    """What counts as healthy can be said."""
    counter_of(tree).update(state="restarting", cause=CRASHED)

    assert cli("status", "-q", "--ignore", "restarting,failed").code == 0


def test_status_of_a_stopping_tree(cli: Cli, tree: FakeTree) -> None:
    """A tree that is not up is not healthy."""
    tree.tree_data["state"] = "stopping"

    assert cli("status", "-q").code == 7


def test_status_tells_why(cli: Cli, tree: FakeTree) -> None:
    """The cause of what is not well is told to people."""
    counter_of(tree).update(state="failed", cause=CRASHED, pid=None)

    assert "/counter: crashed (signal 9 SIGKILL)" in cli("status", "-o", "table").err


def test_status_of_one(cli: Cli, tree: FakeTree) -> None:
    """With an actor, everything about it."""
    (record,) = lines(cli("status", "/counter").out)

    assert (record["state"], record["incarnation"]) == ("idle", 1)
    assert record["metrics"]["uptime_secs"] == 2.0  # type: ignore[index]


def test_status_wide(cli: Cli, tree: FakeTree) -> None:
    """--wide adds what only the workers know."""
    assert lines(cli("status", "--wide").out)[0]["operations"] == 4


# -- tree -------------------------------------------------------------------------------------------------------


def test_tree_drawn(cli: Cli, tree: FakeTree) -> None:
    """The tree is drawn with its strategies and states."""
    assert cli("tree").out == (
        "fake / [one_for_one]\n"
        "├─ counter running pid 111 up 3m20s restarts 1\n"
        "└─ agents [rest_for_one]\n"
        "   └─ planner running pid 222 up 3m20s restarts 1\n"
    )


def test_tree_json(cli: Cli, tree: FakeTree) -> None:
    """For programs there is all of it."""
    assert json.loads(cli("tree", "-o", "json").out) == tree.tree_data


# -- call, send -------------------------------------------------------------------------------------------------


def test_call(cli: Cli, tree: FakeTree) -> None:
    """Parameters are JSON, the result is JSON."""
    said = cli("call", "/counter", f"{CALLED}.echo", '"hello"', "5")

    assert (said.code, json.loads(said.out)) == (0, ["hello", 5])


def test_call_bare_name_and_text(cli: Cli, tree: FakeTree) -> None:
    """A function is found by its bare name; what is no JSON is text."""
    assert json.loads(cli("call", "/counter", "echo", "hello world", "5").out) == ["hello world", 5]


def test_call_raw(cli: Cli, tree: FakeTree) -> None:
    """--raw prints the value with its types."""
    assert cli("call", "/counter", "echo", "hello", "5", "--raw").out == '("hello", 5u32)\n'


def test_call_does_not_fit(cli: Cli, tree: FakeTree) -> None:
    """A parameter that does not fit is refused with its place, before anything is sent."""
    said = cli("call", "/counter", "echo", "hello", "-1")

    assert said.code == 1
    assert "params[1]: expected u32" in said.err
    assert not [message for message in tree.seen if isinstance(message, operation.Call)]


def test_call_wrong_number(cli: Cli, tree: FakeTree) -> None:
    """So is a wrong number of parameters."""
    assert "expected 2 parameters, got 1" in cli("call", "/counter", "echo", "hello").err


def test_call_unknown_function(cli: Cli, tree: FakeTree) -> None:
    """An unknown function is exit code 4."""
    assert cli("call", "/counter", "nothing").code == 4


def test_call_error(cli: Cli, tree: FakeTree) -> None:
    """The actor's error is told, exit code 1."""
    said = cli("call", "/counter", "fail")

    assert (said.code, said.out) == (1, "")
    assert "fail failed: no" in said.err


def test_call_timeout(cli: Cli, tree: FakeTree) -> None:
    """A time-out is exit code 6."""
    assert cli("call", "/counter", "hold", "--timeout", "50ms").code == 6


def test_call_lists_functions(cli: Cli, tree: FakeTree) -> None:
    """Without a function the functions are listed."""
    assert cli("call", "/counter").out == f"{CALLED}.echo\n{CALLED}.fail\n{CALLED}.hold\n"


def test_send(cli: Cli, tree: FakeTree) -> None:
    """send does not wait, but the call arrives."""
    assert cli("send", "/counter", "hold").code == 0

    (call,) = tree.await_seen(operation.Call)
    assert (call.function, call.void) == (f"{CALLED}.hold", True)


# -- orders -----------------------------------------------------------------------------------------------------


def test_pause(cli: Cli, tree: FakeTree) -> None:
    """pause goes to each actor."""
    assert cli("pause", "/counter", "/agents/planner", "--if-idle").code == 0

    orders = tree.await_seen(control.Pause, 2)
    assert [(o.target, o.mode) for o in orders] == [("/counter", "if_idle"), ("/agents/planner", "if_idle")]


def test_resume_refused(cli: Cli, tree: FakeTree) -> None:
    """Resuming what is not paused fails."""
    said = cli("resume", "/counter")

    assert (said.code, said.err) == (1, "theater: Actor is not paused\n")


def test_terminate(cli: Cli, tree: FakeTree) -> None:
    """terminate reports how it ended."""
    (row,) = lines(cli("terminate", "/counter").out)

    assert (row["path"], row["ended"], row["forced"]) == ("/counter", "killed by test", True)


def test_restart(cli: Cli, tree: FakeTree) -> None:
    """restart is an order to the supervisor."""
    assert cli("restart", "/counter").code == 0
    assert tree.await_seen(control.Restart)[0].target == "/counter"


def test_stop_actor(cli: Cli, tree: FakeTree) -> None:
    """stop with an actor is its graceful shutdown."""
    (row,) = lines(cli("stop", "/counter", "--timeout", "2").out)

    assert row["ended"] == "stopped by test"
    assert tree.await_seen(control.Shutdown)[0].deadline_ms == 2000


def test_stop_tree_waits(cli: Cli, tree: FakeTree) -> None:
    """stop waits for the end; with a time-out it says that it is not over."""
    said = cli("stop", "--timeout", "50ms")

    assert said.code == 6
    assert "still stopping after 0.05 s" in said.err


def test_stop_tree_no_wait(cli: Cli, tree: FakeTree) -> None:
    """Or it does not wait."""
    assert cli("stop", "--no-wait", "--force").code == 0
    assert tree.await_seen(control.StopTree)[0].force


# -- completion -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(cli: Cli, shell: str) -> None:
    """Each shell gets a script with the verbs and their options."""
    said = cli("completion", shell)

    assert said.code == 0
    assert "status" in said.out
    assert "retry" in said.out


def test_completion_of_actors(cli: Cli, tree: FakeTree) -> None:
    """Paths come from the running tree."""
    assert cli("completion", "actors").out == "/counter\n/agents/planner\n"


def test_bash_completion_is_bash(cli: Cli) -> None:
    """The bash script is one that bash can read."""
    import shutil
    import subprocess

    if shutil.which("bash") is None:
        pytest.skip("there is no bash here")
    done = subprocess.run(["bash", "-n"], input=cli("completion", "bash").out, text=True, capture_output=True)

    assert (done.returncode, done.stderr) == (0, "")
