"""What errors of the system are called in ``wasi:sockets``."""

from __future__ import annotations

import errno
from typing import Final

_NAMES: Final[dict[int, str]] = {
    errno.EACCES: "access-denied",
    errno.EPERM: "access-denied",
    errno.EAFNOSUPPORT: "not-supported",
    errno.ENOPROTOOPT: "not-supported",
    errno.EOPNOTSUPP: "not-supported",
    errno.EINVAL: "invalid-argument",
    errno.ENOBUFS: "out-of-memory",
    errno.ENOMEM: "out-of-memory",
    errno.ETIMEDOUT: "timeout",
    errno.EAGAIN: "would-block",
    errno.EISCONN: "invalid-state",
    errno.ENOTCONN: "invalid-state",
    errno.EMFILE: "new-socket-limit",
    errno.ENFILE: "new-socket-limit",
    errno.EADDRNOTAVAIL: "address-not-bindable",
    errno.EADDRINUSE: "address-in-use",
    errno.EHOSTDOWN: "remote-unreachable",
    errno.EHOSTUNREACH: "remote-unreachable",
    errno.ENETDOWN: "remote-unreachable",
    errno.ENETUNREACH: "remote-unreachable",
    errno.ECONNREFUSED: "connection-refused",
    errno.ECONNRESET: "connection-reset",
    errno.EPIPE: "connection-reset",
    errno.ECONNABORTED: "connection-aborted",
}


def name_of(error: OSError) -> str:
    """The case of ``error-code``."""
    return _NAMES.get(error.errno or 0, "unknown")
