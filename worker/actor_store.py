"""What is kept of an actor in its worker's memory: its committed state, its chain, extensions and resources (8.1, 8.5).

The chain itself is ``theater.chain.statechain``. Appending is the guest thread's; anybody may read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from theater import cgrf
from theater.chain import ChainEvent, payload
from theater.chain.statechain import Part, StateChain
from worker.resource_table import ResourceTable

if TYPE_CHECKING:
    from theater.values import Value
    from worker.saving import ChainRef

__all__ = ["ActorStore", "Part"]

T = TypeVar("T")

RUNTIME_PREFIX: Final = "theater-runtime/"
WASM: Final = "wasm"


class ActorStore(StateChain):
    """One per incarnation. Its queries of the chain are those of ``StateChain``."""

    def __init__(
        self, actor_id: str, first_seq: int, base_hash: bytes | None, keep_events: int, keep_bytes: int
    ) -> None:
        super().__init__(first_seq, base_hash, keep_events, keep_bytes)
        self._actor_id = actor_id
        self._state = b""
        self._extensions: dict[type, Any] = {}
        self.resources = ResourceTable()
        """What the guest holds by number."""
        self.record: Callable[[str, bytes], None]
        """Appends an event; the recorder's."""
        self.committed: Callable[[], bytes] = self._own_state
        """Returns the committed state, encoded; empty before there is one. The incarnation's, where it has one."""
        self.commit: Callable[[bytes], None] = self._set_own_state
        """Replaces it."""

    def get_id(self) -> str:
        """The actor's id."""
        return self._actor_id

    # -- state ---------------------------------------------------------------------------------------------------------

    def get_state(self) -> Value | None:
        """The committed state; None before there is one."""
        state = self.committed()
        return cgrf.decode(state) if state else None

    def set_state(self, state: Value) -> None:
        """Replace the committed state; host functions do so inside an operation. Guest thread only."""
        self.commit(cgrf.encode(state))

    # -- recording -----------------------------------------------------------------------------------------------------

    def record_event(self, event_type: str, payload: bytes) -> ChainEvent:
        """Append an event with this payload (an encoded value). Guest thread only."""
        self.record(event_type, payload)
        event = self.get_last_event()
        assert event is not None
        return event

    def record_call(self, function: str, params: Value) -> ChainEvent:
        """Append: the guest is about to be entered."""
        return self.record_event(WASM, payload.call(function, cgrf.encode(params)))

    def record_result(self, function: str, state: Value, response: Value) -> ChainEvent:
        """Append: the guest has returned. Of the state its digest is kept."""
        return self.record_event(WASM, payload.result(function, cgrf.encode(state), cgrf.encode(response)))

    def record_error(self, function: str, message: str) -> ChainEvent:
        """Append: the guest has declined or was stopped."""
        return self.record_event(WASM, payload.error(function, message))

    def record_wasm_event(self, event_type: str, payload: bytes) -> ChainEvent:
        """Append an event whose payload (an encoded value) is a call, a result or an error of the guest."""
        return self.record_event(event_type, payload)

    def record_host_call(self, interface: str, function: str, input: Value, output: Value) -> ChainEvent:
        """Append: a host function has completed."""
        data = payload.host_call(interface, function, cgrf.encode(input), cgrf.encode(output))
        return self.record_event(f"{interface}/{function}", data)

    def record_runtime_event(self, event_type: str, value: Value) -> ChainEvent:
        """Append an event of the runtime's own: its type becomes ``theater-runtime/<event_type>``.

        Its payload is of a kind of its own, so that no replay takes it for a call of the guest.
        """
        return self.record_event(RUNTIME_PREFIX + event_type, payload.runtime(event_type, value))

    def save_chain(self, target: str, form: str = "theater") -> ChainRef:
        """Write what is retained into a file, as a whole or not at all (8.5): ``theater`` or ``theater-json``.

        Raises:
            OSError: it cannot be written; what was there stays.
            ValueError: no such form.
        """
        from worker.saving import FORMATS, save

        if form not in FORMATS:
            raise ValueError(f"chain format {form!r}: expected {' or '.join(FORMATS)}")
        return save(self, target, form)

    # -- extensions: one slot per exact type ---------------------------------------------------------------------------

    def set_extension(self, value: object) -> None:
        """Keep a value under its exact type, replacing an earlier one."""
        self._extensions[type(value)] = value

    def get_extension(self, kind: type[T]) -> T | None:
        """A copy of the value of exactly this type."""
        from copy import copy

        found: T | None = self._extensions.get(kind)
        return copy(found)

    def has_extension(self, kind: type) -> bool:
        """A value of exactly this type is kept."""
        return kind in self._extensions

    def remove_extension(self, kind: type[T]) -> T | None:
        """Take the value of exactly this type away and return it."""
        found: T | None = self._extensions.pop(kind, None)
        return found

    def _own_state(self) -> bytes:
        return self._state

    def _set_own_state(self, state: bytes) -> None:
        self._state = state
