"""A tool: notes that outlive the agent's incarnations."""

from __future__ import annotations

from dataclasses import field

from theater_actor import U32, Decline, actor, export


@actor(name="example:notes")
class Notes:
    """Texts in the order they came."""

    texts: list[str] = field(default_factory=list)

    @export
    def keep(self, text: str) -> U32:
        """Keep a text; returns its number."""
        if not text.strip():
            raise Decline("an empty text is not kept")
        self.texts.append(text)
        return len(self.texts)

    @export
    def recall(self) -> list[str]:
        """All of them."""
        return self.texts
