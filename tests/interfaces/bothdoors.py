"""Guests made from the registry: one for each door, with a function for each host function, that hands calls through.

``test:forward/INTERFACE.FUNCTION`` of the Pack module takes and gives encoded values; of the component it has the very
parameters and result of the host function. Which of a function's forms is imported is said by a number, so every form
has its guest; a component has no type for "anything", and takes the first form from that number on that does without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from tests.component.echo import PARAMS_MAX, flatten
from tests.component.loading import made
from tests.guests import wat
from tests.guests.pack import u32
from tests.interfaces import forwarding
from tests.worker.enginekit import compiled, engine
from theater import types
from theater.actor import ActorOptions
from theater.grants import opened_by
from theater.types import Type
from worker.engine.clock import GuestClock
from worker.engine.component.door import ComponentDoor
from worker.engine.pack import Answers, PackDoor
from worker.interfaces.registry import Function, Variant, known

API = forwarding.API
DOORS = ("pack", "raw", "stock", "bridge")
"""A module, and a component through each of its three ports."""
_FAST = {"raw": True, "stock": False, "bridge": None}

OWN = tuple(name for name in sorted(known()) if not name.startswith("wasi"))
"""Every host interface of ours."""
WASI = tuple(name for name in sorted(known()) if name.startswith("wasi:"))
"""Those of WASI 0.2, which are for components. A module has them, too, with numbers for resources."""


class Form(NamedTuple):
    """One signature of a host function, and its number among the function's."""

    interface: str
    function: Function
    number: int

    @property
    def variant(self) -> Variant:
        return self.function.variants[self.number]

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def exported(self) -> str:
        """The guest's function that stands for it."""
        return forwarding.exported(f"{self.interface}.{self.name}")


def forms(door: str, interface: str, number: int = 0) -> list[Form]:
    """What the guest for a door imports of an interface: of each function the form of this number, or the last."""
    found = []
    for function in known()[interface].functions:
        last = len(function.variants) - 1
        usable = [at for at in range(last + 1) if door == "pack" or is_for_components(function.variants[at])]
        if usable:
            found.append(Form(interface, function, next((at for at in usable if at >= number), usable[-1])))
    return found


def rounds(door: str, interface: str) -> Iterator[list[Form]]:
    """The forms of as many guests as it takes to have had them all."""
    before: list[Form] = []
    for number in range(max(len(each.variants) for each in known()[interface].functions)):
        now = forms(door, interface, number)
        if now != before:
            yield now
        before = now


def is_for_components(variant: Variant) -> bool:
    """Whether a component can declare this form, and be answered in it."""
    return not variant.is_loose and not any(map(_is_anything, (*variant.params, *variant.parsed.results)))


def _is_anything(kind: Type) -> bool:
    parts: Sequence[Type | None] = ()
    match kind:
        case types.Special() | types.Parameter():
            return kind != types.NOTHING
        case types.List(item=item) | types.Option(item=item):
            parts = (item,)
        case types.Result(ok=ok, err=err):
            parts = (ok, err)
        case types.Tuple(items=items):
            parts = items
        case types.Record(fields=fields) | types.Variant(cases=fields):
            parts = [each for _, each in fields]
    return any(each is not None and _is_anything(each) for each in parts)


# -- guests ------------------------------------------------------------------------------------------------------------


def package(door: str, imported: Sequence[Form]) -> bytes:
    """The guest for a door, as it is written."""
    return _module(tuple(imported)) if door == "pack" else _component(tuple(imported)).encode()


def opened(
    door: str, imported: Sequence[Form], answers: Answers, clock: GuestClock, *, is_replay: bool = False
) -> PackDoor | ComponentDoor:
    """Its instance, with everything granted that it imports."""
    grants: dict[str, dict[str, Any]] = {opened_by(form.interface)[0]: {} for form in imported}
    how: dict[str, Any] = {"options": ActorOptions(), "grants": grants, "answers": answers, "clock": clock}
    if door == "pack":
        return PackDoor.load(engine(), compiled(_module(tuple(imported))), is_replay=is_replay, **how)
    fast = _FAST[door]
    guest = made(_component(tuple(imported)), fast)
    return ComponentDoor.load(engine(), guest, fast=fast, is_replay=is_replay, **how)


@cache
def _module(imported: tuple[Form, ...]) -> bytes:
    imports = [wat.Import(f"{form.interface}.{form.name}", _signature(form.variant)) for form in imported]
    functions = [wat.Function(form.exported, forwarding.SIGNATURE, forwarding.forwards(each))
                 for form, each in zip(imported, imports, strict=True)]  # fmt: skip
    return wat.build(functions=[wat.starts(u32(0)), *functions], imports=imports)


def _signature(variant: Variant) -> str:
    """A signature with the types it names written out."""
    params = ", ".join(f"{name}: {_spelled(kind)}" for name, kind in variant.parsed.params)
    return f"({params})" + "".join(f" -> {_spelled(kind)}" for kind in variant.parsed.results)


def _spelled(kind: Type) -> str:
    match kind:
        case types.List(item=item):
            return f"list<{_spelled(item)}>"
        case types.Option(item=item):
            return f"option<{_spelled(item)}>"
        case types.Result(ok=ok, err=err):
            return f"result<{_spelled(ok)}, {_spelled(err)}>"
        case types.Tuple(items=items):
            return f"tuple<{', '.join(map(_spelled, items))}>"
        case types.Record(name=name, fields=fields):
            return f"record {name} {{{', '.join(f'{field}: {_spelled(item)}' for field, item in fields)}}}"
        case types.Variant(name=name, cases=cases):
            told = (case if item is None else f"{case}({_spelled(item)})" for case, item in cases)
            return f"variant {name} {{{', '.join(told)}}}"
        case _:
            return str(kind)


