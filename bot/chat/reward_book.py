"""The small file that survives a crash: which rewards are ours, and which redemptions are open."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

RewardKind = Literal["answer", "mood"]


@dataclass(slots=True)
class Redemption:
    """One that Twitch waits to hear about; ``fulfilled``: what became of it, ``None`` while it is undecided."""

    reward: str
    fulfilled: bool | None = None


@dataclass(slots=True)
class RewardBook:
    """Kinds by reward id and open redemptions by their id, as the file has them after ``save``."""

    file: Path
    rewards: dict[str, RewardKind] = field(default_factory=dict)
    open: dict[str, Redemption] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> RewardBook:
        """Read the file; one that is missing or damaged is an empty book."""
        book = cls(file)
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            book.rewards = {str(i): kind for i, kind in kept["rewards"].items() if kind in get_args(RewardKind)}
            for redemption, entry in kept["open"].items():
                fulfilled = entry["fulfilled"]
                book.open[str(redemption)] = Redemption(
                    str(entry["reward"]), fulfilled if isinstance(fulfilled, bool) else None
                )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return book

    def save(self) -> None:
        """Write the file anew; a process that dies meanwhile leaves the old one. Raises ``OSError``."""
        entries = {i: {"reward": one.reward, "fulfilled": one.fulfilled} for i, one in self.open.items()}
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps({"rewards": self.rewards, "open": entries}), encoding="utf-8")
        fresh.replace(self.file)
