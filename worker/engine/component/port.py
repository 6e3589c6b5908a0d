"""How the component door touches the engine: calling guest functions and offering host functions, with values of ours.

Two implementations: ``stock`` goes through the structures as the package declares them, ``raw`` reads and writes their
memory itself (design D12). A third, ``bridge``, stands beside one of them in components that are compiled with a bridge
around them, for the functions that cross it. Everything above is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from theater.values import Value
from worker.engine.clock import GuestClock
from worker.engine.component.handles import Handles
from worker.engine.component.kinds import Kind
from worker.engine.errors import StartError

if TYPE_CHECKING:
    from worker.engine.component.bridge import BridgePort
    from worker.engine.component.shapes import Function

GuestFunction = Callable[[Sequence[Value]], Value]
"""Raises handles.Mismatch before the guest is entered if values do not fit, what the engine says if it traps."""

Serve = Callable[[Sequence[Value]], Value]
"""Answers a host call. Whatever it raises ends the guest call, as does an answer that does not fit."""

Failed = Callable[[BaseException], None]
"""Told why a host call failed: the engine does not hand exceptions through."""


class Port(Protocol):
    """One instance's calls."""

    def guest_function(self, func: Any, params: Sequence[Kind], result: Kind | None) -> GuestFunction:
        """Make an exported function callable; one without a result answers ``()``."""

    def host_function(self, params: Sequence[Kind], result: Kind | None, serve: Serve, failed: Failed) -> Any:
        """Make a callback for the linker of a Python function. It must be kept for as long as it may be called."""


def prepare(kinds: Iterable[Kind]) -> None:
    """Do what every instance would do again: the start-up check, and what values of these kinds need."""
    from worker.engine.component import layout, raw

    if raw.unusable() is None:
        for kind in kinds:
            layout.codec(kind)


def prepare_bridge(engine: Any, crossing: Iterable[Function]) -> None:
    """The same for functions that cross a bridge."""
    from worker.engine.component import bridge
    from worker.engine.component.canonical import form

    if bridge.unusable(engine) is None:
        for kind in (kind for item in crossing for kind in (*item.params, item.result) if kind is not None):
            for is_flat in (True, False):
                form(kind, is_flat)


def choose(store: Any, clock: GuestClock, handles: Handles, fast: bool | None) -> Port:
    """Return the raw port if it works here, else the stock one; ``fast`` True or False insists."""
    from worker.engine.component import raw, stock

    if fast is None:
        fast = raw.unusable() is None
    return raw.RawPort(store, clock, handles) if fast else stock.StockPort(store, clock, handles)


def bridge(engine: Any, store: Any, clock: GuestClock) -> BridgePort:
    """Return the port for what crosses the bridge that a component is compiled with. StartError: none works here."""
    from worker.engine.component.bridge import BridgePort, unusable

    problem = unusable(engine)
    if problem is not None:
        raise StartError("instantiate", f"the package is compiled with a bridge, which does not work here: {problem}")
    return BridgePort(store, clock)
