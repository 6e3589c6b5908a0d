"""Links and monitors: each rule of erlang(3), one test each; then a deliberately plain model, on random lives."""

from __future__ import annotations

import os
from random import Random

import pytest

from supervisor.core import signals as s
from supervisor.core.bonds import REACTIONS, Bonds, Mood, Signal

SEEDS = range(int(os.environ.get("THEATER_SIM_SEEDS", "150")))


def bonds(*notices: s.Notice) -> Bonds:
    machine = Bonds()
    for notice in notices:
        machine.feed(notice)
    return machine


def test_every_signal_has_a_reaction_in_every_mood() -> None:
    """The table has no hole."""
    assert {kind: set(row) for kind, row in REACTIONS.items()} == {kind: set(Mood) for kind in Signal}


def test_an_abnormal_end_ends_whoever_is_linked() -> None:
    """link/1: the exit signal has the reason of the end, and goes in both directions."""
    assert bonds(s.Link("a", "b", "/b")).feed(s.Ended("b", "crash")) == [s.End("a", "crash", "b")]
    assert bonds(s.Link("a", "b", "/b")).feed(s.Ended("a", "crash")) == [s.End("b", "crash", "a")]


def test_a_normal_end_ends_nobody() -> None:
    """An exit signal with the reason normal is ignored by who does not trap exits."""
    assert bonds(s.Link("a", "b", "/b")).feed(s.Ended("b", "normal")) == []


def test_a_trapping_process_is_told_and_lives() -> None:
    """process_flag(trap_exit, true): signals become messages, normal ones too."""
    for reason in ("normal", "shutdown", "crash", "killed"):
        machine = bonds(s.Link("a", "b", "/b"), s.TrapExit("a", True))
        assert machine.feed(s.Ended("b", reason)) == [s.GiveExit("a", "b", reason)]


def test_trap_exit_answers_what_was_before() -> None:
    """process_flag/2 returns the old value."""
    machine = Bonds()

    assert machine.feed(s.TrapExit("a", True)) == [s.Answer(False)]
    assert machine.feed(s.TrapExit("a", False)) == [s.Answer(True)]
    assert machine.snapshot() == {}


def test_a_link_is_one_however_often_it_is_made() -> None:
    """link/1 twice is one link, from either side; one unlink/1 ends it."""
    machine = bonds(s.Link("a", "b", "/b"), s.Link("b", "a", "/a"), s.Link("a", "b", "/b"), s.Unlink("a", "b"))

    assert machine.feed(s.Ended("b", "crash")) == []


def test_a_link_to_nobody_is_a_signal_noproc() -> None:
    """link/1: with no such process the caller gets an exit signal noproc."""
    assert Bonds().feed(s.Link("a", None, "/b")) == [s.End("a", "noproc", "/b")]
    assert bonds(s.TrapExit("a", True)).feed(s.Link("a", None, "/b")) == [s.GiveExit("a", "/b", "noproc")]


def test_a_link_to_oneself_is_none() -> None:
    """link(self()) does nothing."""
    assert bonds(s.Link("a", "a", "/a")).feed(s.Ended("a", "crash")) == []


def test_kill_cannot_be_trapped_and_is_seen_as_killed() -> None:
    """exit/2 with kill ends who traps exits; those linked to it see killed, which they can trap."""
    machine = bonds(s.TrapExit("a", True), s.TrapExit("b", True), s.Link("a", "b", "/b"))

    assert machine.feed(s.Exit("c", "b", "kill")) == [s.End("b", "killed", "c")]
    assert machine.feed(s.Ended("b", "killed")) == [s.GiveExit("a", "b", "killed")]


def test_exit_normal_to_another_does_nothing() -> None:
    """exit/2 with normal is ignored, but for the process itself."""
    assert Bonds().feed(s.Exit("a", "b", "normal")) == []
    assert Bonds().feed(s.Exit("a", "a", "normal")) == [s.End("a", "normal", "a")]
    assert bonds(s.TrapExit("b", True)).feed(s.Exit("a", "b", "normal")) == [s.GiveExit("b", "a", "normal")]


def test_exit_to_nobody_does_nothing() -> None:
    """exit/2 always succeeds."""
    assert Bonds().feed(s.Exit("a", None, "kill")) == []


def test_each_monitor_fires_once() -> None:
    """monitor/2: several monitors of one pair are several; each gives one DOWN, with the address it was given."""
    machine = bonds(s.Monitor("a", 1, "b", "/b"), s.Monitor("a", 2, "b", "id-of-b"), s.Monitor("c", 1, "b", "/b"))

    assert machine.feed(s.Ended("b", "crash")) == [
        s.GiveDown("a", 1, "/b", "crash"),
        s.GiveDown("a", 2, "id-of-b", "crash"),
        s.GiveDown("c", 1, "/b", "crash"),
    ]
    assert machine.feed(s.Ended("b", "crash")) == []


