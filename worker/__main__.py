"""``python -m worker``: a worker started as a plain interpreter (``--spawner exec``).

The boot record (worker.process.run) comes on standard input, as MessagePack.
"""

from __future__ import annotations

import os
import sys

import msgspec

from worker.process import run


def main() -> None:
    """Read the boot record, forget standard input, be a worker."""
    boot = msgspec.msgpack.decode(sys.stdin.buffer.read())
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    run(boot, None)


if __name__ == "__main__":
    main()
