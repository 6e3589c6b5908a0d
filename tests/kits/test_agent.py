"""examples/agent: an agent, its tools and what it takes for a language model, built, run, killed and replayed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from supervisor.kits import kit
from tests.examples.terminal import LOOKS, Terminal, matches, steps, terminal_in
from tests.homes import new_home
from tests.kits.languages import NEEDS_PYTHON
from tests.ports import free_port
from tests.system.running import ROOT, RunningTree, running_tree, until
from theater import http
from theater.config import load_tree
from theater.interfaces import parse_type
from theater_actor.http_handlers import Request, Response
from theater_actor.kinds import Kinds, Record
from theater_actor.wit import definition

AGENT = ROOT / "examples" / "agent"
ACTORS = ("llm", "agent", "tools/calculator", "tools/notes")
SECRET = "sk-nobody-may-see-this"


def model() -> Any:
    """What stands in for a language model, as a module."""
    spec = importlib.util.spec_from_file_location("model_of_the_example", AGENT / "llm" / "model.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def said(question: str, *results: str) -> list[dict[str, Any]]:
    before = [{"role": "user", "content": "Add 1 and 1"}, {"role": "tool", "content": "2"}]
    return [*before, {"role": "user", "content": question}, *({"role": "tool", "content": each} for each in results)]


ANSWERS: list[tuple[list[dict[str, Any]], Any]] = [
    ([], "Ask me something."),
    (said("Add 2 and 3."), ("calculate", {"operation": "add", "a": 2.0, "b": 3.0})),
    (said("subtract 2 from 3"), ("calculate", {"operation": "subtract", "a": 3.0, "b": 2.0})),
    (said("Add 2 and 3, then multiply it by 2", "5"), ("calculate", {"operation": "multiply", "a": 5.0, "b": 2.0})),
    (said("Add 2 and 3; note the result", "5"), ("keep_note", {"text": "5"})),
    (said("What did I note?"), ("recall_notes", {})),
    (said("Add 2 and 3", "5"), "5."),
    (said("Divide 5 by 0", "error: no"), "That did not work: no."),
    (said("Sing"), "'Sing' is more than I can do: I calculate and take notes."),
]


@pytest.mark.parametrize(("messages", "expected"), ANSWERS)
def test_the_model_is_of_one_opinion(messages: list[dict[str, Any]], expected: Any) -> None:
    """It follows from the conversation alone."""
    assert model().answer(messages) == expected


@NEEDS_PYTHON
def test_the_tree_loads(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the port that is wanted; what the agent may reach is the model, and nothing else."""
    monkeypatch.setenv("PORT", "9000")
    llm, agent = (child.actor for child in load_tree(built / "tree.yaml").spec.children)

    assert "9000" in str(llm) and "9000" in str(agent)


@pytest.mark.parametrize("name", ACTORS)
def test_an_actor_can_be_built(name: str) -> None:
    """Its hints have WIT."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "theater_actor"], cwd=AGENT / name, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_the_handler_has_the_types_of_the_host() -> None:
    """Records of the names and fields that an HTTP function takes and gives."""
    kinds = Kinds()
    for cls, wanted in ((Request, http.REQUEST), (Response, http.RESPONSE)):
        text = " ".join(definition(cast(Record, kinds.of(cls))).split()).replace(", }", " }")
        assert str(parse_type(text)) == str(wanted)


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs mypy (pip install .[lint])")
@pytest.mark.parametrize("name", ACTORS)
def test_mypy_is_content_with_an_actor(name: str) -> None:
    """In strict mode."""
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "app.py"]
    done = subprocess.run(command, cwd=AGENT / name, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """A copy of the example with its packages, built once."""
    with new_home() as directory:
        home = directory / "agent"
        shutil.copytree(AGENT, home, ignore=shutil.ignore_patterns("*.wasm", ".theater", "__pycache__"))
        for name in ACTORS:
            kit.build(home / name)
        yield home


@pytest.fixture
def port() -> str:
    return str(free_port())


@pytest.fixture
def tree(built: Path, port: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningTree]:
    """The example's tree, with a secret and a port of its own."""
    monkeypatch.setenv("LLM_KEY", SECRET)
    monkeypatch.setenv("PORT", port)
    with running_tree(built, (AGENT / "tree.yaml").read_text()) as tree:
        yield tree


def ask(tree: RunningTree, question: str) -> Any:
    return tree.actor("/agent").call("ask", (question,), timeout=120)


@NEEDS_PYTHON
def test_an_agent_works_is_killed_and_goes_on(tree: RunningTree) -> None:
    """With both tools; conversation and notes outlive it, the secret shows nowhere, and the history replays."""
    assert ask(tree, "Add 2 and 3, then remember that it is the sum.") == "5; kept as note 1: 5 is the sum."
    os.kill(tree.pid("/agent"), signal.SIGKILL)
    tree.drop_client()
    tree.wait_incarnation("/agent", 2)

    assert tree.actor("/agent").call("conversation")[1] == "user: Add 2 and 3, then remember that it is the sum."
    assert ask(tree, "What do you remember?") == "5 is the sum."
    assert ask(tree, "Divide 1 by 0.").endswith("nothing can be divided by 0.")
    assert ask(tree, "Multiply 6 by 7.") == "42."
    assert set(dict(tree.actor("/agent").get_state()["children"])) == {"calculator", "notes"}
    for path in ("/agent", "/llm"):
        assert "Replay complete" in tree.cli("replay", path)
    events = tree.cli("events", "/agent", "-o", "jsonl")
    assert len(events.splitlines()) > 40
    for told in (events, tree.cli("logs"), tree.said.read_text(), json.dumps(tree.cli("status", "/agent"))):
        assert SECRET not in told
    assert not any(SECRET.encode() in each.data for each in tree.actor("/agent").get_chain())


@NEEDS_PYTHON
def test_the_model_answers_over_http_only_with_a_key(tree: RunningTree) -> None:
    """Other paths, methods, keys and bodies are refused, each as HTTP says it."""
    llm = tree.actor("/llm")
    path, key = "/v1/chat/completions", (("authorization", b"Bearer sk-x"),)
    body = json.dumps({"messages": [{"role": "user", "content": "Add 2 and 3"}]}).encode()

    def status(method: str, path: str, headers: Any, body: bytes) -> int:
        answer = llm.handle_wasi_http_request(method, "http", "x", path, headers, body)
        return int(answer.status)

    assert status("POST", path, key, body) == 200
    assert status("POST", path, (), body) == status("POST", path, (("authorization", b"Bearer x"),), body) == 401
    assert status("GET", path, key, b"") == 405
    assert status("POST", "/", key, body) == 404
    assert status("POST", path, key, b"{") == status("POST", path, key, b"[]") == 400
    assert llm.get_state() == {"answers": 1}


def runs_as_shown(terminal: Terminal, command: str, shown: list[str]) -> bool:
    """Whether a command of the README does what it says; one that only looks may be asked again."""
    code, seen = terminal.run(command)
    story = "\n".join([f"$ {command}", *seen, f"[exit code {code}]"])
    is_right = not shown or matches(shown, seen)
    assert code == 0 and (is_right or LOOKS.search(command)), story
    return is_right


@NEEDS_PYTHON
def test_readme_says_what_happens(built: Path, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the README after the build does and prints what it says."""
    monkeypatch.setenv("PORT", port)
    with new_home() as home, terminal_in(home) as terminal:
        (home / "example").symlink_to(built)
        for command, shown in steps(AGENT / "README.md"):
            until(partial(runs_as_shown, terminal, command, shown), f"{command!r} to print {shown}")
