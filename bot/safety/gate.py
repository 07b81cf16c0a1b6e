"""The gate: what may come in and what may go out. One plain step so far: what is empty does not pass."""

from __future__ import annotations

from bot.vocabulary import Heard, Phrase


class Gate:
    """Judges before anything is chosen, spoken or shown."""

    def comes_in(self, heard: Heard) -> str | None:
        """Return the reason why a message may not be chosen, or ``None``."""
        return None if heard.text.strip() or heard.kind in ("event", "silence") else "empty"

    def goes_out(self, phrase: Phrase) -> str | None:
        """Return the reason why a phrase may not be spoken or shown, or ``None``."""
        return None if any(c.isalnum() for c in phrase.text) else "empty"
