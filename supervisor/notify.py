"""Tell a service manager how we are doing: systemd's notification protocol (sd_notify(3)), nothing without it."""

from __future__ import annotations

import os
import socket

KIND = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK


def notify(state: str) -> bool:
    """Send a state such as ``READY=1`` or ``STOPPING=1``; False if nobody asked for it or it could not be sent.

    Never waits: a service manager that does not read misses the word.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, KIND) as sock:
            sock.sendto(state.encode(), target)
    except OSError:
        return False
    return True
