"""What stands in for a language model: it finds steps in a question by patterns, and is always of the same opinion.

It sees what a real one sees, the conversation alone: which step is next follows from the tools' answers so far.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Call = tuple[str, dict[str, Any]]
"""A tool and its arguments."""

NUMBER = r"(-?\d+(?:\.\d+)?|it|the result)"
STEPS = re.compile(r",?\s+(?:and )?then\s+|\.\s+|;\s*")
BACKWARDS = ("from", "to")
"""'Subtract 2 from 5' begins with 5."""


def answer(messages: list[dict[str, Any]]) -> str | Call:
    """The next words of a conversation: an answer for the user, or a tool to call."""
    last = max((at for at, each in enumerate(messages) if each["role"] == "user"), default=None)
    if last is None:
        return "Ask me something."
    results = [each["content"] for each in messages[last:] if each["role"] == "tool"]
    wanted = [step.strip() for step in STEPS.split(messages[last]["content"].rstrip(" .!?")) if step.strip()]
    if results and results[-1].startswith("error: "):
        return f"That did not work: {results[-1].removeprefix('error: ')}."
    if len(results) < len(wanted):
        found = _call(wanted[len(results)], results[-1] if results else "0")
        if found is not None:
            return found
        results.append(f"{wanted[len(results)]!r} is more than I can do: I calculate and take notes")
    return f"{'; '.join(results)}."


def _call(step: str, before: str) -> Call | None:
    """The tool for a step; ``before`` is what the step before it gave."""
    for pattern, make in PATTERNS:
        found = re.fullmatch(pattern, step, re.IGNORECASE)
        if found is not None:
            return make(found, before)
    return None


def _calculate(found: re.Match[str], before: str) -> Call:
    operation, first, word, second = found.groups()
    a, b = (float(before if each[0] in "it" else each) for each in (first.lower(), second.lower()))
    if word in BACKWARDS and operation.lower() == "subtract":
        a, b = b, a
    return "calculate", {"operation": operation.lower(), "a": a, "b": b}


def _keep(found: re.Match[str], before: str) -> Call:
    return "keep_note", {"text": re.sub(r"\b(it|the result)\b", before, found.group(1))}


def _recall(found: re.Match[str], before: str) -> Call:
    return "recall_notes", {}


PATTERNS: list[tuple[str, Callable[[re.Match[str], str], Call]]] = [
    (rf"(add|subtract|multiply|divide) {NUMBER} (and|to|from|by|with) {NUMBER}", _calculate),
    (r"(?:remember|note) (?:that )?(.+)", _keep),
    (r"what (?:do you|did i|did you) .*(?:remember|note).*", _recall),
]


def completion(request: dict[str, Any], number: int) -> dict[str, Any]:
    """The body of an answer, in the form that such services have."""
    said = answer(request["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": said if isinstance(said, str) else None}
    if not isinstance(said, str):
        name, arguments = said
        function = {"name": name, "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": function}]
    reason = "stop" if isinstance(said, str) else "tool_calls"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "model": request.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    }
