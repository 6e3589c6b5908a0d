"""Host calls of an actor with budgets: counted, and refused, delayed or the actor's end when one is used up."""

from __future__ import annotations

import time

from theater import cgrf
from theater.values import Value
from worker.budgets import Budgets, UsedUp
from worker.interfaces.context import Context
from worker.interfaces.registry import Dispatcher


class Metered(Dispatcher):
    """Answers host calls as far as the budgets go."""

    def __init__(self, context: Context, budgets: Budgets) -> None:
        super().__init__(context)
        self._budgets = budgets

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        """Return the encoded output for an encoded input; refused calls are recorded like any other."""
        began = time.thread_time_ns()
        try:
            self._budgets.host_call(interface, function, len(data))
            return super().answer(interface, function, data)
        except UsedUp as error:
            return self.refuse(interface, function, data, str(error))
        finally:
            self._budgets.in_host(time.thread_time_ns() - began)

    def answer_value(self, interface: str, function: str, given: Value) -> Value:
        """The same for who has values; what is counted are the bytes they would take."""
        return cgrf.decode(self.answer(interface, function, cgrf.encode(given)))
