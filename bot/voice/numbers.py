"""Numbers as they are spoken: dates, times, prices, scores, units, years. What they are is told by their shape."""

from __future__ import annotations

import re

from bot.vocabulary import Language
from bot.voice.draft import Draft
from bot.voice.numerals import NO_NOUN, agreed, cardinal, digits, digits_or, ordinal, parts, roman, year
from bot.voice.sayings import Sayings

_VIDEO = frozenset(("2", "4", "5", "8", "16"))
_N = r"\d+(?:[.,]\d+)*"
_MANY = "(?:k|K|M|B|mil|millones|million|billion)"
_START, _END = r"(?<![\w.,])", r"(?![\w]|[.,]\d)"
_DATE = re.compile(rf"{_START}(?:(\d{{4}})-(\d\d?)-(\d\d?)|(\d\d?)([/.-])(\d\d?)\5(\d{{4}}|\d\d)){_END}")
_DAY = re.compile(r"(?<=\b[eE]l )(\d\d?)/(\d\d?)\b(?!/)")
_TIME = re.compile(
    rf"{_START}([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?:\s?(hrs?|hs?)\b)?(?:\s?([ap])\.?\s?m\b(?:\.(?=\s+[a-zà-ÿ]))?)?(?!\d|:\d)",
    re.I,
)
_HALF_DAY = re.compile(rf"{_START}(\d\d?)\s?([ap])\.?m\b(?:\.(?=\s+[a-zà-ÿ]))?", re.I)
_LASTS = re.compile(rf"{_START}(\d+)\s?h\s?(\d+)(?:\s?(?:m|min)\b)?{_END}")
_VERSION = re.compile(rf"{_START}(?!\d{{1,3}}(?:\.\d{{3}})+{_END})[vV]?(\d+(?:\.\d+){{2,}}){_END}")
_PRICE_FIRST = re.compile(
    rf"((?<!\w)[A-Z]{{1,3}}\$|[$€£¥])\s?({_N})(\s?{_MANY}\b)?{_END}(?:\s?(USD|MXN|ARS|COP|CLP)\b)?"
)
_PRICE_LAST = re.compile(rf"(?<![\w.,])({_N})(\s?{_MANY}\b)?\s?([$€£¥]|(?:USD|EUR|GBP|JPY|MXN|ARS|COP|CLP|BTC)\b)")
_PERCENT = re.compile(rf"(?<![\w.,])({_N})\s?%")
_TO_PERCENT = re.compile(rf"(?<![\w.,])({_N})\s?%?\s?[-–]\s?({_N})\s?%")
_ORDINAL: dict[Language, re.Pattern[str]] = {
    "es": re.compile(rf"{_START}(\d{{1,3}})\.?(º|ª|er|ero|era|ra|ro|do|da|to|ta|vo|va|mo|ma)(?!\w)"),
    "en": re.compile(rf"{_START}(\d{{1,9}})(st|nd|rd|th)\b", re.I),
}
_MONTH_DAY = re.compile(
    r"\b(Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)\.? (\d\d?)(?![\da-z]|[:/.,]\d|\s?%)"
)
_DECADE = re.compile(rf"{_START}'?(\d\d)?(\d0)'?s\b")
_FRACTION = re.compile(rf"{_START}(\d{{1,4}})/(\d{{1,4}}){_END}(?!/)")
_RATIO = re.compile(rf"{_START}(\d{{1,4}}):(\d{{1,4}}){_END}(?!:)")
_PHONE = re.compile(rf"{_START}\+?\d{{2,4}}(?:[ -]\d{{2,4}}){{2,}}{_END}|{_START}\d{{3}}-\d{{4}}{_END}")
_LISTED = re.compile(
    rf"{_START}(?!\d{{1,3}}(?:,\d{{3}})+{_END})(?:\d{{1,3}}(?:,\d{{1,3}}){{2,}}|\d\d?(?:-\d\d?){{2,}}){_END}"
)
_SPACED = re.compile(rf"{_START}\d{{1,3}}(?: 000)+{_END}")
_RANGE = re.compile(rf"{_START}({_N})\s?[-–—]\s?(?=\d)")
_DUEL = re.compile(rf"{_START}(\d{{1,2}})\s?(?:v|vs)\s?(\d{{1,2}}){_END}", re.I)
_PRODUCT = re.compile(rf"{_START}(\d+)\s?[x×]\s?(?=\d)")
_FACTOR = re.compile(rf"(?<!\w)[x×]({_N}){_END}")
_SIGNED = re.compile(r"(?<![\w.,)%])([-−+])\s?(?=\d)")
_AND_MORE = re.compile(r"(?<=\d)\+(?!\w)")
_PLUS = re.compile(r"(?<=[\w)])\s?\+\s?(?=\d)")
_COUNTED = re.compile(rf"(?<![\w.,])({_N})(k|K|M|B)\b")
_NUMBER_SIGN = re.compile(r"#(?=\d)|\b[Nn](?:o\.|\.?[º°]|úm\.)\s?(?=\d)")
_TALL = re.compile(rf"{_START}(\d)['’′](\d\d?)(?:[\"”″]|'')?")
_INCHES = re.compile(r"^([^\"]*(?<![\w.,])\d+(?:[.,]\d+)?)\"(?=[^\"]*$)")
_ROMAN = re.compile(
    r"(?<=[a-záéíóúñ] )(II|III|IV|VI|VII|VIII|IX|XI|XII|XIII|XIV|XV|XVI|XVII|XVIII|XIX|XX|XXI)\b(?!['’])"
)
_ANY = re.compile(r"[\d½¼¾²³]")
_SMALL = re.compile(r"(\d)?\s?([½¼¾])")
_POWER = re.compile(r"([²³])")
_PLAIN = re.compile(rf"{_N}|\d+")
_EDGE = re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")


