"""A guest that links and monitors: its state is the reference of its last monitor, its chain tells what it was told."""

from __future__ import annotations

from functools import cache

from tests.guests import wat
from tests.guests.pack import Value, boolean, encode, none, ok, result, text, tup, u64

LINKS = "theater:simple/links"
CLIENT = "theater:simple/links-client"
API = "test:links/api"
PLAIN = "(state: u64) -> result<tuple<u64, u64>, string>"
MARK = 0x1122334455667788

LINK = wat.Import(f"{LINKS}.link", "(actor: string) -> result<string, string>")
UNLINK = wat.Import(f"{LINKS}.unlink", "(actor: string) -> result<_, string>")
MONITOR = wat.Import(f"{LINKS}.monitor", "(actor: string) -> result<u64, string>")
DEMONITOR = wat.Import(f"{LINKS}.demonitor", "(ref: u64, flush: bool) -> result<bool, string>")
TRAP_EXIT = wat.Import(f"{LINKS}.trap-exit", "(trap: bool) -> result<bool, string>")
EXIT = wat.Import(f"{LINKS}.exit", "(actor: string, reason: string) -> result<_, string>")
SPAWN_LINK = wat.Import(
    f"{LINKS}.spawn-link",
    "(manifest: string, init-state: option<value>, wasm-bytes: option<list<u8>>) -> result<string, string>",
)
IMPORTS = [LINK, UNLINK, MONITOR, DEMONITOR, TRAP_EXIT, EXIT, SPAWN_LINK]


def _places(value: Value) -> list[int]:
    """Where the mark stands in an encoded value."""
    data, found = encode(value), []
    at = data.find(MARK.to_bytes(8, "little"))
    while at >= 0:
        found.append(at)
        at = data.find(MARK.to_bytes(8, "little"), at + 1)
    return found


def _keeps(source: str, given: int) -> wat.Behaviour:
    """Answer ``ok((n, n))`` with the u64 found at ``source`` + ``given``."""
    whole = ok(u64(MARK), u64(MARK))
    stores = "\n".join(
        f"(i64.store offset={at} (i32.const {{0}}) (i64.load offset={given} {source}))" for at in _places(whole)
    )
    data = encode(whole)
    out = "(local.get $at) (local.get $len)"
    answer = f"(return (call $answer (i32.const {{0}}) (i32.const {len(data)}) {out} (i32.const 0)))"
    return wat.Behaviour(f"{stores}\n{answer}", (data,))


def keeps_state(*params: Value) -> wat.Behaviour:
    """Answer with the state as it was; ``params`` stand for the parameters after it."""
    return _keeps("(local.get $in)", _places(tup(u64(MARK), *params))[0])


def keeps_answer() -> wat.Behaviour:
    """The new state is the u64 that the last host call gave."""
    answer = result(True, u64(MARK), b"\x06", b"\x06")
    return _keeps(f"(i32.load (i32.const {wat.SLOT_AT}))", _places(answer)[0])


def _does(name: str, *what: wat.Behaviour) -> wat.Function:
    return wat.Function(f"{API}.{name}", PLAIN, [*what, keeps_state()])


def _answers(name: str, target: wat.Import, argument: Value) -> wat.Function:
    """Answer with what the host answers, as it is: its error is the function's error, its ok no good answer."""
    return wat.Function(f"{API}.{name}", PLAIN, [wat.calls(target, argument), wat.returns_host_answer()])


@cache
def linker(other: str = "/b") -> bytes:
    """Knows one other actor by its path."""
    there = text(other)
    reasons = ("normal", "shutdown", "kill", "boom")
    return wat.build(
        functions=[
            wat.starts(u64(0)),
            _does("link", wat.calls(LINK, there)),
            _does("unlink", wat.calls(UNLINK, there)),
            wat.Function(f"{API}.monitor", PLAIN, [wat.calls(MONITOR, there), keeps_answer()]),
            wat.Function(
                f"{API}.demonitor",
                "(state: u64, flush: bool) -> result<tuple<u64, u64>, string>",
                [wat.passes_argument_on(DEMONITOR), keeps_state(boolean(True))],
            ),
            wat.Function(
                f"{API}.late",
                "(state: u64, flush: bool) -> result<tuple<u64, u64>, string>",
                [wat.computes(1_500_000_000), wat.passes_argument_on(DEMONITOR), keeps_state(boolean(True))],
            ),
            _does("trap", wat.calls(TRAP_EXIT, boolean(True))),
            _does("untrap", wat.calls(TRAP_EXIT, boolean(False))),
            *(_does(f"exit-{reason}", wat.calls(EXIT, tup(there, text(reason)))) for reason in reasons),
            *(_answers(f"try-{name}", target, there) for name, target in (("link", LINK), ("monitor", MONITOR))),
            _answers("try-exit", EXIT, tup(there, text("kill"))),
            _does("spawn", wat.calls(SPAWN_LINK, tup(text("child.toml"), none(), none()))),
            _answers("try-spawn", SPAWN_LINK, tup(text("child.toml"), none(), none())),
            _does("get"),
            wat.Function(f"{API}.crash", PLAIN, wat.traps()),
            wat.Function(
                f"{CLIENT}.handle-exit",
                "(state: u64, from: string, reason: string) -> result<tuple<u64>, string>",
                keeps_only_state(text("x"), text("y")),
            ),
            wat.Function(
                f"{CLIENT}.handle-down",
                "(state: u64, ref: u64, actor: string, reason: string) -> result<tuple<u64>, string>",
                keeps_only_state(u64(1), text("x"), text("y")),
            ),
        ],
        imports=IMPORTS,
    )


def keeps_only_state(*params: Value) -> wat.Behaviour:
    """Answer ``ok((state,))``."""
    data = encode(ok(u64(MARK)))
    (at,) = _places(ok(u64(MARK)))
    given = _places(tup(u64(MARK), *params))[0]
    out = "(local.get $at) (local.get $len)"
    return wat.Behaviour(
        f"(i64.store offset={at} (i32.const {{0}}) (i64.load offset={given} (local.get $in)))"
        f"(return (call $answer (i32.const {{0}}) (i32.const {len(data)}) {out} (i32.const 0)))",
        (data,),
    )
