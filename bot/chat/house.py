"""What a channel needs of her: somebody who hears, and somebody who takes back."""

from __future__ import annotations

from typing import Protocol

from bot.vocabulary import Heard, Person


class House(Protocol):
    """What a channel gives her."""

    def hear(self, heard: Heard, unfit: str | None = None) -> None:
        """Take in what was said or done; ``unfit``: why it is not to be answered."""
        ...

    def control(self, verb: str) -> None:
        """Obey a verb of the operator's desk."""
        ...

    def ignores(self, person: Person) -> bool:
        """Whether the operator has blocked this viewer."""
        ...

    def feel(self, expression: str) -> None:
        """Show a mood."""
        ...


class Moderation(Protocol):
    """What a channel takes back."""

    def withdraw(self, heard_id: str) -> object:
        """A message was deleted."""
        ...

    def withdraw_person(self, person_id: str, name: str = "", for_s: float = ...) -> object:
        """A person was banned, or wants to be forgotten (``for_s`` 0: what they write next is heard)."""
        ...

    def allow_person(self, person_id: str) -> object:
        """A ban was lifted."""
        ...

    def withdraw_all(self) -> object:
        """The chat was cleared."""
        ...
