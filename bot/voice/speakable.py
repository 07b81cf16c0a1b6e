"""Written text made speakable: numbers, addresses, laughter, capitals, chat's abbreviations, foreign letters.

What is no language at all (markup, tags, faces, emoji) is taken out before, while the brain still writes; see
``bot.voice.cleaning``. Here only what a voice would stumble over is left out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

from bot.chat.emotes import looks_like_emote
from bot.vocabulary import Language
from bot.voice.draft import Draft
from bot.voice.numbers import say_numbers
from bot.voice.sayings import Sayings, sayings

_STYLED = ("<font>", "<wide>", "<narrow>", "<circle>", "<square>", "<noBreak>")
"""Letters in disguise: 𝓱𝓮𝓵𝓵𝓸, ａｎｅｅｋａ (decomposition types of the Unicode Character Database)."""
_MARKED = re.compile(r"([^\W\d_])([\u0300-\u036f]+)")
_LINK = re.compile(
    r"(?:\bhttps?://|\bwww\.)\S*[^\s.,;:!?)\]»”\"']|(?<![\w@./])(?:[\w-]+\.)+[a-z]{2,12}/\S*[^\s.,;:!?)\]»”\"']", re.I
)
_BARE_LINK = re.compile(r"\bhttps?://|\bwww\.(?!\w)", re.I)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w")
_HOST = re.compile(r"(?<![\w.])((?:[\w-]+\.)+(?:com|net|org|tv|io|gg|es|mx|ar|cl|co|me|app|dev))(?![\w.]*\w)", re.I)
_LABEL = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_MENTION = re.compile(r"(?<![\w@])@(\w+)|(?<!\w)#([^\W\d]\w*)")
_HUMPS = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ][a-zà-ÿ])")
_LONG_TAIL = re.compile(r"(?<=[^\W\d])\d{3,}$")
_FACE = re.compile(r"(?<![\w])(?:[xX]+[dD]+|[:;=]['-]?[)(dDpP]+|<3+|\^_*\^|:[3vV])(?!\w)")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_WRAPPED = re.compile(r"(?<!\w)[xX]{2}_?([^\W\d_]{3,}?)_?[xX]{2}(?!\w)")
_STRETCH = re.compile(r"([^\W\d_])\1{2,}", re.I)
_LAUGH = re.compile(r"a?(?:j+[aeiáéí]+){2,}j*|a?(?:h+[aeiáéí]+){2,}h*|(?:k[aei]){3,}k?|k{4,}|l+o+l+|lu+l+|kekw?", re.I)
_TYPED_LAUGHTER = ({"j", "a", "s"}, {"j", "s", "k"}, {"j", "s"})
_CAPS = re.compile(r"(?<![^\W_])[A-ZÀ-Þ][A-ZÀ-Þ0-9]*(?:['’][A-ZÀ-Þ]+)?(?:(?<=[A-ZÀ-Þ]{2})s)?(?![^\W_])")
_VOWELS = frozenset("AEIOUÁÉÍÓÚÜY")
_RUN = re.compile(r"[!?]{2,}|[,;:]{2,}|[¡¿]{2,}")
_DOTS = re.compile(r"\.{2,}|…+\.*")
_SYMBOLS = {"&": "and", "=": "equals", "+": "plus", "×": "times", "÷": "divided", "%": "percent"}
_SYMBOL = re.compile(r"\s*([&=+×÷%])\s*")
_FOREIGN = re.compile(r"[^\x00-\u024f\u2010-\u2026\u20a0-\u20bf]+")
_ENDS = re.compile(r"^\s+|\s+$|^[,;:.…)]+\s*")
_UNSAID = re.compile(r"[^\w\s.,;:!?¡¿…'’\"“”«»()/@–—-]|_")
_SLASH = re.compile(r"\s*/+\s*|\s*@+\s*|(?<!\w)[-–—]{2,}(?!\w)|(?<=\w)[–—]+(?=\w)")
_BLANKS = re.compile(r"\s+")
_BEFORE_MARK = re.compile(r" (?=[.,;:!?…])")
_ORPHANS = re.compile(r"(?:^|(?<=\s))[.,;:…'’\"–—/@-]+(?=\s|$)|\(\s*\)")
_INNER_CAPITAL = re.compile(r"[a-zà-ÿ][A-ZÀ-Þ]")
_EMOTE_FAMILIES = re.compile(r"(?:wide)?peepo|monka|pepe|feels|omega|kek|pog|cat[A-Z]|blob[A-Z]|bongo|hyper[A-Z]", re.I)
_EMOTES = frozenset(
    "PogChamp HeyGuys BibleThump NotLikeThis DansGame WutFace ResidentSleeper TwitchUnity BloodTrail VoHiYo SeemsGood "
    "KonCha PJSalt SwiftRage BabyRage FailFish GivePLZ TakeNRG TwitchLit PartyTime LuvSign KappaPride FrankerZ OhMyDog "
    "CoolCat SMOrc TriHard CmonBruh BloodTrail StinkyCheese ThunBeast TheIlluminati FutureMan PunOko ImTyping "
    "HahaThisisfine HahaSweat HahaBall HahaCat".split()
)
"""Emotes of every channel whose names look like people's."""
_MOST_LAUGHTER = 3


