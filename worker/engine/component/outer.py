"""The bridge around a component: an outer component that nests it, unchanged, beside a memory that the host can reach.

Functions that carry lists or strings go through that memory: what the engine compiles between the two components copies
at the speed of memory, where values handed over by the host cost 20 ns and 48 bytes of a fixed allowance per byte. The
host calls functions without parameters; what they mean lies in the memory (worker.engine.component.bridge). Functions
with resources, and those that carry neither lists nor strings, are handed through as they are.

The outer component has the imports and exports of the inner one and two instances of its own, so whoever looks at it
sees the package. Made where packages are compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import wasmtime
from wasmtime.component import Component

from worker.engine.component import introspect
from worker.engine.component.flat import FLOOR, NEED, NEXT, PAGES, PARAMS_MAX, SLOT_BYTES, SLOTS, START, flatten
from worker.engine.component.kinds import holds_list
from worker.engine.component.scope import Scope, Unbridgeable, nominal
from worker.engine.component.sections import hollow, spliced
from worker.engine.component.shapes import GUEST, HOST, Function, Item
from worker.engine.errors import StartError


def _escaped(number: int) -> str:
    return "".join(f"\\{byte:02x}" for byte in number.to_bytes(4, "little"))


_MEMORY: Final = f"""
  (core module $memory
    (memory $m (export "memory") 1)
    (data (i32.const {NEXT}) "{_escaped(START)}{_escaped(START)}{_escaped(1)}")
    (func $fit (export "fit") (param $end i64) (local $more i64)
      (local.set $more (i64.sub
        (i64.shr_u (i64.add (local.get $end) (i64.const 65535)) (i64.const 16))
        (i64.extend_i32_u (memory.size))))
      (if (i64.gt_s (local.get $more) (i64.const 0))
        (then (drop (memory.grow (i32.wrap_i64 (local.get $more))))))
      (i32.store (i32.const {PAGES}) (memory.size)))
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32) (local $end i64)
      (local.set $at (i32.and
        (i32.add (i32.load (i32.const {NEXT})) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (if (i32.and
            (i32.ne (local.get $had) (i32.const 0))
            (i32.eq (i32.add (local.get $old) (local.get $had)) (i32.load (i32.const {NEXT}))))
        (then (local.set $at (local.get $old))))
      (local.set $end (i64.add (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $size))))
      (call $fit (local.get $end))
      (if (i64.gt_u (local.get $end) (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
        (then unreachable))
      (i32.store (i32.const {NEXT}) (i32.wrap_i64 (local.get $end)))
      (if (i32.and (i32.ne (local.get $had) (i32.const 0)) (i32.ne (local.get $at) (local.get $old)))
        (then (memory.copy (local.get $at) (local.get $old)
          (select (local.get $had) (local.get $size) (i32.lt_u (local.get $had) (local.get $size))))))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $m))
  (alias core export $memory "realloc" (core func $realloc))"""
_OPTIONS: Final = "(memory $m) (realloc $realloc)"


def wrapped(engine: Any, wasm: bytes) -> bytes:
    """Return the outer component around a component's binary. Unbridgeable: none is possible, or none is worth it."""
    try:
        component = Component(engine, hollow(wasm))
        found = introspect.shape(engine, component)
        introspect.require_unreserved(engine, component)
        crossing = introspect.crossing(found)
        if found.problems or not pays(crossing):
            raise Unbridgeable(*found.problems or ["no function takes or returns a list"])
        imports, exports = introspect.outline(engine, component)
        return spliced(bytes(wasmtime.wat2wasm(_Text(imports, exports, crossing).text())), wasm)
    except (wasmtime.WasmtimeError, StartError, introspect.Unsupported, ValueError) as error:
        raise Unbridgeable(str(error)) from None


def pays(crossing: Sequence[Function]) -> bool:
    """Whether a bridge is worth it: strings alone are fast without one."""
    return any(holds_list(kind) for item in crossing for kind in (*item.params, item.result) if kind is not None)


class _Text:
    """The text of one outer component."""

    def __init__(self, imports: Sequence[Item], exports: Sequence[Item], crossing: Sequence[Function]) -> None:
        self._imports, self._exports = imports, exports
        self._crossing = list(enumerate(crossing))
        self._asked = {(item.instance, item.sig.name): n for n, item in self._crossing if item.is_import}
        self._offered = [(n, item) for n, item in self._crossing if not item.is_import]
        self._scope = Scope()

    def text(self) -> str:
        """All of it. What nests must come first: it is put in place of the first nested component."""
        instances: dict[str, list[Item]] = {}
        for item in self._imports:
            instances.setdefault(item.instance, []).append(item)
        names = {instance: self._imported(instance, items) for instance, items in instances.items()}
        lifted = [self._lifted(n, item) for item in self._imports if (n := self._number(item)) is not None]
        given = [text for instance, items in instances.items() for text in self._given(instance, names, items)]
        parts = [
            *("(component", "(component $nested)", _MEMORY, *self._scope.lines),
            *(self._host(), self._asking(), *lifted),
            f"(instance $guest (instantiate $nested {' '.join(given)}))",
            *(self._offering(), *map(self._exported, self._exports), ")"),
        ]
        return "\n".join(parts)

    def _number(self, item: Item) -> int | None:
        return self._asked.get((item.instance, item.name)) if item.is_function else None

    # -- what the guest imports ----------------------------------------------------------------------------------------

    def _imported(self, instance: str, items: list[Item]) -> list[str]:
        """Declare what the guest imports; returns the identifier of the instance, or of each item without one."""
        scope = self._scope
        if not instance:
            return [scope.declare(item) for item in items]
        inside, name = Scope(scope), scope.identifier()
        for item in items:
            inside.declare(item)
        scope.lines += [f'(import "{instance}" (instance {name}', *inside.lines, "))"]
        for item in items:
            key = item.kind if item.resource is None else item.resource
            if key is not None and (isinstance(key, int) or nominal(key)) and key not in scope.known:
                scope.known[key] = made = scope.identifier()
                scope.lines.append(f'(alias export {name} "{item.name}" (type {made}))')
        return [name]

    def _given(self, instance: str, names: dict[str, list[str]], items: list[Item]) -> list[str]:
        """The arguments for the guest's imports: our functions in place of those that cross the bridge."""
        known = names[instance]
        numbers = [self._number(item) for item in items]
        if instance and not any(number is not None for number in numbers):
            return [f'(with "{instance}" (instance {known[0]}))']
        if instance:
            known = [f'{known[0]} "{item.name}"' for item in items]
        parts = [
            (item.name, f"({item.sort} {name})" if number is None else f"(func $f{number})")
            for item, name, number in zip(items, known, numbers, strict=True)
        ]
        if not instance:
            return [f'(with "{name}" {where})' for name, where in parts]
        inside = " ".join(f'(export "{name}" {where})' for name, where in parts)
        return [f'(with "{instance}" (instance {inside}))']

    def _host(self) -> str:
        """The host's side of the bridge."""
        names = ["resume", *(f"f{n}" for n in self._asked.values())]
        exports = " ".join(f'(export "{name}" (func))' for name in names)
        lowered = [f'(core func $h-{name} (canon lower (func $host "{name}")))' for name in ["nonce", *names]]
        return "\n".join(
            [f'(import "{HOST}" (instance $host (export "nonce" (func (result u64))) {exports}))', *lowered]
        )

    def _asking(self) -> str:
        """The module with what the guest calls: each puts its parameters into slots and asks the host."""
        functions = [item for _, item in self._crossing if item.is_import]
        given = ["nonce", "resume", *(f"f{n}" for n in self._asked.values())]
        exports = " ".join(f'(export "{name}" (func $h-{name}))' for name in given)
        imports = [f'(import "h" "f{n}" (func $f{n}))' for n in self._asked.values()]
        bodies = [_asked(n, item) for n, item in zip(self._asked.values(), functions, strict=True)]
        return f"""(core module $asking
  (import "m" "memory" (memory 1))
  (import "m" "fit" (func $fit (param i64)))
  (import "h" "nonce" (func $nonce (result i64)))
  (import "h" "resume" (func $resume))
  {" ".join(imports)}
  (func $begin (i64.store (i32.const 0) (call $nonce)))
  (start $begin)
  (func $ready
    (i32.store (i32.const {NEXT}) (i32.load (i32.const {FLOOR})))
    (i32.store (i32.const {PAGES}) (memory.size))
    (i32.store (i32.const {NEED}) (i32.const 0)))
  (func $answered
    (if (i32.load (i32.const {NEED}))
      (then (call $fit (i64.load32_u (i32.const {NEED}))) (call $resume))))
  {" ".join(bodies)})
(core instance $asking (instantiate $asking (with "m" (instance $memory)) (with "h" (instance {exports}))))"""

    def _lifted(self, number: int, item: Item) -> str:
        core = f'(canon lift (core func $asking "f{number}") {_OPTIONS})'
        return f"(func $f{number} {self._scope.signature(item)} {core})"

    # -- what the guest exports ----------------------------------------------------------------------------------------

    def _offering(self) -> str:
        """The module with what the host calls: each takes its parameters out of slots and calls the guest."""
        lowered, imports, bodies, names = [], [], [], []
        for n, item in self._offered:
            at = f'$guest "{item.instance}" "{item.sig.name}"' if item.instance else f'$guest "{item.sig.name}"'
            lowered.append(f"(core func $g{n} (canon lower (func {at}) {_OPTIONS}))")
            imports.append(f'(import "g" "f{n}" (func $f{n} {_core_type(item, True)}))')
            bodies.append(_offered(n, item))
            names.append(f"f{n}")
        given = " ".join(f'(export "{name}" (func $g{name[1:]}))' for name in names)
        lifted = [f'(func $o-{name} (canon lift (core func $offering "{name}")))' for name in ["room", *names]]
        exports = " ".join(f'(export "{name}" (func $o-{name}))' for name in ["room", *names])
        return "\n".join(
            [
                *lowered,
                f"""(core module $offering
  (import "m" "memory" (memory 1))
  (import "m" "fit" (func $fit (param i64)))
  {" ".join(imports)}
  (func (export "room") (call $fit (i64.load32_u (i32.const {NEED}))))
  {" ".join(bodies)})
(core instance $offering (instantiate $offering (with "m" (instance $memory)) (with "g" (instance {given}))))""",
                *lifted,
                f"(instance $offered {exports})",
                f'(export "{GUEST}" (instance $offered))',
            ]
        )

    def _exported(self, item: Item) -> str:
        """One export of the guest's, handed on. A function says its types as they are exported from here."""
        scope, source = self._scope, f'({item.sort} $guest "{item.name}")'
        if item.is_function:
            return f'(export "{item.name}" {source} (func {scope.signature(item)}))'
        if item.sort == "instance":
            return f'(export "{item.name}" {source})'
        made, key = scope.identifier(), item.kind if item.resource is None else item.resource
        if key is not None and (isinstance(key, int) or nominal(key)):
            scope.known.setdefault(key, made)
        return f'(export {made} "{item.name}" {source})'


def _flat_params(item: Function) -> list[str]:
    flat = [each for kind in item.params for each in flatten(kind)]
    return ["i32"] if len(flat) > PARAMS_MAX else flat


def _flat_result(item: Function) -> list[str]:
    return [] if item.result is None else flatten(item.result)


def _core_type(item: Function, is_lowered: bool) -> str:
    params, result = _flat_params(item), _flat_result(item)
    if len(result) > 1:
        params, result = ([*params, "i32"], []) if is_lowered else (params, ["i32"])
    return " ".join([*(f"(param {each})" for each in params), *(f"(result {each})" for each in result)])


def _slot(place: int) -> int:
    return SLOTS + SLOT_BYTES * place


def _asked(number: int, item: Function) -> str:
    """One function that the guest calls."""
    params, result = _flat_params(item), _flat_result(item)
    stores = [
        *(f"(i64.store (i32.const {_slot(n)}) (i64.const 0))" for n in range(max(len(params), 1))),
        *(f"({each}.store (i32.const {_slot(n)}) (local.get {n}))" for n, each in enumerate(params)),
    ]
    answer = ""
    if result:
        answer = f"({result[0] if len(result) == 1 else 'i32'}.load (i32.const {_slot(0)}))"
    calls = f"(call $ready) {' '.join(stores)} (call $f{number}) (call $answered) {answer}"
    return f'(func (export "f{number}") {_core_type(item, False)} {calls})'


def _offered(number: int, item: Function) -> str:
    """One function that the host calls."""
    params, result = _flat_params(item), _flat_result(item)
    if len(result) > 1:
        params, result = [*params, "i32"], []
    given = [f"({each}.load (i32.const {_slot(n)}))" for n, each in enumerate(params)]
    call = f"(call $f{number} {' '.join(given)})"
    if result:
        call = f"({result[0]}.store (i32.const {_slot(0)}) {call})"
    return f'(func (export "f{number}") {call} (i32.store (i32.const {PAGES}) (memory.size)))'
