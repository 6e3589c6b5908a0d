"""Opening the directories that a grant names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from worker.beneath import HOLD, NO_LINKS, open_beneath


def open_root(directory: Mapping[str, Any], flags: int) -> int:
    """Return a descriptor of a granted directory; raises OSError.

    Links in the path that the operator has written are followed; below a directory that a guest may write, none is.
    """
    below = directory.get("below", "")
    if not below:
        return os.open(directory["host"], flags | os.O_DIRECTORY | os.O_CLOEXEC)
    host = os.open(directory["host"], HOLD | os.O_CLOEXEC)
    try:
        return open_beneath(host, below, flags | os.O_DIRECTORY, resolve=NO_LINKS)
    finally:
        os.close(host)
