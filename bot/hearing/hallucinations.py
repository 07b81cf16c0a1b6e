"""What Whisper writes where nobody spoke, told from what was said.

From near-silence and music the model writes what stood over such sound in its training data: credits of subtitles,
thanks for watching. Two kinds of sentences: those that nobody says to a companion are never believed, and short ones
that people do say are believed while the model itself is sure that it heard speech. The thresholds for silence and
for loops are those of the reference decoder (openai/whisper, ``transcribe``: 0.6, -1.0 and 2.4).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass

import numpy as np

from bot.vocabulary import Pcm

SILENT = 33
"""RMS (16 bits) of the loudest tenth of a second, below which nobody spoke: -60 dBFS."""
NO_SPEECH = 0.6
UNSURE = -1.0
LOOPING = 2.4
DOUBTFUL_NO_SPEECH = 0.3
DOUBTFUL_UNSURE = -0.7
FASTEST_LETTERS_PER_S = 40.0
"""Nobody speaks faster: an announcer in a hurry reaches 25."""
FEWEST_LETTERS = 60
"""Shorter texts say nothing about the speed, since a clip may be cut close."""

_CREDITS = re.compile(
    r"\bamara( ?\.? ?org)?\b"
    r"|\bsubtit(ul\w*|les?|led|ling)\b.*\b(por|by|comunidad|community|traducid\w*|realizad\w*)\b"
    r"|\b(subtitulos|subtitulado|subtitulacion|subtitles|captions|closed captions?)( por| de| by|$)"
    r"|\btranscri(pcion|ption|bed)\b.*\b(por|by)\b"
    r"|\b(translated|traducido|traduccion|revision|corrected) (by|por)\b"
    r"|\b(www|http)\b|\bmooji\b|\balimmenta\b|\bcastingwords\b"
)
_WATCHERS = re.compile(
    r"(muchas )?gracias (a todos )?por (ver|vernos|mirar|haber visto)( (el|este|mi|nuestro) (video|canal))?"
    r"( y hasta .*)?"
    r"|(muchas )?gracias por su atencion"
    r"|thank(s| you)( so much| very much| all)* for (watching|viewing)( (this|the|my|our) video)?( .*)?"
    r"|(no (te |se )?olvid(es|en) (de )?)?(suscrib\w+|dale like|activa la campanita)( (al|a (mi|este|nuestro)) canal)?"
    r"|(please |don t forget to )*(like( and)? )?(subscribe|hit the bell)( to (the|my|our|this) channel)?"
    r"|nos vemos en (el|la) (proximo|proxima|siguiente) (video|episodio)|see you in (the|our|my) next (video|episode)"
)
_DOUBTFUL = frozenset(
    "you|thank you|thank you very much|thank you so much|thanks|bye|bye bye|okay|ok|so|oh|ah|uh|um|hmm|mm hmm|yeah|yes"
    "|no|the|i|hello|good|right|please|gracias|muchas gracias|si|adios|chao|vale|bueno|eh|ay|ya|que|claro|hola|musica"
    "|music|aplausos|applause|risas|laughter|silencio|silence|suspiro|continuara|fin|the end".split("|")
)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a model wrote for a stretch of sound of ``seconds``.

    ``no_speech``: its probability that nobody spoke; ``mean_logprob``: of the tokens written, 0 is certain.
    """

    text: str
    seconds: float
    no_speech: float = 0.0
    mean_logprob: float = 0.0


def is_invented(piece: Piece) -> bool:
    """Return whether nobody said this."""
    said = _plain(piece.text)
    if not said:
        return True
    if piece.no_speech > NO_SPEECH and piece.mean_logprob < UNSURE:
        return True
    if _CREDITS.search(said) or _WATCHERS.fullmatch(said):
        return True
    raw = piece.text.encode()
    if len(raw) > FEWEST_LETTERS and len(raw) / len(zlib.compress(raw)) > LOOPING:
        return True
    if len(said) > max(FEWEST_LETTERS, FASTEST_LETTERS_PER_S * piece.seconds):
        return True
    doubted = piece.no_speech > DOUBTFUL_NO_SPEECH or piece.mean_logprob < DOUBTFUL_UNSURE
    return said in _DOUBTFUL and doubted


def is_silent(pcm: Pcm, rate_hz: int = 16_000) -> bool:
    """Return whether nothing in it can be speech."""
    block = rate_hz // 10
    blocks = np.pad(pcm.astype(np.float32), (0, -len(pcm) % block)).reshape(-1, block)
    power = np.einsum("ij,ij->i", blocks, blocks) / block
    return not len(blocks) or float(power.max()) <= SILENT**2


def _plain(said: str) -> str:
    """Return letters and figures alone, without accents, in small letters."""
    marks = unicodedata.normalize("NFKD", said.casefold())
    return " ".join(re.findall(r"[^\W_]+", "".join(c for c in marks if not unicodedata.combining(c))))
