"""The raw port is used only where its assumptions hold."""

from __future__ import annotations

import ctypes

import pytest
import wasmtime

from tests.component import wit
from tests.component.loading import compiled
from tests.worker.enginekit import engine
from theater import values
from worker.engine import doors
from worker.engine.clock import GuestClock
from worker.engine.component import layout, port, raw, selfcheck, stock
from worker.engine.component.handles import Handles


def chosen() -> port.Port:
    store = wasmtime.Store(engine())
    return port.choose(store, GuestClock(engine()), Handles(store, ()), None)


def test_it_is_usable_here() -> None:
    """The start-up check passes with the pinned wasmtime: its speed is what we ship."""
    assert raw.unusable() is None
    assert isinstance(chosen(), raw.RawPort)


def test_a_changed_layout_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a value wider, the check would say so and the stock port be used."""
    monkeypatch.setattr(raw, "_verdict", [])
    monkeypatch.setattr(raw.ffi, "wasmtime_component_val_t", ctypes.c_uint64)

    assert raw.unusable() == "values and fields take (8, 48) bytes, expected (32, 48)"
    assert isinstance(chosen(), stock.StockPort)


def test_a_changed_prototype_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an argument added to a C function, the check would say so."""
    monkeypatch.setattr(raw, "_verdict", [])
    monkeypatch.setattr(raw._bindings._wasmtime_component_func_call, "argtypes", [ctypes.c_void_p] * 7)

    assert raw.unusable() == "wasmtime_component_func_call takes 7 arguments, expected 6"


def test_a_changed_meaning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a string not where we look, the value would not be the same."""
    layout.codec.cache_clear()
    monkeypatch.setattr(raw, "_verdict", [])
    monkeypatch.setattr(layout, "_lift_string", lambda at, handles: values.String("elsewhere"))

    verdict = raw.unusable()
    layout.codec.cache_clear()
    assert verdict == "not the same value: written and read, written by the stock port, read"


def test_a_failing_check_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside the check is a reason too."""
    monkeypatch.setattr(raw, "_verdict", [])
    monkeypatch.setattr(selfcheck, "differences", lambda: 1 / 0)

    assert raw.unusable() == "ZeroDivisionError: division by zero"


def test_a_template_does_it_once_for_its_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the types of each component it maps."""
    monkeypatch.setattr(raw, "_verdict", [])
    layout.codec.cache_clear()
    doors.shape_of(engine(), compiled(wit.COUNTER))

    assert raw._verdict == [None]
    assert layout.codec.cache_info().currsize > 0
