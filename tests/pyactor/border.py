"""What componentize-py makes of an actor's types, for tests: classes of its kind, without a component."""

from __future__ import annotations

import enum
from dataclasses import make_dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.pyactor.modules import module
from theater_actor import hosting, reading, serving, wit
from theater_actor.kinds import Enumerated, Flagged, Record, Variant


class Err(Exception):
    """An error as it crosses the border."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Served:
    """An actor behind its border."""

    def __init__(self, directory: Path, text: str, **hosts: Any) -> None:
        before = set(hosting.DECLARED)
        self.module: ModuleType = module(directory, text)
        others = [name for name in hosting.DECLARED if name in before]
        kept = {name: hosting.DECLARED.pop(name) for name in others}
        try:
            self.declared = reading.read(reading.find(self.module))
            self.types: Any = SimpleNamespace(**_classes(self.declared))
            functions = {name: SimpleNamespace(**hosts) for name in hosting.DECLARED}
            self.classes = serving.serve(self.declared.cls, self.types, functions, Err)
            self.aliases = {each.interface: each.alias for each in wit.generate(self.declared).exports}
        finally:
            hosting.DECLARED.clear()
            hosting.DECLARED.update(kept)

    def call(self, function: str, *args: Any) -> Any:
        """Call an export."""
        found = [each for each in self.classes.values() if hasattr(each, function)]
        return getattr(found[0](), function)(*args)


def _classes(declared: reading.Declared) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for kind in wit.named_types(declared):
        name = serving._camel(kind.name)
        match kind:
            case Record(fields=fields):
                made[name] = make_dataclass(name, [field for field, _ in fields])
            case Enumerated(cls=cls):
                members = {each.upper(): number for number, each in enumerate(cls.__members__)}
                made[name] = enum.Enum(name, members)  # type: ignore[misc]
            case Flagged(cls=cls):
                made[name] = enum.Flag(name, list(cls.__members__))  # type: ignore[misc]
            case Variant(cases=cases):
                for case in cases:
                    label = f"{name}_{serving._camel(case.name)}"
                    made[label] = make_dataclass(label, ["value"] if case.fields else [])
    return made


