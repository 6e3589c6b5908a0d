"""Limits that the kernel holds a worker process to (setrlimit(2)), set once, before there is any guest."""

from __future__ import annotations

import resource

from theater.actor import ActorOptions


def restrict(options: ActorOptions) -> None:
    """Lower this process's limits to what its actor is declared to need. Never raises one."""
    if not options.core_dumps:
        _lower(resource.RLIMIT_CORE, 0)
    if options.files_max is not None:
        _lower(resource.RLIMIT_NOFILE, options.files_max)
    if options.process_memory_bytes is not None:
        _lower(resource.RLIMIT_DATA, options.process_memory_bytes)


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))
