"""Every key of an actor: what it wants, what it means, its default. theater.config.files has those around it.

The only source of truth: the loader reads by these tables, the JSON Schemas are generated from them, and
docs/configuration.md must name each key. A key's ``target`` is the record field it becomes where that has
another name (theater.actor, theater.spec). What grants may say is declared in theater.grants.
"""

from __future__ import annotations

from theater.config import budget
from theater.config.grants import grants_field
from theater.config.kinds import Choice, Data, Digest, Flag, Part, Whole, duration, size
from theater.config.passing import pass_field
from theater.config.reader import Field, Section

NEVER = {"none": None, "infinity": None}

LIMITS = Section(
    name="limits",
    doc="Bounds of one actor. An actor that exceeds one fails alone.",
    fields={
        "memory": Field(
            wants=size(64 * 1024), doc="Linear memory of the guest.", default="64MiB", target="memory_bytes"
        ),
        "table_elements": Field(
            wants=Whole(0, 10_000_000), doc="Elements of the guest's tables.", default="100000"
        ),
        "init_deadline": Field(
            wants=duration(1, **NEVER),
            doc="Computing time of init.",
            default="60s",
            target="init_deadline_ms",
        ),
        "call_deadline": Field(
            wants=duration(1, **NEVER),
            doc="Computing time of one call.",
            default="300s",
            target="call_deadline_ms",
        ),
        "init_fuel": Field(wants=Whole(1, budget.AMOUNT_MAX, or_none=True), doc="Fuel of init.", default="none"),
        "call_fuel": Field(wants=Whole(1, budget.AMOUNT_MAX, or_none=True), doc="Fuel of one call.", default="none"),
        "init_warn": Field(
            wants=duration(), doc="A start that takes longer is logged.", default="30s", target="init_warn_ms"
        ),
        "orphan": Field(
            wants=duration(0),
            doc="How long a worker outlives its supervisor.",
            default="5s",
            target="orphan_ms",
        ),
        "operation_queue": Field(
            wants=Whole(1, 1_000_000),
            doc="Operations that may wait.",
            default="100",
            target="operation_queue_max",
        ),
        "message": Field(
            wants=size(1024, 1024**3),
            doc="Largest parameters or answer.",
            default="64MiB",
            target="message_bytes_max",
        ),
        "guest_time": Field(wants=budget.TIME, doc="Computing time of the guest, over its calls.", default="none"),
        "fuel": Field(wants=budget.COUNT, doc="Fuel of the guest, over its calls.", default="none"),
        "host_calls": Field(wants=budget.COUNT, doc="Calls of host functions.", default="none"),
        "outgoing": Field(
            wants=budget.SIZE,
            doc="Bytes that leave the actor: for other actors, the network, programs, a terminal; and its answers.",
            default="none",
        ),
        "chain_events": Field(wants=budget.COUNT, doc="Events that its chain grows by.", default="none"),
        "chain_bytes": Field(wants=budget.SIZE, doc="Bytes that its chain grows by.", default="none"),
        "children": Field(
            wants=Whole(0, 10_000, or_none=True),
            doc="Living children that its guest has spawned.",
            default="none",
            target="children_max",
        ),
        "descendants": Field(
            wants=Whole(0, 100_000),
            doc="Living actors below it: children that its guest has spawned, their children, and so on.",
            default="1000",
            target="descendants_max",
        ),
        "files": Field(
            wants=Whole(64, 1_000_000, or_none=True),
            doc="Open files of the worker process (RLIMIT_NOFILE).",
            default="none",
            target="files_max",
        ),
        "process_memory": Field(
            wants=size(16 * 1024**2, none=None),
            doc="Writable memory of the worker process, guest included (RLIMIT_DATA).",
            default="none",
            target="process_memory_bytes",
        ),
        "core_dumps": Field(
            wants=Flag(), doc="A crashed worker may leave a core file (RLIMIT_CORE).", default="false"
        ),
        "cgroup_memory": Field(
            wants=size(16 * 1024**2, none=None),
            doc="All memory of the worker process, page cache included, where control groups are to be had.",
            default="none",
            target="cgroup_memory_bytes",
        ),
        "cgroup_cpu": Field(
            wants=Whole(1, 100_000, or_none=True),
            doc="Share of the worker process in percent of one processor, where control groups are to be had.",
            default="none",
            target="cgroup_cpu_percent",
        ),
        "cgroup_processes": Field(
            wants=Whole(4, 100_000, or_none=True),
            doc="Processes and threads below and of the worker, where control groups are to be had.",
            default="none",
        ),
        "idempotency_keys": Field(
            wants=Whole(1, 100_000), doc="Idempotency keys remembered with their answers.", default="1000"
        ),
        "idempotency": Field(
            wants=duration(),
            doc="How long an idempotency key is remembered.",
            default="1h",
            target="idempotency_ms",
        ),
        "child_notices": Field(
            wants=Whole(1, 1_000_000),
            doc="Callbacks about children that may wait.",
            default="1000",
            target="child_notices_max",
        ),
        "log_per_second": Field(
            wants=Whole(0, 1_000_000), doc="Log lines a second; the rest is counted.", default="200"
        ),
    },
)

