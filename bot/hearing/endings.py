"""Does this text sound finished? The second opinion on a pause, in Spanish and English, from words alone."""

from __future__ import annotations

from bot.hearing.words import words_of

_SPANISH = """
a al ante bajo con contra de del desde durante en entre hacia hasta para por según sin sobre tras
y e o u ni pero sino aunque porque pues que si cuando donde como mientras
el la los las un una unos unas lo mi mis tu tus su sus nuestro nuestra este estos estas ese esa esos esas aquel
muy más tan me te se le les nos os yo eh em este osea digamos tipo cada cual cuyo cuya
he has ha hemos han es soy eres fue era eran está estoy estás están son ser voy vas va vamos van hay
quiero quería puedo puedes puede tengo tienes tiene debo debes suelo
"""
_ENGLISH = """
a an the and or but nor so because if when while where which who whose than as of to for from with without at by
in on into onto about between through during before after until since my your his her its our their
some every very more most i you he she we they im youre were theyre ive youve weve am is are was be been being
have has had will would can could should must may might do does did not dont doesnt going wanna gonna um uh er like
"""
_UNFINISHED = frozenset(f"{_SPANISH} {_ENGLISH}".split())
_ASKING = frozenset(
    "qué quién quiénes dónde cómo cuándo cuál cuáles cuánto cuántos what who whom whose where which how why".split()
)
_STRANDED = frozenset(
    """es son fue era eran está están estás eres hay soy va vas van puede puedes
    at for with about from to of in on by is are was am be do does did have can you i he she we they""".split()
)
"""Questions may end in these: "¿dónde está?", "no sé qué es", "who are you looking at", "what did you do"."""
_OPENERS = frozenset("si cuando aunque mientras como if when although while because since unless".split())
"""A clause that begins so is followed by another."""
_SHORT_CLAUSE = 5
_ANSWERS = frozenset(
    """sí no vale gracias hola adiós claro bueno nada nunca siempre perfecto exacto listo para espera basta sigue
    continúa yes yeah nope okay ok thanks hello hi bye sure never always perfect exactly stop wait continue""".split()
)
"""Words that are a whole turn by themselves."""
_WHOLE_WORDS = 3


def sounds_finished(text: str) -> bool:
    """Return whether a speaker who pauses after this text has probably said what they wanted.

    Marks count where a recogniser writes them, but not a full stop after "and": some end whatever they hear with one.
    """
    text = text.strip()
    sentence = words_of(_last_sentence(text))
    if not sentence or text.endswith(("...", "…", ",", "-", "–", "—", ":", ";", "¿", "¡")):
        return False
    last = sentence[-1]
    if text.endswith(("?", "!")) or (sentence == [last] and last in _ANSWERS):
        return True
    if last in _UNFINISHED:
        asked = len(sentence) > 1 and not _ASKING.isdisjoint(sentence[:-1])
        return asked and last in _STRANDED
    if sentence[0] in _OPENERS and len(sentence) <= _SHORT_CLAUSE and "," not in text:
        return False
    return len(sentence) >= _WHOLE_WORDS or (len(sentence) > 1 and text.endswith(".")) or last in _ANSWERS


def _last_sentence(text: str) -> str:
    """Return what follows the last mark that ends a sentence inside the text."""
    body = text.rstrip(".!?… ")
    cut = max(body.rfind(mark) for mark in (". ", "? ", "! ", "… "))
    return text[cut + 1 :].strip() if cut >= 0 else text
