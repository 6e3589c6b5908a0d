"""``retention:`` of a tree file: how much of its history the store keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from theater.config import units
from theater.config.environment import Wrong
from theater.config.kinds import Quantity, Text, Whole, duration, size
from theater.config.limits import COUNT_MAX
from theater.config.node import LIST, Node
from theater.config.reader import Field, Reader, Section, read_section, section_schema
from theater.retention import Bounds, Retention
from theater.spec import ChildSpec, SupervisorSpec

AGE_MS_MAX: Final = 36_500 * 86_400_000
KEPT_BYTES_MAX: Final = 1 << 44
EVERY_MS_MIN: Final = 100

_BOUNDS: Final = {
    "age": Field(
        wants=Quantity("time", "12h or 30d", units.MILLISECONDS, 1, AGE_MS_MAX),
        doc="Events that were stored longer ago may go.",
        default="no bound",
        target="age_ms",
    ),
    "events": Field(wants=Whole(1, COUNT_MAX), doc="So many of an actor's events stay.", default="no bound"),
    "size": Field(
        wants=size(1, KEPT_BYTES_MAX),
        doc="So many bytes of an actor's events stay.",
        default="no bound",
        target="size_bytes",
    ),
}
_BOUND_NAMES: Final = ("age_ms", "events", "size_bytes")

EXCEPTION: Final = Section(
    name="retention-exception",
    doc="Bounds of its own for some actors; without any, all of their history stays.",
    fields={
        "path": Field(wants=Text("a path, such as /audit or /agents/*"), doc="Whose.", required=True),
        **_BOUNDS,
    },
)


class _Exceptions(msgspec.Struct, frozen=True):
    """A list of exceptions."""

    def read(self, node: Node, path: str, reader: Reader) -> list[dict[str, Any]]:
        if node.kind != LIST:
            raise Wrong(f"expected a list of exceptions, found {reader.found(node)}")
        return [_exception(item, f"{path}[{place}]", reader) for place, item in enumerate(node.value)]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": section_schema(EXCEPTION)}


RETENTION: Final = Section(
    name="retention",
    doc="How much history the store keeps of each actor; without bounds, all of it.",
    fields={
        **_BOUNDS,
        "every": Field(
            wants=duration(EVERY_MS_MIN),
            doc="Time between two looks at what may go.",
            default="10m",
            target="every_ms",
        ),
        "except": Field(
            wants=_Exceptions(), doc="Bounds of their own for some actors; the first that fits holds.", default="none"
        ),
    },
)


def retention_of(values: dict[str, Any], spec: SupervisorSpec) -> Retention:
    """Return what a tree file says, with the actors that have to stay able to be rebuilt from their history."""
    replayable = tuple(_replayable(spec, ""))
    exceptions = tuple((each["path"], _bounds(each)) for each in values.get("except", ()) if "path" in each)
    every = {"every_ms": values["every_ms"]} if "every_ms" in values else {}
    return Retention(bounds=_bounds(values), exceptions=exceptions, replayable=replayable, **every)


def _exception(node: Node, path: str, reader: Reader) -> dict[str, Any]:
    values = read_section(EXCEPTION, node, path, reader)
    if "path" in values and not values["path"].startswith("/"):
        reader.report(node.value["path"].node, f"{path}.path", "expected a path that begins with /")
    return values


def _bounds(values: dict[str, Any]) -> Bounds:
    return Bounds(**{name: values[name] for name in _BOUND_NAMES if name in values})


def _replayable(spec: SupervisorSpec, above: str) -> Iterator[str]:
    """Yield patterns for the paths of actors with ``recover: replay``."""
    is_dynamic = spec.strategy == "simple_one_for_one"
    for child in spec.children:
        here = f"{above}/*" if is_dynamic else f"{above}/{_literal(child.id)}"
        if child.supervisor is not None:
            yield from _replayable(child.supervisor, here)
        elif _recover_of(child) == "replay":
            yield here


def _recover_of(child: ChildSpec) -> str:
    return str(getattr(child.actor, "recover", "initial"))


def _literal(name: str) -> str:
    """A pattern that matches just this."""
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in name)
