"""Host calls of an actor with budgets: counted, and refused, delayed or the actor's end when one is used up."""

from __future__ import annotations

import time

from theater import cgrf
from theater.values import Value
from worker.budgets import Budgets, UsedUp
from worker.interfaces.context import Context
from worker.interfaces.registry import Dispatcher, known
from worker.interfaces.sending import STAYS, Sends


class Metered(Dispatcher):
    """Answers host calls as far as the budgets go."""

    def __init__(self, context: Context, budgets: Budgets) -> None:
        super().__init__(context)
        self._budgets = budgets
        self._sends: dict[tuple[str, str], Sends] = {}

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        """Return the encoded output for an encoded input; refused calls are recorded like any other."""
        began = time.thread_time_ns()
        try:
            sends = self._sends_of(interface, function)
            leaving = self._leaving(sends, interface, function, data)
            self._budgets.host_call(leaving)
            output = super().answer(interface, function, data)
            if leaving is not None and sends.moved is not None:
                self._budgets.sent(sends.moved(cgrf.decode(output)))
            return output
        except UsedUp as error:
            return self.refuse(interface, function, data, str(error))
        finally:
            self._budgets.in_host(time.thread_time_ns() - began)

    def answer_value(self, interface: str, function: str, given: Value) -> Value:
        """The same for who has values; what is counted are the bytes they would take."""
        return cgrf.decode(self.answer(interface, function, cgrf.encode(given)))

    def _sends_of(self, interface: str, function: str) -> Sends:
        if not self._budgets.counts_outgoing:
            return STAYS
        found = self._sends.get((interface, function))
        if found is None:
            found = self._sends[interface, function] = known()[interface].sends_of(function)
        return found

    def _leaving(self, sends: Sends, interface: str, function: str, data: bytes) -> int | None:
        """How many bytes leave the actor with a call; None if none ever do."""
        if sends is STAYS:
            return None
        if sends.amount is None:
            return len(data)
        return sends.amount(self._context, *self.arguments(interface, function, data))
