"""What verbs tell when they fail: what went wrong, where, and what was expected; for one who has never seen this."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CALLED, Cli
from tests.client.faketree import FakeTree


def test_a_slip_in_a_path(cli: Cli, tree: FakeTree) -> None:
    """The actor that may have been meant is named."""
    said = cli("call", "/countr", "echo")

    assert (said.code, said.err) == (4, "theater: No such actor: /countr; did you mean /counter?\n")


def test_a_path_like_no_other(cli: Cli, tree: FakeTree) -> None:
    """Otherwise it is said where the names are."""
    assert cli("pause", "/x").err == "theater: No such actor: /x; those there are: theater tree\n"


def test_a_supervisor_is_no_actor(cli: Cli, tree: FakeTree) -> None:
    """The path of a supervisor is told apart from one of nobody."""
    said = cli("call", "/agents", "echo")

    assert said.code == 4
    assert "/agents is a supervisor, expected an actor" in said.err


def test_a_slip_in_a_function(cli: Cli, tree: FakeTree) -> None:
    """The function that may have been meant is named."""
    assert cli("call", "/counter", "eco").err == "theater: /counter has no function eco; did you mean echo?\n"


def test_a_function_like_no_other(cli: Cli, tree: FakeTree) -> None:
    """Otherwise it is said how to list them."""
    assert (
        cli("call", "/counter", "zzz").err
        == "theater: /counter has no function zzz; those it has: theater call /counter\n"
    )


def test_parameters_of_another_number(cli: Cli, tree: FakeTree) -> None:
    """The signature is shown."""
    said = cli("call", "/counter", "echo", "one")

    assert "expected 2 parameters, got 1; it is echo(text: string, count: u32) -> value" in said.err


def test_json_that_is_none(cli: Cli, tree: FakeTree) -> None:
    """What begins like JSON and is none was taken as text, which is said when it does not fit."""
    said = cli("call", "/counter", "echo", "one", '{"a":')

    assert said.code == 1
    assert "params[1] is no JSON (" in said.err


def test_text_that_is_meant_is_no_reproach(cli: Cli, tree: FakeTree) -> None:
    """A text is not said to be broken JSON."""
    assert "JSON" not in cli("call", "/counter", "echo", "one", "five").err


def test_no_answer_in_time(cli: Cli, tree: FakeTree) -> None:
    """A time-out names the actor and where to look."""
    said = cli("call", "/counter", "hold", "--timeout", "50ms")

    assert said.err == "theater: /counter: operation timed out after 0.05 s; what it does: theater status /counter\n"


def test_functions_for_people(cli: Cli, tree: FakeTree) -> None:
    """On a terminal functions are listed with what they take and give."""
    assert f"{CALLED}.echo(text: string, count: u32) -> value\n" in cli("call", "/counter", "-o", "table").out


@pytest.mark.parametrize("text", ["abc", "-1", "1e99", "5 s s", "nan"])
def test_what_is_no_time(cli: Cli, text: str) -> None:
    """A time is explained by examples; exit code 2."""
    said = cli("call", "/counter", "echo", f"--timeout={text}")

    assert said.code == 2
    assert f"argument --timeout: expected a time such as 5, 0.5, 500ms, 5s or 2m, got {text!r}" in said.err


@pytest.mark.parametrize("text", ["-1", "x", "1.5"])
def test_what_is_no_number_of_lines(cli: Cli, text: str) -> None:
    """So is a count."""
    said = cli("logs", f"--lines={text}")

    assert said.code == 2
    assert f"expected a whole number from 0 up, got {text!r}" in said.err


def test_neither_actor_nor_file(cli: Cli, tree: FakeTree) -> None:
    """verify says that it has looked for a file, too."""
    said = cli("verify", "saved.json")

    assert said.code == 4
    assert "saved.json: no file of that name" in said.err


def test_several_lines_of_an_error_become_one() -> None:
    """wasmtime puts causes below its errors; we tell one line for each thing that is wrong."""
    from supervisor.cli.output import one_line

    assert one_line("no module\n\nCaused by:\n    unexpected end\n") == "no module: unexpected end"
