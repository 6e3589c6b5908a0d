"""Small Pack ABI modules, written from a description: the fixtures of the worker's tests.

    guest = build(
        functions=[
            starts(u32(0)),
            Function("test:counter/api.bump", "(state: u32, by: u32) -> result<tuple<u32, u32>, string>", adds()),
            Function("test:counter/api.odd", "(state: u32) -> result<tuple<u32>, string>", spins()),
        ],
        imports=[LOG],
    )

``build`` gives the bytes of a ``.wasm``, ``source`` the same as WebAssembly text (for tests of ``.wat`` packages).
What a function does is one *behaviour* or a list of them, one after the other: the last one ends the function.
Options of ``build`` take away or spoil what a host must check: ``metadata``, ``alloc``, ``free``, ``memory`` and more.

Layout: page 0 holds the canned bytes and the slots for host calls; the heap (never freed) begins behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import wasmtime

from tests.guests.pack import Signature, Value, encode, err, metadata, ok, parse_signature, split_name, tup

PAGE_BYTES = 65_536
ABI = "(param $in i32) (param $size i32) (param $at i32) (param $len i32) (result i32)"
SLOT_AT, SLOT_LEN = 16, 20  # where host calls leave address and length of their answer


# --- behaviours -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Behaviour:
    """A few lines of WebAssembly text; ``{0}``, ``{1}`` … are replaced by the addresses of its canned bytes."""

    code: str
    canned: tuple[bytes, ...] = ()


def returns(output: Value | bytes, status: int = 0) -> Behaviour:
    """Answer with these bytes (or this value) and this status."""
    data = _bytes(output)
    code = f"(return (call $answer (i32.const {{0}}) (i32.const {len(data)}) {_OUT} {_i32(status)}))"
    return Behaviour(code, (data,))


def declines(message: str) -> Behaviour:
    """An application error: ``err("message")`` with status 0."""
    return returns(err(message))


def fails(message: str | bytes) -> Behaviour:
    """Status -1 with a message that is not CGRF, as a guest reports a conversion error (pack-abi §4.1)."""
    return returns(message.encode() if isinstance(message, str) else message, status=-1)


def garbage() -> Behaviour:
    """Status 0 with bytes that are not CGRF."""
    return returns(b"this is not a value")


def points_at(address: int, size: int, status: int = 0) -> Behaviour:
    """Claim that the answer lies there, wherever that is."""
    return Behaviour(
        f"(i32.store (local.get $at) {_i32(address)}) (i32.store (local.get $len) {_i32(size)}) (return {_i32(status)})"
    )


def leaves_slots_alone() -> Behaviour:
    """Return status 0 without saying where the answer is."""
    return Behaviour("(return (i32.const 0))")


def echoes() -> Behaviour:
    """Answer with the very bytes that came in."""
    return Behaviour(f"(return (call $answer (local.get $in) (local.get $size) {_OUT} (i32.const 0)))")


def adds() -> Behaviour:
    """For input ``(state u32, by u32)``: state + by becomes the new state and the response; else status -1."""
    return Behaviour(
        f"""
        (if (i32.or (i32.ne (local.get $size) (i32.const 60))
                    (i32.ne (i32.load8_u offset=28 (local.get $in)) (i32.const 14)))
          (then (return (call $answer (i32.const {{1}}) {_i32(len(_NOT_A_SUM))} {_OUT} (i32.const -1)))))
        (local.set $n (i32.add (i32.load offset=24 (local.get $in)) (i32.load offset=36 (local.get $in))))
        (i32.store offset=24 (i32.const {{0}}) (local.get $n))
        (i32.store offset=36 (i32.const {{0}}) (local.get $n))
        (return (call $answer (i32.const {{0}}) {_i32(len(_SUM))} {_OUT} (i32.const 0)))""",
        (_SUM, _NOT_A_SUM),
    )


def traps() -> Behaviour:
    """Execute ``unreachable``."""
    return Behaviour("(unreachable)")


def spins() -> Behaviour:
    """Compute for ever, as a panicking Rust guest does."""
    return Behaviour("(loop $for_ever (br $for_ever)) (unreachable)")


def computes(rounds: int) -> Behaviour:
    """Count to ``rounds`` and go on with the next behaviour."""
    return Behaviour(
        f"""(local.set $n {_i32(rounds)})
        (loop $again (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $again (local.get $n)))"""
    )


def recurses() -> Behaviour:
    """Call itself until the stack is used up."""
    return Behaviour("(drop (call $deeper (i32.const 1))) (unreachable)")


def reads_outside() -> Behaviour:
    """Load from an address behind the end of the memory."""
    return Behaviour("(drop (i32.load (i32.const -16))) (unreachable)")


def divides_by_zero() -> Behaviour:
    """Divide by zero."""
    return Behaviour("(drop (i32.div_s (i32.const 1) (i32.sub (local.get $size) (local.get $size)))) (unreachable)")


def grows(pages: int | None = None) -> Behaviour:
    """Grow the memory by so many pages and touch the last; without a number go on until it is refused, then trap."""
    if pages is None:
        refused = "(i32.eq (memory.grow (i32.const 16)) (i32.const -1))"
        return Behaviour(f"(loop $more (br_if $more (i32.eqz {refused}))) (unreachable)")
    return Behaviour(
        f"""(if (i32.eq (memory.grow {_i32(pages)}) (i32.const -1)) (then (unreachable)))
        (i32.store (i32.sub (i32.mul (memory.size) (i32.const {PAGE_BYTES})) (i32.const 4)) (i32.const 1))"""
    )


def calls(target: Import | str, argument: Value | bytes | None = None) -> Behaviour:
    """Call a host function with a canned argument (default unit), trap unless it answers status 0, and go on.

    One parameter is passed bare, several as a tuple (pack-abi §5.2): give what the host is to receive.
    """
    name = target if isinstance(target, str) else target.name
    data = _bytes(tup() if argument is None else argument)
    slots = f"{_i32(SLOT_AT)} {_i32(SLOT_LEN)}"
    return Behaviour(
        f'(if (call $"{name}" (i32.const {{0}}) (i32.const {len(data)}) {slots}) (then (unreachable)))', (data,)
    )


def calls_with(target: Import | str, address: int, size: int) -> Behaviour:
    """Call a host function with an argument said to lie there, and go on."""
    name = target if isinstance(target, str) else target.name
    return Behaviour(f'(drop (call $"{name}" {_i32(address)} {_i32(size)} {_i32(SLOT_AT)} {_i32(SLOT_LEN)}))')


def calls_with_slots(target: Import | str, at: int, length: int, argument: Value | bytes | None = None) -> Behaviour:
    """Call a host function that is to leave its answer's address and length in these slots, and go on."""
    name = target if isinstance(target, str) else target.name
    data = _bytes(tup() if argument is None else argument)
    slots = f"{_i32(at)} {_i32(length)}"
    return Behaviour(f'(drop (call $"{name}" (i32.const {{0}}) (i32.const {len(data)}) {slots}))', (data,))


