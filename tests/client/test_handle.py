"""Calls through the blocking handle, against a fake supervisor over real sockets (lifecycle section 9)."""

from __future__ import annotations

import pytest

from proto import info, operation
from tests.client.faketree import FakeTree
from theater import metadata, types, values
from theater.client import Client
from theater.errors import (
    FunctionNotFound,
    InternalError,
    NotFound,
    OperationTimeout,
    SerializationError,
    TypeMismatch,
    UnexpectedError,
)
from theater.handle import ActorHandle

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


def test_big_answer(counter: ActorHandle) -> None:
    """A large answer is received whole (its decoding fails here, it is only zeros)."""
    with pytest.raises(SerializationError):
        counter.call("a:b/c.big", ())


def test_http_request(counter: ActorHandle) -> None:
    """Without an http service the documented error is answered."""
    with pytest.raises(UnexpectedError, match="should be handled by the HTTP handler directly"):
        counter.handle_wasi_http_request("GET", None, None, "/", ())


def test_send_does_not_wait(tree: FakeTree, client: Client, counter: ActorHandle) -> None:
    """send hands the call over and goes on; it arrives even if the client is closed at once."""
    counter.send("a:b/c.hold", (1,))
    client.close()

    assert tree.await_seen(operation.Call)[0].void


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
