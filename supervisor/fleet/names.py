"""Names of actors and groups under one name (theater:simple/names). Holds them; asks nobody.

A name belongs to an actor, whichever incarnation of it lives; ``forget`` is for when it is gone for good. Should it
come back all the same, and go on from its state, it is given back the names it had; also by the next supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from supervisor.fleet.asking import Refusal
from supervisor.fleet.lives import Actor
from supervisor.fleet.recovery import INITIAL
from theater.patterns.actors import why_no_name

UNIQUE: Final = "unique"
ROUND_ROBIN: Final = "round-robin"
BROADCAST: Final = "broadcast"
MODES: Final = (ROUND_ROBIN, BROADCAST)
NAMES_MAX: Final = 100
"""Of one actor, groups included."""
MEMBERS_MAX: Final = 1000
LEFT_MAX: Final = 10_000
"""Actors that are gone: the names of so many are known without asking the store."""

Keep = Callable[[str, str, str | None], None]
"""Writes down that an actor, by its id, was given a name in this mode, or (None) has lost it."""


class Entry:
    """Who is meant by a name."""

    __slots__ = ("members", "mode", "turn")

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.members: list[Actor] = []
        self.turn = 0
        """Whose turn it is, in a round-robin group."""

    def next(self, may_be: Callable[[Actor], bool] = lambda actor: True) -> Actor | None:
        """The next member that may be meant and has a worker; if none has, the next one that may be meant.

        None if there is none, or only all together can be meant.
        """
        if self.mode == BROADCAST:
            return None
        ahead = [self.members[(self.turn + each) % len(self.members)] for each in range(len(self.members))]
        chosen = next((actor for actor in ahead if actor.is_alive and may_be(actor)), None)
        chosen = chosen or next(filter(may_be, ahead), None)
        if chosen is None:
            return None
        self.turn = (self.members.index(chosen) + 1) % len(self.members)
        return chosen


class Directory:
    """Every name there is."""

    def __init__(self, keep: Keep = lambda actor_id, name, mode: None) -> None:
        self._keep = keep
        self._entries: dict[str, Entry] = {}
        self._of: dict[Actor, list[str]] = {}
        self._left: dict[str, list[tuple[str, str]]] = {}
        """(Name, mode) of what actors had that are not there, by their ids."""

    def remember(self, names: Iterable[tuple[str, str, str]]) -> None:
        """Take over (actor id, name, mode) of what an earlier run has kept."""
        for actor_id, name, mode in names:
            self._left.setdefault(actor_id, []).append((name, mode))

    def begins(self, actor: Actor, goes_on: bool, may_have: Callable[[str], bool]) -> list[str]:
        """An incarnation begins: if it goes on from a state, the actor has its names again. Return those it has lost.

        If it begins anew nothing is left of them. Lost are those that belong to another by now, and those that the
        actor may not have any more.
        """
        lost = []
        for name, mode in self._left.pop(actor.id, ()):
            if not goes_on or not (may_have(name) and self._give_back(actor, name, mode)):
                self._keep(actor.id, name, None)
                lost.append(name)
        return lost if goes_on else []

    def _give_back(self, actor: Actor, name: str, mode: str) -> bool:
        try:
            if mode == UNIQUE:
                self.register(actor, name)
            else:
                self.join(actor, name, mode)
        except Refusal:
            return False
        return True

    def entry(self, name: str) -> Entry | None:
        """Return who is meant by a name."""
        return self._entries.get(name)

    def find(self, name: str) -> Actor | None:
        """Return the one actor that is meant by a name now."""
        entry = self._entries.get(name)
        return None if entry is None else entry.next()

    def names_of(self, actor: Actor) -> tuple[str, ...]:
        """Return the names of an actor, and of the groups it is in."""
        return tuple(self._of.get(actor, ()))

    def register(self, actor: Actor, name: str) -> None:
        """Give an actor a name.

        Raises:
            Refusal: it is taken, or is none.
        """
        entry = self._entries.get(name)
        if entry is None:
            self._add(actor, name, UNIQUE)
        elif entry.mode != UNIQUE or entry.members != [actor]:
            raise Refusal(f"{name} is taken")

    def unregister(self, actor: Actor, name: str) -> None:
        """Take a name from an actor; Refusal if it does not have it."""
        self._leave(actor, name, (UNIQUE,))

    def join(self, actor: Actor, name: str, mode: str) -> None:
        """Make an actor a member of a group; Refusal if that cannot be."""
        if mode not in MODES:
            raise Refusal(f"expected mode {' or '.join(MODES)}, got {mode[:100]!r}")
        entry = self._entries.get(name)
        if entry is not None and entry.mode != mode:
            what = "the name of an actor" if entry.mode == UNIQUE else f"a {entry.mode} group"
            raise Refusal(f"{name} is {what}")
        if entry is not None and len(entry.members) >= MEMBERS_MAX:
            raise Refusal(f"a group has at most {MEMBERS_MAX} members")
        if entry is None or actor not in entry.members:
            self._add(actor, name, mode)

    def leave(self, actor: Actor, name: str) -> None:
        """Take an actor out of a group; Refusal if it is not in it."""
        self._leave(actor, name, MODES)

    def forget(self, actor: Actor) -> None:
        """An actor is gone for good: its names are free. What is kept is for one that goes on from its state."""
        names = [(name, self._entries[name].mode) for name in self._of.pop(actor, [])]
        for name, _ in names:
            self._remove(actor, name)
            if actor.spec.recover == INITIAL:
                self._keep(actor.id, name, None)
        if names and actor.spec.recover != INITIAL:
            self._left[actor.id] = names
            if len(self._left) > LEFT_MAX:
                del self._left[next(iter(self._left))]

    def _add(self, actor: Actor, name: str, mode: str) -> None:
        why = why_no_name(name)
        if why is not None:
            raise Refusal(why)
        own = self._of.setdefault(actor, [])
        if len(own) >= NAMES_MAX:
            raise Refusal(f"an actor has at most {NAMES_MAX} names")
        own.append(name)
        self._entries.setdefault(name, Entry(mode)).members.append(actor)
        self._keep(actor.id, name, mode)

    def _leave(self, actor: Actor, name: str, modes: tuple[str, ...]) -> None:
        entry = self._entries.get(name)
        if entry is None or entry.mode not in modes or actor not in entry.members:
            raise Refusal(f"{name[:100]} is not a name of this actor")
        self._of[actor].remove(name)
        self._remove(actor, name)
        self._keep(actor.id, name, None)

    def _remove(self, actor: Actor, name: str) -> None:
        entry = self._entries[name]
        at = entry.members.index(actor)
        del entry.members[at]
        entry.turn -= entry.turn > at
        if not entry.members:
            del self._entries[name]
