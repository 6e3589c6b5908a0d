"""What scenes of host calls are played with: a place, an actor that does what it is told, how scenes are declared."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.interfaces.authority import Authority
from tests.interfaces.living import Actor, default, is_refusal
from theater import cgrf, types
from theater.convert import from_value, to_value
from theater.grants import (
    STORE,
    opened_by,
)
from theater.types import Type
from theater.values import Result as ResultValue
from theater.values import String, Value
from theater.values import Variant as VariantValue


class Place:
    """What is around the actors of a scene: a directory of its own, servers, certificates, terminals."""

    def __init__(self, left: ExitStack) -> None:
        self._left = left

    @cached_property
    def directory(self) -> str:
        return self._left.enter_context(tempfile.TemporaryDirectory(prefix="th"))

    @cached_property
    def http(self) -> str:
        """The address of a server that answers everything."""
        from tests.interfaces.test_http import Server

        server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self._left.callback(server.server_close)
        self._left.callback(thread.join)
        self._left.callback(server.shutdown)
        return f"127.0.0.1:{server.server_port}"

    @cached_property
    def server(self) -> socket.socket:
        """Somebody who listens."""
        return self._left.enter_context(socket.create_server(("127.0.0.1", 0)))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.getsockname()[1]}"

    @cached_property
    def authority(self) -> Authority:
        return Authority(Path(self.directory))

    @cached_property
    def terminal(self) -> int:
        """The far end of a terminal; the near one is called ``self.device``."""
        master, slave = os.openpty()
        self.device = os.ttyname(slave)
        self._left.callback(os.close, slave)
        return master


@contextmanager
def place() -> Iterator[Place]:
    """A fresh one."""
    with ExitStack() as left:
        yield Place(left)


class Go:
    """An actor's calls of one interface, with plain objects for values."""

    def __init__(self, actor: Actor, interface: str, around: Place) -> None:
        self.actor = actor
        self.place = around
        self._interface = interface

    def __call__(self, function: str, *given: Any, **named: Any) -> Value:
        """The answer. Arguments that the form does not have are left out, those that are not given are nothing."""
        form = self.actor.forms[self._interface, function]
        arguments = []
        for place, (name, kind) in enumerate(form.variant.parsed.params):
            label = name.replace("-", "_")
            plain = named.get(label, given[place] if place < len(given) else None)
            arguments.append(default(kind) if plain is None else _as(plain, kind))
        return self.actor.host(self._interface, function, *arguments)

    def ok(self, function: str, *given: Any, **named: Any) -> Any:
        """The payload of an answer that is no refusal, as a plain object."""
        answer = self(function, *given, **named)
        assert not is_refusal(answer), f"{function}: {answer}"
        return from_value(_payload(answer))

    def refused(self, function: str, *given: Any, **named: Any) -> str:
        """The words of one that is."""
        answer = self(function, *given, **named)
        assert is_refusal(answer), f"{function}: {answer}"
        words = _payload(answer)
        assert isinstance(words, String) and words.value, words
        return words.value


def _as(plain: Any, kind: Type) -> Value:
    if isinstance(plain, Value) and kind == types.BYTES:
        return to_value(cgrf.encode(plain), kind)  # forms for components take values in their encoding
    return to_value(plain, kind)


def _payload(answer: Value) -> Value:
    match answer:
        case ResultValue(value=VariantValue(type_name="result", payload=(inner,))):
            return inner
        case ResultValue(value=inner):
            return inner
        case _:
            return answer


class Scene(NamedTuple):
    """Some calls, under a grant."""

    interface: str
    options: Callable[[Place], dict[str, Any]]
    act: Callable[[Go], None]

    @property
    def name(self) -> str:
        return self.act.__name__

    def grants(self, around: Place) -> dict[str, dict[str, Any]]:
        return {opened_by(self.interface)[0]: self.options(around)}


SCENES: list[Scene] = []


def scene(
    interface: str, options: Callable[[Place], dict[str, Any]] = lambda around: {}
) -> Callable[[Callable[[Go], None]], Callable[[Go], None]]:
    """A scene of an interface, under these options of its grant."""

    def add(act: Callable[[Go], None]) -> Callable[[Go], None]:
        SCENES.append(Scene(interface, options, act))
        return act

    return add


def play(played: Scene, actor: Actor, around: Place) -> None:
    """Have an actor do what the scene says."""
    actor.grants = played.grants(around)
    actor.content = f"{around.directory}/content" if played.interface == STORE else ""
    played.act(Go(actor, played.interface, around))
