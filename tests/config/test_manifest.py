"""Actor manifests: Theater's TOML, the same keys in YAML, and what a tree puts over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.conftest import Desk
from theater.actor import RUNTIME, SUPERVISOR, ActorOptions, ActorSpec, Supervision
from theater.config import ConfigError, load_manifest, parse_manifest
from theater.config.limits import MANIFEST_TEXT_BYTES_MAX
from theater.grants import SHORT_NAMES

TOML = """\
name = "chat"
version = "0.1.0"
description = "Talks."
package = "./a.wasm"
initial_state = '{"n": 1}'
save_chain = true

[[handler]]
type = "runtime"

[[handler]]
type = "supervisor"

[limits]
memory = "1MiB"
call_deadline = "none"

[abi]
nested_params = true

[supervision]
restart = "transient"
shutdown = "2s"
strategy = "rest_for_one"
intensity = 4
period = "1m"
state_on_restart = "initial"
"""

YAML = """\
name: chat
version: 0.1.0
package: a.wasm
initial_state: '{"n": 1}'
grants: {runtime: {}, supervisor: {}}
limits: {memory: 1MiB, call_deadline: none}
abi: {nested_params: true}
supervision:
  restart: transient
  shutdown: 2s
  strategy: rest_for_one
  intensity: 4
  period: 1m
  state_on_restart: initial
"""


def minimal(extra: str = "") -> str:
    return f'name = "x"\npackage = "a.wasm"\n{extra}'


def test_theater_toml(desk: Desk) -> None:
    """A manifest in Theater's form, with our sections, is read completely."""
    spec = load_manifest(desk.write("actor.toml", TOML))

    assert (spec.name, spec.version, spec.package) == ("chat", "0.1.0", str(desk.path / "a.wasm"))
    assert (spec.state_kind, spec.state) == ("text", '{"n": 1}')
    assert spec.grants == {RUNTIME: {}, SUPERVISOR: {}}
    assert spec.options == ActorOptions(
        memory_bytes=1 << 20, call_deadline_ms=None, nested_params=True, shutdown_ms=2_000
    )
    assert spec.supervision == Supervision(
        restart="transient",
        shutdown=2_000,
        strategy="rest_for_one",
        intensity=4,
        period_ms=60_000,
        state_on_restart="initial",
    )
    assert (spec.origin, spec.base_dir) == ("actor.toml:1", str(desk.path))


def test_yaml_is_the_same(desk: Desk) -> None:
    """The same keys in YAML declare the same actor, with the same digest."""
    toml = load_manifest(desk.write("actor.toml", TOML))
    yaml = load_manifest(desk.write("actor.yaml", YAML))

    assert toml.manifest_digest == yaml.manifest_digest
    assert len(yaml.manifest_digest) == 64


def test_minimal(desk: Desk) -> None:
    """Name and package are enough."""
    spec = load_manifest(desk.write("actor.toml", minimal()))

    assert (spec.grants, spec.state_kind, spec.options, spec.supervision) == (
        {},
        "none",
        ActorOptions(),
        Supervision(),
    )


@pytest.mark.parametrize(
    "extra",
    [
        '[[handlers]]\ntype = "runtime"\n',
        '[[handler]]\ntype = "theater:simple/runtime"\n',
        "[handlers]\nruntime = {}\n",
        "[handlers.runtime]\n",
        "[grants.runtime]\n",
        'handler = [{type = "runtime"}]\n',
    ],
)
def test_forms_of_grants(desk: Desk, extra: str) -> None:
    """Every form in which grants may be written means the same."""
    assert load_manifest(desk.write("actor.toml", minimal(extra))).grants == {RUNTIME: {}}


def test_pinned_package(desk: Desk) -> None:
    """A package may be given with the digest it must have."""
    text = f'name = "x"\npackage = {{path = "a.wasm", sha256 = "{"AB" * 32}"}}\n'

    spec = load_manifest(desk.write("actor.toml", text))

    assert (spec.package, spec.sha256) == (str(desk.path / "a.wasm"), "ab" * 32)


def test_plain_state(desk: Desk) -> None:
    """state is plain data, as in a tree."""
    spec = load_manifest(desk.write("actor.toml", minimal("[state]\ncount = 3\nnames = ['a']\n")))

    assert (spec.state_kind, spec.state) == ("plain", {"count": 3, "names": ["a"]})


def test_package_is_relative_to_the_manifest(desk: Desk) -> None:
    """A manifest in another directory finds its package beside itself."""
    (desk.path / "lib").mkdir()
    desk.write("lib/c.wasm", "")
    desk.write("lib/actor.toml", 'name = "x"\npackage = "c.wasm"\n')

    tree = desk.tree("version: 1\nchildren: [{id: x, actor: lib/actor.toml}]\n")

    spec = tree.spec.children[0].actor
    assert isinstance(spec, ActorSpec)
    assert (spec.package, spec.base_dir) == (str(desk.path / "lib/c.wasm"), str(desk.path / "lib"))
    assert tree.files == (tree.path, str(desk.path / "lib/actor.toml"))


