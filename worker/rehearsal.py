"""What a worker does that was forked ahead of need, before it is told what it is: a start, with nothing in it.

Pages a start touches first must be copied from the template one by one, and threads and files are faster the second
time. Here nobody waits for that. Leaves nothing behind.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from proto import control
from worker.desk import Desk
from worker.engine import raw
from worker.incarnation import Incarnation
from worker.logs import Logs
from worker.metrics import Metrics
from worker.pulse import Pulse
from worker.recorder import Recorder
from worker.start import options_of
from worker.warm import once

RING_BYTES = 256 * 1024


def rehearse(engine: Any, desk: Desk, ring: str) -> None:
    """Do a little of everything. ``ring`` is a path nobody uses."""
    raw.rehearse(engine)
    once()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    _incarnate(desk, ring)


def _incarnate(desk: Desk, ring: str) -> None:
    nobody = control.Init("", "", "", 1, "", "", "", "", ring, RING_BYTES, 1, bytes(32), None, {}, {})
    init = control.TO_WORKER.decode(control.TO_WORKER.encode(nobody))
    assert isinstance(init, control.Init)
    inc = Incarnation(init, options_of(init), desk, Logs(1), Metrics())
    inc.pulse = Pulse()
    try:
        inc.recorder = Recorder.create(inc)
    except OSError:
        return  # no room on the disk now; there may be when it counts
    finally:
        for fd in (inc.pulse.fd, inc.guest_bell.fd, inc.post_bell.fd):
            os.close(fd)
    inc.recorder.begin()
    inc.recorder.ring.close()
    os.unlink(ring)
