"""The grant ``runtime``."""

from __future__ import annotations

from typing import Final

from theater.grants import RUNTIME
from theater.grants.declaring import Group

GRANT: Final = Group(RUNTIME, "Log, own id, own shutdown, own chain.")
