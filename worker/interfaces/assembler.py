"""``wisp:assembler/runtime``: WebAssembly text to a module, for actors that make actors (pack-abi 10.7)."""

from __future__ import annotations

from typing import Final

from theater.grants.assembler import GRANT
from theater.values import String, Value, bytes_of
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Refusal, Variant
from worker.interfaces.sending import STAYS


def wat_to_wasm(context: Context, wat: String) -> Value:
    """The text is read, not checked: whether the module is valid shows when it is started."""
    most: int = GRANT.held_by(context)["source_bytes_max"]
    size = len(wat.value.encode())
    if size > most:
        raise Refusal(f"expected a text of at most {most} bytes, got {size}")
    import wasmtime

    try:
        return bytes_of(bytes(wasmtime.wat2wasm(wat.value)))
    except wasmtime.WasmtimeError as error:
        raise Refusal(str(error)) from None


INTERFACE: Final = Interface(
    GRANT.name,
    "Make modules from WebAssembly text.",
    (
        Function(
            "wat-to-wasm",
            "The module that a text describes. An error names the line and the column. Whether the module is valid "
            "shows when it is started.",
            (Variant("func(wat: string) -> result<list<u8>, string>", wat_to_wasm),),
        ),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
