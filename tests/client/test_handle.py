"""The blocking handle against a fake supervisor over real sockets (lifecycle section 9)."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from proto import control, info, operation
from tests.client.faketree import KILLED, STOPPED, FakeTree
from tests.system.running import until
from theater import cgrf, metadata, types, values
from theater.cause import Cause
from theater.chain import encode_frame, event_hash
from theater.client import Client, ClientClosed, connect
from theater.conversation import ATTEMPTS_MAX
from theater.errors import (
    ChannelClosed,
    FunctionNotFound,
    InternalError,
    NotFound,
    NotPaused,
    OperationTimeout,
    SerializationError,
    TypeMismatch,
    UnexpectedError,
)
from theater.handle import ActorHandle
from theater.records import InterfaceHash
from theater.wires import SupervisorGone

PATIENCE_S = 5.0


def test_call_returns_the_value(counter: ActorHandle) -> None:
    """What the function returns is what the caller gets, as Python values."""
    assert counter.call("a:b/c.echo", ("hello", 5)) == ("hello", 5)


def test_single_parameter(counter: ActorHandle) -> None:
    """A single number may stand without its tuple."""
    assert counter.call("a:b/c.echo", 7) == (7,)


def test_list_is_no_parameter_tuple(counter: ActorHandle) -> None:
    """A list or text as ``params`` is ambiguous, so it is refused."""
    with pytest.raises(TypeError, match="write \\(value,\\)"):
        counter.call("a:b/c.echo", "hello")


def test_void_call(tree: FakeTree, counter: ActorHandle) -> None:
    """call_void sends encoded parameters as they are, and says that nobody wants the result."""
    assert counter.call_function_pack_void("a:b/c.echo", b"encoded") is None

    (call,) = tree.await_seen(operation.Call)
    assert call.void


def test_call_options_travel(tree: FakeTree, counter: ActorHandle) -> None:
    """The options of a call reach the worker."""
    counter.call("a:b/c.echo", (), timeout=2.5, deadline=1.5, wait=False, cancel_running=True)

    (call,) = tree.await_seen(operation.Call)
    assert (call.deadline_ms, call.wait, call.cancel_running) == (1500, False, True)
    assert 2000 < call.timeout_ms <= 2500


def test_default_timeout(tree: FakeTree, counter: ActorHandle) -> None:
    """Without a time-out a call waits for the actor's call deadline and 5 s more (H3)."""
    counter.call("a:b/c.echo", ())

    (call,) = tree.await_seen(operation.Call)
    assert 304_000 < call.timeout_ms <= 305_000


def test_error_of_the_actor(counter: ActorHandle) -> None:
    """The actor's error comes unchanged (H4)."""
    with pytest.raises(InternalError) as caught:
        counter.call("a:b/c.fail", ())

    assert InternalError({"function": "fail", "message": "no"}) == caught.value


def test_undecodable_result(counter: ActorHandle) -> None:
    """A result that does not decode is a serialization error (H1)."""
    with pytest.raises(SerializationError):
        counter.call("a:b/c.garbage", ())


def test_unknown_actor(client: Client) -> None:
    """An actor nobody knows is not found."""
    with pytest.raises(NotFound, match="No such actor: /nobody"):
        client.actor("/nobody").call("a:b/c.echo", ())


def test_timeout_cancels(tree: FakeTree, counter: ActorHandle) -> None:
    """A time-out ends the waiting and takes the call back (L11)."""
    with pytest.raises(OperationTimeout, match=r"after 0\.05 s"):
        counter.call("a:b/c.hold", (), timeout=0.05)

    (call,) = tree.await_seen(operation.Call)
    (cancel,) = tree.await_seen(operation.Cancel)
    assert call.id == cancel.operation


def test_late_answer_is_dropped(tree: FakeTree, counter: ActorHandle) -> None:
    """The answer to a call that has timed out is not taken for that of the next."""
    with pytest.raises(OperationTimeout):
        counter.call("a:b/c.hold", (1,), timeout=0.05)
    tree.release("/counter")

    assert counter.call("a:b/c.echo", (2,)) == (2,)


