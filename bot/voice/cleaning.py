"""A brain's text, made fit to be spoken: without markup, faces, emoji and stage directions, its tags set apart.

The cleaner reads a stream and holds back only what it cannot judge yet, so that what it yields depends on the text
alone, never on how the text was split into pieces.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from bot.voice.tags import expression_of

_TAG_CHARS = 24
"""A ``[`` that no ``]`` follows within so many characters opens no tag."""
_ACTION_CHARS = 80
_FACE_CHARS = 24
_STARS = 4

_FACES = sorted(
    [eyes + nose + mouth for eyes in ":;=" for nose in ("", "-", "'") for mouth in ")(DPp"]
    + [":" + mouth for mouth in ("o", "O", "3", "v", "V", "/", "-/", "\\", "|")]
    + ["xD", "XD", "xd", "Xd", "<3", "</3", "^^", "^_^", ">_<", "-_-", "T_T", "u_u", "o_o", "O_O", "n_n", ">:("]
    + ["¯\\_(ツ)_/¯"],
    key=len,
    reverse=True,
)
_FACE_STARTS = frozenset(face[0] for face in _FACES)
_MOUTHS_AFTER_A_WORD = (")", "D", "P", "p", "v", "V", "-)", "-D", "-P", "'(", "(")
_WORD_CLOSERS = ")\"'”’»"
_URL_STARTS = ("http://", "https://", "www.")
_ACTION_VERBS = frozenset(
    "waves smiles laughs giggles grins winks nods sighs blushes hugs bows claps dances shrugs gasps blinks cries pouts "
    "jumps looks tilts chuckles leans points sonríe saluda ríe guiña asiente suspira abraza aplaude baila salta llora "
    "mira piensa parpadea susurra bosteza señala se".split()
)
_HOST = re.compile(r"\w\.[A-Za-z]{2,12}/$")
_KEPT_SYMBOLS = "+<>=±×÷−°$€£¥¢"
_DROPPED_MARKS = "#`~^|\\{}•"
_DROPPED_CATEGORIES = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Me", "Sk", "Sm", "So"))
_TO_PLAIN = str.maketrans(
    {"［": "[", "］": "]", "\t": " ", "\r": "\n", "\v": "\n", "\f": "\n", "\u2028": "\n", "\u2029": "\n"}
)


@dataclass(frozen=True, slots=True)
class Tag:
    """What follows is spoken in this expression."""

    expression: str


Item = str | Tag
"""One character of clean text (``\\n`` ends a phrase), or a tag."""
_Step = tuple[int, list[Item]] | None
"""How many raw characters are used up and what they become; None: more text is needed to tell."""
_NOT_THERE: _Step = (0, [])


class Cleaner:
    """Cleans one reply. ``name``: the speaker's own, removed where the reply begins with it and a colon."""

    def __init__(self, name: str = "") -> None:
        self._echo = re.compile(re.escape(name) + r"\*{0,2}:", re.IGNORECASE) if name else None
        self._name = name.lower()
        self._raw = ""
        self._final = False
        self._begun = False
        self._line_begun = False
        self._before = " "
        self._word = ""
        self._url = False
        self._boundary = True
        self._open_brackets = 0
        self._eyes = ""

    def feed(self, piece: str) -> list[Item]:
        """Take the next piece of raw text; return what has become certain."""
        self._raw += piece.translate(_TO_PLAIN)
        items: list[Item] = []
        used = 0
        while used < len(self._raw):
            step = self._step(self._raw[used : used + _ACTION_CHARS + 4])
            if step is None:
                break
            used += step[0]
            for item in step[1]:
                self._note(item)
                items.append(item)
        self._raw = self._raw[used:]
        return items

    def finish(self) -> list[Item]:
        """Return what was held back, now that nothing follows."""
        self._final = True
        return self.feed("")

    def _note(self, item: Item) -> None:
        """Remember what the next character must be judged by."""
        if isinstance(item, Tag) or item == "\n":
            self._boundary, self._before, self._word, self._url = True, " ", "", False
            if item == "\n":
                self._line_begun, self._open_brackets = False, 0
            return
        if item == " ":
            self._before, self._word, self._url = " ", "", False
            return
        self._begun = self._line_begun = True
        self._boundary = not item.isalnum()
        self._before = item
        self._word += item
        self._url = self._url or self._word.lower() in _URL_STARTS or (item == "/" and bool(_HOST.search(self._word)))

    def _removed(self) -> list[Item]:
        """What stands for something taken out whole: the space that parts its neighbours."""
        self._boundary = True
        return [" "]

    def _step(self, raw: str) -> _Step:
        char = raw[0]
        if self._eyes:
            return self._mouth(raw)
        if not self._begun and char.isalpha():
            opening = self._opening(raw)
            if opening != _NOT_THERE:
                return opening
        if char == "[":
            return self._tag(raw)
        if char == "]":
            return 1, []
        if self._url:
            return self._in_url_step(raw)
        if char == "<" or not (self._before.isalnum() or self._before in _WORD_CLOSERS):
            face = self._face(raw)
            if face != _NOT_THERE:
                return face
        if char in "hHwW" and not self._before.isalnum():
            lower = raw.lower()
            if not self._final and any(start.startswith(lower) and start != lower for start in _URL_STARTS):
                return None
            for start in _URL_STARTS:
                if lower.startswith(start):
                    return len(start), list(raw[: len(start)])
        if char == "*":
            return self._star(raw)
        if not self._line_begun and char in "-–—+>":
            if len(raw) == 1 and not self._final:
                return None
            if raw[1:2] in ("", " ", ">"):
                return 1, []
        return self._plain(char)

    def _opening(self, raw: str) -> _Step:
        """Take out her own name and a tag that lost its ``[``, where a reply begins (or not there)."""
        if self._echo and (echo := self._echo.match(raw)):
            return echo.end(), []
        if self._name and not self._final:
            head = raw.lower().rstrip("*")
            if self._name.startswith(head) and len(raw) - len(head) <= 2:
                return None
        word = re.match(r"[^\W\d_]+ ?", raw)
        if word is None or word.end() > _TAG_CHARS:
            return _NOT_THERE
        if word.end() == len(raw) and not self._final:
            return None
        if raw[word.end() : word.end() + 1] == "]":
            expression = expression_of(word.group())
            return word.end() + 1, [Tag(expression)] if expression else self._removed()
        return _NOT_THERE

    def _tag(self, raw: str) -> _Step:
        content = re.match(rf"\[([^\[\]\n]{{0,{_TAG_CHARS}}})", raw)
        assert content is not None
        inside, end = content[1], content.end()
        if end == len(raw) and len(inside) <= _TAG_CHARS and not self._final:
            return None
        if raw[end : end + 1] == "]":
            expression = expression_of(inside)
            return end + 1, [Tag(expression)] if expression else self._removed()
        word = re.match(r"\s*([^\W\d_]+)", inside)
        if word and (expression := expression_of(word[1])):
            return 1 + word.end(), [Tag(expression)]
        return 1, []

    def _face(self, raw: str) -> _Step:
        """Take out an emoticon (or not there)."""
        if raw[0] not in _FACE_STARTS:
            return _NOT_THERE
        if not self._final and any(face.startswith(raw) and face != raw for face in _FACES):
            return None
        for face in _FACES:
            if raw.startswith(face):
                end = len(face)
                while end < _FACE_CHARS and raw[end : end + 1] == face[-1]:
                    end += 1
                if end == len(raw) and end < _FACE_CHARS and not self._final:
                    return None
                if face[-1].isalnum() and raw[end : end + 1].isalnum():
                    continue
                return end, self._removed()
        return _NOT_THERE

    def _mouth(self, raw: str) -> _Step:
        """After the ``:`` of "hola:D", which was passed on at once for its pause, take out the rest of the face."""
        if not self._final and any(mouth.startswith(raw) and mouth != raw for mouth in _MOUTHS_AFTER_A_WORD):
            return None
        for mouth in _MOUTHS_AFTER_A_WORD:
            if raw.startswith(mouth):
                if mouth[-1].isalnum():
                    if len(raw) == len(mouth) and not self._final:
                        return None
                    if raw[len(mouth) : len(mouth) + 1].isalnum():
                        continue
                self._eyes = ""
                return len(mouth), self._removed()
        self._eyes = ""
        return self._step(raw)

    def _star(self, raw: str) -> _Step:
        """Judge ``*``: bold, emphasis, bullet, product, or a stage direction such as ``*waves*``."""
        run = min(len(raw) - len(raw.lstrip("*")), _STARS)
        if run == len(raw) and run < _STARS and not self._final:
            return None
        after = raw[run : run + 1]
        if run > 1:
            return run, []
        if self._before.isdigit() and after.isdigit():
            return 1, ["×"]
        if self._before.isalnum() or not after.isalpha():
            return 1, []
        word = re.match(r"\*([^\W\d_]+)", raw)
        assert word is not None
        if not self._boundary:
            if word.end() == len(raw) and not self._final:
                return None
            if word[1].lower() not in _ACTION_VERBS:
                return 1, []
        span = re.match(rf"\*[^*\[\]\n]{{1,{_ACTION_CHARS}}}", raw)
        assert span is not None
        if span.end() == len(raw) and span.end() <= _ACTION_CHARS and not self._final:
            return None
        if raw[span.end() : span.end() + 1] == "*":
            return span.end() + 1, self._removed()
        return 1, []

    def _in_url_step(self, raw: str) -> _Step:
        char = raw[0]
        if char in "*`":
            return 1, []
        if char.isspace() or unicodedata.category(char) in _DROPPED_CATEGORIES - {"Sk", "Sm"}:
            return self._plain(char)
        return 1, [char]

    def _plain(self, char: str) -> _Step:
        """Pass on one character, or what is spoken in its place."""
        if char == "\n":
            return 1, ["\n"]
        if char.isspace() or char == "|":
            return 1, [" "]
        if char == "_":
            return 1, [" "] if self._before.isalnum() else []
        category = unicodedata.category(char)
        if category == "So" and char not in _KEPT_SYMBOLS:
            return 1, self._removed()
        if char in _DROPPED_MARKS or "\ufe00" <= char <= "\ufe0f":
            return 1, []
        if category in _DROPPED_CATEGORIES and char not in _KEPT_SYMBOLS:
            return 1, []
        if char == "(":
            self._open_brackets += 1
        elif char == ")":
            if not self._open_brackets:
                return 1, []
            self._open_brackets -= 1
        elif char in ":;" and self._before.isalpha():
            self._eyes = char
        return 1, [char]