def test_a_monitor_of_nobody_fires_at_once() -> None:
    """monitor/2: noproc."""
    assert Bonds().feed(s.Monitor("a", 7, None, "/b")) == [s.GiveDown("a", 7, "/b", "noproc")]


def test_demonitor_says_whether_it_was_there() -> None:
    """demonitor/2 with info; after it there is no DOWN."""
    machine = bonds(s.Monitor("a", 1, "b", "/b"), s.Monitor("a", 2, "b", "/b"))

    assert machine.feed(s.Demonitor("a", 1)) == [s.Answer(True)]
    assert machine.feed(s.Demonitor("a", 1)) == [s.Answer(False)]
    assert machine.feed(s.Demonitor("c", 2)) == [s.Answer(False)]
    assert machine.feed(s.Ended("b", "normal")) == [s.GiveDown("a", 2, "/b", "normal")]


def test_a_monitor_does_not_bind_its_target() -> None:
    """The watcher's end is nothing to the watched."""
    assert bonds(s.Monitor("a", 1, "b", "/b")).feed(s.Ended("a", "crash")) == []


def test_nothing_reaches_a_process_that_is_ending() -> None:
    """Between the signal that ends it and its end a process gets no message and no second signal."""
    machine = bonds(s.Link("a", "b", "/b"), s.Monitor("a", 1, "c", "/c"), s.Exit("b", "a", "crash"))

    assert machine.feed(s.Ended("c", "crash")) == []
    assert machine.feed(s.Exit("b", "a", "kill")) == []
    assert machine.feed(s.TrapExit("a", True)) == [s.Answer(False)]
    assert machine.feed(s.Ended("a", "crash")) == [s.End("b", "crash", "a")]


def test_signals_travel_a_chain_of_links_one_end_at_a_time() -> None:
    """Each process ends with the reason of the one before it."""
    machine = bonds(s.Link("a", "b", "/b"), s.Link("b", "c", "/c"))

    assert machine.feed(s.Ended("a", "crash")) == [s.End("b", "crash", "a")]
    assert machine.feed(s.Ended("b", "crash")) == [s.End("c", "crash", "b")]
    assert machine.feed(s.Ended("c", "crash")) == []
    assert machine.snapshot() == {}


def test_who_is_lost_ends_whoever_is_linked() -> None:
    """A client traps exits from the first; its process has died: noconnection, as of a lost node."""
    machine = bonds(
        s.TrapExit("client", True), s.Link("client", "a", "1"), s.Link("client", "b", "2"), s.TrapExit("b", True),
        s.Monitor("client", 3, "c", "3"),
    )  # fmt: skip

    assert machine.feed(s.Ended("client", "noconnection")) == [
        s.End("a", "noconnection", "client"),
        s.GiveExit("b", "client", "noconnection"),
    ]
    assert machine.feed(s.Ended("c", "crash")) == []


# -- random lives --------------------------------------------------------------------------------------------------


