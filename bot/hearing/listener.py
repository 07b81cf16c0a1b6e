"""What the ear tells the app."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """All calls come from the event loop's thread and return at once."""

    def speech_began(self) -> None:
        """Somebody speaks."""
        ...

    def interrupts(self) -> None:
        """Somebody speaks while she does, or is about to: hold her now."""
        ...

    def murmured(self) -> None:
        """It was nothing: she goes on from the word at which she was held."""
        ...

    def takes_over(self) -> None:
        """It is words: what she was saying is over. May come without ``interrupts`` or after ``murmured``."""
        ...

    def partial(self, text: str) -> None:
        """All that was understood of the turn so far."""
        ...

    def probably_said(self, text: str) -> None:
        """A pause: this may be all, and is for her. ``said`` or ``goes_on`` follows."""
        ...

    def goes_on(self) -> None:
        """What was probably said was not all, or nothing: throw away what was begun for it.

        The same for what was ``said`` when she has not been heard since: the next ``said`` begins with those words.
        """
        ...

    def said(self, text: str, *, addressed: bool, marks: dict[str, float], served: str) -> None:
        """A turn is over, with its marks ``speech_ended``, ``turn_ended`` and ``transcript_ready``.

        ``addressed``: it is for her. ``served``: who turned it into text.
        """
        ...