def test_tree_over_manifest(desk: Desk) -> None:
    """A tree's keys win: limits and switches one by one, state and grants as a whole."""
    desk.write("actor.toml", TOML)
    text = (
        "version: 1\nchildren:\n  - id: x\n    actor: actor.toml\n    restart: temporary\n"
        "    state: {n: 2}\n    grants: {runtime: {}}\n    limits: {memory: 2MiB}\n"
    )

    child = desk.tree(text).spec.children[0]

    assert (child.restart, child.shutdown) == ("temporary", 2_000)
    assert isinstance(child.actor, ActorSpec)
    assert (child.actor.name, child.actor.state_kind, child.actor.state) == ("chat", "plain", {"n": 2})
    assert child.actor.grants == {RUNTIME: {}}
    assert (child.actor.options.memory_bytes, child.actor.options.call_deadline_ms) == (2 << 20, None)
    assert (child.actor.supervision.restart, child.actor.supervision.intensity) == ("temporary", 4)
    assert child.actor.origin == "tree.yaml:3"


def test_a_tree_child_is_permanent_unless_its_manifest_says_so(desk: Desk) -> None:
    """The default of spawned children, temporary, does not leak into trees."""
    desk.write("plain.toml", minimal())
    desk.write("said.toml", minimal('[supervision]\nrestart = "transient"\n'))

    tree = desk.tree("version: 1\nchildren: [{id: a, actor: plain.toml}, {id: b, actor: said.toml}]\n")

    assert [child.restart for child in tree.spec.children] == ["permanent", "transient"]


ERRORS = [
    ('package = "a.wasm"', "1:1: expected the key name, found none"),
    ('name = "x"', "1:1: expected the key package, found none"),
    ('name = "x"\npackage = "a.toml"', '2:11: package: expected a package (.wasm or .wat), found "a.toml"'),
    ('name = "x"\npackage = 1', "2:11: package: expected a package (.wasm or .wat), found the number 1"),
    ('name = "x"\npackage = {x-why = 1}', "2:11: package: expected the key path, found none"),
    (
        'name = "x"\ncomponent = "a.wasm"\npackage = "a.wasm"',
        "2:1: component: expected package, found Theater's older name for it, component",
    ),
    (
        minimal("version = 1.0"),
        "3:11: version: expected a text, found the number 1.0 (quotes make it a text)",
    ),
    (
        minimal("initial_state = 1"),
        "3:17: initial_state: expected a text, found the number 1 (quotes make it a text)",
    ),
    (
        minimal('initial_state = "a"\nstate = "b"'),
        "3:1: initial_state: expected state or initial_state, found both",
    ),
    (minimal("save_chain = false"), "3:14: save_chain: expected true (chains are always kept), found false"),
    (
        minimal('[[handler]]\ntype = "runtim"'),
        f"4:8: handler[0].type: expected a known host interface ({', '.join(SHORT_NAMES)}), found \"runtim\"; "
        "did you mean runtime?",
    ),
    (
        minimal('[[handler]]\ntype = "runtime"\n[[handler]]\ntype = "runtime"'),
        "6:8: handler[1].type: expected each interface once, found theater:simple/runtime again",
    ),
    (
        minimal('[[handler]]\nkind = "runtime"'),
        '3:3: handler[0]: expected a handler with its type, such as {type = "runtime"}, found none',
    ),
    (
        minimal('[[handler]]\ntype = "runtime"\nlevel = 3'),
        '5:1: handler[0].level: expected a known key, found "level"',
    ),
    (
        minimal('[grants.runtime]\n[[handler]]\ntype = "runtime"'),
        "3:2: grants: expected each interface once, found theater:simple/runtime again",
    ),
    (
        minimal("[limits]\nmemory = 65536"),
        "4:10: limits.memory: expected a size with its unit, such as 64KiB, 64MiB or 1GiB, "
        "found the number 65536 without a unit",
    ),
    (
        minimal("state = [1, 1979-05-27]"),
        "3:13: state[1]: expected data without dates, found a date (quotes make it a text)",
    ),
    (
        minimal('[supervision]\nstrategy = "simple_one_for_one"'),
        "4:12: supervision.strategy: expected one_for_one, one_for_all or rest_for_one, "
        'found "simple_one_for_one"; did you mean one_for_one?',
    ),
    (minimal("a.b.c = 1"), '3:1: a: expected a known key, found "a"'),
    (minimal("x = ]"), "3:5: expected TOML, found a fault: invalid value"),
    (minimal("x = '"), '3:6: expected TOML, found a fault: expected "\'"'),
    (minimal("x = " + "9" * 5000), "1:1: expected numbers of at most 100 digits, found a longer one"),
    (minimal("x = " + "[" * 500 + "]" * 500), "3:78: expected at most 72 levels of nesting, found more"),
    (minimal(".".join("a" * 20_000) + " = 1"), "3:66: expected a key of at most 32 parts, found more"),
]


