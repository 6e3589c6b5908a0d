"""What the two busiest sockets of a worker are used with, past the Python layer of pyzmq.

Its enum arithmetic costs more than the calls it is meant for, and that layer as much as the sending and receiving.
"""

from __future__ import annotations

from typing import Any, Final

import zmq
from zmq.backend import Socket as _Core

NO_WAIT: Final = int(zmq.NOBLOCK)
MORE_FOLLOWS: Final = int(zmq.SNDMORE | zmq.NOBLOCK)
HAS_MORE: Final = int(zmq.RCVMORE)
EVENTS: Final = int(zmq.EVENTS)
READABLE: Final = int(zmq.POLLIN)

zmq_send: Final[Any] = _Core.send
zmq_receive: Final[Any] = _Core.recv
zmq_get: Final[Any] = _Core.get
