"""What a component imports, defined for it: host functions by name, and the types of the host's resources."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from theater.values import U32, Tuple, Value
from worker.engine.clock import GuestClock
from worker.engine.component.introspect import Function, Resource, Shape
from worker.engine.component.port import Failed, Port, Serve

Answer = Callable[[str, str, Value], Value]
"""Interface, function and input of a host call; returns the output."""
HostFailed = Callable[[str, BaseException], None]
"""Told which host function failed, and how."""

_NOTHING_TO_FINALIZE: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda data: None)
"""Callbacks belong to whoever links."""


class Imports:
    """The imports of one instance. Must be kept for as long as the guest may call them."""

    def __init__(self, found: Shape, port: Port, clock: GuestClock, answer: Answer, failed: HostFailed) -> None:
        self._found = found
        self._port = port
        self._clock = clock
        self._answer = answer
        self._failed = failed
        self._kept: list[Any] = []

    def define(self, linker: Any) -> None:
        """Define everything, instance by instance."""
        functions: dict[str, list[Function]] = {}
        resources: dict[str, list[tuple[str, int]]] = {}
        for item in self._found.imports:
            if item.drops is None:
                functions.setdefault(item.instance, []).append(item)
        for instance, name, number in self._found.defines:
            resources.setdefault(instance, []).append((name, number))
        with linker.root() as root:
            for name in dict.fromkeys([*resources, *functions]):
                if not name:
                    self._fill(root, resources.get(name, []), functions.get(name, []))
                    continue
                with root.add_instance(name) as instance:
                    self._fill(instance, resources.get(name, []), functions.get(name, []))

    def _fill(self, instance: Any, resources: list[tuple[str, int]], functions: list[Function]) -> None:
        for name, number in resources:
            self._resource(instance, name, number)
        for function in functions:
            self._function(instance, function)

    def _function(self, instance: Any, function: Function) -> None:
        interface, name = function.sig.interface, function.sig.name
        full_name = function.sig.full_name
        serve = self._serve(interface, name)
        failed: Failed = lambda error: self._failed(full_name, error)  # noqa: E731
        callback = self._port.host_function(function.params, function.result, serve, failed)
        self._kept.append(callback)
        encoded = name.encode()
        _check(
            ffi.wasmtime_component_linker_instance_add_func(
                instance.ptr(), ctypes.create_string_buffer(encoded), len(encoded), callback, None, _NOTHING_TO_FINALIZE
            )
        )

    def _serve(self, interface: str, name: str) -> Serve:
        answer = self._answer

        def serve(given: Any) -> Value:
            return answer(interface, name, given[0] if len(given) == 1 else Tuple(tuple(given)))

        return serve

    def _resource(self, instance: Any, name: str, number: int) -> None:
        callback = ffi.wasmtime_component_resource_destructor_t(self._dropped(self._found.resources[number]))
        self._kept.append(callback)
        encoded = name.encode()
        kind = wc.ResourceType.host(number)
        _check(
            ffi.wasmtime_component_linker_instance_add_resource(
                instance.ptr(),
                ctypes.create_string_buffer(encoded),
                len(encoded),
                kind.ptr(),
                callback,
                None,
                _NOTHING_TO_FINALIZE,
            )
        )

    def _dropped(self, resource: Resource) -> Callable[..., int]:
        """The guest is done with a resource of the host's: a host call, recorded as any other."""

        def called(data: Any, context: Any, number: int) -> int:
            was_computing, self._clock.computing = self._clock.computing, False
            try:
                self._answer(resource.interface, resource.drop, U32(number))
            except BaseException as error:  # must not unwind through the engine
                self._failed(f"{resource.interface}.{resource.drop}", error)
                fault = wasmtime.WasmtimeError("host function failed")
                return int(ctypes.cast(fault._consume(), ctypes.c_void_p).value or 0)
            self._clock.computing = was_computing
            return 0

        return called


def _check(error: Any) -> None:
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)
