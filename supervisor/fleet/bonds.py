"""Links, monitors and exit signals of guests (``theater:simple/links``): whom they may reach, and the telling.

What follows from what is decided by supervisor.core.bonds. A process there is an incarnation here, named as its family
is (``/a#3``), so a hot update changes nothing: the guest's bonds go on with its next package. Clients are processes
too (supervisor.gate.bonds), which are told in their own way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Final

from proto import control
from supervisor.core import bonds as core
from supervisor.core import signals
from supervisor.fleet import callbacks
from supervisor.fleet.asking import Asking, Refusal
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.lives import Actor, Life, family_of, is_family
from supervisor.fleet.services import Services
from theater import values
from theater.cause import Cause
from theater.errors import PermissionDenied
from theater.grants.links import GRANT
from theater.patterns.paths import matches

CLIENT: Final = "theater:simple/links-client"
BONDS_MAX: Final = 10_000
"""Links and monitors of one incarnation."""
REASON_CHARS_MAX: Final = 1000
REFS_PER_INCARNATION: Final = 1 << 32
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class Bonds:
    """Answers the functions of ``links`` for every guest, and tells guests of ends."""

    def __init__(self, services: Services, deaths: Deaths) -> None:
        self._s = services
        self._deaths = deaths
        self._core = core.Bonds()
        self._refs = count(1)
        self.outside: dict[signals.Process, Callable[[signals.Action], None]] = {}
        """How processes that are no actors are told: clients."""
        deaths.on_end.append(self._on_end)
        self.functions: dict[str, Callable[[Asking], None]] = {
            "links.link": self._link,
            "links.unlink": self._unlink,
            "links.monitor": self._monitor,
            "links.demonitor": self._demonitor,
            "links.trap-exit": self._trap_exit,
            "links.exit": self._exit,
        }

    def on_ask(self, life: Life, ask: control.Ask, bodies: list[bytes]) -> None:
        """Serve one function; whatever is wrong with the call becomes its refusal."""
        asking = Asking(self._s, life, ask, bodies)
        try:
            self.functions[ask.function](asking)
        except Refusal as refusal:
            asking.refuse(str(refusal))
        except (KeyError, TypeError, ValueError) as error:
            asking.refuse(f"malformed arguments: {type(error).__name__}: {error}")

    def link(self, parent: Life, child: Actor) -> None:
        """Link a guest with what it has just spawned."""
        self.perform(signals.Link(family_of(parent), process_of(child), child.id))

    def cause_of(self, process: signals.Process) -> Cause | None:
        """Why an incarnation has ended, asked when its end is told."""
        actor = self._s.register.by_path.get(_path(process))
        return None if actor is None else actor.cause

    # -- the functions -----------------------------------------------------------------------------------------------

    def _link(self, asking: Asking) -> None:
        address, actor = self._target(asking, ("allow",))
        self._require_room(asking)
        notice = signals.Link(family_of(asking.life), process_of(actor), address)
        self._answer(asking, notice, {"id": address if actor is None else actor.id})

    def _unlink(self, asking: Asking) -> None:
        _, actor = self._target(asking, ("allow",))
        self._answer(asking, signals.Unlink(family_of(asking.life), process_of(actor)), {})

    def _monitor(self, asking: Asking) -> None:
        address, actor = self._target(asking, ("allow", "monitor"))
        self._require_room(asking)
        ref = asking.life.family * REFS_PER_INCARNATION + next(self._refs) % REFS_PER_INCARNATION
        # The answer first: the guest must know the reference before it can be told of it.
        asking.answer({"ref": ref})
        self.perform(signals.Monitor(family_of(asking.life), ref, process_of(actor), address))

    def _demonitor(self, asking: Asking) -> None:
        answer = self.perform(signals.Demonitor(family_of(asking.life), int(asking.arguments["ref"])))
        asking.answer({"was_there": answer})

    def _trap_exit(self, asking: Asking) -> None:
        answer = self.perform(signals.TrapExit(family_of(asking.life), bool(asking.arguments["traps"])))
        asking.answer({"before": answer})

    def _exit(self, asking: Asking) -> None:
        _, actor = self._target(asking, ("allow",))
        reason = str(asking.arguments["reason"])
        if len(reason) > REASON_CHARS_MAX:
            raise Refusal(f"expected a reason of at most {REASON_CHARS_MAX} characters, got {len(reason)}")
        self._answer(asking, signals.Exit(family_of(asking.life), process_of(actor), reason), {})

    def _answer(self, asking: Asking, notice: signals.Notice, data: dict[str, object]) -> None:
        """Do it, then answer: a guest that this ends hears nothing any more."""
        self.perform(notice)
        if asking.life.killed_by is None:
            asking.answer(data)

    # -- whom it may reach -------------------------------------------------------------------------------------------

    def _target(self, asking: Asking, options: tuple[str, ...]) -> tuple[str, Actor | None]:
        """The actor that the argument names; None if there is none that could be reached.

        Raises:
            Refusal: the grant does not say so. Whether such an actor exists is not told.
        """
        address = str(asking.arguments["actor"])
        asker = asking.life.actor
        grant = asker.spec.grants.get(GRANT.name)
        if grant is None:
            raise Refusal(PermissionDenied("links", address).text())
        actor = self._s.register.find(address)
        if actor is not None and is_family(asker, actor):
            return address, actor
        allowed = GRANT.of(grant)
        patterns = [pattern for option in options for pattern in allowed[option]]
        if not matches(patterns, address if actor is None else actor.path):
            raise Refusal(PermissionDenied("links", f"{address} is not of its family, nor allowed").text())
        return address, actor

    def _require_room(self, asking: Asking) -> None:
        if self._core.count(family_of(asking.life)) >= BONDS_MAX:
            raise Refusal(f"an actor has at most {BONDS_MAX} links and monitors")

    # -- what comes of it --------------------------------------------------------------------------------------------

    def _on_end(self, life: Life) -> None:
        assert life.cause is not None
        self.perform(signals.Ended(family_of(life), life.cause.otp_reason()))

    def perform(self, notice: signals.Notice) -> object:
        """Tell the machine and do what it wants; return its answer, if it has one."""
        answer: object = None
        for action in self._core.feed(notice):
            match action:
                case signals.Answer(value=value):
                    answer = value
                case signals.End(process=process, reason=reason, by=by):
                    self._end(process, reason, by)
                case signals.GiveExit(to=to) | signals.GiveDown(to=to) if to in self.outside:
                    self.outside[to](action)
                case signals.GiveExit(to=to, sender=sender, reason=reason):
                    name = self._name(sender)
                    self._tell(to, "handle-exit", values.String(name), values.String(reason))
                case signals.GiveDown(to=to, ref=ref, address=address, reason=reason):
                    parts = (values.U64(ref), values.String(address), values.String(reason))
                    self._tell(to, "handle-down", *parts, key=ref)
        return answer

    def _end(self, process: str, reason: str, by: str) -> None:
        life = self._life(process)
        if life is None:
            return
        if reason == core.KILLED:
            self._deaths.kill(life, self._whom(by))
        else:
            self._deaths.end_by_signal(life, reason, self._whom(by))

    def _tell(self, process: str, function: str, *arguments: object, key: int | None = None) -> None:
        life = self._life(process)
        if life is not None:
            callbacks.tell(self._s, life, f"{CLIENT}.{function}", *arguments, key=key)

    def _life(self, process: str) -> Life | None:
        """The incarnation of this name, while it lives."""
        actor = self._s.register.by_path.get(_path(process))
        life = None if actor is None else actor.life
        return life if life is not None and life.is_alive and family_of(life) == process else None

    def _name(self, sender: str) -> str:
        """The id of the actor of an incarnation, which has ended perhaps; an address stays what it is."""
        if sender in self.outside:
            return _path(sender)
        actor = self._actor(sender)
        return sender if actor is None else actor.id

    def _whom(self, sender: str) -> str:
        """Who it was, for people."""
        is_made_up = self._actor(sender) is None and _path(sender) in self._s.register.by_path
        return sender if is_made_up else _path(sender)

    def _actor(self, sender: str) -> Actor | None:
        """The actor of an incarnation that there is or was; None if a guest has made such an address up."""
        path, _, number = sender.rpartition("#")
        actor = self._s.register.by_path.get(path)
        was_there = actor is not None and _NUMBER.fullmatch(number) and int(number) <= actor.incarnations
        return actor if was_there else None


def process_of(actor: Actor | None) -> str | None:
    """The present incarnation of an actor; None if it has none."""
    life = None if actor is None else actor.life
    return family_of(life) if life is not None and life.is_alive else None


def _path(process: str) -> str:
    path, _, number = process.rpartition("#")
    return path if _NUMBER.fullmatch(number) else process
