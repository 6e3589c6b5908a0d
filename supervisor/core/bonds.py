"""Links and monitors, decided: who learns of whose end, and who ends with whom (erlang(3): link, monitor, exit).

A link joins two processes, once, in both directions; a monitor has one watcher and one target, and there may be many
between the same two. Both end with either process. An exit signal travels along links with the reason of the end, or
is sent with exit/2; what it does to its receiver is one cell of REACTIONS.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from supervisor.core.signals import (
    Action,
    Answer,
    Demonitor,
    End,
    Ended,
    Exit,
    GiveDown,
    GiveExit,
    Link,
    Monitor,
    Notice,
    Process,
    TrapExit,
    Unlink,
)

NORMAL: Final = "normal"
KILL: Final = "kill"
KILLED: Final = "killed"
NOPROC: Final = "noproc"
NOCONNECTION: Final = "noconnection"
"""With this reason ends whoever is lost rather than ended: a client whose process has died, a node in Erlang."""


class Mood(Enum):
    """How a process takes exit signals."""

    PLAIN = "plain"
    TRAPPING = "trapping"
    ENDING = "ending"
    """It was told to end, and is not gone yet: nothing reaches it any more."""


class Signal(Enum):
    """Kinds of exit signals."""

    NORMAL = "normal"
    """Of another process, with the reason ``normal``."""
    OWN_NORMAL = "own normal"
    """exit(self(), normal), which is not ignored."""
    ABNORMAL = "abnormal"
    KILL = "kill"
    """exit/2 with the reason ``kill``; a link never sends it: who was killed has ended with ``killed``."""


class Reaction(Enum):
    """What a signal comes to."""

    DROP = "drop"
    GIVE = "give"
    END = "end"
    KILL = "kill"


# fmt: off
REACTIONS: Final[dict[Signal, dict[Mood, Reaction]]] = {
    Signal.NORMAL:     {Mood.PLAIN: Reaction.DROP, Mood.TRAPPING: Reaction.GIVE, Mood.ENDING: Reaction.DROP},
    Signal.OWN_NORMAL: {Mood.PLAIN: Reaction.END,  Mood.TRAPPING: Reaction.GIVE, Mood.ENDING: Reaction.DROP},
    Signal.ABNORMAL:   {Mood.PLAIN: Reaction.END,  Mood.TRAPPING: Reaction.GIVE, Mood.ENDING: Reaction.DROP},
    Signal.KILL:       {Mood.PLAIN: Reaction.KILL, Mood.TRAPPING: Reaction.KILL, Mood.ENDING: Reaction.DROP},
}
# fmt: on


class _Bonds:
    """What binds one process. Both sides of a bond know it; dictionaries keep the order in which bonds were made."""

    __slots__ = ("links", "monitors", "mood", "watchers")

    def __init__(self) -> None:
        self.mood = Mood.PLAIN
        self.links: dict[Process, None] = {}
        self.monitors: dict[int, Process] = {}
        """Whom it watches, by reference."""
        self.watchers: dict[tuple[Process, int], str] = {}
        """Who watches it: watcher and reference -> the address the watcher uses."""

    @property
    def is_free(self) -> bool:
        """Nothing is to be remembered of it."""
        return self.mood is Mood.PLAIN and not (self.links or self.monitors or self.watchers)


class Bonds:
    """All links and monitors there are. ``feed`` decides; nothing else changes them."""

    def __init__(self) -> None:
        self._known: dict[Process, _Bonds] = {}
        self._table: dict[type[Notice], Callable[[Any], list[Action]]] = {
            Link: self._link,
            Unlink: self._unlink,
            Monitor: self._monitor,
            Demonitor: self._demonitor,
            TrapExit: self._trap_exit,
            Exit: self._exit,
            Ended: self._ended,
        }

    def feed(self, notice: Notice) -> list[Action]:
        """Take one notice; return what is to be done about it, in order. What is asked while ending is too late."""
        if self._mood(notice.who) is Mood.ENDING and type(notice) is not Ended:
            return [Answer(False)]
        return self._table[type(notice)](notice)

    def count(self, process: Process) -> int:
        """How many links and monitors of its own a process has."""
        known = self._known.get(process)
        return len(known.links) + len(known.monitors) if known is not None else 0

    def snapshot(self) -> dict[str, Any]:
        """Everything remembered, as plain data a person can read."""
        return {
            process: {
                "mood": known.mood.value,
                "links": list(known.links),
                "monitors": dict(known.monitors),
                "watchers": [list(each) for each in known.watchers],
            }
            for process, known in self._known.items()
        }

    # -- what processes ask for ------------------------------------------------------------------------------------

    def _link(self, notice: Link) -> list[Action]:
        if notice.other is None:
            return self._signal(Signal.ABNORMAL, notice.who, notice.address, NOPROC)
        if notice.other != notice.who:  # a link to oneself is none
            self._of(notice.who).links[notice.other] = None
            self._of(notice.other).links[notice.who] = None
        return []

    def _unlink(self, notice: Unlink) -> list[Action]:
        if notice.other is not None:
            self._part(notice.who, notice.other)
            self._part(notice.other, notice.who)
        return []

    def _monitor(self, notice: Monitor) -> list[Action]:
        if notice.other is None:
            return [GiveDown(notice.who, notice.ref, notice.address, NOPROC)]
        if notice.other != notice.who:  # a process is never told of its own end
            self._of(notice.who).monitors[notice.ref] = notice.other
            self._of(notice.other).watchers[notice.who, notice.ref] = notice.address
        return []

    def _demonitor(self, notice: Demonitor) -> list[Action]:
        mine = self._known.get(notice.who)
        other = None if mine is None else mine.monitors.pop(notice.ref, None)
        if other is None:
            return [Answer(False)]
        del self._known[other].watchers[notice.who, notice.ref]
        self._forget_if_free(notice.who, other)
        return [Answer(True)]

    def _trap_exit(self, notice: TrapExit) -> list[Action]:
        before = self._mood(notice.who)
        self._of(notice.who).mood = Mood.TRAPPING if notice.traps else Mood.PLAIN
        self._forget_if_free(notice.who)
        return [Answer(before is Mood.TRAPPING)]

    def _exit(self, notice: Exit) -> list[Action]:
        if notice.other is None:
            return []
        return self._signal(_kind(notice), notice.other, notice.who, notice.reason)

    # -- ends --------------------------------------------------------------------------------------------------------

    def _ended(self, notice: Ended) -> list[Action]:
        """Every bond is broken, then the signals go out: to those linked first, then to the watchers."""
        gone = self._known.pop(notice.who, None)
        if gone is None:
            return []
        for ref, other in gone.monitors.items():
            del self._known[other].watchers[notice.who, ref]
        for other in gone.links:
            del self._known[other].links[notice.who]
        for watcher, ref in gone.watchers:
            del self._known[watcher].monitors[ref]
        kind = Signal.NORMAL if notice.reason == NORMAL else Signal.ABNORMAL
        done: list[Action] = []
        for other in gone.links:
            done += self._signal(kind, other, notice.who, notice.reason)
        for (watcher, ref), address in gone.watchers.items():
            if self._mood(watcher) is not Mood.ENDING:
                done.append(GiveDown(watcher, ref, address, notice.reason))
        self._forget_if_free(*gone.monitors.values(), *gone.links, *(watcher for watcher, _ in gone.watchers))
        return done

    def _signal(self, kind: Signal, to: Process, sender: Process | str, reason: str) -> list[Action]:
        """An exit signal arrives."""
        match REACTIONS[kind][self._mood(to)]:
            case Reaction.DROP:
                return []
            case Reaction.GIVE:
                return [GiveExit(to, sender, reason)]
            case Reaction.END:
                return self._end(to, sender, reason)
            case Reaction.KILL:
                return self._end(to, sender, KILLED)

    def _end(self, process: Process, by: Process | str, reason: str) -> list[Action]:
        self._of(process).mood = Mood.ENDING
        return [End(process, reason, by)]

    # -- the table of processes: every touch of it goes through these -----------------------------------------------

    def _mood(self, process: Process) -> Mood:
        known = self._known.get(process)
        return Mood.PLAIN if known is None else known.mood

    def _of(self, process: Process) -> _Bonds:
        return self._known.setdefault(process, _Bonds())

    def _part(self, process: Process, other: Process) -> None:
        known = self._known.get(process)
        if known is not None:
            known.links.pop(other, None)
            self._forget_if_free(process)

    def _forget_if_free(self, *processes: Process) -> None:
        for process in processes:
            known = self._known.get(process)
            if known is not None and known.is_free:
                del self._known[process]


def _kind(notice: Exit) -> Signal:
    match notice.reason:
        case "kill":
            return Signal.KILL
        case "normal":
            return Signal.OWN_NORMAL if notice.other == notice.who else Signal.NORMAL
        case _:
            return Signal.ABNORMAL
