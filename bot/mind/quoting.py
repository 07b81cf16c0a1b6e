"""Viewers' words made fit to be quoted in a prompt: one line, no way out of the quotes, no forged control tokens.

Only the canonical form (NFC) is ever applied: the compatibility forms turn harmless full-width signs into the
control tokens of a model. The brain still reads every content as plain text; this is the second fence.
"""

from __future__ import annotations

import re
import unicodedata

CHAT_LIMIT = 500
"""Characters kept of a viewer's line (Twitch's own limit)."""
OPERATOR_LIMIT = 2000
NAME_LIMIT = 40

_INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
"""Signs that turn the reading direction round, and tag characters that smuggle unseen text."""
# Square brackets mark her own expressions, double quotes fence what others said.
_HARMLESS = str.maketrans('"«»“”„‟〝〞＂[]', "''''''''''()")
_OPENING = re.compile(r"<(?=[|/A-Za-z_])")


def clean_text(text: str, limit: int) -> str:
    """Return ``text`` on one line, at most ``limit`` characters, fit to stand between double quotes."""
    line = " ".join(unicodedata.normalize("NFC", text[: 4 * limit]).split())
    line = "".join(sign for sign in line if unicodedata.category(sign) not in ("Cc", "Co", "Cs"))
    line = _INVISIBLE.sub("", line).translate(_HARMLESS)
    # Last, because dropping a sign may have brought the two halves of a control token together.
    line = _OPENING.sub("< ", line).replace("|>", "| >")
    return line[:limit].strip()


def clean_name(name: str) -> str:
    """Return a shown name fit to stand in front of quoted words; it cannot look like the start of a line."""
    return clean_text(name.replace(":", " "), NAME_LIMIT)
