"""The grant ``environment``."""

from __future__ import annotations

from typing import Final

from theater.grants import ENVIRONMENT
from theater.grants.comparing import Free
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Texts

GRANT: Final = Group(
    ENVIRONMENT,
    "Read the variables named here; those of the host are not seen.",
    (
        Option(
            "variables",
            Texts("variables by name"),
            "The variables.",
            Free("they are data, like a child's initial state"),
            {},
        ),
    ),
)
