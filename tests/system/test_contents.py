"""The content-addressed store with real workers: it outlives them and the supervisor, and is whose it is."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.forwarding import call, guest
from tests.system.running import RunningTree
from theater.grants import STORE
from theater.values import UNIT, List, Option, Result, String, Tuple, bytes_of

TREE = """
version: 1
name: contents
intensity: 100
period: 10s
children:
  - {id: owner, actor: guest.wasm, grants: {store: {}}}
  - {id: friend, actor: guest.wasm, grants: {store: {shared: [{owner: /owner}]}}}
  - {id: thief, actor: guest.wasm, grants: {store: {}}}
"""
DATA = bytes(range(256)) * 5000
REF = sha256(DATA).hexdigest()


@pytest.fixture
def tree(home: Path, start: Callable[..., RunningTree]) -> RunningTree:
    (home / "guest.wasm").write_bytes(guest(STORE))
    return start(TREE)


def ask(tree: RunningTree, path: str, function: str, *arguments: str | bytes) -> Any:
    given = tuple(String(each) if isinstance(each, str) else bytes_of(each) for each in arguments)
    data = UNIT if not given else given[0] if len(given) == 1 else Tuple(given)
    return call(tree.actor(path), STORE, function, data)


def made(tree: RunningTree) -> str:
    """A store of /owner's with a content at the label ``it``."""
    store = str(ask(tree, "/owner", "new").value)
    assert ask(tree, "/owner", "store-at-label", store, "it", DATA) == String(REF)
    return store


def test_a_content_outlives_worker_and_supervisor(tree: RunningTree) -> None:
    """Killed with SIGKILL, both of them, right after the answer."""
    store = made(tree)
    tree.kill("/owner")
    assert ask(tree, "/owner", "get", store, REF) == bytes_of(DATA)

    tree.process.kill()
    tree.process.wait()
    tree.drop_client()
    tree.start()
    tree.wait_up()
    found = ask(tree, "/owner", "get-by-label", store, "it")
    assert isinstance(found, Option)
    assert found.value == String(REF)
    assert ask(tree, "/owner", "get", store, REF) == bytes_of(DATA)


def test_a_store_is_used_by_whom_the_tree_says(tree: RunningTree) -> None:
    """A friend may read, a thief with the id may not; the attempt is in the thief's chain."""
    store = made(tree)

    assert ask(tree, "/friend", "get", store, REF) == bytes_of(DATA)
    answers = [
        ask(tree, "/thief", "get", store, REF),
        ask(tree, "/thief", "list-labels", store),
        ask(tree, "/friend", "store", store, b"x"),
    ]
    assert [isinstance(answer, Result) and answer.is_ok for answer in answers] == [False] * 3
    told = [event.data for event in tree.actor("/thief").get_chain() if event.event_type == f"{STORE}/get"]
    assert len(told) == 1
    assert b"no such store, or not for this actor" in told[0]


def test_a_chain_with_contents_replays(tree: RunningTree) -> None:
    """From what was recorded: the replay needs no store."""
    store = made(tree)
    ask(tree, "/owner", "list-all-content", store)
    ask(tree, "/owner", "get", store, REF)
    ask(tree, "/thief", "get", store, REF)

    tree.cli("store", "drop", store)
    for path in ("/owner", "/thief"):
        tree.cli("replay", path)
    assert isinstance(ask(tree, "/owner", "list-labels", store), Result)


def test_the_command_line(tree: RunningTree) -> None:
    """What actors keep can be seen and taken out, while the tree runs."""
    store = made(tree)

    assert store in tree.cli("store", "list")
    assert REF in tree.cli("store", "show", store)
    tree.cli("store", "get", store, "it", "--to", str(tree.home / "out"))
    assert (tree.home / "out").read_bytes() == DATA
    assert ask(tree, "/owner", "list-labels", store) == List(String("").TYPE, (String("it"),))
