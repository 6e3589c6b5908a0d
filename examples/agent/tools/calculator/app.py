"""A tool: the four operations."""

from __future__ import annotations

from theater_actor import Decline, actor, export


@actor(name="example:calculator")
class Calculator:
    """It keeps nothing."""

    @export
    def calculate(self, operation: str, a: float, b: float) -> float:
        """add, subtract, multiply or divide."""
        match operation:
            case "add":
                return a + b
            case "subtract":
                return a - b
            case "multiply":
                return a * b
            case "divide" if b:
                return a / b
            case "divide":
                raise Decline("nothing can be divided by 0")
            case _:
                raise Decline(f"{operation}: expected add, subtract, multiply or divide")
