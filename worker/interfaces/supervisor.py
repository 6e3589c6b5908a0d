"""``theater:simple/supervisor``: actors that start and watch other actors (lifecycle section 10, pack-abi 10.4).

Nothing is decided here: every function asks the root, which knows whose child an id is (V1) and supervises.
"""

from __future__ import annotations

from typing import Any, Final

from theater import cgrf, types
from theater.actor import SUPERVISOR
from theater.values import U64, List, Option, String, Tuple, Value, bytes_of, unit
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Variant, octets
from worker.interfaces.sending import GIVEN, STAYS

EVENTS_BYTES_MAX: Final = 1 << 20
"""Event data ``get-child-events`` answers with: the newest events that fit."""

_EVENT = types.Tuple((types.U64, types.STRING, types.BYTES))


# -- starting ----------------------------------------------------------------------------------------------------------


def spawn(context: Context, manifest: String, state: Option, wasm: Option) -> Value:
    """``some(v)`` is the child's initial state exactly; none leaves it to the manifest."""
    return String(start(context, manifest, exactly(state), wasm)["id"])


def spawn_with_bytes(context: Context, manifest: String, init: Option) -> Value:
    """0.3.8's form: states of that time are ``option<list<u8>>``, so the option itself is the state."""
    return String(start(context, manifest, _as_option(init), None)["id"])


def spawn_and_wait(context: Context, manifest: String, state: Option, wasm: Option, timeout: Option) -> Value:
    """Wait for the child's end; what it gave to ``shutdown`` is the answer."""
    return _value(start(context, manifest, exactly(state), wasm, wait=True, timeout_ms=_number(timeout)))


def spawn_and_wait_with_bytes(context: Context, manifest: String, init: Option, timeout: Option) -> Value:
    """0.3.8's form of spawn-and-wait."""
    return _value(start(context, manifest, _as_option(init), None, wait=True, timeout_ms=_number(timeout)))


def resume(context: Context, manifest: String, state: Option, wasm: Option) -> Value:
    """Bytes that are an encoded value are that value; any other bytes are the state of 0.3.8's kind."""
    encoded: bytes | None
    given = octets(state)
    if given is not None:
        try:
            encoded = cgrf.canonical(given)
        except ValueError:
            encoded = _as_option(state)
    else:
        encoded = exactly(state)
    return String(start(context, manifest, encoded, wasm, resume=True)["id"])


def resume_retained(context: Context, manifest: String, wasm: Option) -> Value:
    """The two-argument form: go on from the retained state of a stopped child with this manifest's name."""
    return String(start(context, manifest, None, wasm, resume=True)["id"])


def start(
    context: Context,
    manifest: String,
    state: bytes | None,
    wasm: Option | None,
    *,
    wait: bool = False,
    timeout_ms: int | None = None,
    resume: bool = False,
    link: bool = False,
) -> dict[str, Any]:
    """Have a child started; what the root answers."""
    bodies: list[bytes] = []

    def body(data: bytes | None) -> int | None:
        if data is None:
            return None
        bodies.append(data)
        return len(bodies) - 1

    arguments = {
        "manifest": manifest.value,
        "state_body": body(state),
        "wasm_body": body(None if wasm is None else octets(wasm)),
        "wait": wait,
        "timeout_ms": timeout_ms,
        "resume": resume,
        **({"link": True} if link else {}),
    }
    context.has_children = True  # before asking: the child may be there although the answer never comes
    data, _ = context.ask("spawn", arguments, bodies)
    return data


def exactly(state: Option) -> bytes | None:
    """A state as it is given."""
    return None if state.value is None else cgrf.encode(state.value)


def _as_option(state: Option) -> bytes | None:
    return None if state.value is None else cgrf.encode(Option(types.BYTES, state.value))


def _number(value: Option) -> int | None:
    return value.value.value if isinstance(value.value, U64) else None


def _value(data: dict[str, Any]) -> Value:
    found = data.get("value")
    return Option(types.BYTES, None if found is None else List(types.U8, found))


# -- children ----------------------------------------------------------------------------------------------------------


