"""Random trees for the simulation, from one random source."""

from __future__ import annotations

from random import Random
from typing import Any

from theater.spec import Backoff, ChildSpec, SupervisorSpec

DEPTH_MAX = 3
STATIC = ("one_for_one", "one_for_all", "rest_for_one")


def random_supervisor(random: Random, depth: int = 0, *, gentle: bool = False) -> SupervisorSpec:
    """A supervisor with up to four children, or a template. ``gentle``: no supervisor is ever killed by its own."""
    flags: dict[str, Any] = {
        "intensity": random.randint(0, 6),
        "period_ms": random.choice((200, 1000, 5000)),
        "auto_shutdown": random.choice(("never", "never", "any_significant", "all_significant")),
    }
    if depth > 0 and random.random() < 0.25:
        template = random_child(random, "t", DEPTH_MAX - 1 if random.random() < 0.3 else DEPTH_MAX, flags, gentle)
        return SupervisorSpec(strategy="simple_one_for_one", children=(template,), **flags)
    children = tuple(random_child(random, name, depth + 1, flags, gentle) for name in "abcd"[: random.randint(0, 4)])
    return SupervisorSpec(strategy=random.choice(STATIC), children=children, **flags)


def random_child(random: Random, name: str, depth: int, flags: dict[str, Any], gentle: bool) -> ChildSpec:
    """A worker, or a supervisor while there is depth left."""
    restart = random.choice(("permanent", "permanent", "transient", "temporary"))
    may_be_significant = flags["auto_shutdown"] != "never" and restart != "permanent"
    below = random_supervisor(random, depth, gentle=gentle) if depth < DEPTH_MAX and random.random() < 0.4 else None
    return ChildSpec(
        id=name,
        restart=restart,
        significant=may_be_significant and random.random() < 0.5,
        shutdown=None if below and gentle else random.choice((None, None, None, 50, "brutal_kill", "infinity")),
        supervisor=below,
        backoff=Backoff(initial_ms=20, max_ms=300) if random.random() < 0.2 else None,
        start_timeout_ms=random.choice((None, 200)),
    )


def supervisors_of(spec: SupervisorSpec, path: str = "/") -> dict[str, SupervisorSpec]:
    """All supervisors that are written down, by path; not those of templates."""
    found = {path: spec}
    for child in spec.children:
        if child.supervisor is not None and spec.strategy != "simple_one_for_one":
            found |= supervisors_of(child.supervisor, path.rstrip("/") + "/" + child.id)
    return found