def test_death_while_waiting(tree: FakeTree, counter: ActorHandle) -> None:
    """Whoever waits for an actor that dies learns it at once, with the cause (H2)."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(counter.call, "a:b/c.hold", ())
        tree.await_seen(operation.Call)
        began = monotonic()
        tree.kill("/counter")
        with pytest.raises(ChannelClosed) as caught:
            call.result(PATIENCE_S)

    assert ChannelClosed(KILLED) == caught.value
    assert monotonic() - began < 0.5


def test_last_words_win(tree: FakeTree, counter: ActorHandle) -> None:
    """An answer sent just before the death is the answer."""
    for number in range(20):
        assert (number,) == counter.call("a:b/c.last-words", (number,))
        counter.monitor()
        tree.restart("/counter")


def test_big_answer(counter: ActorHandle) -> None:
    """A large answer is received whole (its decoding fails here, it is only zeros)."""
    with pytest.raises(SerializationError):
        counter.call("a:b/c.big", ())


def test_call_after_restart(tree: FakeTree, counter: ActorHandle) -> None:
    """A handle stays valid: the next call goes to the next incarnation."""
    counter.call("a:b/c.echo", ())
    tree.kill("/counter")
    counter.monitor()
    tree.restart("/counter")

    assert counter.call("a:b/c.echo", (1,)) == (1,)
    assert counter.incarnation == 2


def test_call_between_lives(tree: FakeTree, counter: ActorHandle) -> None:
    """Between two incarnations a call is refused with the cause of the last end."""
    counter.call("a:b/c.echo", ())
    tree.kill("/counter", comes_back=True)

    with pytest.raises(ChannelClosed) as caught:
        counter.call("a:b/c.echo", ())
    assert ChannelClosed(KILLED) == caught.value


def test_retry_on_restart(counter: ActorHandle, tree: FakeTree) -> None:
    """With retry_on_restart a call whose actor died goes to the next incarnation, under one key, and not for ever."""
    with pytest.raises(ChannelClosed):
        counter.call("a:b/c.die-and-return", (), retry_on_restart=True)
    seen = tree.await_seen(operation.Call, ATTEMPTS_MAX)

    assert len(seen) == ATTEMPTS_MAX


def test_retry_waits_for_the_restart(counter: ActorHandle, tree: FakeTree) -> None:
    """A retrying call waits for an actor that is being restarted."""
    tree.kill("/counter", comes_back=True)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(counter.call, "a:b/c.echo", (1,), retry_on_restart=True)
        tree.await_seen(info.Resolve, 2)
        tree.restart("/counter")

        assert call.result(PATIENCE_S) == (1,)


def test_pinned(tree: FakeTree, counter: ActorHandle) -> None:
    """A pinned handle means one life and no other."""
    pinned = counter.pinned()
    assert pinned.call("a:b/c.echo", (1,)) == (1,)
    tree.kill("/counter")
    tree.restart("/counter")

    with pytest.raises(ChannelClosed):
        pinned.call("a:b/c.echo", (1,))
    with pytest.raises(ChannelClosed):
        pinned.get_status()


def test_supervisor_gone_while_waiting(tree: FakeTree, counter: ActorHandle) -> None:
    """When the supervisor itself goes, no caller is left waiting."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(counter.call, "a:b/c.hold", ())
        tree.await_seen(operation.Call)
        tree.die()
        with pytest.raises(SupervisorGone, match="supervisor is gone"):
            call.result(PATIENCE_S)


def test_supervisor_gone_before(tree: FakeTree, counter: ActorHandle) -> None:
    """A handle of a supervisor that is gone answers channel_closed at once."""
    counter.call("a:b/c.echo", ())
    tree.die()

    with pytest.raises(ChannelClosed):
        counter.call("a:b/c.echo", ())
    with pytest.raises(ChannelClosed):
        counter.get_status()


def test_silent_supervisor(tree: FakeTree, counter: ActorHandle) -> None:
    """A question that gets no answer ends with its time-out (H3)."""
    tree.silent.add(info.GetStatus)

    with pytest.raises(OperationTimeout):
        counter.get_status(timeout=0.05)


def test_status(counter: ActorHandle) -> None:
    """get_status answers an ActorStatus and notes the incarnation."""
    status = counter.get_status()

    assert (status.state, status.text, counter.incarnation) == ("idle", "Running", 1)


def test_metrics(counter: ActorHandle) -> None:
    """Rates are derived from the metrics."""
    stats = counter.get_metrics().stats()

    assert (stats.success_rate, stats.operations_per_second) == (75.0, 2.0)


def test_hashes(counter: ActorHandle) -> None:
    """get_export_hashes gives names and hashes."""
    assert [InterfaceHash("a:b/c", bytes(32))] == counter.get_export_hashes()


def test_no_state(counter: ActorHandle) -> None:
    """An actor without a state has none."""
    assert counter.get_state() is None


