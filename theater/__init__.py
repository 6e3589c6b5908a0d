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
    from theater.cause import Cause
    from theater.client import Client, connect
    from theater.convert import Err, Ok
    from theater.errors import ActorError, TheaterError
    from theater.handle import ActorHandle
    from theater.records import ActorMetrics, ActorStatus, StopReport

_HOME = {
    "ActorError": "errors",
    "ActorHandle": "handle",
    "ActorMetrics": "records",
    "ActorStatus": "records",
    "AsyncActorHandle": "aio",
    "AsyncClient": "aio",
    "Cause": "cause",
    "Client": "client",
    "Err": "convert",
    "Ok": "convert",
    "StopReport": "records",
    "TheaterError": "errors",
    "__version__": "_version",
    "connect": "client",
    "connect_async": "aio",
}

__all__ = [
    "ActorError", "ActorHandle", "ActorMetrics", "ActorStatus", "AsyncActorHandle", "AsyncClient", "Cause",
    "Client", "Err", "Ok", "StopReport", "TheaterError", "__version__", "connect", "connect_async",
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
