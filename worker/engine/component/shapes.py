"""A component's functions and resources, as records.

Resources are known by numbers. What ends the life of one is a function like any other, ``[resource-drop]NAME``:
imported if the resource is the host's, callable if it is the guest's.
"""

from __future__ import annotations

from typing import Final

import msgspec

from theater.metadata import FunctionSig
from worker.engine.component.kinds import Kind

DROP: Final = "[resource-drop]"
BRIDGE: Final = "theater:bridge/"
HOST: Final = f"{BRIDGE}host"
GUEST: Final = f"{BRIDGE}guest"
"""Instances that a bridge has for itself (worker.engine.component.outer)."""


def interface_of(instance: str) -> str:
    """``theater:simple/actor@0.1.0`` is the interface ``theater:simple/actor``."""
    return instance.partition("@")[0]


class Resource(msgspec.Struct, frozen=True):
    """A resource type. Its place in ``Shape.resources`` is its number."""

    interface: str
    name: str
    is_host: bool
    """Imported: the host makes and drops them."""

    @property
    def drop(self) -> str:
        """The name of the function that ends one."""
        return DROP + self.name


class Function(msgspec.Struct, frozen=True):
    """One imported or exported function: where the component has it, and what it takes and gives."""

    instance: str
    """Name of the instance it is in, with its version; empty for functions of the component itself."""
    sig: FunctionSig
    params: tuple[Kind, ...]
    result: Kind | None
    drops: int | None = None
    """The resource that it ends, if that is what it does: there is no such function in the component then."""
    is_import: bool = False
    bridge: str = ""
    """The function that stands for it on the bridge, if it crosses one."""


class Shape(msgspec.Struct, frozen=True):
    """A component's functions and resources, and what of it cannot be served."""

    imports: tuple[Function, ...]
    exports: dict[str, Function]
    """By full name, ``interface.function`` or just ``function``."""
    resources: tuple[Resource, ...]
    defines: tuple[tuple[str, str, int], ...]
    """What the host must define for the component's imports: instance, name, number of the resource."""
    problems: tuple[str, ...]
    """Imports that cannot be served: of types that are not supported, or of other things than functions."""
    warnings: tuple[str, ...]
    """Exports that cannot be called."""
    is_bridged: bool = False
    """There is a bridge around the package's own component."""


class Item(msgspec.Struct, frozen=True):
    """One thing that a component imports or exports, as its text has to say it: types without their names."""

    instance: str
    name: str
    sort: str
    """What component text calls it: ``func``, ``type``, ``instance``."""
    kind: Kind | None = None
    """The type that it is, if it is one."""
    resource: int | None = None
    """The number of the resource that it is, if it is one."""
    params: tuple[tuple[str, Kind], ...] = ()
    result: Kind | None = None

    @property
    def is_function(self) -> bool:
        """A function, not a type."""
        return self.sort == "func"