class Model:
    """The same rules with sets of pairs and a search for everything: slow, and hard to get wrong."""

    def __init__(self) -> None:
        self.links: list[frozenset[str]] = []
        self.monitors: list[tuple[str, int, str, str]] = []
        self.traps: set[str] = set()
        self.ending: set[str] = set()

    def feed(self, notice: s.Notice) -> list[s.Action]:
        who = notice.who
        if who in self.ending and not isinstance(notice, s.Ended):
            return [s.Answer(False)]
        match notice:
            case s.Link(other=None, address=address):
                return self.receive(who, address, "noproc", "link")
            case s.Link(other=str(other)) if other != who and frozenset((who, other)) not in self.links:
                self.links.append(frozenset((who, other)))
            case s.Unlink(other=str(other)):
                self.links = [pair for pair in self.links if pair != frozenset((who, other))]
            case s.Monitor(ref=ref, other=None, address=address):
                return [s.GiveDown(who, ref, address, "noproc")]
            case s.Monitor(ref=ref, other=str(other), address=address) if other != who:
                self.monitors.append((who, ref, other, address))
            case s.Demonitor(ref=ref):
                left = [each for each in self.monitors if each[:2] != (who, ref)]
                was_there = len(left) < len(self.monitors)
                self.monitors = left
                return [s.Answer(was_there)]
            case s.TrapExit(traps=traps):
                before = who in self.traps
                (self.traps.add if traps else self.traps.discard)(who)
                return [s.Answer(before)]
            case s.Exit(other=str(other), reason=reason):
                return self.receive(other, who, reason, "exit")
            case s.Ended(reason=reason):
                return self.ended(who, reason)
        return []

    def ended(self, who: str, reason: str) -> list[s.Action]:
        partners = [next(iter(pair - {who})) for pair in self.links if who in pair]
        watchers = [each for each in self.monitors if each[2] == who]
        self.links = [pair for pair in self.links if who not in pair]
        self.monitors = [each for each in self.monitors if who not in (each[0], each[2])]
        self.traps.discard(who)
        self.ending.discard(who)
        done = [action for other in partners for action in self.receive(other, who, reason, "link")]
        done += [s.GiveDown(w, ref, address, reason) for w, ref, _, address in watchers if w not in self.ending]
        return done

    def receive(self, who: str, sender: str, reason: str, way: str) -> list[s.Action]:
        if who in self.ending:
            return []
        if way == "exit" and reason == "kill":
            self.ending.add(who)
            self.traps.discard(who)
            return [s.End(who, "killed", sender)]
        if who in self.traps:
            return [s.GiveExit(who, sender, reason)]
        if reason == "normal" and sender != who:
            return []
        self.ending.add(who)
        return [s.End(who, reason, sender)]


class World:
    """Processes that live and end, and two machines that are told the same."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.machine = Bonds()
        self.model = Model()
        self.alive: dict[str, str | None] = {}
        """Process -> the reason with which it was told to end."""
        self.born = 0
        self.refs = 0
        self.downs: dict[tuple[str, int], int] = {}
        self.watching: dict[tuple[str, int], str] = {}

    def step(self) -> None:
        pick = self.random.random()
        if len(self.alive) < 3 or pick < 0.1:
            self.born += 1
            self.alive[f"p{self.born}"] = None
        elif pick < 0.25:
            self.end(self.random.choice(list(self.alive)))
        else:
            self.feed(self.request())

    def request(self) -> s.Notice:
        random = self.random
        who = random.choice([each for each, told in self.alive.items() if told is None] or list(self.alive))
        other = random.choice([*self.alive, None])
        address = f"/{other}"
        match random.randint(0, 6):
            case 0 | 1:
                return s.Link(who, other, address)
            case 2:
                self.refs += 1
                if self.alive[who] is None and other is not None:
                    self.watching[who, self.refs] = other
                return s.Monitor(who, self.refs, other, address)
            case 3:
                return s.Unlink(who, other)
            case 4:
                ref = random.randint(1, self.refs + 1)
                self.watching.pop((who, ref), None)
                return s.Demonitor(who, ref)
            case 5:
                return s.TrapExit(who, random.random() < 0.5)
            case _:
                return s.Exit(who, other, random.choice(("normal", "kill", "shutdown", "crash")))

    def end(self, process: str) -> None:
        told = self.alive.pop(process)
        self.feed(s.Ended(process, told or self.random.choice(("normal", "shutdown", "crash", "killed"))))

    def feed(self, notice: s.Notice) -> None:
        done = self.machine.feed(notice)
        assert done == self.model.feed(notice), f"{notice}"
        for action in done:
            match action:
                case s.End(process=process, reason=reason):
                    assert self.alive[process] is None, "told to end twice"
                    self.alive[process] = reason
                case s.GiveExit(to=to) | s.GiveDown(to=to):
                    assert self.alive.get(to, "") is None, f"{action} to a process that is ending, or gone"
            if isinstance(action, s.GiveDown):
                self.downs[action.to, action.ref] = self.downs.get((action.to, action.ref), 0) + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_random_lives_are_as_the_plain_model_says(seed: int) -> None:
    """Whatever happens in whatever order, both decide the same; nobody ends twice, nothing reaches the dead."""
    world = World(seed)
    for _ in range(200):
        world.step()

    assert set(world.downs.values()) <= {1}


@pytest.mark.parametrize("seed", SEEDS)
def test_when_all_are_gone_nothing_is_remembered(seed: int) -> None:
    """No bond outlives its processes; every monitor that was not taken back has fired, if its watcher was there."""
    world = World(seed)
    for _ in range(200):
        world.step()

    for process in list(world.alive):
        watchers = [key for key, other in world.watching.items() if other == process and key not in world.downs]
        world.end(process)
        due = [key for key in watchers if world.alive.get(key[0], "") is None]
        assert [key for key in due if key not in world.downs] == []

    assert world.machine.snapshot() == {}
