"""The expression tags that a brain may write: ``[happy]``, ``[feliz]`` and the words models use instead of them."""

from __future__ import annotations

import re
import unicodedata

from bot.vocabulary import EXPRESSIONS

_ALIASES = {
    "neutral": "normal calm calmed tranquila tranquilo calma serena thinking thoughtful pensando pensativa serious "
    "seria",
    "happy": "happiness joy joyful cheerful smile smiling smiles laugh laughing laughs giggle giggling love loving "
    "grateful proud feliz felicidad contenta contento alegre alegria sonrisa sonrie sonriendo risa risas "
    "rie riendo amor carino agradecida orgullosa",
    "excited": "excitement hype hyped thrilled emocionada emocionado emocion entusiasmada entusiasmado entusiasmo "
    "ilusionada",
    "sad": "sadness cry crying cries sorry disappointed triste tristeza llora llorando pena decepcionada",
    "angry": "anger mad annoyed furious enfadada enfadado enfado enojada enojado enojo furiosa molesta rabia",
    "surprised": "surprise shock shocked amazed wow astonished sorprendida sorprendido sorpresa asombrada asombro",
    "shy": "timid embarrassed blush blushing blushes nervous timida timido verguenza avergonzada sonrojada nerviosa",
}
_EXPRESSION = {name: name for name in EXPRESSIONS} | {
    alias: expression for expression, aliases in _ALIASES.items() for alias in aliases.split()
}


def _plain(word: str) -> str:
    """Return the word's letters in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", word.lower()) if c.isalpha())


def expression_of(name: str) -> str | None:
    """Return the expression that a tag's content names, in any case and with spaces inside; None: it names none.

    Of several words ("happy, laughing") the first known one counts.
    """
    words = [_plain(word) for word in re.split(r"[\s,;/|+&_-]+", name)]
    return next((_EXPRESSION[word] for word in ("".join(words), *words) if word in _EXPRESSION), None)
