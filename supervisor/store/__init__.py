"""The durable store of chains: SQLite, one row per batch, one writer (design D8, docs/store.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supervisor.store.reader import StoreReader
    from supervisor.store.rings import leftovers
    from supervisor.store.schema import StoreError
    from supervisor.store.writer import StoreWriter

__all__ = ["StoreError", "StoreReader", "StoreWriter", "leftovers"]

_HOMES = {"StoreError": "schema", "StoreReader": "reader", "StoreWriter": "writer", "leftovers": "rings"}


def __getattr__(name: str) -> Any:
    """Load what is asked for only: a reader must not pay for the writer."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(f"supervisor.store.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'supervisor.store' has no attribute {name!r}")
