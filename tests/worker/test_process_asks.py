"""A real worker process and its root: questions of the guest, callbacks, events of children."""

from __future__ import annotations

import time

from proto import control, info
from tests.guests import wat
from tests.guests.pack import encode, ok, u32
from tests.worker.conftest import API, Compile
from tests.worker.driving import BY_5
from tests.worker.fakeroot import FakeRoot
from theater.values import U64


def test_a_host_call_that_asks_the_root(root: FakeRoot) -> None:
    """The guest waits for the root's answer, and goes on with it."""
    root.start()
    caller = root.caller()
    number = caller.send(f"{API}.list", BY_5)
    ask, _ = root.expect(control.Ask)
    assert ask.function == "list-children"
    root.tell(control.Answered(ask.id, {"ids": ["a"]}))

    assert caller.answer(number)[1] == encode(u32(5))


def test_a_shutdown_fails_the_host_call_in_progress(root: FakeRoot) -> None:
    """L5.3: the guest gets ``shutting-down`` and can return; its caller gets its real result."""
    root.start()
    caller = root.caller()
    number = caller.send(f"{API}.list", BY_5)
    root.expect(control.Ask)
    root.obey(control.Shutdown(0))

    assert caller.answer(number)[1] == encode(u32(5))
    assert root.wait_for_exit() == 0


def test_time_in_a_host_call_is_not_guest_time(root: FakeRoot) -> None:
    """L12: blocked beyond the call deadline, and not trapped."""
    root.start()
    caller = root.caller()
    number = caller.send(f"{API}.list", BY_5, deadline_ms=50)
    ask, _ = root.expect(control.Ask)
    until = time.monotonic() + 0.3
    root.until(lambda: time.monotonic() > until)
    root.tell(control.Answered(ask.id, {"ids": []}))

    assert caller.answer(number)[1] == encode(u32(5))


def test_a_host_originated_operation(root: FakeRoot) -> None:
    """Notify runs an export; nobody is answered, the state changes."""
    root.start()
    root.tell(control.Notify(f"{API}.bump"), BY_5)

    root.until(lambda: root.ask(info.GetState(0))[1] == [encode(u32(5))])


def test_a_missing_callback_is_skipped(root: FakeRoot) -> None:
    """V4: without error."""
    root.start()
    root.tell(control.Notify("theater:simple/supervisor-handlers.handle-child-exit"), BY_5)

    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(5))


HANDLE_CHILD_EVENT = "theater:simple/supervisor-handlers.handle-child-event"


def test_events_of_a_child_reach_the_callback_by_value_and_the_chain_by_reference(
    root: FakeRoot, compiled: Compile
) -> None:
    """V6: else chains would grow by one nesting a generation. The root learns from Ready that the callback exists."""
    from theater.chain import encode_frame, iter_batch, payloads

    signature = "(state: value, child: string, type: string, data: list<u8>) -> result<value, string>"
    handler = wat.Function(HANDLE_CHILD_EVENT, signature, wat.returns(ok(u32(99))))
    root.artefact = compiled(wat.build([wat.starts(u32(0)), handler]))
    root.init()
    assert root.expect(control.Ready)[0].callbacks == (HANDLE_CHILD_EVENT,)
    batch = encode_frame(5, 0, "wasm", b"the data of the child", bytes(32))
    root.tell(control.ChildEvents("child-id", 5, 5), batch)
    root.until(lambda: root.ask(info.GetState(0))[1] == [encode(u32(99))])

    part, (retained,) = root.ask(info.GetChain(0))
    call = [event for event in iter_batch(retained, part.data["base_hash"]) if event.event_type == "wasm"][2]
    recorded = payloads.read(call.data)
    assert isinstance(recorded, payloads.Call)
    assert b"the data of the child" not in call.data
    assert recorded.params.items[1]["seq"] == U64(5)  # type: ignore[attr-defined]
