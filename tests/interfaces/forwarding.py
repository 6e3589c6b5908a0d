"""A guest through which a test calls any host function of a real worker with any value, and sees the very answer."""

from __future__ import annotations

from typing import Any

from tests.guests import wat
from tests.guests.pack import encode, octets, ok, tup, u32
from theater import cgrf
from theater.values import Result, Value
from worker.interfaces.registry import known

SIGNATURE = "(state: u32, input: list<u8>) -> result<tuple<u32, list<u8>>, string>"
API = "test:forward"
_MARK = b"the bytes"


def guest(interface: str) -> bytes:
    """A module that exports ``test:forward/INTERFACE.FUNCTION`` for every function of a host interface.

    Each takes an encoded value, calls the function with it, and answers with what came back.
    """
    declared = known()[interface].functions
    imports = [
        wat.Import(f"{interface}.{each.name}", each.variants[0].signature.removeprefix("func")) for each in declared
    ]
    functions = [wat.Function(exported(each.name), SIGNATURE, forwards(each)) for each in imports]
    return wat.build(functions=[wat.starts(u32(0)), *functions], imports=imports)


def exported(name: str) -> str:
    """The guest's function that stands for a host function (full name)."""
    interface, function = name.rsplit(".", 1)
    return f"{API}/{interface.rsplit('/', 1)[1]}.{function}"


def call(actor: Any, interface: str, function: str, data: Value) -> Any:
    """Call a host function through the guest; the answer as a value."""
    answer = actor.call(exported(f"{interface}.{function}"), (cgrf.encode(data),))
    found = cgrf.decode(bytes(answer))
    return found.value if isinstance(found, Result) and found.is_ok else found


def forwards(target: wat.Import) -> wat.Behaviour:
    """Take the bytes out of the input ``(u32, list<u8>)``, and put the answer's bytes into the output."""
    at = encode(tup(u32(0), octets(_MARK))).index(_MARK)
    whole = encode(ok(u32(0), octets(_MARK)))
    head, _, tail = whole.partition(_MARK)
    slots = f"(i32.const {wat.SLOT_AT}) (i32.const {wat.SLOT_LEN})"
    answer, size = f"(i32.load (i32.const {wat.SLOT_AT}))", f"(i32.load (i32.const {wat.SLOT_LEN}))"
    return wat.Behaviour(
        f"""(if (call $"{target.name}" (i32.add (local.get $in) (i32.const {at}))
              (i32.load (i32.add (local.get $in) (i32.const {at - 4}))) {slots}) (then (unreachable)))
        (i32.store (i32.add (i32.const {{0}}) (i32.const {len(head) - 4})) {size})
        (i32.store (i32.add (i32.const {{0}}) (i32.const {len(head) - 9})) (i32.add {size} (i32.const 5)))
        (return (call $enclose (i32.const {{0}}) (i32.const {len(head)}) (i32.const {{1}}) (i32.const {len(tail)})
          (i32.sub {answer} (i32.const 16)) (i32.add {size} (i32.const 16)) (local.get $at) (local.get $len)))""",
        (head, tail),
    )