class Speakable:
    """Text as it is spoken, with the way back to the text as it is written."""

    def __init__(self, written: str, draft: Draft) -> None:
        self.text = draft.text
        self._written = written
        self._draft = draft

    def written(self, start: int, end: int) -> tuple[int, int]:
        """Return the written words, from blank to blank, that ``text[start:end]`` stands for."""
        first, last = self._draft.written(start, end)
        while first and not self._written[first - 1].isspace():
            first -= 1
        while last < len(self._written) and not self._written[last].isspace():
            last += 1
        return first, last


def speakable(text: str, language: Language) -> Speakable:
    """Return how a written text is spoken. What a voice could stumble over is left out; it may be nothing at all."""
    draft, say = Draft(text), sayings(language)
    _letters(draft)
    _addresses(draft, say)
    draft.sub(_FACE, " ")
    draft.sub(_WORD, lambda m: "" if _is_emote(m[0]) else m[0])
    draft.sub(say.slashes, lambda m: say.slashed[m[1].lower()])
    draft.sub(say.abbreviations, lambda m: _unshortened(m, say))
    say_numbers(draft, say)
    shouts = _shouts(draft.text)
    draft.sub(_CAPS, lambda m: _uncapped(m[0], say, shouts=shouts))
    draft.sub(_WORD, lambda m: _word(m[0], say))
    draft.sub(_SYMBOL, lambda m: f" {say[_SYMBOLS[m[1]]]} ")
    _tidy(draft)
    return Speakable(text, draft)


def _letters(draft: Draft) -> None:
    """Turn letters in disguise and those of other scripts into plain ones; take off piled-up accents."""
    draft.sub(_MARKED, lambda m: _composed(m[1], m[2]))
    if not draft.text.isascii():
        draft.sub(_FOREIGN, lambda m: _romanised(m[0]))


def _composed(letter: str, marks: str) -> str:
    composed = unicodedata.normalize("NFC", letter + marks[0])
    return composed if len(composed) == 1 else letter


def _romanised(run: str) -> str:
    said = []
    for char in run:
        if unicodedata.decomposition(char).startswith(_STYLED):
            said.append(unicodedata.normalize("NFKC", char))
        elif unicodedata.category(char)[0] in "LN":
            said.append(anyascii(char).lower())
        elif unicodedata.category(char)[0] == "M":
            continue
        else:
            said.append({"。": ".", "、": ",", "！": "!", "？": "?", "−": "-"}.get(char, " "))
    return "".join(said)


def _addresses(draft: Draft, say: Sayings) -> None:
    draft.sub(_LABEL, lambda m: m[1])
    draft.sub(_EMAIL, say["email"])
    draft.sub(_LINK, say["link"])
    draft.sub(_BARE_LINK, say["link"])
    draft.sub(_HOST, lambda m: m[1].replace(".", f" {say['dot']} "))
    draft.sub(_WRAPPED, lambda m: m[1])
    draft.sub(_MENTION, lambda m: _named(m[1] or m[2]))


