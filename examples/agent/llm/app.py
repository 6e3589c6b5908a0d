"""Serves what looks like a language model: POST /v1/chat/completions, with a key."""

from __future__ import annotations

import json
from typing import Any

from model import completion

from theater_actor import U32, actor, export, http_handlers
from theater_actor.http_handlers import Request, Response

PATH = "/v1/chat/completions"


@actor(name="example:llm")
class Llm:
    """It counts its answers, and remembers nothing else: the conversation comes with every request."""

    answers: U32 = 0

    @export(http_handlers.INTERFACE)
    def handle_request(self, request: Request) -> Response:
        """Answer one request."""
        if (request.path_with_query or "").partition("?")[0] != PATH:
            return _response(404, _error(f"expected {PATH}"))
        if request.method != "POST":
            return _response(405, _error("expected POST"))
        scheme, _, key = (request.header("authorization") or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not key.startswith(b"sk-"):
            return _response(401, _error("expected a key: Authorization: Bearer sk-…"))
        try:
            answer = completion(json.loads(request.body), self.answers + 1)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _response(400, _error(f"expected a chat request: {error}"))
        self.answers += 1
        return _response(200, answer)


def _error(text: str) -> dict[str, Any]:
    return {"error": {"message": text, "type": "invalid_request_error"}}


def _response(status: int, body: dict[str, Any]) -> Response:
    return Response(status, [("content-type", b"application/json")], json.dumps(body).encode())
