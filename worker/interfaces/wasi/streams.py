"""``wasi:io``: streams, errors and pollables."""

from __future__ import annotations

from typing import Final

from theater import types
from theater.values import U32, U64, UNIT, Bool, List, Result, String, Value, bytes_of
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context
from worker.interfaces.sending import Sends
from worker.interfaces.wasi.declaring import Failure, Maker, case, names_of
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.waiting import Pollable, Waker

CHUNK_BYTES: Final = 1 << 16
"""What a stream gives or takes at one time."""
WRITE_AND_FLUSH_BYTES: Final = 4096
"""The most that ``blocking-write-and-flush`` takes, says WASI."""

NAMES: Final = names_of("stream-error = variant stream-error {last-operation-failed(u32), closed}")
_ERROR: Final = NAMES["stream-error"]
CLOSED: Final = case(_ERROR, "closed")


class StreamFailed(Exception):
    """The operation failed for good; the text goes to the guest as ``wasi:io/error``."""


class StreamClosed(Exception):
    """There is no more to read, or nobody to write to."""


class InputStream:
    """What can be read from; this one is at its end."""

    def read(self, size: int) -> bytes:
        """Return what is there, at most ``size`` bytes, or nothing if nothing is there yet; raises StreamClosed."""
        raise StreamClosed

    def has_news(self) -> bool:
        """Whether ``read`` would give something, or say that it is over."""
        return True


class OutputStream:
    """What can be written to; this one takes everything and forgets it."""

    leaves = True
    """What is written leaves the actor: the budget ``outgoing`` counts it."""

    def room(self) -> int:
        """How many bytes may be written now; raises StreamClosed."""
        return CHUNK_BYTES

    def write(self, data: bytes) -> None:
        """Take bytes for which there is room."""

    def flush(self) -> None:
        """Begin to pass on what was taken."""

    def is_flushed(self) -> bool:
        """Whether all that was taken is passed on."""
        return True


class Error:
    """``wasi:io/error``: a text."""

    def __init__(self, text: str) -> None:
        self.text = text


class Bytes(InputStream):
    """An input stream of what is there already."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        if not self._data:
            raise StreamClosed
        found, self._data = self._data[:size], self._data[size:]
        return bytes(found)



def _failed(context: Context, error: StreamFailed | StreamClosed) -> Failure:
    if isinstance(error, StreamClosed):
        return Failure(CLOSED)
    return Failure(case(_ERROR, "last-operation-failed", resources(context).add(Error(str(error)))))


# -- reading -----------------------------------------------------------------------------------------------------------


def _input(context: Context, handle: U32) -> InputStream:
    return resources(context).get(handle, InputStream)


def _read_now(context: Context, handle: U32, size: U64) -> bytes:
    try:
        return _input(context, handle).read(min(size.value, CHUNK_BYTES))
    except (StreamFailed, StreamClosed) as error:
        raise _failed(context, error) from None


def _read_then(context: Context, handle: U32, size: U64) -> bytes:
    if size.value:
        context.service(Waker).wait([Pollable(_input(context, handle).has_news)])
    return _read_now(context, handle, size)


def read(context: Context, handle: U32, size: U64) -> Value:
    """Read without waiting."""
    return bytes_of(_read_now(context, handle, size))


def blocking_read(context: Context, handle: U32, size: U64) -> Value:
    """Wait until there is something."""
    return bytes_of(_read_then(context, handle, size))


def skip(context: Context, handle: U32, size: U64) -> Value:
    """Read and forget."""
    return U64(len(_read_now(context, handle, size)))


def blocking_skip(context: Context, handle: U32, size: U64) -> Value:
    """Wait, read and forget."""
    return U64(len(_read_then(context, handle, size)))


def subscribe_input(context: Context, handle: U32) -> Value:
    """Ready when there is something to read."""
    return resources(context).add(Pollable(_input(context, handle).has_news))


# -- writing -----------------------------------------------------------------------------------------------------------


def _output(context: Context, handle: U32) -> OutputStream:
    return resources(context).get(handle, OutputStream)


def _has_room(stream: OutputStream) -> bool:
    try:
        return stream.room() > 0
    except (StreamClosed, StreamFailed):
        return True


def _is_flushed(stream: OutputStream) -> bool:
    try:
        return stream.is_flushed()
    except (StreamClosed, StreamFailed):
        return True


def check_write(context: Context, handle: U32) -> Value:
    """How much may be written."""
    try:
        return U64(_output(context, handle).room())
    except (StreamFailed, StreamClosed) as error:
        raise _failed(context, error) from None


def write(context: Context, handle: U32, contents: List) -> Value:
    """Write what ``check-write`` allowed; more is the guest's fault and ends it."""
    stream, data = _output(context, handle), bytes(contents.items)
    try:
        if len(data) > stream.room():
            raise Trap(f"wrote {len(data)} bytes where check-write allowed {stream.room()}", CONTRACT)
        stream.write(data)
    except (StreamFailed, StreamClosed) as error:
        raise _failed(context, error) from None
    return UNIT