SNAPSHOT = Section(
    name="snapshot",
    doc="How often the state is recorded as an event that replays can begin from; each one gives the guest a fresh "
    "instance. Without any bound: never.",
    fields={
        "events": Field(
            wants=Whole(10, 1_000_000_000, or_none=True),
            doc="After so many events.",
            default="none",
            target="snapshot_events",
        ),
        "size": Field(
            wants=size(4096, 1024**4, none=None),
            doc="After so many bytes of events; the first bound reached holds.",
            default="none",
            target="snapshot_bytes",
        ),
    },
)

ABI = Section(
    name="abi",
    doc="Switches for guests of other ages.",
    fields={
        "nested_params": Field(
            wants=Flag(),
            doc="Pass (state, (parameters)) as before April 2026, not (state, parameters…).",
            default="false",
        ),
        "interface_hashes": Field(
            wants=Choice(("strict", "lenient")),
            doc="Refuse a differing interface hash, or only warn.",
            default="strict",
        ),
        "require_metadata": Field(wants=Flag(), doc="Refuse packages without type metadata.", default="true"),
        "check_types": Field(
            wants=Flag(), doc="Check state and result against the declared types.", default="true"
        ),
    },
)

CHAIN = Section(
    name="chain",
    doc="What the actor's chain says and how much of it the worker keeps in memory.",
    fields={
        "state": Field(
            wants=Choice(("hash", "full")),
            doc="Results record the new state's hash, or all of it.",
            default="hash",
            target="chain_state",
        ),
        "keep_events": Field(wants=Whole(1, 10_000_000), doc="Events kept in memory.", default="10000"),
        "keep_bytes": Field(
            wants=size(4096, 1024**3), doc="Their bytes; the first bound reached holds.", default="16MiB"
        ),
    },
)

HEARTBEAT = Section(
    name="heartbeat",
    doc="When a silent worker counts as unhealthy.",
    fields={
        "interval": Field(
            wants=duration(10), doc="Time between two signs of life.", default="1s", target="heartbeat_ms"
        ),
        "misses": Field(
            wants=Whole(1, 1000),
            doc="Missing signs that make it unhealthy.",
            default="5",
            target="heartbeat_misses",
        ),
    },
)

ACTOR = {
    "state": Field(
        wants=Data(),
        doc="Initial state: plain data, converted to the type the actor declares.",
        default="no state",
    ),
    "grants": grants_field("The host interfaces the actor may import, each with its options."),
    "pass": pass_field(),
    "limits": Field(wants=Part(LIMITS), doc=LIMITS.doc),
    "abi": Field(wants=Part(ABI), doc=ABI.doc),
    "chain": Field(wants=Part(CHAIN), doc=CHAIN.doc),
    "heartbeat": Field(wants=Part(HEARTBEAT), doc=HEARTBEAT.doc),
    "snapshot": Field(wants=Part(SNAPSHOT), doc=SNAPSHOT.doc),
    "on_paused": Field(
        wants=Choice(("queue", "reject")), doc="What happens to calls while it is paused.", default="queue"
    ),
    "on_application_error": Field(
        wants=Choice(("continue", "crash")),
        doc="Whether an error it returns ends the actor.",
        default="continue",
    ),
    "durability": Field(
        wants=Choice(("process", "group")),
        doc="What an answered call survives: any process's death, or, held until the store is synced, the machine's.",
        default="process",
    ),
    "recover": Field(
        wants=Choice(("initial", "last", "replay")),
        doc="What a restart begins from: the declared state, the last committed one, or its history played back.",
        default="initial",
    ),
    "poison": Field(
        wants=Choice(("none", "dead_letter")),
        doc="Whether an operation that ends one incarnation after the other is set aside instead of using up restarts.",
        default="none",
    ),
    "poison_tries": Field(
        wants=Whole(1, 1_000_000), doc="So many incarnations must end in it, one after the other.", default="3"
    ),
    "sha256": Field(wants=Digest(), doc="The digest the package must have.", default="any"),
}
"""Keys that mean the same in a tree and in a manifest."""

OPTION_SECTIONS = ("limits", "abi", "chain", "heartbeat", "snapshot")
REPLACED_KEYS = ("sha256", "grants", "grant_places", "passes", "recover", "poison", "poison_tries")
"""What of ACTOR becomes fields of the declaration; ``grant_places`` comes with the grants."""
OPTION_KEYS = ("durability", "on_paused", "on_application_error")
"""The keys of ACTOR that become ActorOptions."""