def returns_host_answer() -> Behaviour:
    """Answer with the bytes the last host call gave, unchanged."""
    return Behaviour(
        f"(return (call $answer (i32.load {_i32(SLOT_AT)}) (i32.load {_i32(SLOT_LEN)}) {_OUT} (i32.const 0)))"
    )


def responds_with_host_answer(state: Value, tag: bytes = b"\x06") -> Behaviour:
    """Answer ``ok((state, what the last host call gave))``, for answers of one node: a scalar, a string, unit.

    ``tag`` is the type tag of the answer, a string's by default.
    """
    stand_in = Value("string", tag, b"\x02\0\0\0??")
    whole = encode(ok(state, stand_in))
    cut = whole.rindex(b"\x06\0\0\0\x06\0\0\0\x02\0\0\0??")
    head, tail = whole[:cut], whole[cut + 14 :]
    return Behaviour(
        f"""(return (call $enclose (i32.const {{0}}) {_i32(len(head))} (i32.const {{1}}) {_i32(len(tail))}
          (i32.load {_i32(SLOT_AT)}) (i32.load {_i32(SLOT_LEN)}) {_OUT}))""",
        (head, tail),
    )


def passes_argument_on(target: Import | str) -> Behaviour:
    """Call a host function with the bytes that came in, and go on."""
    name = target if isinstance(target, str) else target.name
    slots = f"{_i32(SLOT_AT)} {_i32(SLOT_LEN)}"
    return Behaviour(f'(if (call $"{name}" (local.get $in) (local.get $size) {slots}) (then (unreachable)))')


def answers_large(size: int) -> Behaviour:
    """Answer ``ok((none, list<u8> of that many zero bytes))``."""
    whole = encode(ok(Value("option", b"\x0a\x07\x0c", b"\x07\x0c\x00"), Value("array", b"\x07\x0c", b"\x0c\0\0\0\0")))
    cut = whole.index(b"\x15\0\0\0\x05\0\0\0")  # the array node; what follows it is moved behind the zero bytes
    node = b"\x15\0\0\0" + (size + 5).to_bytes(4, "little") + b"\x0c" + size.to_bytes(4, "little")
    tail = whole[cut + 13 :]
    total = cut + 13 + size + len(tail)
    return Behaviour(
        f"""(local.set $n (call $alloc {_i32(total)}))
        (if (i32.eqz (local.get $n)) (then (unreachable)))
        (memory.copy (local.get $n) (i32.const {{0}}) {_i32(cut + 13)})
        (memory.copy (i32.add (local.get $n) {_i32(cut + 13 + size)}) (i32.const {{1}}) {_i32(len(tail))})
        (i32.store (local.get $at) (local.get $n)) (i32.store (local.get $len) {_i32(total)}) (return (i32.const 0))""",
        (whole[:cut] + node, tail),
    )