def flush(context: Context, handle: U32) -> Value:
    """Begin to pass on what was written."""
    try:
        _output(context, handle).flush()
    except (StreamFailed, StreamClosed) as error:
        raise _failed(context, error) from None
    return UNIT


def blocking_flush(context: Context, handle: U32) -> Value:
    """And wait until it is."""
    flush(context, handle)
    stream = _output(context, handle)
    context.service(Waker).wait([Pollable(lambda: _is_flushed(stream))])
    return flush(context, handle)


def write_all(context: Context, stream: OutputStream, data: bytes) -> None:
    """Write all of it, waiting for room."""
    waker, rest = context.service(Waker), memoryview(data)
    while rest:
        waker.wait([Pollable(lambda: _has_room(stream))])
        size = min(len(rest), stream.room())
        if not size:
            raise StreamClosed  # the actor is to stop
        stream.write(bytes(rest[:size]))
        rest = rest[size:]


def blocking_write_and_flush(context: Context, handle: U32, contents: List) -> Value:
    """Write up to 4096 bytes and wait until they are passed on."""
    if len(contents.items) > WRITE_AND_FLUSH_BYTES:
        text = f"blocking-write-and-flush of {len(contents.items)} bytes, at most {WRITE_AND_FLUSH_BYTES} are allowed"
        raise Trap(text, CONTRACT)
    try:
        write_all(context, _output(context, handle), bytes(contents.items))
    except (StreamFailed, StreamClosed) as error:
        raise _failed(context, error) from None
    return blocking_flush(context, handle)


def write_zeroes(context: Context, handle: U32, size: U64) -> Value:
    """Write zeroes."""
    return write(context, handle, bytes_of(bytes(min(size.value, CHUNK_BYTES + 1))))


def blocking_write_zeroes_and_flush(context: Context, handle: U32, size: U64) -> Value:
    """Write up to 4096 zeroes and wait until they are passed on."""
    return blocking_write_and_flush(context, handle, bytes_of(bytes(min(size.value, WRITE_AND_FLUSH_BYTES + 1))))


def splice(context: Context, handle: U32, source: U32, size: U64) -> Value:
    """Pass on what is there."""
    target = _output(context, handle)
    try:
        data = _input(context, source).read(min(size.value, target.room(), CHUNK_BYTES))
        target.write(data)
    except (StreamFailed, StreamClosed) as error:
        raise _failed(context, error) from None
    return U64(len(data))


def blocking_splice(context: Context, handle: U32, source: U32, size: U64) -> Value:
    """Wait until something can be passed on."""
    waker, target = context.service(Waker), _output(context, handle)
    waker.wait([Pollable(lambda: _has_room(target))])
    waker.wait([Pollable(_input(context, source).has_news)])
    return splice(context, handle, source, size)


def subscribe_output(context: Context, handle: U32) -> Value:
    """Ready when there is room, and all that was to be flushed is."""
    stream = _output(context, handle)
    return resources(context).add(Pollable(lambda: _has_room(stream) and _is_flushed(stream)))


# -- what leaves the actor ---------------------------------------------------------------------------------------------


