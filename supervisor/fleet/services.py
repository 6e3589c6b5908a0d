"""What the parts of the fleet share: the loop, the sockets, the store, the register, the directories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from theater import content

if TYPE_CHECKING:
    from supervisor.cgroups import Cgroups
    from supervisor.fleet.declarations import Declarations
    from supervisor.fleet.forest import Forest
    from supervisor.fleet.history import History
    from supervisor.fleet.links import Links
    from supervisor.fleet.lives import Register
    from supervisor.fleet.names import Directory
    from supervisor.loop import Loop
    from supervisor.packages import Packages
    from supervisor.sockets import Sockets
    from supervisor.spawner import Spawner


class Directories(msgspec.Struct, frozen=True):
    """Where things are. ``run`` lives as long as the root; ``store`` stays."""

    run: str
    store: str

    @property
    def workers(self) -> str:
        """Sockets and standard error of the workers."""
        return os.path.join(self.run, "w")

    @property
    def rings(self) -> str:
        """Ring files, on the store's file system."""
        return os.path.join(self.store, "rings")

    @property
    def terminals(self) -> str:
        """How terminals were before actors changed them (theater.terminals)."""
        return os.path.join(self.store, "terminals")

    @property
    def histories(self) -> str:
        """Chains on their way to workers that play them back."""
        return os.path.join(self.store, "recover")

    def history_of(self, routing: bytes) -> str:
        """The file with the chain a worker is to play back."""
        return os.path.join(self.histories, routing.hex() + ".chain")

    def keys_of(self, routing: bytes) -> str:
        """The file with the idempotency keys a worker is to know."""
        return os.path.join(self.histories, routing.hex() + ".keys")

    def trial_of(self, routing: bytes) -> str:
        """The ring of a worker that is only tried; it goes with the run directory at the latest."""
        return os.path.join(self.workers, routing.hex()[:16] + ".trial")

    def has_keys(self, actor_id: str) -> bool:
        """Whether an actor was ever called with an idempotency key (its worker leaves the sign)."""
        return os.path.exists(os.path.join(self.store, "keyed", actor_id))

    @property
    def packages(self) -> str:
        """Packages the store keeps (supervisor.store.packages)."""
        return os.path.join(self.store, "packages")

    def landing_of(self, routing: bytes) -> str:
        """The socket at which a worker takes connections of other workers."""
        return os.path.join(self.workers, "c" + routing.hex()[1:16])

    @property
    def content(self) -> str:
        """What actors keep in stores of theirs (theater.content)."""
        return os.path.join(self.store, content.DIRECTORY)

    def stderr_of(self, routing: bytes) -> str:
        """The file that takes what a worker process writes to standard error."""
        return os.path.join(self.workers, routing.hex()[:16] + ".err")


class Services:
    """The collaborators, wired once by the root process. Everything runs in the loop's thread."""

    loop: Loop
    sockets: Sockets
    spawner: Spawner
    packages: Packages
    declarations: Declarations
    history: History
    register: Register
    forest: Forest
    links: Links
    names: Directory
    dirs: Directories
    cgroups: Cgroups
    lifeline: int
    listeners_path: str
    """Where workers get their listening sockets (supervisor.listeners)."""
    recovers: bool
    """The first incarnations recover too, from what an earlier run has left (``start --recover``)."""
    log: Any

    def __init__(self) -> None:
        self._ids = 0

    def next_id(self) -> int:
        """A fresh id for a question of our own."""
        self._ids += 1
        return self._ids