@pytest.mark.parametrize(("text", "line"), ERRORS, ids=[line[:60] for _, line in ERRORS])
def test_errors(desk: Desk, text: str, line: str) -> None:
    """Each mistake in a TOML manifest is told at its line and column."""
    assert desk.manifest_problems(text) == [f"actor.toml:{line}"]


def test_two_digests(desk: Desk) -> None:
    """A digest beside the package and another one within it is one too many."""
    digest = "ab" * 32
    text = f'name = "x"\nsha256 = "{digest}"\npackage = {{path = "a.wasm", sha256 = "{digest}"}}\n'

    assert desk.manifest_problems(text) == ["actor.toml:2:1: sha256: expected one digest, found another one in package"]


def test_repeated_toml_keys(desk: Desk) -> None:
    """All repeated keys of a TOML file are told, tables and inline tables included."""
    text = 'name = "x"\nname = "y"\nstate = {a = 1, a = 2}\n[limits]\n[abi]\n[limits]\n'

    assert [line.split(": expected")[0] for line in desk.manifest_problems(text)] == [
        "actor.toml:2:1: name",
        "actor.toml:3:17: state.a",
        "actor.toml:6:2: limits",
    ]


def test_unknown_ending(desk: Desk) -> None:
    """Only files called manifests are opened as manifests."""
    with pytest.raises(ConfigError, match="expected a manifest"):
        load_manifest("/etc/passwd")


class TestGivenByAGuest:
    """parse_manifest: text that comes out of a sandbox."""

    def test_toml_text(self, desk: Desk) -> None:
        """A guest hands over a manifest as text; its paths are relative to the given directory."""
        spec = parse_manifest(TOML, str(desk.path), "manifest given by /dynamic")

        assert (spec.name, spec.package) == ("chat", str(desk.path / "a.wasm"))
        assert (spec.origin, spec.base_dir) == ("manifest given by /dynamic", str(desk.path))

    def test_path(self, desk: Desk) -> None:
        """A guest names a manifest file."""
        desk.write("actor.toml", TOML)

        assert parse_manifest("actor.toml", str(desk.path), "x").name == "chat"

    def test_errors_name_the_giver(self, desk: Desk) -> None:
        """Problems carry the origin as the file."""
        with pytest.raises(
            ConfigError, match=r"^manifest given by /dynamic:1:1: expected the key package, found none$"
        ):
            parse_manifest('name = "x"', str(desk.path), "manifest given by /dynamic")

    def test_no_variables(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """A guest cannot read the environment of the supervisor through a manifest."""
        monkeypatch.setenv("SECRET", "hunter2")

        spec = parse_manifest(minimal('initial_state = "${SECRET} $$"'), str(desk.path), "x")

        assert spec.state == "${SECRET} $$"

    def test_package_by_hand(self, desk: Desk) -> None:
        """A guest that hands over the package itself need not name one that exists."""
        assert parse_manifest('name = "x"', str(desk.path), "x", package_needed=False).package == ""
        gone = parse_manifest('name = "x"\npackage = "gone.wasm"', str(desk.path), "x", package_needed=False)
        assert gone.package == str(desk.path / "gone.wasm")

    @pytest.mark.parametrize(
        "text", ["", "   ", "x.exe", "\0", "\ud800 = 1", "name", "=" * 100, "none.toml", "\n".join("a" * 10)]
    )
    def test_rubbish(self, desk: Desk, text: str) -> None:
        """Rubbish is a ConfigError."""
        with pytest.raises(ConfigError):
            parse_manifest(text, str(desk.path), "x")

    def test_too_long(self, desk: Desk) -> None:
        """The text is bounded."""
        with pytest.raises(ConfigError, match="bytes of manifest, found"):
            parse_manifest(minimal("#" * MANIFEST_TEXT_BYTES_MAX), str(desk.path), "x")


def test_place_of_everything_in_toml() -> None:
    """Lines and columns of keys and values, in tables, arrays of tables, dotted keys and long strings."""
    from theater.config.toml_places import Scanner

    text = (
        'a = """\nx\\"" y\n"""\n'
        "b.'c d'.\"e\\u0041\" = [ 1, # comment ]\n  {k = 'v'} ]\n"
        "[[h]]\nt = 1\n[h.sub]\nu = 2\n[[h]]\n  t = 1979-05-27 07:32:00\n"
    )
    places = Scanner(text).run().places

    assert places[("a",)] == (1, 1, 1, 5)
    assert places[("b", "c d", "eA")][:2] == (4, 9)
    assert places[("b", "c d", "eA", 0)][2:] == (4, 23)
    assert places[("b", "c d", "eA", 1, "k")] == (5, 4, 5, 8)
    assert places[("h", 0, "t")] == (7, 1, 7, 5)
    assert places[("h", 0, "sub", "u")] == (9, 1, 9, 5)
    assert places[("h", 1, "t")] == (11, 3, 11, 7)


def test_manifest_path_may_be_a_path(desk: Desk) -> None:
    """load_manifest takes a Path."""
    desk.write("actor.toml", TOML)

    assert load_manifest(Path("actor.toml")).name == "chat"
