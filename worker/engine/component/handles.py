"""Resources as numbers: what crosses the border as a handle is a ``u32`` in values of ours.

A resource of the host's has the number that the host function which made it gave. One of the guest's gets the next
number when the guest hands it out; it is good for as long as the instance, and is gone when it is handed over (``own``)
or dropped. Numbers depend on nothing but the order of the guest's answers, so a replay finds the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi

from worker.engine.component.kinds import Handle
from worker.engine.component.shapes import Resource
from worker.engine.errors import CONTRACT, Trap

HANDLES_MAX: Final = 100_000
"""Resources of the guest's that callers may hold at one time."""
_Any: Final = ctypes.POINTER(ffi.wasmtime_component_resource_any_t)
_Host: Final = ctypes.POINTER(ffi.wasmtime_component_resource_host_t)


class Mismatch(TypeError):
    """A value is not of the type it should have."""


class Room(list[Any]):
    """What one crossing needs to stay alive until it is over, and the handles that were lent or given away in it."""

    __slots__ = ("boxes", "given", "handles", "lent")

    def __init__(self, handles: Handles) -> None:
        self.handles = handles
        self.boxes: list[Any] = []
        """Handles made for this crossing."""
        self.lent: list[Any] = []
        """Those among them that are lent to the guest, and must be taken back."""
        self.given: list[int] = []
        """Numbers of the guest's resources that are the guest's again."""

    def settle(self, has_entered: bool) -> None:
        """Take back what was lent, forget what was given away."""
        for box in self.lent:
            error = ffi.wasmtime_component_resource_any_drop(self.handles.context, box)
            if error:
                ffi.wasmtime_error_delete(error)  # after a trap nothing can be taken back, nor needs to be
        if has_entered:
            for number in self.given:
                self.handles.forget(number)

    def free(self) -> None:
        """Free the handles themselves, where nobody else does."""
        for box in self.boxes:
            ffi.wasmtime_component_resource_any_delete(box)


class Handles:
    """The resources of one instance."""

    def __init__(self, store: Any, resources: Sequence[Resource]) -> None:
        self.context = store._context()
        self._resources = resources
        self._guests: dict[int, tuple[int, Any]] = {}
        """By number: which resource, and its handle."""
        self._next = 1

    def take(self, kind: Handle, box: Any) -> int:
        """The number of a handle that came out of the guest. Its memory stays whose it was."""
        if not self._resources[kind.resource].is_host:
            return self._keep(kind, box)
        host = _Host()
        _check(ffi.wasmtime_component_resource_any_to_host(self.context, box, ctypes.byref(host)))
        try:
            return int(ffi.wasmtime_component_resource_host_rep(host))
        finally:
            ffi.wasmtime_component_resource_host_delete(host)

    def give(self, kind: Handle, number: int, room: Room) -> Any:
        """A handle to give or to lend to the guest. Mismatch: nobody has one of that number."""
        if self._resources[kind.resource].is_host:
            box = self._of_host(kind, number)
            if not kind.is_own:
                room.lent.append(box)
        else:
            box = self._of_guest(kind, number, room)
        room.boxes.append(box)
        return box

    def drop(self, kind: Handle, number: int) -> None:
        """End one of the guest's resources; its destructor may run."""
        box = self._guest(kind, number)
        self._guests.pop(number)
        try:
            _check(ffi.wasmtime_component_resource_any_drop(self.context, box))
        finally:
            ffi.wasmtime_component_resource_any_delete(box)

    def forget(self, number: int) -> None:
        """The guest has it again."""
        ffi.wasmtime_component_resource_any_delete(self._guests.pop(number)[1])

    def close(self) -> None:
        """Forget all of them; the store is to be closed."""
        for number in list(self._guests):
            self.forget(number)

    def _keep(self, kind: Handle, box: Any) -> int:
        if len(self._guests) >= HANDLES_MAX:
            raise Trap(f"more than {HANDLES_MAX} resources are in use", CONTRACT)
        number, self._next = self._next, self._next + 1
        self._guests[number] = (kind.resource, ffi.wasmtime_component_resource_any_clone(box))
        return number

    def _of_host(self, kind: Handle, number: int) -> Any:
        host = ffi.wasmtime_component_resource_host_new(kind.is_own, number, kind.resource)
        box = _Any()
        try:
            _check(ffi.wasmtime_component_resource_host_to_any(self.context, host, ctypes.byref(box)))
        finally:
            ffi.wasmtime_component_resource_host_delete(host)
        return box

    def _of_guest(self, kind: Handle, number: int, room: Room) -> Any:
        box = self._guest(kind, number)
        if kind.is_own:
            if number in room.given:
                raise Mismatch(f"{self._name(kind)} {number} is given away twice")
            room.given.append(number)
        return ffi.wasmtime_component_resource_any_clone(box)

    def _guest(self, kind: Handle, number: int) -> Any:
        known = self._guests.get(number)
        if known is None or known[0] != kind.resource:
            raise Mismatch(f"there is no {self._name(kind)} {number} (any more)")
        return known[1]

    def _name(self, kind: Handle) -> str:
        return self._resources[kind.resource].name


def _check(error: Any) -> None:
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)
