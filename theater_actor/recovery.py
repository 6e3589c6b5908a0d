"""Hearing that the actor goes on from an earlier life's state, without ``init`` (``theater:simple/recovery-handlers``).

It is called before anything else, to set again what has ended with that life: timers, the loop, connections, links.

    @export(recovery.HANDLERS)
    def handle_recovered(self, how: str) -> None:
        timer.set_interval("pulse", 1000)

There is nothing to grant.
"""

from __future__ import annotations

from typing import Final

HANDLERS: Final = "theater:simple/recovery-handlers@0.1.1"
"""``handle_recovered(how: str) -> None``; ``how`` is one of those below."""
LAST: Final = "last"
"""From the state that was committed last."""
REPLAY: Final = "replay"
"""From the history, played back from the beginning of a life."""
SNAPSHOT: Final = "snapshot"
"""From the history, played back from a snapshot."""
FORK: Final = "fork"
"""From a state of another actor's past."""
UPDATE: Final = "update"
"""From the state that another package has left."""