def list_children(context: Context) -> Value:
    """Living children, in start order."""
    data, _ = context.ask("list-children", {})
    return List(types.STRING, tuple(String(id_) for id_ in data["ids"]))


def restart_child(context: Context, child: String) -> Value:
    """Graceful stop, then a start from the last committed state; the id stays."""
    return _tell(context, "restart-child", child)


def stop_child(context: Context, child: String) -> Value:
    """Graceful stop; answers when the child is gone."""
    return _tell(context, "stop-child", child)


def kill_child(context: Context, child: String) -> Value:
    """Kill at once."""
    return _tell(context, "kill-child", child)


def subscribe_to_child(context: Context, child: String) -> Value:
    """From now on the child's events arrive as handle-child-event."""
    return _tell(context, "subscribe-to-child", child)


def unsubscribe_from_child(context: Context, child: String) -> Value:
    """No more events of this child."""
    return _tell(context, "unsubscribe-from-child", child)


def _tell(context: Context, function: str, child: String) -> Value:
    context.ask(function, {"id": child.value})
    return unit()


def get_child_state(context: Context, child: String) -> Value:
    """The committed state itself; ``none`` if there is none."""
    _, bodies = context.ask("get-child-state", {"id": child.value})
    return cgrf.decode(bodies[0]) if bodies else Option(types.BYTES, None)


def get_encoded_state(context: Context, child: String) -> Value:
    """The same for components, which pass values in their encoding."""
    return bytes_of(cgrf.encode(get_child_state(context, child)))


def get_child_events(context: Context, child: String) -> Value:
    """Retained events, oldest first, as (index, type, data)."""
    from theater.chain import iter_batch

    data, bodies = context.ask("get-child-events", {"id": child.value})
    found = list(iter_batch(bodies[0], data.get("base_hash"))) if bodies else []
    events: list[Value] = []
    room = EVENTS_BYTES_MAX
    for event in reversed(found):
        room -= len(event.data)
        if room < 0:
            break
        events.append(Tuple((U64(event.seq), String(event.event_type), List(types.U8, event.data))))
    return List(_EVENT, tuple(reversed(events)))


def child_status(context: Context, child: String) -> Value:
    """The status record of lifecycle section 13."""
    return _record(context, "child-status", child)


def child_metrics(context: Context, child: String) -> Value:
    """The metrics record of lifecycle section 13."""
    return _record(context, "child-metrics", child)


def encoded_status(context: Context, child: String) -> Value:
    """The same, for components."""
    return bytes_of(cgrf.encode(child_status(context, child)))


def encoded_metrics(context: Context, child: String) -> Value:
    """The same, for components."""
    return bytes_of(cgrf.encode(child_metrics(context, child)))


def _record(context: Context, function: str, child: String) -> Value:
    from theater import convert  # seldom used: not worth its import in every actor

    data, _ = context.ask(function, {"id": child.value})
    return convert.to_value(data, types.VALUE)


# -- the declaration ---------------------------------------------------------------------------------------------------

_BEFORE = "Theater 0.3.8"
_FOR_COMPONENTS = "in WIT, where values are passed as bytes"
_CHILD = "func(child-id: string) -> result<_, string>"
_ENCODED = "func(child-id: string) -> result<list<u8>, string>"

