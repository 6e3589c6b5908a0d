"""What a good tree becomes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.config.conftest import Desk
from theater.actor import RUNTIME, SUPERVISOR, ActorOptions, ActorSpec
from theater.config import ConfigError, load_tree
from theater.spec import Backoff, ChildSpec, SupervisorSpec

DESIGN = """\
version: 1
name: fleet
strategy: one_for_one
intensity: 3
period: 10s
children:
  - id: counter
    actor: b.wat
    restart: permanent
    shutdown: 5s
    state: {count: 0}
    grants: {runtime: {}, supervisor: {}}
    limits: {memory: 64MiB, call_deadline: 30s}
    recover: initial
  - id: agents
    supervisor:
      strategy: rest_for_one
      children: [{id: one, actor: a.wasm}]
  - id: sessions
    supervisor:
      strategy: simple_one_for_one
      child: {id: session, actor: a.wasm, restart: temporary}
"""


def child(desk: Desk, text: str) -> ChildSpec:
    """The only child of a tree, given as a flow mapping."""
    return desk.tree(f"version: 1\nauto_shutdown: any_significant\nchildren:\n  - {text}\n").spec.children[0]


def actor(desk: Desk, text: str) -> ActorSpec:
    """The actor of the only child, whose other keys are given."""
    spec = child(desk, f"{{id: x, actor: a.wasm, {text}}}").actor
    assert isinstance(spec, ActorSpec)
    return spec


def test_design_example(desk: Desk) -> None:
    """The example of the design document loads into the tree it describes."""
    tree = desk.tree(DESIGN)

    assert tree.name == "fleet"
    assert (tree.spec.strategy, tree.spec.intensity, tree.spec.period_ms) == ("one_for_one", 3, 10_000)
    assert [c.id for c in tree.spec.children] == ["counter", "agents", "sessions"]
    counter, agents, sessions = tree.spec.children
    assert (counter.restart, counter.shutdown) == ("permanent", 5_000)
    assert agents.supervisor is not None and agents.supervisor.strategy == "rest_for_one"
    assert sessions.supervisor is not None
    assert [c.restart for c in sessions.supervisor.children] == ["temporary"]


def test_defaults_are_those_of_otp(desk: Desk) -> None:
    """Keys that are left out have the defaults of the records, which are OTP's."""
    tree = desk.tree("version: 1\nchildren: [{id: x, actor: a.wasm}]\n")

    plain = tree.spec.children[0]
    assert tree.spec == SupervisorSpec(children=(ChildSpec(id="x", actor=plain.actor),))


def test_actor_defaults(desk: Desk) -> None:
    """An actor declared by its package alone is named after its child and holds no grant."""
    spec = child(desk, "{id: x, actor: a.wasm}").actor

    assert isinstance(spec, ActorSpec)
    assert (spec.name, spec.package) == ("x", str(desk.path / "a.wasm"))
    assert (spec.state_kind, spec.grants, spec.options) == ("none", {}, ActorOptions())
    assert (spec.origin, spec.base_dir) == ("tree.yaml:4", str(desk.path))


def test_tree_record(desk: Desk) -> None:
    """Name, store and files default to and are resolved against the tree file."""
    tree = desk.tree("version: 1\nstore: data/chain\nchildren: []\n")

    assert tree.name == "tree"
    assert tree.path == str(desk.path / "tree.yaml")
    assert tree.store == str(desk.path / "data" / "chain")
    assert tree.files == (tree.path,)


@pytest.mark.parametrize(
    ("written", "read"),
    [("5s", 5_000), ("0s", 0), ("1.5s", 1_500), ("brutal_kill", "brutal_kill"), ("infinity", "infinity")],
)
def test_shutdown(desk: Desk, written: str, read: object) -> None:
    """shutdown is a time, brutal_kill or infinity."""
    assert child(desk, f"{{id: x, actor: a.wasm, shutdown: {written}}}").shutdown == read


@pytest.mark.parametrize(
    ("written", "read"), [("2s", 2_000), ("infinity", None), ("brutal_kill", ActorOptions().shutdown_ms)]
)
def test_shutdown_reaches_the_worker(desk: Desk, written: str, read: int | None) -> None:
    """The worker learns the same graceful deadline as its supervisor."""
    assert actor(desk, f"shutdown: {written}").options.shutdown_ms == read


@pytest.mark.parametrize(("written", "read"), [("none", None), ("infinity", None), ("2m", 120_000)])
def test_start_timeout(desk: Desk, written: str, read: int | None) -> None:
    """start_timeout is a time or nothing."""
    assert child(desk, f"{{id: x, actor: a.wasm, start_timeout: {written}}}").start_timeout_ms == read


def test_backoff(desk: Desk) -> None:
    """backoff fills in what is left out."""
    spec = child(desk, "{id: x, actor: a.wasm, backoff: {initial: 50ms, factor: 3}}")

    assert spec.backoff == Backoff(initial_ms=50, factor=3.0)


