"""The wire: golden bytes, bounds, and what happens to frames nobody should send."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto import control, envelope, info, limits, operation, stream

CODECS = {
    "operation requests": operation.REQUESTS,
    "operation answers": operation.ANSWERS,
    "info questions": info.QUESTIONS,
    "info answers": info.ANSWERS,
    "control from worker": control.FROM_WORKER,
    "control to worker": control.TO_WORKER,
    "control from client": control.FROM_CLIENT,
    "control to client": control.TO_CLIENT,
    "stream up": stream.UP,
    "stream down": stream.DOWN,
}

GOLDEN = [
    (
        operation.REQUESTS,
        operation.Call(7, "a:b/c.bump", None, 5000),
        "544801019aa463616c6c07aa613a622f632e62756d70c0cd1388c3c2c2c0c2",
    ),
    (operation.REQUESTS, operation.Cancel(8, 7), "5448010193a663616e63656c0807"),
    (operation.REQUESTS, operation.Mail(9, "send", "id", 1, 2), "5448010198a46d61696c09a473656e64a269640102a0c0"),
    (
        operation.REQUESTS,
        operation.Mail(10, "channel", "id", 1, 2, "ch_1", 500),
        "5448010198a46d61696c0aa76368616e6e656ca269640102a463685f31cd01f4",
    ),
    (operation.ANSWERS, operation.Returned(7), "5448010192a26f6b07"),
    (operation.ANSWERS, operation.Failed(7, "paused"), "5448010194a66661696c656407a670617573656490"),
    (info.QUESTIONS, info.Resolve(1, "/counter"), "5448010294a77265736f6c766501a82f636f756e746572c3"),
    (info.QUESTIONS, info.GetStatus(2, "/a"), "5448010293a673746174757302a22f61"),
    (info.QUESTIONS, info.Whereis(3, "planner"), "5448010293a77768657265697303a7706c616e6e6572"),
    (info.ANSWERS, info.Info(2, {"a": 1}), "5448010294a4696e666f0281a16101c2"),
    (control.FROM_WORKER, control.Hello(b"\x01\x02", 9), "5448010393a568656c6c6fc402010209"),
    (
        control.FROM_WORKER,
        control.Undelivered("id", "f", "gone"),
        "5448010396ab756e64656c697665726564a26964a166a4676f6e65a0a0",
    ),
    (
        control.TO_WORKER,
        control.PeerEnded("id", 1, {"kind": "completed"}),
        "5448010394aa706565725f656e646564a269640181a46b696e64a9636f6d706c65746564",
    ),
    (control.TO_WORKER, control.PeerMoved("id", 1), "5448010393aa706565725f6d6f766564a2696401"),
    (control.TO_WORKER, control.TakenOver(), "5448010392aa74616b656e5f6f766572a0"),
    (control.TO_WORKER, control.Ping(3), "5448010392a470696e6703"),
    (
        control.TO_WORKER,
        control.Init("", "", "", 1, "", "", "", "", "", 0, 0, None, None, {}, {}, content="/store/content"),
        "54480103dc0021a4696e6974a0a0a001a0a0a0a0a00000c0c08080c0a46e6f6e65c2c0c2c2c280c0c0c0a7696e697469616cc0c2c2ae2f73746f72652f636f6e74656e74c0",
    ),
    (control.FROM_CLIENT, control.Terminate(4, "/a"), "5448010393a97465726d696e61746504a22f61"),
    (control.FROM_CLIENT, control.Link(1, "/a"), "5448010394a46c696e6b01a22f61c0"),
    (control.FROM_CLIENT, control.Unlink(2, 7), "5448010393a6756e6c696e6b0207"),
    (control.FROM_CLIENT, control.Monitor(3, "/a", 2), "5448010394a76d6f6e69746f7203a22f6102"),
    (control.FROM_CLIENT, control.Demonitor(4, 8), "5448010393a964656d6f6e69746f720408"),
    (control.FROM_CLIENT, control.Signal(5, "/a", "boom"), "5448010395a67369676e616c05a22f61a4626f6f6dc0"),
    (control.FROM_CLIENT, control.Leave(6), "5448010393a56c6561766506a66e6f726d616c"),
    (
        control.TO_CLIENT,
        control.LinkExit(7, "normal", {"kind": "completed"}),
        "5448010394a96c696e6b5f6578697407a66e6f726d616c81a46b696e64a9636f6d706c65746564",
    ),
    (control.TO_CLIENT, control.MonitorDown(8, "noproc"), "5448010394a4646f776e08a66e6f70726f63c0"),
    (stream.UP, stream.EventBatch(0, 1, None, b"h"), "5448010495a562617463680001c0c40168"),
    (stream.DOWN, stream.Ack(1), "5448010492a361636b01"),
]


@pytest.mark.parametrize(("codec", "message", "golden"), GOLDEN, ids=lambda value: type(value).__name__)
def test_a_message_encodes_to_its_golden_bytes(codec: envelope.Codec, message: envelope.Message, golden: str) -> None:
    """Nobody changes the encoding of version 1 by accident."""
    assert codec.encode(message).hex() == golden
    assert codec.decode(bytes.fromhex(golden)) == message


def test_a_record_may_lack_trailing_defaults_and_have_more_fields() -> None:
    """Version 1 grows at the end only."""
    prefix = b"TH\x01\x01"
    shorter = prefix + msgspec.msgpack.encode(["call", 1, "f"])
    longer = prefix + msgspec.msgpack.encode(["cancel", 1, 2, "new field"])

    assert operation.REQUESTS.decode(shorter) == operation.Call(1, "f")
    assert operation.REQUESTS.decode(longer) == operation.Cancel(1, 2)


BAD = [
    (b"", envelope.ForeignFrame),
    (b"T", envelope.ForeignFrame),
    (b"TH", envelope.MalformedFrame),
    (b"GET / HTTP/1.1\r\n", envelope.ForeignFrame),
    (b"TH\x02\x01\x92\xa2ok\x01", envelope.UnknownVersion),
    (b"TH\x01\x02\x92\xa2ok\x01", envelope.MalformedFrame),
    (b"TH\x01\x01", envelope.MalformedFrame),
    (b"TH\x01\x01\x92\xa2ok", envelope.MalformedFrame),
    (b"TH\x01\x01\x92\xa2ok\xa1x", envelope.MalformedFrame),
    (b"TH\x01\x01\x92\xa4nope\x01", envelope.MalformedFrame),
    (b"TH\x01\x01\x92\xa2\xff\xff\x01", envelope.MalformedFrame),
    (b"TH\x01\x01" + b"\x91" * 5000, envelope.MalformedFrame),
]


@pytest.mark.parametrize(("frame", "error"), BAD, ids=range(len(BAD)))
def test_a_bad_frame_is_refused_by_its_kind(frame: bytes, error: type[envelope.WireError]) -> None:
    """Foreign, other version, other class, not decodable: each has its own error."""
    with pytest.raises(error):
        operation.ANSWERS.decode(frame)


def test_a_header_past_its_limit_is_refused() -> None:
    """One byte more than HEADER_BYTES_MAX."""
    base = len(operation.REQUESTS.encode(operation.Call(1, "")))
    fits = operation.Call(1, "x" * (limits.HEADER_BYTES_MAX - base - 4))

    assert operation.REQUESTS.decode(operation.REQUESTS.encode(fits)) == fits
    with pytest.raises(envelope.OversizedFrame):
        operation.REQUESTS.decode(operation.REQUESTS.encode(operation.Call(1, "x" * limits.HEADER_BYTES_MAX)))


def test_more_bodies_than_allowed_are_refused() -> None:
    """BODIES_MAX frames pass, one more does not."""
    envelope.check_bodies([b""] * limits.BODIES_MAX)

    with pytest.raises(envelope.OversizedFrame):
        envelope.check_bodies([b""] * (limits.BODIES_MAX + 1))


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
@given(data=st.binary(max_size=200), ours=st.booleans())
def test_any_bytes_decode_or_are_refused(codec: envelope.Codec, data: bytes, ours: bool) -> None:
    """No input makes a decoder raise anything but WireError."""
    header = codec._prefix + data if ours else data
    try:
        codec.decode(header)
    except envelope.WireError:
        pass
