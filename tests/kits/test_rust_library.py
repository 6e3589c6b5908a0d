"""``theater.rs``: what is Rust's own of what a guest built with it answers and refuses, its mistakes and its pages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

from supervisor.kits import clang, rustc, tools
from tests.guests import pack
from tests.guests.host import Guest
from tests.guests.pack import (
    Value,
    encode,
    octets,
    ok,
    result,
    s64,
    scalar,
    some,
    text,
    tup,
    u8,
    u32,
    u64,
    variant,
)
from tests.homes import new_home
from tests.kits.probing import PROBE, mixed
from tests.system.running import ROOT, RunningTree, running_tree
from theater import metadata
from theater.errors import TheaterError

HERE = Path(__file__).parent
BYTES_MAX = 120_000

pytestmark = pytest.mark.skipif(rustc.compiler() is None, reason=rustc.MISSING)


@pytest.fixture
def probe(rust_probe: bytes) -> Guest:
    return Guest(rust_probe)


def test_module_is_small(rust_probe: bytes) -> None:
    """A guest is some tens of kilobytes."""
    assert len(rust_probe) <= BYTES_MAX


def test_numbers_of_another_width_are_converted(probe: Guest) -> None:
    """Items of a list, too."""
    other = Value("array", b"\x07\x03", b"\x03\x01\0\0\0" + (-7).to_bytes(8, "little", signed=True))

    assert (0, encode(ok(u8(0), s64(-7)))) == probe.call(PROBE + "sum", u8(0), other)


def test_anything_is_made_and_read(probe: Guest) -> None:
    """From Rust values and to them; what it is not is an error with the place."""
    made = tup(text("text"), octets(bytes([1, 2, 3])), some(pack.boolean(True)))
    answer = result(True, tup(u8(1), made), b"\x0b\x02\0\0\0\x0c" + tup().tag, b"\x06")
    declined = result(False, text("expected u32, found string"), b"\x0b\x02\0\0\0\x0c\x0e", b"\x06")

    assert (0, encode(answer)) == probe.call(PROBE + "made", u8(1))
    assert (0, encode(ok(u8(1), u32(9)))) == probe.call(PROBE + "read", u8(1), u64(9))
    assert (0, encode(declined)) == probe.call(PROBE + "read", u8(1), text("9"))


def test_state_changes_only_on_success(probe: Guest) -> None:
    """What is done to the state before an error is forgotten, because only an answer carries a state."""
    unit = tup(u8(0)).tag
    declined = result(False, text("too large"), unit, b"\x06")

    assert (0, encode(ok(u8(5)))) == probe.call(PROBE + "grow-state", u8(2), u8(3))
    assert (0, encode(declined)) == probe.call(PROBE + "grow-state", u8(200), u8(3))


@pytest.mark.parametrize(
    ("function", "items", "message"),
    [
        (PROBE + "grow-state", [u8(0), u64(256)], "grow-state: by-much: expected u8, found u64"),
        (PROBE + "shape", [u8(0), variant("", "line", 1)], "shape: it.line: expected a payload"),
        (PROBE + "shape", [u8(0), variant("", "line", 1, text(""))], "shape: it.line: expected s16, found string"),
        (PROBE + "all", [u8(0), tup(u8(0))], "all: it: expected 7 items, found 1"),
        (PROBE + "all", [u8(0), tup(*[u8(0)] * 7)], "all: it[1]: expected list, found u8"),
    ],
)
def test_refusals_say_what_was_expected(probe: Guest, function: str, items: list[Value], message: str) -> None:
    """What does not fit the declared types is answered with status -1 and a message naming the place."""
    assert (-1, message.encode()) == probe.call(function, *items)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"z": scalar("f64", 0), "a": scalar("char", 65), "b": scalar("flags", 0)}, ": the field c is missing"),
        ({"z": text("")}, ".z: expected f64, found string"),
        ({key: pack.boolean(True) for key in "zabc"} | {"z": scalar("f64", 0)}, ".a: expected char, found bool"),
    ],
)
def test_refusals_of_records(probe: Guest, fields: dict[str, Value], message: str) -> None:
    """A field that is missing or of another type is named."""
    given = mixed(u8(0))
    items = tup(*given.children[:5], pack.record("", **fields), given.children[6])

    assert (-1, f"all: it[5]{message}".encode()) == probe.call(PROBE + "all", u8(0), items)


def nested(levels: int) -> bytes:
    """The input (1, t) where t is that many 1-tuples, one in the other."""
    tuples = [b"\x0b\0\0\0\x08\0\0\0\x01\0\0\0" + at.to_bytes(4, "little") for at in range(levels)]
    both = b"\x0b\0\0\0\x0c\0\0\0\x02\0\0\0" + b"".join(it.to_bytes(4, "little") for it in (0, levels))
    nodes = [b"\x0c\0\0\0\x01\0\0\0\x01", *tuples, both]
    header = b"CGRF\x02\0\0\0" + b"".join(it.to_bytes(4, "little") for it in (len(nodes), len(nodes) - 1))
    return header + b"".join(nodes)


def test_values_may_be_deep(probe: Guest) -> None:
    """Some 500 levels are read and written; more are refused, and none is a trap."""
    assert [probe.call(PROBE + "anything", nested(levels))[0] for levels in (1, 490, 510, 20_000)] == [0, 0, -1, -1]


def test_a_panic_is_logged_and_ends_the_guest(probe: Guest) -> None:
    """The log tells what and where, without the machine's paths; the trap is the end."""
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        probe.call(PROBE + "panics", u8(0), text("I can"))

    (line,) = probe.calls
    assert line[0] == "theater:simple/runtime.log"
    assert b"because I can" in line[1]
    assert b"probe.rs:" in line[1]
    assert str(HERE).encode() not in line[1]


