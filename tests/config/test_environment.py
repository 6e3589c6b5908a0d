"""Variables of the environment in a configuration."""

from __future__ import annotations

import pytest

from tests.config.conftest import Desk
from theater.actor import ActorSpec
from theater.config.environment import Environment, Wrong
from theater.config.limits import EXPANDED_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${A}", "1"),
        ("x${A}y${A}z", "x1y1z"),
        ("${NO:-d}", "d"),
        ("${NO:-}", ""),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", ""),
        ("${A:-d}", "1"),
        ("$${A}", "${A}"),
        ("$$", "$"),
        ("$$$$", "$$"),
        ("$A and $5", "$A and $5"),
        ("${NO:-a:-b}", "a:-b"),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    """References are replaced, defaults stand in for what is unset or empty, $$ is a dollar sign."""
    assert Environment({"A": "1", "EMPTY": ""}).expand(text) == expanded


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${1}", "${A-b}", "${A:=b}", "${A B}"])
def test_malformed(text: str) -> None:
    """Anything else after ${ is refused."""
    with pytest.raises(Wrong, match=r"expected \$\{NAME\} or \$\{NAME:-default\}"):
        Environment({"A": "1"}).expand(text)


def test_values_are_not_expanded_again() -> None:
    """What a variable holds is taken as it is."""
    assert Environment({"A": "${B}"}).expand("${A}") == "${B}"


def test_bounded() -> None:
    """However often a variable is used, a load has one bound for what variables add."""
    environment = Environment({"A": "x" * (EXPANDED_CHARACTERS_MAX // 2 - 1)})
    environment.expand("${A}${A}")

    with pytest.raises(Wrong, match="at most"):
        environment.expand("${A}")


def test_bytes_that_are_not_text() -> None:
    """A variable that is not UTF-8 cannot be used."""
    with pytest.raises(Wrong, match="UTF-8"):
        Environment({"A": "\udcff"}).expand("${A}")


TREE = """\
version: 1
intensity: ${INTENSITY:-2}
period: ${PERIOD:-7s}
children:
  - id: ${ID}
    actor: ${DIR:-.}/a.wasm
    restart: "${RESTART:-transient}"
    limits: {table_elements: "${N:-12}"}
    abi: {nested_params: "${NESTED:-true}"}
    state: {text: "${N:-12}", number: 12, "${KEY}": 1}
"""


def test_in_a_tree(desk: Desk) -> None:
    """Where a number or a truth value is wanted the text is read as one; in plain data it stays a text."""
    tree = desk.tree(TREE, {"ID": "x", "PERIOD": "3s"})

    child = tree.spec.children[0]
    assert (tree.spec.intensity, tree.spec.period_ms, child.id, child.restart) == (2, 3_000, "x", "transient")
    assert isinstance(child.actor, ActorSpec)
    assert child.actor.options.table_elements == 12
    assert child.actor.options.nested_params is True
    assert child.actor.state == {"text": "12", "number": 12, "${KEY}": 1}


def test_unset(desk: Desk) -> None:
    """A variable that is not set is a problem where it is used, and every one is told."""
    text = "version: 1\nname: ${NAME}\nintensity: ${N}\nchildren: [{id: x, actor: a.wasm, state: ['${A}', '${B}']}]\n"

    assert [line.split(", which")[0] for line in desk.problems(text, {})] == [
        "tree.yaml:2:7: name: expected the environment variable NAME",
        "tree.yaml:3:12: intensity: expected the environment variable N",
        "tree.yaml:4:43: children[0].state[0]: expected the environment variable A",
        "tree.yaml:4:51: children[0].state[1]: expected the environment variable B",
    ]


def test_secrets_are_not_shown(desk: Desk) -> None:
    """A wrong value out of a variable is described by its reference, not by what the variable holds."""
    text = "version: 1\nperiod: ${PERIOD}\nstrategy: ${S}\nintensity: ${I}\nchildren: []\n"
    problems = desk.problems(text, {"PERIOD": "hunter2", "S": "hunter2", "I": "hunter2"})

    assert len(problems) == 3
    assert "hunter2" not in "\n".join(problems)
    assert problems[0].endswith('found "${PERIOD}" (after its variables are put in)')