def _named(name: str) -> str:
    """Return how a channel's name is called: as separate words, without a long number at its end."""
    name = _LONG_TAIL.sub("", name).strip("_")
    return " ".join(_HUMPS.sub(" ", name).replace("_", " ").split())


def _unshortened(match: re.Match[str], say: Sayings) -> str:
    """Return an abbreviation's words; its full stop stays where it ends the sentence."""
    said = say.dotted[match[1].lower()]
    ends = match[2] is None or (match[1].lower() == "etc" and (match[2].isupper() or match[2] in "¿¡"))
    return f"{said}." if ends else said


def _shouts(text: str) -> bool:
    """Tell whether a text is written in capitals as a whole."""
    letters = [char for char in text if char.isalpha()]
    return len(letters) > 6 and sum(map(str.isupper, letters)) > 0.6 * len(letters)


def _uncapped(word: str, say: Sayings, *, shouts: bool) -> str:
    """Return a word in capitals as a voice reads it: letter by letter if it is an acronym, else as a word."""
    if len(word) == 1:
        return word.lower() if shouts else word
    if word.endswith("s"):  # of several: NPCs
        spelled = _uncapped(word[:-1], say, shouts=False)
        return spelled + "s" if " " in spelled else word
    letters = [char for char in word if char.isalpha()]
    known = word in say.acronyms and word not in say.caps_words
    if known or (len(letters) <= 5 and not _VOWELS & set(letters) and word.lower() not in say.words):
        return " ".join(word) if not _laughs(word) else word.lower()
    return word.lower()


def _word(word: str, say: Sayings) -> str:
    """Return one word as it is said."""
    low = word if len(word) == 1 else word.lower()
    if low in say.words:
        return _like(word, say.words[low])
    if len(word) > 3 and _laughs(word):
        return _laughter(low, say)
    return _unstretched(word, say) if _STRETCH.search(word) else word


@lru_cache(2048)
def _is_emote(word: str) -> bool:
    """Tell whether a word is surely an emote: of a name such as ``MegaPixel`` the shape alone is no proof."""
    shaped = looks_like_emote(word)
    return shaped and (word in _EMOTES or not _INNER_CAPITAL.search(word) or bool(_EMOTE_FAMILIES.match(word)))


def _like(word: str, said: str) -> str:
    return said[0].upper() + said[1:] if word[0].isupper() else said


def _laughs(word: str) -> bool:
    """Tell laughter, also such as fingers type it in a hurry: "jajsjaja"."""
    low = word.lower()
    return bool(_LAUGH.fullmatch(low)) or (low.count("j") > 1 and set(low) in _TYPED_LAUGHTER)


def _laughter(low: str, say: Sayings) -> str:
    """Return laughter of bearable length: with its own vowel in her language."""
    vowel = next((char for char in low if char in "aei"), "a")
    syllable = ("j" if say.language == "es" else "h") + vowel
    if "l" in low or "k" in low[:1]:
        return say["laugh"]
    return syllable * min(max(len(low) // 2, 2), _MOST_LAUGHTER)


def _unstretched(word: str, say: Sayings) -> str:
    """Return a stretched word ("holaaaa") as it is spelled; sounds such as "mmm" and "aaah" keep some length."""
    single = _STRETCH.sub(r"\1", word)
    if len(set(word.lower())) <= 2 and single.lower() not in say.singles:
        return _STRETCH.sub(lambda m: m[1] * 3, word)
    doubled = _STRETCH.sub(lambda m: m[1] * 2, word)
    if doubled.lower() in say.doubles or doubled.lower().rstrip("s") in say.doubles:
        return doubled
    said = say.words.get(single.lower())
    return _like(word, said) if said else single


def _tidy(draft: Draft) -> None:
    draft.sub(_SLASH, " ")
    draft.sub(_UNSAID, " ")
    draft.sub(_RUN, lambda m: "?" if "?" in m[0] else m[0][0])
    draft.sub(_DOTS, "…")
    draft.sub(_BLANKS, " ")
    draft.sub(_ORPHANS, " ")
    draft.sub(_BLANKS, " ")
    draft.sub(_BEFORE_MARK, "")
    draft.sub(_ENDS, "")
