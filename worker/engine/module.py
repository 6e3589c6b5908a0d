"""What a compiled module says of itself, and which modules are no actors (pack-abi 3)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
import wasmtime

from theater import metadata
from theater.grants import PREVIEW_1
from worker.engine.errors import StartError

MEMORY: Final = "memory"
ALLOC: Final = "__pack_alloc"
FREE: Final = "__pack_free"
TYPES: Final = "__pack_types"
CTORS: Final = "__wasm_call_ctors"
INITIALIZE: Final = "_initialize"

INTERFACE_TYPE: Final = "(i32, i32, i32, i32) -> i32"
CORE_TYPES: Final[dict[str, str]] = {
    ALLOC: "(i32) -> i32",
    FREE: "(i32, i32) -> ()",
    TYPES: "(i32, i32) -> i32",
    CTORS: "() -> ()",
    INITIALIZE: "() -> ()",
}
MEMBER_IMPORTS: Final = (("env", "memory"), ("env", "__memory_base"))
NAMES_MAX: Final = 10_000
"""Imports, and exports, a module may have."""
METADATA_KEPT: Final = 64
PROBLEMS_MAX: Final = 20
"""Problems named in one text."""


class Import(msgspec.Struct, frozen=True):
    """One import: the interface and the function, and its core type as text (``memory`` … for what is no function)."""

    interface: str
    function: str
    type: str

    @property
    def served_by(self) -> str:
        """The host function behind it: several of WASI preview 1 ask one for parts of its answer."""
        if self.interface != PREVIEW_1:
            return self.function
        from worker.engine import preview1

        return preview1.host_function(self.function)

    @property
    def wanted_type(self) -> str | None:
        """The core type it must have; None: there is no such function."""
        if self.interface != PREVIEW_1:
            return INTERFACE_TYPE
        from worker.engine import preview1

        return preview1.core_type(self.function)


class Shape(msgspec.Struct, frozen=True):
    """The imports and exports of a module. ``exports`` maps names to core types as text, ``memory`` for memories."""

    imports: tuple[Import, ...]
    exports: dict[str, str]

    def function(self, name: str) -> str | None:
        """Return the export serving ``interface.function``: of that name, or the bare function's (library packages)."""
        if name in self.exports:
            return name
        bare = name.rpartition(".")[2]
        return bare if bare in self.exports else None


def shape(module: Any) -> Shape:
    """Return a module's imports and exports; read once, for a template process before its forks."""
    known = _shapes.get(module)
    if known is None:
        known = _shapes[module] = _read_shape(module)
    return known


_shapes: Final[WeakKeyDictionary[Any, Shape]] = WeakKeyDictionary()


def _read_shape(module: Any) -> Shape:
    imports, exports = module.imports, module.exports
    for what, items in (("imports", imports), ("exports", exports)):
        if len(items) > NAMES_MAX:
            raise StartError("link", f"the module has {len(items)} {what}, at most {NAMES_MAX} are allowed")
    return Shape(
        tuple(Import(item.module, item.name or "", type_text(item.type)) for item in imports),
        {item.name: type_text(item.type) for item in exports},
    )


@lru_cache(maxsize=METADATA_KEPT)
def metadata_of(data: bytes) -> metadata.Metadata:
    """Decode metadata; the same bytes only once, for a template process before its forks.

    Raises:
        MetadataError: it is not metadata.
    """
    return metadata.decode(data)


def type_text(type_: Any) -> str:
    """Return a core type in words."""
    match type_:
        case wasmtime.FuncType():
            results = [str(item) for item in type_.results]
            return f"({', '.join(map(str, type_.params))}) -> {results[0] if len(results) == 1 else _tuple(results)}"
        case wasmtime.MemoryType():
            return "memory64" if type_.is_64 else "memory"
        case wasmtime.GlobalType():
            return "global"
        case wasmtime.TableType():
            return "table"
        case _:
            return type(type_).__name__


def refusals(module: Shape) -> list[str]:
    """Why this module is no actor that can be hosted here; empty if it is one."""
    member = [item for item in module.imports if _is_member_import(item)]
    if member:
        names = ", ".join(f"{item.interface}.{item.function}" for item in member[:PROBLEMS_MAX])
        return [
            f"imports {names}: this is a member of a composite (packr 0.8 to 0.10), not an actor; "
            "build it self-contained (packr 0.11 or later) or fuse the composite first"
        ]
    problems = [_import_problem(item) for item in module.imports if item.type != item.wanted_type]
    return problems + _memory_problems(module) + _allocator_problems(module) + _typed_problems(module)


def _is_member_import(item: Import) -> bool:
    return (item.interface, item.function) in MEMBER_IMPORTS or item.interface == "pack:alloc"


def _import_problem(item: Import) -> str:
    if item.wanted_type is None:
        return f"import {item.interface}.{item.function}: there is no such function"
    return f"import {item.interface}.{item.function} is {item.type}, expected a function {item.wanted_type}"


def _memory_problems(module: Shape) -> list[str]:
    found = module.exports.get(MEMORY)
    if found == "memory":
        return []
    what = f", found {found}" if found else ""
    return [f"exports no memory: expected an exported 32-bit memory named {MEMORY!r}{what}"]


def _allocator_problems(module: Shape) -> list[str]:
    missing = [name for name in (ALLOC, FREE) if name not in module.exports]
    if not missing:
        return []
    hint = " (a guest of before packr 0.2 with the old call shape?)" if ALLOC in missing else ""
    return [f"exports no {' and no '.join(missing)}{hint}"]


def _typed_problems(module: Shape) -> list[str]:
    wrong = [(name, module.exports[name], want) for name, want in CORE_TYPES.items() if name in module.exports]
    return [f"export {name} is {found}, expected {want}" for name, found, want in wrong if found != want]


def _tuple(items: list[str]) -> str:
    return f"({', '.join(items)})"


def joined(problems: list[str]) -> str:
    """Put problems into one line, the first ones named."""
    more = len(problems) - PROBLEMS_MAX
    return "; ".join(problems[:PROBLEMS_MAX]) + (f"; and {more} more" if more > 0 else "")
