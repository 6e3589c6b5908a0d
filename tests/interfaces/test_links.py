"""``theater:simple/links``: what each function asks the root, and what it makes of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.calling import Host
from tests.replay.recording import Life, replayed
from tests.system import linking
from theater import types
from theater.errors import HandlerError
from theater.grants import LINKS
from theater.values import NO_BYTES, U32, U64, UNIT, Bool, Option, Result, String, Value
from worker.engine.errors import Trap

NO_VALUE = Option(types.UNIT, None)
MANIFEST = String('name = "x"')


def ok(value: Value) -> Value:
    return Result(types.STRING, types.STRING, True, value)


def err(text: str) -> Value:
    return Result(types.STRING, types.STRING, False, String(text))


ROWS: list[tuple[str, tuple[Value, ...], str, dict[str, Any], dict[str, Any], Value]] = [
    # function, arguments, what is asked, with what, the root's answer, the guest's
    ("link", (String("/b"),), "links.link", {"actor": "/b"}, {"id": "some-id"}, String("some-id")),
    ("unlink", (String("/b"),), "links.unlink", {"actor": "/b"}, {}, UNIT),
    ("monitor", (String("/b"),), "links.monitor", {"actor": "/b"}, {"ref": 1 << 33}, U64(1 << 33)),
    ("demonitor", (U64(7), Bool(False)), "links.demonitor", {"ref": 7}, {"was_there": True}, Bool(True)),
    ("demonitor", (U64(7), Bool(True)), "links.demonitor", {"ref": 7}, {"was_there": False}, Bool(False)),
    ("trap-exit", (Bool(True),), "links.trap-exit", {"traps": True}, {"before": False}, Bool(False)),
    ("exit", (String("/b"), String("boom")), "links.exit", {"actor": "/b", "reason": "boom"}, {}, UNIT),
]


@pytest.mark.parametrize(("function", "arguments", "asked", "given", "data", "answer"), ROWS)
def test_what_is_asked_and_answered(
    function: str, arguments: tuple[Value, ...], asked: str, given: dict[str, Any], data: dict[str, Any], answer: Value
) -> None:
    """The root decides; its answer becomes a value."""
    host = Host()
    host.context.answers[asked] = (data, [])

    assert host.call(LINKS, function, *arguments) == ok(answer)
    assert host.context.asked == [(asked, given, [])]


@pytest.mark.parametrize(("function", "arguments", "asked"), [row[:3] for row in ROWS])
def test_a_refusal_is_the_guests_error(function: str, arguments: tuple[Value, ...], asked: str) -> None:
    """In the root's words, and recorded."""
    host = Host()
    host.context.answers[asked] = HandlerError("Not permitted: links")

    assert host.call(LINKS, function, *arguments) == err("Handler error: Not permitted: links")
    assert [call[:2] for call in host.context.recorded] == [(LINKS, function)]
    assert host.context.withdrawn == []


@pytest.mark.parametrize("function", sorted({row[0] for row in ROWS}))
def test_a_value_of_another_type_ends_the_guest(function: str) -> None:
    """It broke its own declaration."""
    with pytest.raises(Trap, match="does not fit"):
        Host().call(LINKS, function, U32(1))


@pytest.mark.parametrize("flush", [True, False])
def test_flush_takes_back_what_waits(flush: bool) -> None:
    """Only with flush, and only this reference."""
    host = Host()
    host.context.answers["links.demonitor"] = ({"was_there": False}, [])

    host.call(LINKS, "demonitor", U64(9), Bool(flush))

    assert host.context.withdrawn == ([("theater:simple/links-client.handle-down", 9)] if flush else [])


def test_spawn_link_is_a_spawn_with_a_link() -> None:
    """The same question as spawn's, and the guest has children from then on."""
    host = Host()
    host.context.answers["spawn"] = ({"id": "child"}, [])

    assert host.call(LINKS, "spawn-link", MANIFEST, NO_VALUE, NO_BYTES) == ok(String("child"))
    ((function, given, bodies),) = host.context.asked
    assert (function, given["link"], given["manifest"], bodies) == ("spawn", True, MANIFEST.value, [])
    assert host.context.has_children


def test_a_recorded_life_replays_without_a_root() -> None:
    """References, answers and callbacks come from the record."""

    class Linked(Life):
        """An actor that is granted links; its root monitors nobody."""

        def __init__(self) -> None:
            super().__init__(package=linking.linker(), allowed={LINKS: {}})

        def ask(self, function: str, arguments: Any, bodies: Any = ()) -> Any:
            return {"links.monitor": {"ref": 77}, "links.trap-exit": {"before": False}}.get(function, {"id": "x"}), []

    life = Linked()
    for function in ("trap", "monitor", "link"):
        life.call(f"{linking.API}.{function}")
    life.call(f"{linking.CLIENT}.handle-down", U64(77), String("/b"), String("boom"))

    summary = replayed(life)

    assert (summary.success, summary.events_replayed) == (True, len(life.chain))
