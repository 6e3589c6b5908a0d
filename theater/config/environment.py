"""``${NAME}`` and ``${NAME:-default}`` in texts of the configuration; ``$$`` is a dollar sign."""

from __future__ import annotations

import re
from collections.abc import Mapping

from theater.config.limits import EXPANDED_CHARACTERS_MAX

_REFERENCE = re.compile(r"\$(?:(\$)|\{([^}]*)(\}?))")
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Wrong(ValueError):
    """A value is not what its key wants; the text says what was expected and what is there."""


class Environment:
    """The variables one load may use, and how much they may still add."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._characters_left = EXPANDED_CHARACTERS_MAX

    def expand(self, text: str) -> str:
        """Return the text with its references replaced. Raises Wrong, never showing a value."""
        parts: list[str] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            parts += (text[end : match.start()], "$" if match[1] else self._reference(match))
            end = match.end()
            self._spend(parts[-1])
        parts.append(text[end:])
        return "".join(parts)

    def _reference(self, match: re.Match[str]) -> str:
        named = _NAMED.fullmatch(match[2]) if match[3] else None
        if named is None:
            raise Wrong("expected ${NAME} or ${NAME:-default} after the dollar sign ($$ writes one)")
        name, default = named.groups()
        value = self._variables.get(name)
        if default is not None:
            return value or default  # the shell's :- also replaces an empty value
        if value is None:
            raise Wrong(
                f"expected the environment variable {name}, which is not set (${{{name}:-…}} gives a default)"
            )
        return value

    def _spend(self, text: str) -> None:
        self._characters_left -= len(text)
        if self._characters_left < 0:
            raise Wrong(
                f"expected the environment to add at most {EXPANDED_CHARACTERS_MAX} characters, found more"
            )
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Wrong("expected a variable of UTF-8 text, found other bytes") from None
