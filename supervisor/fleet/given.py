"""Packages that guests hand over as bytes: kept by digest beside the store, so that restarts and replays find them.

One that nobody has started goes again. Files are written and removed on a thread of the history's, in the order it was
asked for; who uses which of them is decided here, in the loop.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Final

from supervisor.fleet.history import History
from supervisor.fleet.lives import Actor
from supervisor.store.packages import keep_bytes, remove_package

GIVEN_BYTES_MAX: Final = 1 << 30
"""Packages started for one parent that the store had not had before, in one run of the supervisor."""

Done = Callable[[str | None, str], None]


class _Package:
    """One file: how many starts are under way with it, whether it is here only for them, and its size."""

    __slots__ = ("bytes", "is_new", "starts")

    def __init__(self, size: int) -> None:
        self.starts = 0
        self.is_new = False
        self.bytes = size


class GivenPackages:
    """Keeps them."""

    def __init__(self, history: History, directory: str) -> None:
        self._history = history
        self._directory = directory
        self._starting: dict[str, _Package] = {}

    def keep(self, wasm: bytes, done: Done) -> None:
        """Keep a package for one start; ``done`` gets its path, or None and why not."""

        def known(digest: str | None, why: str) -> None:
            if digest is None:
                done(None, why)
                return
            name = f"{digest}.wasm"
            path = os.path.join(self._directory, name)
            package = self._starting.setdefault(path, _Package(len(wasm)))
            package.starts += 1
            self._history.in_background(
                lambda: keep_bytes(self._directory, wasm, name), lambda is_new, why: written(path, is_new, why)
            )

        def written(path: str, is_new: bool | None, why: str) -> None:
            if is_new is None:
                self.failed(path)
                done(None, why)
                return
            self._starting[path].is_new |= is_new
            done(path, "")

        self._history.in_background(lambda: hashlib.sha256(wasm).hexdigest(), known)

    def started(self, path: str, parent: Actor) -> None:
        """The start has succeeded: the package stays."""
        package = self._starting[path]
        if package.is_new:
            parent.given_bytes += package.bytes
            package.is_new = False
        self._leave(path)

    def failed(self, path: str) -> None:
        """The start has come to nothing: so does a package that nobody else has started, or is starting."""
        package = self._leave(path)
        if package.is_new and package.starts == 0:
            self._history.in_background(lambda: remove_package(path), lambda removed, why: None)

    def _leave(self, path: str) -> _Package:
        package = self._starting[path]
        package.starts -= 1
        if package.starts == 0:
            del self._starting[path]
        return package
