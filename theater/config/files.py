"""The keys of the two files, tree.yaml and actor manifests, around those that every actor has (theater.config.keys)."""

from __future__ import annotations

from theater.config.grants import GrantList
from theater.config.keys import ACTOR, NEVER
from theater.config.kinds import (
    Choice,
    Exactly,
    FilePath,
    Flag,
    Name,
    Number,
    Part,
    Text,
    Whole,
    duration,
    list_of,
    mapping_of,
)
from theater.config.package import PACKAGES, Package
from theater.config.reader import Field, Section
from theater.config.retention import RETENTION
from theater.spec import AUTO_SHUTDOWNS, BRUTAL_KILL, INFINITY, RESTARTS, STRATEGIES

VERSION = 1
MANIFESTS = (".toml", ".yaml", ".yml")

_SHUTDOWN = duration(0, brutal_kill=BRUTAL_KILL, infinity=INFINITY)
_GUEST_STRATEGIES = STRATEGIES[:3]

BACKOFF = Section(
    name="backoff",
    doc="Wait before an automatic restart, longer each time.",
    fields={
        "initial": Field(wants=duration(), doc="The first wait.", default="100ms", target="initial_ms"),
        "factor": Field(wants=Number(1, 100), doc="How much longer each next one is.", default="2"),
        "max": Field(wants=duration(), doc="The longest wait.", default="30s", target="max_ms"),
        "jitter": Field(wants=Number(0, 1), doc="How much a wait may vary, as a part of it.", default="0.1"),
    },
)

_INTENSITY = Field(wants=Whole(), doc="Restarts allowed within the period.", default="1")
_PERIOD = Field(
    wants=duration(), doc="The time over which restarts are counted.", default="5s", target="period_ms"
)

_SPAWNED = {
    "strategy": Field(
        wants=Choice(_GUEST_STRATEGIES), doc="How it restarts what it spawned.", default="one_for_one"
    ),
    "intensity": _INTENSITY,
    "period": _PERIOD,
    "state_on_restart": Field(
        wants=Choice(("last", "initial")), doc="What restart-child begins from.", default="last"
    ),
}

SUPERVISION = Section(
    name="supervision",
    doc="How the actor behaves as a child, and how the children it spawns are supervised.",
    fields={
        "restart": Field(
            wants=Choice(RESTARTS),
            doc="When it is restarted.",
            default="temporary if spawned, permanent in a tree",
        ),
        "shutdown": Field(wants=_SHUTDOWN, doc="How long a graceful stop may take.", default="5s"),
        **_SPAWNED,
    },
)

TREE_SUPERVISION = Section(
    name="tree-supervision",
    doc="How the children this actor spawns are supervised.",
    fields=_SPAWNED,
    refused=dict.fromkeys(
        ("restart", "shutdown"), "in a tree this key belongs to the child itself, one level up"
    ),
)

MANIFEST = Section(
    name="manifest",
    doc="One actor: its package, and what it may do.",
    fields={
        "name": Field(wants=Name("a name"), doc="The actor's name.", required=True),
        "version": Field(wants=Text(), doc="The actor's own version.", default="empty"),
        "description": Field(wants=Text(), doc="For people; nothing reads it.", default="empty"),
        "package": Field(
            wants=Package(), doc="The .wasm or .wat file, relative to the manifest.", required=True
        ),
        "initial_state": Field(
            wants=Text(), doc="Initial state as a text value; not beside state.", default="none"
        ),
        "handler": Field(
            wants=GrantList(), doc="Grants in Theater's form: a list of {type = …}.", default="none"
        ),
        "handlers": Field(
            wants=GrantList(), doc="The same as handler; a mapping is read like grants.", default="none"
        ),
        "save_chain": Field(
            wants=Exactly(True, "chains are always kept"),
            doc="Accepted for Theater's manifests.",
            default="true",
        ),
        "supervision": Field(wants=Part(SUPERVISION), doc=SUPERVISION.doc),
        **ACTOR,
    },
    refused={
        "component": "expected package, found Theater's older name for it, component",
        "init_state": "expected initial_state, found Theater's older name for it, init_state",
    },
)