def test_save_chain_has_an_absolute_path(tree: FakeTree, counter: ActorHandle) -> None:
    """A relative file name means the caller's directory, not the worker's."""
    reference = counter.save_chain("chain.json")

    assert (os.path.abspath("chain.json"), 3) == (reference.path, reference.count)


def test_pause(tree: FakeTree, counter: ActorHandle) -> None:
    """pause sends its mode."""
    counter.pause("if_idle")

    assert tree.await_seen(control.Pause)[0].mode == "if_idle"


def test_resume_refused(counter: ActorHandle) -> None:
    """Resuming what is not paused is an error."""
    with pytest.raises(NotPaused):
        counter.resume()


def test_shutdown_report(tree: FakeTree, counter: ActorHandle) -> None:
    """shutdown answers how it ended; its time-out is the actor's deadline."""
    report = counter.shutdown(timeout=1.5)

    assert (Cause(kind="stopped", by="test"), False, 0) == (report.cause, report.forced, report.exit_status)
    assert tree.await_seen(control.Shutdown)[0].deadline_ms == 1500


def test_terminate_report(counter: ActorHandle) -> None:
    """terminate answers that it was forced."""
    assert counter.terminate().forced


def test_monitor(tree: FakeTree, counter: ActorHandle) -> None:
    """monitor waits for the end of the life and gives its cause."""
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(counter.monitor)
        tree.await_seen(info.Resolve)
        tree.kill("/counter", STOPPED)

        assert Cause(kind="stopped", by="test") == end.result(PATIENCE_S)


def test_monitor_when_gone(tree: FakeTree, counter: ActorHandle) -> None:
    """monitor of an actor that is gone already answers at once."""
    tree.kill("/counter")

    assert Cause(kind="killed", by="test") == counter.monitor()


def test_monitor_timeout(counter: ActorHandle) -> None:
    """monitor can give up."""
    with pytest.raises(OperationTimeout):
        counter.monitor(timeout=0.05)


def test_http_request(counter: ActorHandle) -> None:
    """Without an http service the documented error is answered."""
    with pytest.raises(UnexpectedError, match="should be handled by the HTTP handler directly"):
        counter.handle_wasi_http_request("GET", None, None, "/", ())


def test_equality(client: Client, counter: ActorHandle) -> None:
    """Handles of one actor are equal; a pinned one is another thing."""
    assert {counter} == {client.actor("/counter")}
    assert counter != client.actor("/other")
    assert counter != counter.pinned()


def test_threads(tree: FakeTree, counter: ActorHandle) -> None:
    """One handle serves many threads at once, and nobody gets another's answer."""
    barrier = threading.Barrier(8)

    def work(number: int) -> list[tuple[int, ...]]:
        barrier.wait(PATIENCE_S)
        return [counter.call("a:b/c.echo", (number, turn)) for turn in range(20)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))

    assert [[(number, turn) for turn in range(20)] for number in range(8)] == answers


def test_ended_threads_leave_no_sockets(counter: ActorHandle) -> None:
    """The connections of a thread go with the thread."""
    counter.call("a:b/c.echo", ())

    def descriptors_after_a_thread() -> int:
        thread = threading.Thread(target=counter.call, args=("a:b/c.echo", ()))
        thread.start()
        thread.join(PATIENCE_S)
        return len(os.listdir("/proc/self/fd"))

    first = descriptors_after_a_thread()
    for _ in range(10):
        descriptors_after_a_thread()
    # libzmq's own thread closes them a little later.
    until(lambda: len(os.listdir("/proc/self/fd")) <= first + 4, "the sockets of ended threads to go")


def test_fork(tree: FakeTree, counter: ActorHandle) -> None:
    """After a fork the child opens connections of its own, and the parent's still work."""
    counter.call("a:b/c.echo", (1,))
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if counter.call("a:b/c.echo", (2,), timeout=PATIENCE_S) == (2,) else 1)
        finally:
            os._exit(2)

    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert counter.call("a:b/c.echo", (3,)) == (3,)


