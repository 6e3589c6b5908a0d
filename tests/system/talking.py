"""A tree of talkers: actors that say to others what a test tells them to say."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.homes import new_home
from tests.system.noting import Noting
from tests.system.running import RunningTree, running_tree, until
from theater.errors import ActorError
from theater.values import Tuple, Value

GUESTS = Path(__file__).parent / "talk"
API = "test:talk/api"

TREE = """
version: 1
name: talk
intensity: 1000
period: 10s
children:
  - id: t
    supervisor:
      strategy: simple_one_for_one
      intensity: 1000
      period: 10s
      child:
        id: talker
        actor: talker.wasm
        restart: permanent
        shutdown: 10s
        grants:
          runtime: {}
          message-server: {timeout: 2s, window: 20, max_requests: 3, max_channels: 3}
          names: {}
          rpc: {allow: ["/t/*", "named-*"], timeout: 2s, max_timeout: 20s}
  - id: gone
    supervisor:
      strategy: simple_one_for_one
      child: {id: brief, actor: talker.wasm, restart: temporary, grants: {names: {}, message-server: {}, rpc: {}}}
  - id: deep
    actor: talker.wasm
    recover: replay
    grants: {message-server: {}, names: {}, rpc: {allow: ["/t/*"]}}
  - id: tight
    actor: talker.wasm
    limits: {files: 64}
    grants: {message-server: {timeout: 5s}, names: {}, rpc: {}}
  - id: late
    actor: talker.wasm
    backoff: {initial: 20s, max: 20s}
    grants: {message-server: {}, names: {}, rpc: {}}
  - id: shy
    actor: talker.wasm
    grants:
      names: {allow: ["shy-*"]}
      message-server: {allow: ["/t/**", friend]}
      rpc: {allow: [friend]}
"""

_numbers = itertools.count(1)


@contextmanager
def talking_tree() -> Iterator[RunningTree]:
    """The tree, up."""
    with new_home() as home:
        shutil.copy(GUESTS / "talker.wasm", home)
        with running_tree(home, TREE) as tree:
            yield tree


class Talker(Noting):
    """One actor of the tree."""

    api = f"{API}."

    def refused(self, function: str, *arguments: Any) -> str:
        """The error it got."""
        try:
            answer = self.ask(function, *arguments)
        except ActorError as error:
            return error.text().removeprefix(f"Internal error: {API}.{function}: ")
        raise AssertionError(f"{function}{arguments} has answered {answer!r}")

    def rpc(self, to: str, function: str, *params: Value, timeout_ms: int | None = None) -> tuple[str, Any]:
        """Have it call another; ``("ok", value)`` or ``("err", text)``."""
        answer = self.ask("call", to, f"{API}.{function}", Tuple(params), timeout_ms)
        kind, value = answer.value
        return str(kind), value

    def later(self, function: str, *arguments: Any) -> Callable[[], Any]:
        """Have it do something meanwhile; the function returned waits for the answer."""
        found: list[Any] = []

        def run() -> None:
            try:
                found.append(self.ask(function, *arguments))
            except ActorError as error:
                found.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def answer() -> Any:
            thread.join(20)
            assert found, f"no answer to {function}{arguments}"
            return found[0]

        return answer


class Talk:
    """Starts talkers in a running tree."""

    def __init__(self, tree: RunningTree) -> None:
        self.tree = tree

    def talker(self, state: Any = None, under: str = "/t") -> Talker:
        """A fresh one; with a state it does not register."""
        name = f"n{next(_numbers)}"
        self.tree.client.start_child(under, name, *(() if state is None else (state,)))
        return Talker(self.tree, f"{under}/{name}")

    def letters(self, target: str) -> list[Any]:
        """Messages for that one that were not delivered."""
        from supervisor.store import StoreReader

        with StoreReader(str(self.tree.store_dir)) as reader:
            return reader.undelivered(target)

    def wait_letters(self, target: str, count: int) -> list[Any]:
        until(lambda: len(self.letters(target)) >= count, f"{count} letters, not {self.letters(target)}", 10)
        return self.letters(target)
