"""Which rewards she is to have on the channel, by the config."""

from __future__ import annotations

from dataclasses import dataclass

from bot.chat.reward_book import RewardKind
from bot.config.channel import Rewards
from bot.texts import text

TITLE_LIMIT, PROMPT_LIMIT = 45, 200


@dataclass(frozen=True, slots=True)
class Offer:
    """A reward as it is made: ``title`` at most 45 characters, ``cost`` in points, ``prompt`` at most 200."""

    kind: RewardKind
    title: str
    cost: int
    prompt: str


def offers(chosen: Rewards, name: str) -> list[Offer]:
    """Return the rewards that the config wants, with our own words where it has none; ``name``: hers."""
    wanted: list[tuple[RewardKind, int, str]] = [
        ("answer", chosen.answer_cost, chosen.answer_title),
        ("mood", chosen.mood_cost, chosen.mood_title),
    ]
    return [
        Offer(
            kind,
            (title or text(f"rewards.{kind}_title", name=name))[:TITLE_LIMIT],
            cost,
            text(f"rewards.{kind}_prompt", name=name)[:PROMPT_LIMIT],
        )
        for kind, cost, title in wanted
        if cost > 0
    ]