# --- functions and imports --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """An export: its full name, its signature as text (with the state), and what it does."""

    name: str
    signature: str
    does: Behaviour | Sequence[Behaviour]
    declared: bool = True  # False: exported, but missing from the metadata
    exported: bool = True  # False: in the metadata, but not exported

    @property
    def parsed(self) -> Signature:
        return parse_signature(self.signature)


@dataclass(frozen=True)
class Import:
    """A host function: full name and signature; ``declared`` False keeps it out of the metadata."""

    name: str
    signature: str
    declared: bool = True

    @property
    def parsed(self) -> Signature:
        return parse_signature(self.signature)


INIT = "theater:simple/actor.init"
RUNTIME, SUPERVISOR = "theater:simple/runtime", "theater:simple/supervisor"
LOG = Import(f"{RUNTIME}.log", "(msg: string)")
SELF = Import(f"{RUNTIME}.self", "() -> string")
SHUTDOWN = Import(f"{RUNTIME}.shutdown", "(data: option<list<u8>>) -> result<_, string>")
GET_CHAIN = Import(f"{RUNTIME}.get-chain", "() -> list<u8>")
SPAWN = Import(
    f"{SUPERVISOR}.spawn",
    "(manifest: string, init-state: option<value>, wasm-bytes: option<list<u8>>) -> result<string, string>",
)
LIST_CHILDREN = Import(f"{SUPERVISOR}.list-children", "() -> result<list<string>, string>")
STOP_CHILD = Import(f"{SUPERVISOR}.stop-child", "(child-id: string) -> result<_, string>")


def starts(state: Value, *before: Behaviour) -> Function:
    """An ``init`` that ignores what it is given, does what is listed, and begins with this state."""
    return Function(INIT, "(state: value) -> result<tuple<value>, string>", [*before, returns(ok(state))])


# --- the module -------------------------------------------------------------------------------------------------------


@dataclass
class _Canned:
    """The bytes of page 0, each piece at an address divisible by 16."""

    at: int = 1024
    pieces: list[str] = field(default_factory=list)

    def place(self, data: bytes) -> int:
        address, self.at = self.at, (self.at + len(data) + 31) & ~15
        escaped = "".join(f"\\{byte:02x}" for byte in data)
        self.pieces.append(f'(data (i32.const {address}) "{escaped}")')
        return address


def build(functions: Iterable[Function], imports: Iterable[Import] = (), **options: object) -> bytes:
    """The module as ``.wasm`` bytes; options as for ``source``."""
    return bytes(wasmtime.wat2wasm(source(functions, imports, **options)))  # type: ignore[arg-type]


