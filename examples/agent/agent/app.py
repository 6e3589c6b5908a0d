"""An agent: a model says what to do next, tools do it, each an actor and its child, until the model has an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tools import MANIFEST, TOOLS, described

from theater_actor import U32, Decline, HostError, actor, export, http, rpc, runtime, supervisor

SYSTEM = "Answer in one sentence. Use the tools you are given."
AUTHORIZATION = b"Bearer {{LLM_KEY}}"
"""The host puts the secret in on the way out; this program never holds it."""


@dataclass
class ToolCall:
    """What the model wants done."""

    id: str
    name: str
    arguments: str


@dataclass
class Message:
    """A line of the conversation."""

    role: str
    content: str | None = None
    calls: list[ToolCall] = field(default_factory=list)
    answers: str | None = None
    """The call that a tool's message answers."""


@actor(name="example:agent")
class Agent:
    """Its fields are the conversation: ``recover: last`` brings it back after a crash."""

    endpoint: str
    model: str = "parrot-1"
    turns_max: U32 = 10
    messages: list[Message] = field(default_factory=lambda: [Message("system", SYSTEM)])
    children: dict[str, str] = field(default_factory=dict)
    """Tools that were started, and the ids of their actors."""

    @export
    def ask(self, question: str) -> str:
        """Return the answer to a question."""
        self.messages.append(Message("user", question))
        for _ in range(self.turns_max):
            message = self._next()
            self.messages.append(message)
            if not message.calls:
                return message.content or ""
            for call in message.calls:
                self.messages.append(Message("tool", self._done(call), answers=call.id))
        raise Decline(f"no answer after {self.turns_max} turns")

    @export
    def conversation(self) -> list[str]:
        """What was said so far, a line each."""
        return [f"{each.role}: {each.content}" for each in self.messages if each.content is not None]

    def _next(self) -> Message:
        """Ask the model."""
        body = {"model": self.model, "messages": [_as_json(each) for each in self.messages], "tools": described()}
        headers = [("authorization", AUTHORIZATION), ("content-type", b"application/json")]
        url = f"{self.endpoint}/v1/chat/completions"
        status, _, answer = http.request("POST", url, headers, json.dumps(body).encode())
        if status != 200:
            raise Decline(f"the model answers {status}: {answer[:200].decode(errors='replace')}")
        message = json.loads(answer)["choices"][0]["message"]
        calls = [
            ToolCall(each["id"], each["function"]["name"], each["function"]["arguments"])
            for each in message.get("tool_calls") or []
        ]
        return Message("assistant", message["content"], calls)

    def _done(self, call: ToolCall) -> str:
        """Do what the model wants; what goes wrong is for the model to hear, too."""
        tool = TOOLS.get(call.name)
        if tool is None:
            return f"error: there is no tool {call.name}"
        arguments: dict[str, Any] = json.loads(call.arguments)
        try:
            result = rpc.ask(self._child(tool.actor), tool.target, *tool.params(arguments), timeout_ms=30_000)
        except HostError as error:
            return f"error: {error}"
        return tool.shown(result, arguments)

    def _child(self, name: str) -> str:
        """The tool's actor: the one that lives, else one with the state that it has left, else a new one."""
        known = self.children.get(name)
        if known is not None and known in supervisor.list_children():
            return known
        manifest = MANIFEST.format(actor=name)
        try:
            started = supervisor.resume(manifest)
            runtime.log(f"{name} goes on")
        except HostError:
            started = supervisor.spawn(manifest)
            runtime.log(f"{name} begins")
        self.children[name] = started
        return started


def _as_json(message: Message) -> dict[str, Any]:
    """A message as chat requests have it."""
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        written["tool_calls"] = [
            {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
            for each in message.calls
        ]
    if message.answers is not None:
        written["tool_call_id"] = message.answers
    return written
