"""What a payload tells of a deed in figures and names, for ``Happening.figures``: what is unknown is left out.

Payloads as Twitch's "EventSub Subscription Types" and "EventSub Reference" give them.
"""

from __future__ import annotations

from bot.chat.payload import Payload, figures, number, rows, table, words

Figures = dict[str, int | str]


def tier(payload: Payload, key: str) -> int | None:
    """Return 2 or 3: the first tier goes without saying."""
    return {"2000": 2, "3000": 3}.get(words(payload, key))


def resub(payload: Payload, tier_key: str) -> Figures:
    """Return for how long somebody subscribes."""
    return figures(months=number(payload, "cumulative_months"), tier=tier(payload, tier_key))


def poll(event: Payload) -> Figures:
    """Return how a poll ended; nobody wins a tie."""
    votes = [(number(choice, "votes") or 0, words(choice, "title")) for choice in rows(event, "choices")]
    most = max((count for count, _ in votes), default=0)
    first = [title for count, title in votes if count == most]
    winner = first[0] if most and len(first) == 1 else ""
    return figures(title=words(event, "title"), winner=winner, votes=most)


def prediction(event: Payload) -> Figures | None:
    """Return how a prediction ended; ``None``: it was called off."""
    won = words(event, "winning_outcome_id")
    titles = [words(outcome, "title") for outcome in rows(event, "outcomes") if words(outcome, "id") == won]
    if not titles or words(event, "status") != "resolved":
        return None
    return figures(title=words(event, "title"), winner=titles[0])


def ad_break(event: Payload) -> Figures:
    """Return how long the ads last, in whole minutes if possible."""
    seconds = number(event, "duration_seconds") or 0
    return figures(minutes=seconds // 60) if seconds % 60 == 0 else figures(seconds=seconds)


def charity(event: Payload) -> Figures:
    """Return what was given to whom."""
    told = table(event, "charity_donation")
    return figures(charity=words(told, "charity_name"), amount=_amount(table(told, "amount")))


def _amount(payload: Payload) -> str:
    """Return an amount as it is said, such as ``12.50 EUR``."""
    value, places = number(payload, "value"), number(payload, "decimal_place") or 0
    if not value or places > 4:
        return ""
    whole, rest = divmod(value, 10**places)
    shown = f"{whole}.{rest:0{places}d}" if rest else str(whole)
    return f"{shown} {words(payload, 'currency')[:3]}".strip()
