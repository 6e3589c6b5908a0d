"""The agent's tools: which actor does what, and how a model is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MANIFEST = """
name = "{actor}"
package = "tools/{actor}/{actor}.wasm"

[[handler]]
type = "wasi"
"""
"""A tool may do less than the agent: no network, no children, no calls."""


@dataclass(frozen=True)
class Tool:
    """A function of an actor."""

    actor: str
    function: str
    description: str
    properties: dict[str, str]
    """Names and JSON types of its arguments."""
    shown: Callable[[Any, dict[str, Any]], str]
    """What the model is told of a result."""

    @property
    def target(self) -> str:
        """The function's full name."""
        return f"example:{self.actor}/api.{self.function}"

    def params(self, arguments: dict[str, Any]) -> list[Any]:
        """A model's arguments as the function wants them: JSON does not tell 2 from 2.0, actors do."""
        return [_OF[kind](arguments[name]) for name, kind in self.properties.items()]


_OF: dict[str, Callable[[Any], Any]] = {"number": float, "string": str}

TOOLS = {
    "calculate": Tool(
        "calculator",
        "calculate",
        "Calculate with two numbers; operation is add, subtract, multiply or divide.",
        {"operation": "string", "a": "number", "b": "number"},
        lambda result, _: f"{result:g}",
    ),
    "keep_note": Tool(
        "notes",
        "keep",
        "Keep a note.",
        {"text": "string"},
        lambda number, arguments: f"kept as note {number}: {arguments['text']}",
    ),
    "recall_notes": Tool(
        "notes", "recall", "All notes.", {}, lambda texts, _: " / ".join(texts) or "there are no notes"
    ),
}


def described() -> list[dict[str, Any]]:
    """All tools, as chat requests name them."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": tool.description,
                "parameters": {
                    "type": "object",
                    "properties": {each: {"type": kind} for each, kind in tool.properties.items()},
                    "required": list(tool.properties),
                },
            },
        }
        for name, tool in TOOLS.items()
    ]