_CHILD = {
    "id": Field(wants=Name(), doc="Names the child among its siblings.", required=True),
    "restart": Field(wants=Choice(RESTARTS), doc="When the child is restarted.", default="permanent"),
    "shutdown": Field(
        wants=_SHUTDOWN, doc="How long a graceful stop may take.", default="5s; infinity for a supervisor"
    ),
    "significant": Field(
        wants=Flag(), doc="Whether its end can end the supervisor (auto_shutdown).", default="false"
    ),
    "backoff": Field(wants=Part(BACKOFF), doc=BACKOFF.doc, default="none: restarts are immediate"),
}

_START_TIMEOUT = Field(
    wants=duration(1, **NEVER),
    doc="A start that takes longer has failed.",
    default="60s",
    target="start_timeout_ms",
)

_ONLY_ACTORS = "only an actor has this key, this child is a supervisor"
_EITHER = "a child is either an actor or a supervisor, this one has both keys"

ACTOR_CHILD = Section(
    name="actor-child",
    doc="A child that is an actor.",
    fields={
        "id": _CHILD["id"],
        "actor": Field(
            wants=FilePath(
                "a package (.wasm, .wat) or a manifest (.toml, .yaml, .yml)", PACKAGES + MANIFESTS
            ),
            doc="The package or the manifest, relative to this file.",
            required=True,
            missing="actor or supervisor",
        ),
        **_CHILD,
        "start_timeout": _START_TIMEOUT,
        **ACTOR,
        "supervision": Field(wants=Part(TREE_SUPERVISION), doc=TREE_SUPERVISION.doc),
    },
    refused={"supervisor": _EITHER},
)

SUPERVISOR_CHILD = Section(
    name="supervisor-child",
    doc="A child that is a supervisor.",
    fields={
        "id": _CHILD["id"],
        "supervisor": Field(
            wants=mapping_of("supervisor", "a supervisor (strategy, children, …)"),
            doc="The supervisor and its children.",
            required=True,
        ),
        **_CHILD,
    },
    refused={
        "actor": _EITHER,
        **dict.fromkeys((*ACTOR, "supervision", "start_timeout"), _ONLY_ACTORS),
    },
)

_FLAGS = {
    "strategy": Field(
        wants=Choice(STRATEGIES), doc="Which children a restart touches.", default="one_for_one"
    ),
    "intensity": _INTENSITY,
    "period": _PERIOD,
    "auto_shutdown": Field(
        wants=Choice(AUTO_SHUTDOWNS),
        doc="Whether ends of significant children end the supervisor.",
        default="never",
    ),
    "children": Field(wants=list_of("child", "a list of children"), doc="The children, in start order."),
    "child": Field(
        wants=mapping_of("child", "the template child"),
        doc="The template of simple_one_for_one, which has this key instead of children.",
    ),
}

_ONE_KIND_OF_CHILDREN = {"oneOf": [{"required": ["children"]}, {"required": ["child"]}]}

SUPERVISOR = Section(
    name="supervisor",
    doc="A supervisor: OTP's flags and child specifications.",
    fields=_FLAGS,
    schema_extra=_ONE_KIND_OF_CHILDREN,
)

TREE = Section(
    name="tree",
    doc="A supervision tree.",
    fields={
        "version": Field(
            wants=Exactly(VERSION, "the version of this format"), doc="Always 1.", required=True
        ),
        "name": Field(
            wants=Name("a name"), doc="Names the tree.", default="the file's name without its ending"
        ),
        "store": Field(
            wants=FilePath("a path"),
            doc="Directory of the store, relative to this file.",
            default=".theater/NAME beside it",
        ),
        "retention": Field(wants=Part(RETENTION), doc=RETENTION.doc),
        **_FLAGS,
    },
    schema_extra=_ONE_KIND_OF_CHILDREN,
)

SECTIONS = (TREE, SUPERVISOR, ACTOR_CHILD, SUPERVISOR_CHILD, MANIFEST)
"""Sections other sections refer to by name."""
