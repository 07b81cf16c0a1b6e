"""Her own voice in the operator's microphone: told from theirs by its level, and by its words once there are any.

Loudspeakers give the microphone a fairly constant share of what she plays, and headphones almost nothing. That share is
learned while she speaks; sound that is not louder than it explains is hers. No echo is removed: who talks over her
through loudspeakers must be louder than she is there.
"""

from __future__ import annotations

from collections import deque
from difflib import SequenceMatcher

from bot.hearing.silero import BLOCK_S, SILENCE_DB
from bot.hearing.words import plain_words

LOUD_DB = -50.0
"""Below this she is silent as far as an echo goes."""
DELAY_BLOCKS = round(0.4 / BLOCK_S)
"""Her sound reaches the microphone within so many blocks: output and input buffers, Bluetooth, the room."""
LEARNED_BLOCKS = round(3.0 / BLOCK_S)
FIRST_BLOCKS = round(0.6 / BLOCK_S)
"""So much of her first speech is only listened to."""
MARGIN_DB = 8.0
LOUDSPEAKERS_DB = -30.0
"""With a smaller share than this she is on headphones, and no words need to be compared."""
_ALIKE = 0.75
_FEW_WORDS = 3
KEPT_S = 8.0
SLOWEST_LETTERS_PER_S = 10.0
"""A phrase is heard until then at the latest, and its end comes back long after its beginning."""
_STOPS = frozenset("para parate espera callate calla basta silencio stop wait quiet enough".split())
"""What stops her must do so even if she has just said it."""


class Echo:
    """Learns what of her comes back through the microphone."""

    def __init__(self) -> None:
        self._hers: deque[float] = deque(maxlen=DELAY_BLOCKS)
        self._shares: deque[float] = deque(maxlen=LEARNED_BLOCKS)
        self._newest: deque[float] = deque(maxlen=DELAY_BLOCKS)
        self._phrases: deque[tuple[float, str]] = deque(maxlen=12)

    def explains(self, heard_db: float, hers_db: float) -> bool:
        """Take one block: the microphone's level and hers now. Return whether it may be nothing but her echo."""
        self._hers.append(hers_db)
        loudest = max(self._hers)
        if loudest < LOUD_DB:
            return False
        share = heard_db - loudest
        self._newest.append(share)
        echo = len(self._shares) < FIRST_BLOCKS or share <= self._share_db + MARGIN_DB
        if echo:
            self._shares.append(share)
        return echo

    @property
    def _share_db(self) -> float:
        """What of her level comes back, by the louder part of what was heard."""
        ranked = sorted(self._shares)
        return ranked[len(ranked) * 3 // 4] if ranked else SILENCE_DB

    def mistaken(self) -> None:
        """What was just taken for the operator was she: this loud she comes back."""
        self._shares.extend(list(self._newest) * (LEARNED_BLOCKS // DELAY_BLOCKS))

    def she_says(self, text: str, now_s: float) -> None:
        """A phrase of hers has begun to sound."""
        self._phrases.append((now_s, text))

    @property
    def possible(self) -> bool:
        """Whether she is audible in the microphone at present."""
        return max(self._hers, default=SILENCE_DB) >= LOUD_DB and self._share_db > LOUDSPEAKERS_DB

    def is_hers(self, text: str, began_s: float) -> bool:
        """Return whether words that were heard from ``began_s`` on are what she said shortly before or since."""
        words = plain_words(text)
        recent = [said for at, said in self._phrases if at + len(said) / SLOWEST_LETTERS_PER_S > began_s - KEPT_S]
        hers = [word for said in recent for word in plain_words(said)]
        if not words or set(words) <= _STOPS:
            return False
        blocks = SequenceMatcher(None, hers, words, autojunk=False).get_matching_blocks()
        if len(words) < _FEW_WORDS:
            return any(block.size == len(words) for block in blocks)
        return sum(block.size for block in blocks) / len(words) >= _ALIKE
