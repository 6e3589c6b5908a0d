"""What the machine must give before anything starts: file descriptors."""

from __future__ import annotations

import resource

from theater.spec import SupervisorSpec

FILES_PER_ACTOR = 4
"""In the root: two connections, a pidfd, one spare for a question under way."""
FILES_OF_THE_ROOT = 96
"""Sockets, store, logs, template process, a few clients."""
FILES_WANTED = 65_536


class ResourceError(Exception):
    """The machine's limits are too low for the tree; the text says which, how much, and what to do."""


def raise_file_limit(actors: int) -> None:
    """Raise the soft limit on open files as far as allowed, and check that the tree fits.

    Raises:
        ResourceError: ``actors`` need more than the hard limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_OF_THE_ROOT + FILES_PER_ACTOR * actors
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ResourceError(
            f"{actors} actors need {needed} open files, the limit is {hard} (ulimit -n); "
            f"raise it (ulimit -Hn {needed}, LimitNOFILE={needed} under systemd) or start fewer actors"
        )
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def count_actors(spec: SupervisorSpec) -> int:
    """How many actors a tree starts at once."""
    count, todo = 0, [spec]
    while todo:
        supervisor = todo.pop()
        if supervisor.strategy == "simple_one_for_one":
            continue
        for child in supervisor.children:
            if child.supervisor is not None:
                todo.append(child.supervisor)
            else:
                count += 1
    return count
