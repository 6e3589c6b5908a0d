"""What a component imports, defined for it: host functions by name, and the types of the host's resources."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from theater.values import U32, Tuple, Value
from worker.engine.clock import GuestClock
from worker.engine.component.http import Answer
from worker.engine.component.port import Failed, Port, Serve
from worker.engine.component.shapes import HOST, Function, Resource, Shape

if TYPE_CHECKING:
    from worker.engine.component.bridge import BridgePort

HostFailed = Callable[[str, BaseException], None]
"""Told which host function failed, and how."""

_NOTHING_TO_FINALIZE: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda data: None)
"""Callbacks belong to whoever links."""


def _never(*arguments: Any) -> int:
    fault = wasmtime.WasmtimeError("a function that crosses the bridge was called beside it")
    return int(ctypes.cast(fault._consume(), ctypes.c_void_p).value or 0)


_NEVER: Final = ffi.wasmtime_component_func_callback_t(_never)
"""What is defined under the own name of a function that crosses the bridge."""


class Imports:
    """The imports of one instance. Must be kept for as long as the guest may call them."""

    def __init__(
        self,
        found: Shape,
        port: Port,
        bridge: BridgePort | None,
        clock: GuestClock,
        answer: Answer,
        failed: HostFailed,
    ) -> None:
        self._found = found
        self._port = port
        self._bridge = bridge
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
            if self._bridge is not None:
                with root.add_instance(HOST) as instance:
                    self._fill_bridge(instance, self._bridge)

    def _fill(self, instance: Any, resources: list[tuple[str, int]], functions: list[Function]) -> None:
        for name, number in resources:
            self._resource(instance, name, number)
        for function in functions:
            self._function(instance, function)

    def _fill_bridge(self, instance: Any, bridge: BridgePort) -> None:
        """Define what the bridge asks of the host: functions of the guest's imports under names of its own."""
        self._add(instance, "nonce", bridge.nonce())
        self._add(instance, "resume", bridge.resume(lambda error: self._failed("resume", error)))
        for item in self._found.imports:
            if item.bridge:
                self._add(instance, item.bridge, self._made(bridge, item))

    def _function(self, instance: Any, function: Function) -> None:
        self._add(instance, function.sig.name, _NEVER if function.bridge else self._made(self._port, function))

    def _made(self, port: Port, function: Function) -> Any:
        full_name = function.sig.full_name
        serve = self._serve(function.sig.interface, function.sig.name)
        failed: Failed = lambda error: self._failed(full_name, error)  # noqa: E731
        return port.host_function(function.params, function.result, serve, failed)

    def _add(self, instance: Any, name: str, callback: Any) -> None:
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