def test_significant(desk: Desk) -> None:
    """A transient child may be significant where auto_shutdown asks for it."""
    assert child(desk, "{id: x, actor: a.wasm, restart: transient, significant: true}").significant


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("limits: {memory: 1GiB}", "memory_bytes", 1 << 30),
        ("limits: {call_deadline: none}", "call_deadline_ms", None),
        ("limits: {operation_queue: 7}", "operation_queue_max", 7),
        ("limits: {message: 64KiB}", "message_bytes_max", 65536),
        ("abi: {nested_params: true}", "nested_params", True),
        ("abi: {interface_hashes: lenient}", "interface_hashes", "lenient"),
        ("abi: {require_metadata: false}", "require_metadata", False),
        ("abi: {check_types: false}", "check_types", False),
        ("chain: {state: full}", "chain_state", "full"),
        ("chain: {keep_events: 5}", "keep_events", 5),
        ("chain: {keep_bytes: 1MiB}", "keep_bytes", 1 << 20),
        ("heartbeat: {interval: 2s}", "heartbeat_ms", 2_000),
        ("heartbeat: {misses: 3}", "heartbeat_misses", 3),
        ("snapshot: {events: 500}", "snapshot_events", 500),
        ("snapshot: {size: 1MiB}", "snapshot_bytes", 1 << 20),
        ("durability: group", "durability", "group"),
        ("on_paused: reject", "on_paused", "reject"),
        ("on_application_error: crash", "on_application_error", "crash"),
    ],
)
def test_options(desk: Desk, written: str, field: str, value: object) -> None:
    """Each limit and switch reaches the actor's options, and leaves the others alone."""
    changed = {name: getattr(actor(desk, written).options, name) for name in ActorOptions.__struct_fields__}

    defaults = {name: getattr(ActorOptions(), name) for name in ActorOptions.__struct_fields__}
    assert changed == {**defaults, field: value}


def test_grants_have_full_names(desk: Desk) -> None:
    """Short and full names of interfaces mean the same; a grant without options may be left empty."""
    spec = actor(desk, 'grants: {runtime: , "theater:simple/supervisor": {}}')

    assert spec.grants == {RUNTIME: {}, SUPERVISOR: {}}


@pytest.mark.parametrize(
    "state", [{"count": 0}, [1, 2.5, None, True, "x"], "text", 7, None, {"a": {"b": [{}]}}, 2**64 - 1]
)
def test_state_is_plain_data(desk: Desk, state: Any) -> None:
    """Whatever plain data the state is, it arrives unchanged."""
    import json

    spec = actor(desk, f"state: {json.dumps(state)}")

    assert (spec.state_kind, spec.state) == ("plain", state)


def test_sha256_in_lower_case(desk: Desk) -> None:
    """A digest may be written in either case."""
    assert actor(desk, f"sha256: {'AB' * 32}").sha256 == "ab" * 32


def test_supervision_of_spawned_children(desk: Desk) -> None:
    """A tree may say how an actor's own spawned children are supervised."""
    spec = actor(desk, "supervision: {strategy: one_for_all, intensity: 5, period: 1m}")

    assert (spec.supervision.strategy, spec.supervision.intensity, spec.supervision.period_ms) == (
        "one_for_all",
        5,
        60_000,
    )


def test_x_keys_are_ignored(desk: Desk) -> None:
    """Keys beginning with x- hold anything, anchors for later use too."""
    tree = desk.tree(
        "version: 1\nx-common: &common {memory: 1MiB, x-why: ${NOT_SET}}\n".replace("${NOT_SET}", '"${NOT_SET}"')
        + "children:\n  - {id: x, actor: a.wasm, x-note: [1], limits: *common}\n",
        {},
    )

    assert isinstance(tree.spec.children[0].actor, ActorSpec)
    assert tree.spec.children[0].actor.options.memory_bytes == 1 << 20


def test_digest_covers_what_is_declared(desk: Desk) -> None:
    """The manifest digest changes with a limit, and not with comments, order or an explicit default."""
    plain = actor(desk, "limits: {memory: 64MiB}, state: {a: 1, b: 2}").manifest_digest

    assert actor(desk, "state: {b: 2, a: 1}, on_paused: queue").manifest_digest == plain
    assert actor(desk, "limits: {memory: 32MiB}, state: {a: 1, b: 2}").manifest_digest != plain


def test_paths_are_relative_to_the_tree(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree may be loaded from anywhere."""
    desk.write("tree.yaml", "version: 1\nchildren: [{id: x, actor: a.wasm}]\n")
    monkeypatch.chdir("/")

    spec = load_tree(desk.path / "tree.yaml").spec.children[0].actor

    assert isinstance(spec, ActorSpec)
    assert spec.package == str(desk.path / "a.wasm")


def test_sixty_four_levels(desk: Desk) -> None:
    """As many supervisors inside each other as the limit says are fine, and not one more."""

    def nested(levels: int) -> str:
        inner = "[{id: s, supervisor: {children: " * (levels - 1)
        return f"version: 1\nchildren: {inner}[]{'}}]' * (levels - 1)}\n"

    desk.tree(nested(64))

    assert "expected at most 64 levels of supervisors, found more" in desk.problems(nested(65))[0]


def test_a_thousand_children_load_quickly(desk: Desk) -> None:
    """A large tree costs a tenth of a second, so a whole one means that something is wrong."""
    rows = [
        f"  - {{id: c{i}, actor: a.wasm, state: {{n: {i}}}, grants: {{runtime: }}, limits: {{}}}}\n"
        for i in range(1_000)
    ]
    before = time.process_time()

    tree = desk.tree("version: 1\nchildren:\n" + "".join(rows))

    assert len(tree.spec.children) == 1_000
    assert time.process_time() - before < 1


def test_only_config_errors_escape(desk: Desk) -> None:
    """A tree that is not there is a ConfigError as well."""
    with pytest.raises(ConfigError, match=r"^none\.yaml:1:1: expected a file, found nothing of that name$"):
        load_tree("none.yaml")
