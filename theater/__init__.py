"""What everybody shares: values, types, chains, specifications, errors; and the client with its actor handles.

The names for users are here, each imported when it is first used::

    import theater

    with theater.connect() as client:
        print(client.actor("/counter").call("add", (5,)))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theater._version import __version__
    from theater.aio import AsyncActorHandle, AsyncClient
    from theater.aio import connect as connect_async
    from theater.aioties import AsyncActorLink, AsyncActorMonitor
    from theater.bonds import Down, Exit
    from theater.cause import Cause
    from theater.client import Client, connect
    from theater.convert import Err, Ok
    from theater.errors import ActorError, TheaterError
    from theater.handle import ActorHandle
    from theater.records import ActorMetrics, ActorStatus, StopReport
    from theater.ties import ActorLink, ActorMonitor

_HOME = {
    "ActorError": "errors",
    "ActorHandle": "handle",
    "ActorLink": "ties",
    "ActorMetrics": "records",
    "ActorMonitor": "ties",
    "ActorStatus": "records",
    "AsyncActorHandle": "aio",
    "AsyncActorLink": "aioties",
    "AsyncActorMonitor": "aioties",
    "AsyncClient": "aio",
    "Cause": "cause",
    "Client": "client",
    "Down": "bonds",
    "Err": "convert",
    "Exit": "bonds",
    "Ok": "convert",
    "StopReport": "records",
    "TheaterError": "errors",
    "__version__": "_version",
    "connect": "client",
    "connect_async": "aio",
}

__all__ = [
    "ActorError", "ActorHandle", "ActorLink", "ActorMetrics", "ActorMonitor", "ActorStatus", "AsyncActorHandle",
    "AsyncActorLink", "AsyncActorMonitor", "AsyncClient", "Cause", "Client", "Down", "Err", "Exit", "Ok", "StopReport",
    "TheaterError", "__version__", "connect", "connect_async",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'theater' has no attribute {name!r}")
    import importlib

    home = importlib.import_module(f"theater.{module}")
    return getattr(home, "connect" if name == "connect_async" else name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