def say_numbers(draft: Draft, sayings: Sayings) -> None:
    """Write every number of a text as words."""
    draft.sub(_ROMAN, lambda m: cardinal(roman(m[1]), sayings.language))
    if _ANY.search(draft.text):
        _Reader(draft, sayings).read()


class _Reader:
    def __init__(self, draft: Draft, sayings: Sayings) -> None:
        self._draft = draft
        self._say = sayings
        self._spanish = sayings.language == "es"

    def read(self) -> None:
        sub, say = self._draft.sub, self._say
        sub(_SPACED, lambda m: m[0].replace(" ", ""))
        sub(_NUMBER_SIGN, f"{say['number']} ")
        sub(_TALL, lambda m: f"{m[1]} {say.pair('foot')[m[1] != '1']} {m[2]}")
        sub(_INCHES, lambda m: f"{m[1]} {say.pair('inch')[1]}")
        sub(_DATE, self._date)
        if self._spanish:
            sub(_DAY, lambda m: self._day_month(int(m[1]), int(m[2]), m[0]))
        else:
            sub(_MONTH_DAY, lambda m: f"{m[1]} {ordinal(int(m[2]), 'en')}" if 0 < int(m[2]) < 32 else m[0])
            sub(_DECADE, self._decade)
        sub(_TIME, self._time)
        sub(_HALF_DAY, lambda m: f"{self._hour(int(m[1]))} {self._half_day(m[2], int(m[1]))}")
        sub(_LASTS, lambda m: f"{m[1]} {self._unit('h', m[1])} {say['and']} {m[2]} {self._unit('min', m[2])}")
        sub(_VERSION, lambda m: f" {say['dot']} ".join(digits_or(part, say.language) for part in m[1].split(".")))
        sub(_PRICE_FIRST, lambda m: self._price(m[2], m[4] if m[4] in say.currencies else m[1], (m[3] or "").strip()))
        sub(_PRICE_LAST, lambda m: self._price(m[1], m[3], (m[2] or "").strip()))
        sub(_TO_PERCENT, lambda m: f"{self._count(m[1])} {say['range']} {self._count(m[2])} {say['percent']}")
        sub(_PERCENT, lambda m: f"{self._count(m[1])} {say['percent']}")
        sub(_ORDINAL[say.language], self._ordinal)
        sub(_DUEL, lambda m: f"{m[1]} {say['versus']} {m[2]}")
        sub(_PRODUCT, lambda m: f"{self._count(m[1])} {say['by']} ")
        sub(_FACTOR, lambda m: f"{say['times']} {self._count(m[1])}")
        sub(_FRACTION, self._fraction)
        sub(_RATIO, lambda m: f"{m[1]} {say['range']} {m[2]}")
        sub(_PHONE, lambda m: ", ".join(digits(part, say.language) for part in re.findall(r"\d+", m[0])))
        sub(_LISTED, lambda m: re.sub("[,-]", ", ", m[0]))
        sub(_RANGE, lambda m: f"{m[1]} {say['range']} ")
        sub(_SIGNED, lambda m: f"{say['plus' if m[1] == '+' else 'minus']} ")
        sub(_PLUS, f" {say['plus']} ")
        sub(_AND_MORE, f" {say['plus']}")
        sub(_SMALL, self._small)
        sub(_COUNTED, self._counted)
        sub(say.units, self._measure)
        sub(_POWER, lambda m: f" {say['squared' if m[1] == '²' else 'cubed']}")
        sub(_EDGE, " ")
        sub(_PLAIN, self._plain)

    def _plain(self, match: re.Match[str]) -> str:
        """Read a bare number; its neighbours tell the gender in Spanish, and years in English."""
        number, text = match[0], self._draft.text
        if not self._spanish:
            before = text[: match.start()].split()
            if re.fullmatch(r"1[1-9]\d\d|20\d\d", number) and (
                number >= "1900" or (before and before[-1].lower() in ("in", "since", "of", "year", "from", "until"))
            ):
                return year(int(number))
            return self._count(number)
        said = self._count(number)
        following = re.match(r" ([^\W\d_]+)", text[match.end() :])
        return agreed(said, following[1].lower()) if following else said

    def _count(self, number: str) -> str:
        """Read a number with its decimals, if it has any."""
        whole, mark, decimals = parts(number, self._say.language)
        said = digits_or(whole, self._say.language)
        if not mark:
            return said
        name = self._say["comma" if mark == "," else "point"]
        if self._spanish and len(decimals) <= 2:
            zeros = len(decimals) - len(decimals.lstrip("0"))
            rest = [cardinal(int(decimals), "es")] if decimals.lstrip("0") else []
            return " ".join([said, name, *["cero"] * zeros, *rest])
        return f"{said} {name} {digits(decimals, self._say.language)}"

    def _date(self, match: re.Match[str]) -> str:
        if match[1]:
            year_, month, day = int(match[1]), int(match[2]), int(match[3])
        else:
            first, second, year_ = int(match[4]), int(match[6]), int(match[7])
            day, month = (first, second) if self._spanish or first > 12 else (second, first)
            year_ += 2000 if year_ < 100 else 0
        said = self._day_month(day, month, "")
        if not said:
            return match[0]
        return f"{said} de {cardinal(year_, 'es')}" if self._spanish else f"{said}, {year(year_)}"

    def _day_month(self, day: int, month: int, otherwise: str) -> str:
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return otherwise
        name = self._say.months[month - 1]
        if self._spanish:
            return f"{'primero' if day == 1 else cardinal(day, 'es')} de {name}"
        return f"{name} {ordinal(day, 'en')}"

    def _decade(self, match: re.Match[str]) -> str:
        century, tens = match[1], int(match[2])
        if tens == 0:
            return f"{cardinal(int(century or '20') * 100, 'en')}s"
        if tens == 10:
            return match[0]
        said = cardinal(tens, "en")[:-1] + "ies"
        return f"{cardinal(int(century), 'en')} {said}" if century else said

    def _time(self, match: re.Match[str]) -> str:
        hour, minute, second, half = int(match[1]), int(match[2]), match[3], match[5]
        if second:
            return " ".join(cardinal(int(part), self._say.language) for part in match.groups()[:3])
        if self._spanish:
            small = {15: "y cuarto", 30: "y media"} if 1 <= hour <= 12 else {}
            rest = "" if minute == 0 else small.get(minute) or f"y {cardinal(minute, 'es')}"
        else:
            if not half and (hour > 12 or hour == 0):
                half, hour = ("p" if hour >= 12 and hour < 24 else "a"), hour % 12 or 12
            oh = f"oh {cardinal(minute, 'en')}" if minute < 10 else cardinal(minute, "en")
            rest = ("" if half else "o'clock") if minute == 0 else oh
        return " ".join(filter(None, (self._hour(hour), rest, self._half_day(half, hour))))

    def _hour(self, hour: int) -> str:
        said = cardinal(hour, self._say.language)
        return agreed(said, "horas") if self._spanish else said

    def _half_day(self, half: str | None, hour: int) -> str:
        if not half:
            return ""
        if not self._spanish:
            return f"{half.upper()} M"
        if half.lower() == "a":
            return "de la mañana"
        return "de la noche" if 8 <= hour <= 11 else "de la tarde"

    def _price(self, number: str, sign: str, many: str) -> str:
        currencies = self._say.currencies
        one, more, cents = currencies.get(sign, currencies["$"])
        if many:
            of = " de" if self._spanish and many[0] in "MBm" and many != "mil" else ""
            return f"{self._many(number, many)}{of} {more}"
        whole, _, decimals = parts(number, self._say.language)
        said = agreed(digits_or(whole, self._say.language), more) if self._spanish else digits_or(whole, "en")
        if whole == "1" and self._spanish:
            said = "una" if one.endswith("a") else "un"
        money = f"{said} {one if whole == '1' else more}"
        if len(decimals) != 2 or decimals == "00":
            return money if not decimals.strip("0") else f"{self._count(number)} {more}"
        small = cardinal(int(decimals), self._say.language)
        return f"{small} {cents}" if not whole.strip("0") else f"{money} {self._say['with']} {small}"

    def _many(self, number: str, many: str) -> str:
        """Read 5k, 1.5M, "3 million"."""
        key = {"k": "thousand", "K": "thousand", "mil": "thousand", "M": "million", "B": "billion"}.get(many)
        if key is None:
            return f"{self._count(number)} {many}"
        whole, _, decimals = parts(number, self._say.language)
        if key == "thousand" and len(decimals) <= 3:
            return digits_or(whole.lstrip("0") + decimals.ljust(3, "0"), self._say.language)
        if key == "thousand":
            return f"{self._count(number)} {self._say['thousand']}"
        one, more = self._say.pair(key)
        said = agreed(self._count(number), more) if self._spanish else self._count(number)
        return one if number == "1" else f"{said} {more}"

    def _counted(self, match: re.Match[str]) -> str:
        if match[2] == "K" and match[1] in _VIDEO:
            return f"{self._count(match[1])} K"
        return self._many(match[1], match[2])

    def _ordinal(self, match: re.Match[str]) -> str:
        number = int(match[1])
        if not self._spanish:
            return ordinal(number, "en")
        if not 1 <= number <= 100 or (number > 20 and match[2] not in "ºª"):
            return cardinal(number, "es")
        said = ordinal(number, "es")
        if match[2][-1] in "aª":
            return re.sub(r"o\b", "a", said)
        noun = re.match(r" ([^\W\d_]+)", self._draft.text[match.end() :])
        short = match[2] == "er" or (noun is not None and noun[1].lower() not in NO_NOUN)
        return re.sub(r"(primer|tercer)o$", r"\1", said) if short else said

    def _fraction(self, match: re.Match[str]) -> str:
        over, under = int(match[1]), int(match[2])
        language = self._say.language
        if 0 < over < under and under in self._say.fractions:
            one, more = self._say.fractions[under]
            return one if over == 1 else f"{cardinal(over, language)} {more}"
        if over == under == 50 or (over, under) == (24, 7):
            return f"{cardinal(over, language)} {cardinal(under, language)}"
        return f"{cardinal(over, language)} {self._say['out_of']} {cardinal(under, language)}"

    def _small(self, match: re.Match[str]) -> str:
        over, under = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4)}[match[2]]
        one, more = self._say.fractions[under]
        said = one if over == 1 else f"{cardinal(over, self._say.language)} {more}"
        if not match[1]:
            return said
        return f"{match[1]} {self._say['and']} {self._say['half'] if under == 2 else said}"

    def _measure(self, match: re.Match[str]) -> str:
        number, unit = match[1], match[2].strip()
        if unit == "p" and len(number) == 4 and not self._spanish:
            return f"{year(int(number))} P"
        return f"{number} {self._unit(unit, number)}"

    def _unit(self, unit: str, number: str) -> str:
        one, more = self._say.unit_names[unit]
        return one if number == "1" else more
