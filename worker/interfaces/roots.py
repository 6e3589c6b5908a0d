"""Opening the directories that a grant names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from worker.interfaces.beneath import HOLD, Opener


def open_root(directory: Mapping[str, Any], flags: int) -> int:
    """Return a descriptor of a granted directory; raises OSError.

    Links in the path that the operator has written are followed; below a directory that a guest may write, none is.
    """
    below = directory.get("below", "")
    if not below:
        return os.open(directory["host"], flags | os.O_DIRECTORY | os.O_CLOEXEC)
    host = os.open(directory["host"], HOLD & ~os.O_NOFOLLOW)
    try:
        return Opener().open(host, [os.fsencode(name) for name in below.split("/")], flags | os.O_DIRECTORY)
    finally:
        os.close(host)
