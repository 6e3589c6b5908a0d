"""Scenarios and traces as text that a person can read: what was done, and what came of it."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any

from tests.otp_driver.record import Event


def conversation(story: dict[str, Any], got: list[Event]) -> str:
    """The story with its first differing event marked: ``want`` is the recorded one, ``got`` ours."""
    scenario, wanted = story["scenario"], story["trace"]
    lines = [f"{story['name']}: {story['about']}", f"{tree_text(scenario['root'])}    (OTP {story['otp_version']})"]
    steps = ["start", *(step_text(step) for step in scenario["steps"])]
    told = 0
    for want, have in zip_longest(wanted, got):
        step = (want or have)["step"]
        lines += [f"> {text}" for text in steps[told : step + 1]]
        told = max(told, step + 1)
        if want != have:
            return "\n".join([*lines, *_difference(want, have)])
        lines.append(f"    {event_text(want)}")
    return "\n".join(lines)


def _difference(want: Event | None, got: Event | None) -> list[str]:
    return [
        f"--> want  {_with_step(want)}",
        f"--> got   {_with_step(got)}",
    ]


def _with_step(event: Event | None) -> str:
    return "nothing more" if event is None else f"{event_text(event)}    (step {event['step']})"


def tree_text(supervisor: dict[str, Any]) -> str:
    """A supervisor and its children in one line."""
    flags = ", ".join(
        f"{key} {supervisor[key]}" for key in ("intensity", "period", "auto_shutdown") if key in supervisor
    )
    children = ", ".join(_child_text(child) for child in supervisor.get("children", ()))
    return f"{supervisor.get('strategy', 'one_for_one')}{', ' if flags else ''}{flags}: {children or 'no children'}"


def _child_text(child: dict[str, Any]) -> str:
    words = [f"{child[key]}" for key in ("restart", "shutdown") if key in child]
    words += ["significant"] if child.get("significant") is True else []
    words += [f"{key} {json.dumps(value)}" for key, value in child.get("worker", {}).items()]
    below = f" [{tree_text(child['supervisor'])}]" if "supervisor" in child else ""
    return " ".join([str(child.get("id")), *words]) + below


def step_text(step: dict[str, Any]) -> str:
    """What is done, in a few words."""
    match step["do"]:
        case "exit":
            return f"{step['path']} exits {step['reason']}"
        case "exit_many":
            return f"{' '.join(step['paths'])} exit {step['reason']} at once"
        case "held":
            calls = "; ".join(step_text(call) for call in step["calls"])
            return (
                f"{step['path']} exits {step['reason']}; the start of {step['hold']} is held up ({calls}), "
                f"then: {step['outcome']}"
            )
        case do:
            return " ".join([do, *(_plain(value) for key, value in step.items() if key != "do")])


def event_text(event: Event) -> str:
    """An event in one line."""
    return " ".join(_plain(value) for key, value in event.items() if key != "step")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
