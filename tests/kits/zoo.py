"""An actor with a bit of everything that theater_actor has."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import NamedTuple

from theater_actor import (
    S64,
    U8,
    U32,
    U64,
    Char,
    Decline,
    HostError,
    actor,
    export,
    init,
    runtime,
    supervisor,
)


class Mood(Enum):
    """Members may have any values."""

    GOOD = "fine"
    BAD_ONE = "not so fine"


class Perms(Flag):
    """A record of bits."""

    READ = auto()
    WRITE = auto()


@dataclass(kw_only=True)
class Animal:
    """A record."""

    name: str
    mood: Mood = Mood.GOOD
    born: U32 | None = None


class Point(NamedTuple):
    """A record, too."""

    x: float
    y: float


@dataclass(frozen=True)
class Circle:
    """A case of a variant."""

    center: Point
    radius: float


@dataclass(frozen=True)
class Nowhere:
    """A case without a payload."""


Shape = Circle | Nowhere


@actor(name="example:zoo")
class Zoo:
    """The state."""

    limit: U32
    animals: dict[str, Animal] = field(default_factory=dict)
    shape: Shape | None = None
    perms: Perms = Perms.READ
    begun: int = 0
    ended: list[str] = field(default_factory=list)

    @init
    def begin(self) -> None:
        """Count beginnings."""
        self.begun += 1
        print(f"printed by zoo with room for {self.limit}")

    @export
    def admit(self, animal: Animal) -> Animal:
        """Change first, and decline then: the state stays."""
        is_taken = animal.name in self.animals
        self.animals[animal.name] = Animal(name=animal.name, mood=Mood.BAD_ONE) if is_taken else animal
        if is_taken:
            raise Decline(f"{animal.name}: expected a name that is not taken")
        return animal

    @export
    def moods(self) -> dict[str, Mood]:
        """A dict of enums."""
        return {name: animal.mood for name, animal in self.animals.items()}

    @export
    def cheer(self, name: str, mood: Mood) -> tuple[Mood, Mood]:
        """An enum inward."""
        before = self.animals[name].mood
        self.animals[name].mood = mood
        return before, mood

    @export
    def draw(self, shape: Shape) -> Shape | None:
        """A variant both ways."""
        before, self.shape = self.shape, shape
        return before

    @export
    def drawn(self) -> Shape | None:
        """A variant out of the state."""
        return self.shape

    @export
    def allow(self, perms: Perms) -> Perms:
        """Flags."""
        self.perms |= perms
        return self.perms

    @export
    def turned(self, data: bytes, octets: list[U8], letter: Char) -> tuple[bytes, list[U8], Char]:
        """Both forms of octets, and a character."""
        return data[::-1], octets[::-1], letter

    @export
    def numbers(self, large: U64, small: S64, half: float) -> tuple[U64, S64, float]:
        """The ends of ranges."""
        return large, small, half

    @export
    def kinds(self, given: dict[str, tuple[int, ...]]) -> list[tuple[int, str]]:
        """Tuples of any length within a dict."""
        return [(len(numbers), name) for name, numbers in given.items()]

    @export
    def crash(self) -> None:
        """Change and fail."""
        self.animals.clear()
        raise ValueError("boom")

    @export
    def who(self) -> str:
        """Own id."""
        return runtime.self()

    @export
    def chance(self) -> U32:
        """WASI's random numbers, by way of Python's."""
        return random.SystemRandom().getrandbits(32)

    @export
    def parent(self) -> str:
        """A host function that refuses."""
        try:
            supervisor.stop_child("nobody")
        except HostError as error:
            return f"refused: {error}"
        return "done"

    @export
    def spawn(self, manifest: str) -> str:
        """Start a child."""
        return supervisor.spawn(manifest)

    @export
    def restart(self, child: str) -> None:
        """Restart it."""
        supervisor.restart_child(child)

    @export
    def leave(self) -> None:
        """End as completed."""
        runtime.shutdown(b"bye")

    @export(supervisor.HANDLERS)
    def handle_child_exit(self, child_id: str, value: bytes | None) -> None:
        """Hear of it."""
        self.ended.append(child_id)