# -- the host ----------------------------------------------------------------------------------------------------------

TREE = """
version: 1
name: asking
children:
  - id: asking
    actor: asking.wasm
    restart: transient
    grants: {runtime: {}, supervisor: {}}
"""
CHILD = """
name = "child"
package = "probe.wasm"
[grants.runtime]
"""


@pytest.fixture(scope="module")
def asking(rust_probe: bytes) -> Iterator[RunningTree]:
    with new_home() as home:
        rustc.build(HERE / "asking.rs", home / "asking.wasm")
        (home / "probe.wasm").write_bytes(rust_probe)
        (home / "child.toml").write_text(CHILD)
        with running_tree(home, TREE) as tree:
            yield tree


def test_host_functions_have_the_hosts_types(asking: RunningTree) -> None:
    """Hashes of every declared import are the host's: the tree started, and check finds nothing."""
    assert asking.cli("check", "tree.yaml") is not None
    assert len(asking.actor("/asking").call("who")) == 36


def test_children_are_started_asked_and_restarted(asking: RunningTree) -> None:
    """spawn, list-children, get-child-state, restart-child, get-child-events and log, from Rust."""
    actor = asking.actor("/asking")
    child = actor.call("start", (str(asking.home / "child.toml"), 7))

    assert actor.call("children") == [child]
    assert actor.call("state", (child,)) == 7
    actor.call("again", (child,))
    assert actor.call("state", (child,)) == 7
    assert actor.call("events", (child,)) > 0
    with pytest.raises(TheaterError, match="nobody"):
        actor.call("state", ("nobody",))


# -- what the documentation shows --------------------------------------------------------------------------------------


def shown(page: str, prefix: str = "") -> str:
    """The first block of Rust on a page."""
    pattern = rf"^{prefix}```(?:rust|ignore)\n(.*?)^{prefix}```"
    found = re.search(pattern, (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return re.sub(f"^{prefix.rstrip()} ?", "", found[1], flags=re.MULTILINE) if prefix else found[1]


@pytest.mark.parametrize(
    ("page", "prefix"),
    [("supervisor/kits/rust/README.md", ""), ("supervisor/kits/rust/theater.rs", "//! "), ("docs/actors.md", "")],
)
def test_what_is_shown_builds(tmp_path: Path, page: str, prefix: str) -> None:
    """And declares what it says."""
    source = tmp_path / "shown.rs"
    source.write_text(shown(page, prefix))
    declared = metadata.decode(Guest(rustc.build(source).read_bytes()).types())
    (own,) = (it for it in declared.exports if it.name != "init")

    assert own.full_name in ("example:counter/api.add", "example:tally/api.hear")


@pytest.mark.skipif(clang.compiler() is None, reason=clang.MISSING)
def test_the_tally_in_c_and_in_rust_are_one(tmp_path: Path) -> None:
    """docs/actors.md: the same interfaces with the same hashes, imports too."""
    (tmp_path / "rust.rs").write_text(shown("docs/actors.md"))
    in_c = re.search(r"^```c\n(.*?)^```", (ROOT / "docs/actors.md").read_text(), re.DOTALL | re.MULTILINE)
    assert in_c is not None
    (tmp_path / "c.c").write_text(in_c[1])
    packages = (rustc.build(tmp_path / "rust.rs"), clang.build(tmp_path / "c.c"))

    assert len({Guest(it.read_bytes()).types() for it in packages}) == 1


# -- mistakes ----------------------------------------------------------------------------------------------------------

INIT = "#[init] fn init(given: Option<u8>) -> Result<u8, String> { Ok(given.unwrap_or(0)) }"
MISTAKES = [
    ("", "expected #[init] fn init"),
    (f"{INIT} fn plain() {{}}", "actor!: expected `use host::log;`"),
    (f"{INIT} use host::nothing;", "actor!: expected `use host::log;`"),
    (f"{INIT} {INIT}", "actor!: expected `use host::log;`"),
    (f'{INIT} #[export("a:b/c", "d")] fn d(state: &u8) -> u8 {{ 1 }}', "Answer"),
    (f'{INIT} #[export("a:b/c", "d")] fn d(state: &u16) -> Result<(), String> {{ Ok(()) }}', "mismatched types"),
    (f'{INIT} #[export("a:b/c", "d")] fn d(state: &u8, a: usize) -> Result<(), String> {{ Ok(()) }}', "usize"),
]


@pytest.mark.parametrize(("items", "said"), MISTAKES)
def test_mistakes_in_declarations_are_told(tmp_path: Path, items: str, said: str) -> None:
    """What actor! does not understand, and what has no type of WIT, is an error of the compiler that says so."""
    source = tmp_path / "wrong.rs"
    source.write_text(f"theater::actor! {{ {items} }}")

    with pytest.raises(tools.KitError, match=r"rustc says") as caught:
        rustc.build(source)
    assert said in str(caught.value)


def test_library_has_no_warnings(tmp_path: Path) -> None:
    """Neither has what its macros make in an actor."""
    library = tmp_path / "libtheater.rlib"
    compiler = rustc.compiler()
    assert compiler is not None
    for arguments in (
        rustc.library_arguments(str(library)),
        rustc.arguments(HERE / "probe.rs", str(library), tmp_path / "probe.wasm"),
        rustc.arguments(HERE / "asking.rs", str(library), tmp_path / "asking.wasm"),
    ):
        command = [compiler, *arguments, "-D", "warnings"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