def test_keyboard_interrupt_cancels(tree: FakeTree, counter: ActorHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting takes the call back and is raised."""
    import signal

    def interrupt() -> None:
        tree.await_seen(operation.Call)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        counter.call("a:b/c.hold", (), timeout=PATIENCE_S)
    helper.join(PATIENCE_S)
    signal.signal(signal.SIGINT, before)

    tree.await_seen(operation.Cancel)


def test_closed_client(client: Client, counter: ActorHandle) -> None:
    """A closed client says that it is closed."""
    counter.call("a:b/c.echo", ())
    client.close()

    with pytest.raises(ClientClosed):
        counter.call("a:b/c.echo", ())


def test_tree_orders(client: Client, tree: FakeTree) -> None:
    """The tree is asked and ordered through the client."""
    assert client.tree()["name"] == "fake"
    assert client.start_child("/sessions", "ann", {"count": 1}) == "done"
    assert client.restart_child("/", "counter") == "done"
    client.stop()

    (start,) = tree.await_seen(control.StartChild)
    assert (start.name, start.state, start.has_state) == ("ann", {"count": 1}, True)


def test_connect_waits(tree: FakeTree) -> None:
    """connect with a time-out waits for a supervisor that is still starting."""
    about = tree.run_dir / "supervisor.json"
    text = about.read_text()
    about.unlink()
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(connect, tree.run_dir, PATIENCE_S)
        (tree.run_dir / "new").write_text(text)
        (tree.run_dir / "new").rename(about)

        assert client.result(PATIENCE_S).run.name == "fake"


def test_send_does_not_wait(tree: FakeTree, client: Client, counter: ActorHandle) -> None:
    """send hands the call over and goes on; it arrives even if the client is closed at once."""
    counter.send("a:b/c.hold", (1,))
    client.close()

    assert tree.await_seen(operation.Call)[0].void


def test_state_and_chain(tree: FakeTree, counter: ActorHandle) -> None:
    """State comes as Python, or raw as a value; the chain as events that can be checked and chosen from."""
    state = values.Record("s", (("count", values.U64(3)),))
    first = event_hash(None, "genesis", b"a")
    second = event_hash(first, "wasm", b"b")
    frames = encode_frame(0, 0, "genesis", b"a", first) + encode_frame(1, 0, "wasm", b"b", second)
    actor = tree.actors["/counter"]
    actor.state = cgrf.encode(state)
    actor.chain = ({"first_seq": 0, "base_hash": None, "count": 2}, frames)

    assert ({"count": 3}, state) == (counter.get_state(), counter.get_state(raw=True))
    assert [event.seq for event in counter.get_chain()] == [0, 1]
    assert [event.seq for event in counter.recent_events(1)] == [1]
    assert [event.seq for event in counter.recent_events(5)] == [1, 0]
    assert counter.recent_events(0) == []
    assert counter.verify_chain()
    assert counter.has_event_type("wasm")
    assert not counter.has_event_type("WASM")
    actor.chain = (actor.chain[0], frames.replace(b"genesis", b"Genesis"))
    assert not counter.verify_chain()


def test_negative_count(counter: ActorHandle) -> None:
    """A negative number of events makes no sense."""
    with pytest.raises(ValueError, match="expected 0 or more, got -1"):
        counter.recent_events(-1)


def test_typed_package(tree: FakeTree, client: Client) -> None:
    """With metadata, bare names are found and parameters converted to what is declared."""
    state = ("state", types.VALUE)
    exports = (
        metadata.FunctionSig("a:b/c", "echo", (state, ("n", types.U8)), (types.VALUE,)),
        metadata.FunctionSig("a:b/c", "twice", (state,), (types.VALUE,)),
        metadata.FunctionSig("x:y/z", "twice", (state,), (types.VALUE,)),
    )
    tree.add("/typed", metadata.encode(metadata.Metadata(exports=exports)))
    typed = client.actor("/typed")

    assert values.Tuple((values.U8(7),)) == typed.call("echo", (7,), raw=True)
    with pytest.raises(TypeMismatch, match=r"params\[0\]: expected u8"):
        typed.call("echo", (300,))
    with pytest.raises(TypeMismatch, match="expected 1 parameter, got 2"):
        typed.call("echo", (1, 2))
    with pytest.raises(FunctionNotFound, match=r"could be a:b/c\.twice or x:y/z\.twice"):
        typed.call("twice")
    assert typed.functions() == ("a:b/c.echo", "a:b/c.twice", "x:y/z.twice")
    assert typed.call("x:y/z.twice") == ()


def test_typed_actors_do_not_mix(tree: FakeTree, client: Client, counter: ActorHandle) -> None:
    """Signatures are kept by package, so that they are asked for once."""
    counter.call("a:b/c.echo", ())
    counter.call("a:b/c.echo", ())

    assert len(tree.await_seen(info.GetInterface)) == 1