def source(
    functions: Iterable[Function],
    imports: Iterable[Import] = (),
    *,
    types: bytes | None = None,
    metadata_status: int = 0,
    has_metadata: bool = True,
    hashes: bool = True,
    wrong_hashes: bool = False,
    memory: str = "exported",
    max_pages: int | None = None,
    alloc: str = "bump",
    free: bool = True,
    ctors: str | None = None,
    start: str | None = None,
    extra_imports: str = "",
    extra: str = "",
) -> str:
    """The module as WebAssembly text.

    types            these bytes instead of the metadata of the described functions
    metadata_status  what ``__pack_types`` returns
    has_metadata     False: no ``__pack_types``
    hashes           False: metadata of January 2026, without interface hashes; ``wrong_hashes``: all zero
    memory           ``exported``, ``private`` (there, but not exported) or ``imported`` (``env.memory``, an E3 member)
    max_pages        a maximum in the memory's type
    alloc            ``bump``, ``null`` (always out of memory), ``wild`` (an address outside), ``trap``, ``absent``
    free             False: no ``__pack_free``
    ctors, start     the body of ``__wasm_call_ctors`` / of the start function, as text
    extra_imports    more text among the imports; ``extra``: more text at the end
    """
    functions, imports, canned = list(functions), list(imports), _Canned()
    if types is None:
        types = metadata(
            [(it.name, it.parsed) for it in imports if it.declared],
            [(it.name, it.parsed) for it in functions if it.declared],
            hashes=hashes,
            wrong_hashes=wrong_hashes,
        )
    bodies = [_function(it, canned) for it in functions if it.exported]
    if has_metadata:
        bodies.append(_types(canned.place(types), len(types), metadata_status))
    heap = (canned.at + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES
    lines = [
        "(module",
        *[_import(it) for it in imports],
        extra_imports,
        _memory(memory, heap // PAGE_BYTES + 1, max_pages),
        f"(global $brk (mut i32) (i32.const {heap}))",
        *canned.pieces,
        _ALLOC,
        _alloc_export(alloc),
        '(func (export "__pack_free") (param i32 i32))' if free else "",
        f'(func (export "__wasm_call_ctors") {ctors})' if ctors is not None else "",
        f"(func $start {start}) (start $start)" if start is not None else "",
        _ANSWER,
        *bodies,
        extra,
        ")",
    ]
    return "\n".join(line for line in lines if line)


_OUT = "(local.get $at) (local.get $len)"
_NOT_A_SUM = b"expected (u32, u32)"
_SUM = encode(ok(Value("u32", b"\x0e", b"\0\0\0\0"), Value("u32", b"\x0e", b"\0\0\0\0")))

_ALLOC = """
(func $alloc (param $n i32) (result i32) (local $p i32)
  (local.set $p (global.get $brk))
  (global.set $brk (i32.and (i32.add (i32.add (local.get $p) (local.get $n)) (i32.const 15)) (i32.const -16)))
  (block $enough (loop $more
    (br_if $enough (i32.le_u (global.get $brk) (i32.mul (memory.size) (i32.const 65536))))
    (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (return (i32.const 0))))
    (br $more)))
  (local.get $p))"""

_ANSWER = """
(func $answer (param $from i32) (param $n i32) (param $at i32) (param $len i32) (param $status i32) (result i32)
  (local $to i32)
  (local.set $to (call $alloc (local.get $n)))
  (if (i32.eqz (local.get $to)) (then (unreachable)))
  (memory.copy (local.get $to) (local.get $from) (local.get $n))
  (i32.store (local.get $at) (local.get $to))
  (i32.store (local.get $len) (local.get $n))
  (local.get $status))
(func $enclose (param $head i32) (param $h i32) (param $tail i32) (param $t i32) (param $value i32) (param $v i32)
  (param $at i32) (param $len i32) (result i32)
  (local $to i32)
  (local.set $v (i32.sub (local.get $v) (i32.const 16)))  ;; without the header
  (i32.store (local.get $len) (i32.add (i32.add (local.get $h) (local.get $v)) (local.get $t)))
  (local.set $to (call $alloc (i32.load (local.get $len))))
  (if (i32.eqz (local.get $to)) (then (unreachable)))
  (i32.store (local.get $at) (local.get $to))
  (memory.copy (local.get $to) (local.get $head) (local.get $h))
  (local.set $to (i32.add (local.get $to) (local.get $h)))
  (memory.copy (local.get $to) (i32.add (local.get $value) (i32.const 16)) (local.get $v))
  (memory.copy (i32.add (local.get $to) (local.get $v)) (local.get $tail) (local.get $t))
  (i32.const 0))
(func $deeper (param $n i32) (result i32)
  (i32.add (call $deeper (i32.add (local.get $n) (i32.const 1))) (local.get $n)))"""


def _bytes(it: Value | bytes) -> bytes:
    return it if isinstance(it, bytes) else encode(it)


def _i32(number: int) -> str:
    return f"(i32.const {number})"


def _import(it: Import) -> str:
    interface, name = split_name(it.name)
    return f'(import "{interface}" "{name}" (func $"{it.name}" (param i32 i32 i32 i32) (result i32)))'


def _memory(kind: str, pages: int, most: int | None) -> str:
    limits = f"{pages} {most}" if most is not None else str(pages)
    return {
        "exported": f'(memory (export "memory") {limits})',
        "private": f"(memory {limits})",
        "imported": f'(import "env" "memory" (memory {limits}))',
    }[kind]


def _alloc_export(kind: str) -> str:
    return {
        "bump": '(export "__pack_alloc" (func $alloc))',
        "null": '(func (export "__pack_alloc") (param i32) (result i32) (i32.const 0))',
        "wild": '(func (export "__pack_alloc") (param i32) (result i32) (i32.const -65536))',
        "trap": '(func (export "__pack_alloc") (param i32) (result i32) (unreachable))',
        "absent": "",
    }[kind]


def _types(address: int, size: int, status: int) -> str:
    return f"""(func (export "__pack_types") (param $at i32) (param $len i32) (result i32)
  (i32.store (local.get $at) {_i32(address)}) (i32.store (local.get $len) {_i32(size)}) {_i32(status)})"""


def _function(it: Function, canned: _Canned) -> str:
    behaviours = [it.does] if isinstance(it.does, Behaviour) else list(it.does)
    code = "\n  ".join(_code(each, canned) for each in behaviours)
    return f'(func (export "{it.name}") {ABI} (local $n i32)\n  {code}\n  (unreachable))'


def _code(it: Behaviour, canned: _Canned) -> str:
    code = it.code
    for number, data in enumerate(it.canned):
        code = code.replace(f"{{{number}}}", str(canned.place(data)))
    return code