def _written(context: Context, handle: U32, contents: List) -> int | None:
    return len(contents.items) if _output(context, handle).leaves else None


def _zeroes(context: Context, handle: U32, size: U64) -> int | None:
    return min(size.value, CHUNK_BYTES) if _output(context, handle).leaves else None


def _spliced(context: Context, handle: U32, source: U32, size: U64) -> int | None:
    return 0 if _output(context, handle).leaves else None


def _moved(answer: Value) -> int:
    assert isinstance(answer, Result)
    return answer.value.value if isinstance(answer.value, U64) else 0


_SENDS: Final = {
    f"[method]output-stream.{name}": sends
    for name, sends in {
        "write": Sends(_written),
        "blocking-write-and-flush": Sends(_written),
        "write-zeroes": Sends(_zeroes),
        "blocking-write-zeroes-and-flush": Sends(_zeroes),
        "splice": Sends(_spliced, _moved),
        "blocking-splice": Sends(_spliced, _moved),
    }.items()
}


# -- errors and pollables ----------------------------------------------------------------------------------------------


def to_debug_string(context: Context, handle: U32) -> Value:
    """The text of an error."""
    return String(resources(context).get(handle, Error).text)


def ready(context: Context, handle: U32) -> Value:
    """Whether it is, now."""
    return Bool(resources(context).get(handle, Pollable).ready)


def block(context: Context, handle: U32) -> Value:
    """Wait for one."""
    context.service(Waker).wait([resources(context).get(handle, Pollable)])
    return UNIT


def poll(context: Context, handles: List) -> Value:
    """Wait for any of them; the places of those that are ready."""
    if not handles.items:
        raise Trap("poll of no pollables would wait for ever", CONTRACT)
    items = [resources(context).get(U32(each), Pollable) for each in handles.items]
    return List(types.U32, tuple(context.service(Waker).wait(items)))


def _poll() -> Maker:
    made = Maker({})
    made.add("poll", "(in: list<u32>) -> list<u32>", poll)
    made.methods("pollable", [("ready", "() -> bool", ready), ("block", "()", block)])
    made.drop("pollable", drop)
    return made


def _error() -> Maker:
    made = Maker({})
    made.methods("error", [("to-debug-string", "() -> string", to_debug_string)])
    made.drop("error", drop)
    return made


def _streams() -> Maker:
    made = Maker(NAMES)
    reading, size = "(len: u64) -> result<list<u8>, stream-error>", "(len: u64) -> result<u64, stream-error>"
    made.methods(
        "input-stream",
        [
            ("read", reading, read),
            ("blocking-read", reading, blocking_read),
            ("skip", size, skip),
            ("blocking-skip", size, blocking_skip),
            ("subscribe", "() -> u32", subscribe_input),
        ],
    )
    made.drop("input-stream", drop)
    writing, done = "(contents: list<u8>) -> result<_, stream-error>", "-> result<_, stream-error>"
    splicing = "(src: u32, len: u64) -> result<u64, stream-error>"
    made.methods(
        "output-stream",
        [
            ("check-write", "() -> result<u64, stream-error>", check_write),
            ("write", writing, write),
            ("blocking-write-and-flush", writing, blocking_write_and_flush),
            ("flush", f"() {done}", flush),
            ("blocking-flush", f"() {done}", blocking_flush),
            ("subscribe", "() -> u32", subscribe_output),
            ("write-zeroes", f"(len: u64) {done}", write_zeroes),
            ("blocking-write-zeroes-and-flush", f"(len: u64) {done}", blocking_write_zeroes_and_flush),
            ("splice", splicing, splice),
            ("blocking-splice", splicing, blocking_splice),
        ],
    )
    made.drop("output-stream", drop)
    return made


INTERFACES: Final = (
    _poll().interface("wasi:io/poll", "Waiting for one of several things."),
    _error().interface("wasi:io/error", "Errors of streams, as text."),
    _streams().interface("wasi:io/streams", "Streams of bytes: of files, of standard output, of HTTP bodies.", _SENDS),
)