INTERFACE: Final = Interface(
    SUPERVISOR,
    "Start, stop and watch children. Every function that takes an id answers an error for anything but an own child.",
    (
        Function(
            "spawn",
            "Start a child from a manifest (its path or its text); returns its id after its init. init-state: none "
            "means the manifest's own, some(v) means exactly v. wasm-bytes replaces the manifest's package.",
            (
                Variant(
                    "func(manifest: string, init-state: option<value>, wasm-bytes: option<list<u8>>) "
                    "-> result<string, string>",
                    spawn,
                ),
                Variant(
                    "func(manifest: string, init-state: option<list<u8>>, wasm-bytes: option<list<u8>>) "
                    "-> result<string, string>",
                    spawn,
                    "declared by actors of early 2026; the bytes are the state",
                ),
                Variant(
                    "func(manifest: string, init-bytes: option<list<u8>>) -> result<string, string>",
                    spawn_with_bytes,
                    _BEFORE,
                ),
            ),
            sends=GIVEN,
        ),
        Function(
            "spawn-and-wait",
            "Start a child and wait for its end: ok with what it gave to shutdown, or an error saying how it ended. At "
            "the timeout the child is stopped. The waiting does not count as the caller's computing time.",
            (
                Variant(
                    "func(manifest: string, init-state: option<value>, wasm-bytes: option<list<u8>>, "
                    "timeout-ms: option<u64>) -> result<option<list<u8>>, string>",
                    spawn_and_wait,
                ),
                Variant(
                    "func(manifest: string, init-bytes: option<list<u8>>, timeout-ms: option<u64>) "
                    "-> result<option<list<u8>>, string>",
                    spawn_and_wait_with_bytes,
                    _BEFORE,
                ),
            ),
            sends=GIVEN,
        ),
        Function(
            "resume",
            "Like spawn, but the given state becomes the child's state and its init is not called. Without a state: "
            "the retained last state of a stopped child with the same manifest name.",
            (
                Variant(
                    "func(manifest: string, state-bytes: option<list<u8>>, wasm-bytes: option<list<u8>>) "
                    "-> result<string, string>",
                    resume,
                ),
                Variant(
                    "func(manifest: string, wasm-bytes: option<list<u8>>) -> result<string, string>",
                    resume_retained,
                    "what the ancestor implements",
                ),
            ),
            sends=GIVEN,
        ),
        Function(
            "list-children",
            "Ids of the living children, in start order.",
            (
                Variant("func() -> result<list<string>, string>", list_children),
                Variant("func() -> list<string>", list_children, _BEFORE),
            ),
            sends=STAYS,
        ),
        Function(
            "restart-child",
            "Stop the child gracefully and start it again with its last committed state passed to init. The id stays.",
            (Variant(_CHILD, restart_child),),
            sends=STAYS,
        ),
        Function(
            "stop-child",
            "Stop the child gracefully; answers when it is gone.",
            (Variant(_CHILD, stop_child),),
            sends=STAYS,
        ),
        Function(
            "get-child-state",
            "The child's committed state, never waiting for its guest: ok with the value itself, or with none.",
            (
                Variant("func(child-id: string) -> result<option<list<u8>>, string>", get_child_state, is_loose=True),
                Variant(_ENCODED, get_encoded_state, _FOR_COMPONENTS),
            ),
            sends=STAYS,
        ),
        Function(
            "subscribe-to-child",
            "From now on the child's chain events arrive at theater:simple/supervisor-handlers.handle-child-event.",
            (Variant(_CHILD, subscribe_to_child),),
            sends=STAYS,
        ),
        Function(
            "unsubscribe-from-child",
            "No more events of this child.",
            (Variant(_CHILD, unsubscribe_from_child),),
            sends=STAYS,
        ),
        Function(
            "get-child-events",
            "The child's retained events, oldest first: (index, type, data).",
            (
                Variant(
                    "func(child-id: string) -> result<list<tuple<u64, string, list<u8>>>, string>", get_child_events
                ),
            ),
            own=True,
            sends=STAYS,
        ),
        Function("kill-child", "Kill the child at once.", (Variant(_CHILD, kill_child),), own=True, sends=STAYS),
        Function(
            "child-status",
            "State, incarnation, process id, queue length and more of the child, as a record.",
            (
                Variant("func(child-id: string) -> result<value, string>", child_status),
                Variant(_ENCODED, encoded_status, _FOR_COMPONENTS),
            ),
            own=True,
            sends=STAYS,
        ),
        Function(
            "child-metrics",
            "Operation and resource figures of the child, as a record.",
            (
                Variant("func(child-id: string) -> result<value, string>", child_metrics),
                Variant(_ENCODED, encoded_metrics, _FOR_COMPONENTS),
            ),
            own=True,
            sends=STAYS,
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
