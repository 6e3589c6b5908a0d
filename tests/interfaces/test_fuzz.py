"""Any values of the declared types, in any order of calls: the documented answer or end, and nothing else."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.calling import Host, anything
from tests.worker.enginekit import FakeContext
from theater import fitting, types
from theater.grants import HTTP_CLIENT, WASI
from theater.values import U32
from worker.engine.errors import Trap
from worker.interfaces import registry
from worker.interfaces.wasi.resources import Resources

FUZZED = sorted(name for name in registry.known() if name.startswith("wasi:") or name == "theater:simple/runtime")
"""The other interfaces have fuzz tests of their own beside their tables."""
GROUPS = {
    "wasi": [name for name in FUZZED if name.startswith("wasi:")],
    **{name: [name] for name in FUZZED if not name.startswith("wasi:")},
}


def _grants(directory: str) -> dict[str, dict[str, Any]]:
    client = {"allow": ["http://127.0.0.1:1"], "timeout_ms": 100}
    return {
        HTTP_CLIENT: client,
        WASI: {"environment": {"A": "1"}, "directories": [{"host": directory, "guest": "/d", "write": True}]},
    }


ROOT: dict[str, Any] = {
    "links.link": ({"id": "x"}, []),
    "links.monitor": ({"ref": 1}, []),
    "links.demonitor": ({"was_there": True}, []),
    "links.trap-exit": ({"before": False}, []),
    "spawn": ({"id": "x"}, []),
}
"""What a root answers."""


class Impatient(FakeContext):
    """An actor that is to stop: nothing waits for long."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopping = True
        self.answers.update(ROOT)


def _functions(group: str) -> list[tuple[str, registry.Function]]:
    return [(name, function) for name in GROUPS[group] for function in registry.known()[name].functions]


def _fits(interface: str, function: registry.Function, answer: Any) -> None:
    if (interface, function.name) == ("theater:simple/runtime", "get-chain"):
        return  # it never answered what it declares, and guests rely on that
    results = function.variants[0].parsed.results
    if not registry.known()[interface].is_plain and results and isinstance(results[0], types.Result):
        assert isinstance(answer.is_ok, bool)
        return
    wrong = fitting.fits(answer, results[0] if results else types.UNIT)
    assert wrong is None, f"{interface}.{function.name}: {wrong}"


@pytest.mark.parametrize("group", sorted(GROUPS))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_call(group: str, data: st.DataObject) -> None:
    """Answers fit their declared types; a guest's fault ends it as a trap with words; nothing else happens."""
    functions = _functions(group)
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/sub")
        host = Host(_grants(directory), Impatient())
        try:
            if group == "wasi":
                host.call("wasi:filesystem/preopens", "get-directories")
            for interface, function in data.draw(st.lists(st.sampled_from(functions), min_size=1, max_size=25)):
                arguments = [data.draw(_near(host, kind)) for kind in function.variants[0].params]
                try:
                    answer = host.call(interface, function.name, *arguments)
                except Trap as trap:
                    assert trap.text
                    continue
                _fits(interface, function, answer)
        finally:
            host.close()


def _near(host: Host, kind: types.Type) -> st.SearchStrategy[Any]:
    """A number is often one that the host has given."""
    service = host.context.services.get(Resources)
    known = list(service._found) if service is not None else []
    if kind is types.U32 and known:
        return st.sampled_from(known).map(U32) | anything(kind)
    return anything(kind)
