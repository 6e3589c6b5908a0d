"""``theater:simple/http-client``: one request, one response, for actors without ``wasi:http``.

The same grant, the same allow-list, the same secrets and the same limits as ``wasi:http/outgoing-handler``.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from theater.grants import SIMPLE_HTTP_CLIENT
from theater.values import U16, List, Option, String, Tuple, Value, bytes_of
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Refusal, Variant
from worker.interfaces.sending import GIVEN
from worker.interfaces.wasi.declaring import Failure
from worker.interfaces.wasi.http_bodies import Collected
from worker.interfaces.wasi.http_body_resources import OutgoingBody
from worker.interfaces.wasi.http_fields import SECRET, Fields, checked, digested, pairs_of, pairs_value
from worker.interfaces.wasi.http_messages import OutgoingRequest, RequestOptions
from worker.interfaces.wasi.http_names import HEADER
from worker.interfaces.wasi.http_outgoing import Future, Refused, begin, body_bytes_max
from worker.interfaces.wasi.http_words import TARGET_CHARS_MAX, TOKEN
from worker.interfaces.wasi.streams import StreamClosed, StreamFailed
from worker.interfaces.wasi.waiting import Waker

HEADERS: Final = "list<tuple<string, list<u8>>>"
MS_NS: Final = 1_000_000
PIECE_BYTES: Final = 1 << 16


def request(context: Context, method: String, url: String, headers: List, body: List, timeout: Option) -> Value:
    """Send a request and wait for all of its answer."""
    made = _made(method.value, url.value, headers, bytes(body.items), body_bytes_max(context))
    options = RequestOptions()
    if timeout.value is not None:
        wanted = timeout.value.value * MS_NS  # type: ignore[attr-defined]
        options.times = dict.fromkeys(("connect-timeout", "first-byte-timeout", "between-bytes-timeout"), wanted)
    try:
        future = begin(context, made, options)
    except Refused as refused:
        raise Refusal(_words(refused, url.value)) from None
    waker = context.service(Waker)
    if not waker.wait_for(future.is_ready):
        future.close()
        raise Refusal("shutting-down")
    return _answer(future, waker, url.value)


def _made(method: str, url: str, headers: List, data: bytes, bytes_max: int) -> OutgoingRequest:
    try:
        parts = urlsplit(url)
        fields = Fields([(name, checked(name, [value])[0]) for name, value in pairs_of(headers)])
    except ValueError as error:
        raise Refusal(f"expected a URL such as https://api.example.com/path, got {url!r}: {error}") from None
    except Failure as failure:
        raise Refusal(f"a header is {failure.what}") from None
    if not TOKEN.fullmatch(method):
        raise Refusal(f"expected a method such as GET, got {method[:50]!r}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if len(url) > TARGET_CHARS_MAX or not parts.netloc or any(not "!" <= each <= "~" for each in target):
        raise Refusal(f"expected a URL such as https://api.example.com/path, got {url[:100]!r}")
    body = OutgoingBody(Collected(bytes_max))
    try:
        body.content.data += data
        if len(data) > bytes_max:
            body.content.room()
    except StreamFailed as failed:
        raise Refusal(str(failed)) from None
    made = OutgoingRequest(fields, body)
    made.method, made.scheme, made.authority, made.path = method, parts.scheme, parts.netloc, target
    return made


def _answer(future: Future, waker: Waker, url: str) -> Value:
    answer = future.answer
    if isinstance(answer, Refused):
        raise Refusal(_words(answer, url))
    assert answer is not None and answer.body is not None
    data, body = bytearray(), answer.body
    try:
        while True:
            if not waker.wait_for(body.has_news):
                future.close()
                raise Refusal("shutting-down")
            data += body.read(PIECE_BYTES)
    except StreamClosed:
        pass
    except StreamFailed as failed:
        raise Refusal(str(failed)) from None
    return Tuple((U16(answer.status), pairs_value(answer.headers), bytes_of(bytes(data))))


def _words(refused: Refused, url: str) -> str:
    texts = [_text(each) for each in refused.payload]
    return f"{url[:200]}: {' '.join([refused.code, *filter(None, texts)])}"


def _text(value: Any) -> str:
    inner = getattr(value, "value", None)
    return str(getattr(inner, "value", "")) if inner is not None else ""


def _without_secrets(given: Value) -> Value:
    """Values of secret headers as digests, as in ``wasi:http``."""
    method, url, headers, *rest = given.items  # type: ignore[attr-defined]
    shown = tuple(
        Tuple((name, digested(value))) if name.value.lower() in SECRET else Tuple((name, value))
        for name, value in (each.items for each in headers.items)
    )
    return Tuple((method, url, List(HEADER, shown), *rest))


INTERFACE: Final = Interface(
    SIMPLE_HTTP_CLIENT,
    "Requests to the hosts that the grant names. A text `{{NAME}}` in a header is replaced by the grant's secret of "
    "that name on the way out. Redirects are not followed.",
    (
        Function(
            "request",
            "Send a request and wait for all of its answer: status, headers, body. An error says what went wrong: "
            "`HTTP-request-denied` for a host that is not allowed, else the error code that `wasi:http` has for it.",
            (
                Variant(
                    f"func(method: string, url: string, headers: {HEADERS}, body: list<u8>, timeout-ms: option<u64>) "
                    f"-> result<tuple<u16, {HEADERS}, list<u8>>, string>",
                    request,
                    secrets=_without_secrets,
                ),
            ),
            own=True,
            sends=GIVEN,
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