@cache
def _component(imported: tuple[Form, ...]) -> str:
    """A component whose functions hand their parameters to the host and give back what it answers."""
    by_interface: dict[str, list[Form]] = {}
    for form in imported:
        by_interface.setdefault(form.interface, []).append(form)
    imports, lowers, cores, lifts, given = [], [], [], [], []
    exports: dict[str, list[str]] = {}
    for place, (interface, its) in enumerate(by_interface.items()):
        texts = _Texts(place)
        functions = [f'(export "{form.name}" (func {texts.function(form.variant)}))' for form in its]
        imports.append(
            f'(import "{interface}@0.1.0" (instance $i{place} {" ".join([*texts.defined, *functions])}))'
        )
        imports += [f'(alias export $i{place} "{name}" (type {local}))' for name, local in texts.named.items()]
        outside = _Texts(place, inside=False)
        for number, form in enumerate(its):
            label = f"$f{place}x{number}"
            told = '(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))'
            lowers.append(f'(core func {label} (canon lower (func $i{place} "{form.name}") {told}))')
            cores.append(_core(form.variant, label))
            given.append(f'(export "{label}" (func {label}))')
            kinds = outside.function(form.variant)
            lifts.append(f'(func {label}l {kinds} (canon lift (core func $guest "{label}") {told}))')
            name, _, function = form.exported.rpartition(".")
            exports.setdefault(name, []).append(f'(export "{function}" (func {label}l))')
    host = [core for core, _ in cores]
    inside = [body for _, body in cores]
    shown = [
        f'(instance $e{place} {" ".join(each)}) (export "{name}" (instance $e{place}))'
        for place, (name, each) in enumerate(exports.items())
    ]
    return f"""
(component
  {" ".join(imports)}
  (core module $memory
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (block $enough (loop $more
        (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (br $more)))
      (local.get $at)))
  (core instance $libc (instantiate $memory))
  {" ".join(lowers)}
  (core module $code
    {" ".join(host)}
    (import "libc" "memory" (memory 1))
    (func (export "init") (param i32 i32 i32) (result i32)
      (i32.store (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (local.get 0))
      (i32.store (i32.const 1032) (local.get 1))
      (i32.store (i32.const 1036) (local.get 2))
      (i32.const 1024))
    {" ".join(inside)})
  (core instance $guest (instantiate $code
    (with "libc" (instance $libc)) (with "host" (instance {" ".join(given)}))))
  {" ".join(lifts)}
  (func $init (param "state" (option (list u8))) (result (result (tuple (option (list u8))) (error string)))
    (canon lift (core func $guest "init") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc"))))
  (instance $actor (export "init" (func $init)))
  (export "theater:simple/actor@0.1.0" (instance $actor))
  {" ".join(shown)})
"""


def _core(variant: Variant, label: str) -> tuple[str, str]:
    """The import of a host function as a core function, and the function that hands over to it."""
    flat = [each for kind in variant.params for each in flatten(kind)]
    params = "i32" if len(flat) > PARAMS_MAX else " ".join(flat)
    handed = " ".join(f"(local.get {place})" for place in range(len(params.split())))
    results = [each for kind in variant.parsed.results for each in flatten(kind)]
    if len(results) > 1:
        imported, result = f"(param {params} i32)", "i32"
        body = f"(call {label} {handed} (i32.const 64)) (i32.const 64)"
    else:
        result = " ".join(results)
        imported, body = f"(param {params}) (result {result})", f"(call {label} {handed})"
    return (
        f'(import "host" "{label}" (func {label} {imported}))',
        f'(func (export "{label}") (param {params}) (result {result}) {body})',
    )


class _Texts:
    """Types as component text. Records get a name: inside the type of an instance, or outside as its alias."""

    def __init__(self, place: int, inside: bool = True) -> None:
        self._place = place
        self._letter = "t" if inside else "o"
        self.defined: list[str] = []
        self.named: dict[str, str] = {}

    def function(self, variant: Variant) -> str:
        params = "".join(f'(param "{name}" {self.kind(kind)})' for name, kind in variant.parsed.params)
        return params + "".join(f" (result {self.kind(kind)})" for kind in variant.parsed.results)

    def kind(self, kind: Type) -> str:
        match kind:
            case types.Primitive(name=name):
                return name
            case types.List(item=item):
                return f"(list {self.kind(item)})"
            case types.Option(item=item):
                return f"(option {self.kind(item)})"
            case types.Tuple(items=items):
                return f"(tuple {' '.join(map(self.kind, items))})"
            case types.Result(ok=ok, err=err):
                left = "" if ok is types.NOTHING else self.kind(ok)
                return f"(result {left} (error {self.kind(err)}))"
            case types.Record(name=name, fields=fields):
                number = list(self.named).index(name) if name in self.named else len(self.named)
                local = f"${self._letter}{self._place}x{number}"
                if name not in self.named:
                    shape = " ".join(f'(field "{field}" {self.kind(item)})' for field, item in fields)
                    self.defined.append(
                        f'(type {local}d (record {shape})) (export "{name}" (type {local} (eq {local}d)))'
                    )
                    self.named[name] = f"$o{self._place}x{number}"
                return local
        raise TypeError(kind)
