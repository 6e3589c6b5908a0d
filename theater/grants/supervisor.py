"""The grant ``supervisor``: what a child may hold is said by the other grants."""

from __future__ import annotations

from typing import Final

from theater.grants import SUPERVISOR
from theater.grants.declaring import Group

GRANT: Final = Group(SUPERVISOR, "Spawn actors and supervise them as its children.")
