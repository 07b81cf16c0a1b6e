"""What a client of the recognition service may ask for; everything else is refused, whoever asks."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tests.local_azure.usp import BAD_REQUEST, HEX_32, Frame, Refused

RATE_HZ = 16_000
STREAM = "1"
SILENCE_MS = 650
MOST_NAMES = 500
LOCALE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
MODES = ("INTERACTIVE", "CONVERSATION", "DICTATION")
MOST_LANGUAGES = {"DetectAtAudioStart": 4, "DetectContinuous": 10}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a turn asks for."""

    silence_ms: int
    initial_silence_ms: int
    detailed: bool
    languages: tuple[str, ...]
    names: tuple[str, ...]
    detect: bool


def check_riff(head: bytes) -> None:
    """Check the first frame of a stream: a RIFF header for 16 kHz, 16 bits, mono. Raises ``Refused``."""
    good = len(head) == 44 and head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and head[36:40] == b"data"
    numbers = [int.from_bytes(head[a:b], "little") for a, b in ((20, 22), (22, 24), (24, 28), (32, 34), (34, 36))]
    _insist(
        good and numbers == [1, 1, RATE_HZ, 2, 16], "the sound must begin with a RIFF header of 16 kHz, 16 bits, mono"
    )


def read_context(frame: Frame) -> Wanted:
    """Return what a speech.context asks for. Raises ``Refused`` for what the service does not take."""
    _insist(isinstance(frame.body, str), "speech.context is text")
    body = frame.json()
    detection = _part(body, "phraseDetection")
    mode = str(detection.get("mode", "")).upper()
    _insist(mode in MODES, f"phraseDetection.mode must be one of {MODES}, not {mode!r}")
    segmentation = _part(_part(detection, mode), "segmentation")
    silence_ms = _number(segmentation, "segmentationSilenceTimeoutMs", SILENCE_MS)
    _insist(100 <= silence_ms <= 5000, "segmentationSilenceTimeoutMs must be from 100 to 5000")
    streams = _part(_part(body, "audio"), "streams")
    _insist(not streams or STREAM in streams, f"audio.streams must name stream {STREAM}")
    detect = _part(body, "languageId")
    return Wanted(
        silence_ms=silence_ms,
        initial_silence_ms=_number(detection, "initialSilenceTimeout", 0),
        detailed=str(_part(body, "phraseOutput").get("format", "")).lower() == "detailed",
        languages=_languages(detect) if detect else _locales([detection.get("language")], most=1),
        names=_names(_part(body, "dgi")),
        detect=bool(detect),
    )


def check_continuation(body: dict[str, Any], tags: Collection[str]) -> None:
    """Check what goes on with a turn of a lost connection. ``tags``: of the turns there were. Raises ``Refused``."""
    if "continuation" not in body:
        return
    before = _part(body, "continuation")
    tag = before.get("previousServiceTag")
    _insist(isinstance(tag, str) and bool(HEX_32.fullmatch(tag)), "continuation: previousServiceTag is no tag")
    _insist(tag in tags, "continuation: no turn had this previousServiceTag")
    if "audio" not in before:  # nothing of that turn was final
        return
    offset = _part(_part(_part(before, "audio"), "streams"), STREAM).get("offset")
    _insist(isinstance(offset, str) and offset.isdecimal(), "continuation: the offset is ticks, as text")


def _languages(detect: dict[str, Any]) -> tuple[str, ...]:
    mode, languages = detect.get("mode", "DetectAtAudioStart"), detect.get("languages")
    _insist(mode in MOST_LANGUAGES, f"languageId.mode must be one of {tuple(MOST_LANGUAGES)}")
    _insist(isinstance(languages, list), "languageId.languages must be a list")
    return _locales(languages, MOST_LANGUAGES[mode])


def _locales(languages: list[Any], most: int) -> tuple[str, ...]:
    kinds = {str(language).partition("-")[0] for language in languages}
    good = all(isinstance(language, str) and LOCALE.fullmatch(language) for language in languages)
    one_each = 0 < len(languages) <= most and len(kinds) == len(languages)
    _insist(good and one_each, f"languages must be locales, one a language, at most {most}: {languages}")
    return tuple(languages)


def _names(grammars: dict[str, Any]) -> tuple[str, ...]:
    _insist(0 <= _number(grammars, "bias", 1) <= 2, "dgi.bias must be from 0 to 2")
    try:
        names = [item["Text"] for group in grammars.get("Groups", ()) for item in group.get("Items", ())]
    except (AttributeError, KeyError, TypeError):
        raise Refused(BAD_REQUEST, "dgi: Groups of Items, each with a Text") from None
    good = len(names) <= MOST_NAMES and all(isinstance(name, str) and name for name in names)
    _insist(good, f"dgi: at most {MOST_NAMES} phrases, none of them empty")
    return tuple(names)


def _part(body: dict[str, Any], name: str) -> dict[str, Any]:
    part = body.get(name)
    part = {} if part is None else part
    _insist(isinstance(part, dict), f"{name} must be an object")
    return dict(part)


def _number(body: dict[str, Any], name: str, otherwise: float) -> Any:
    value = body.get(name, otherwise)
    _insist(isinstance(value, int | float) and not isinstance(value, bool), f"{name} must be a number")
    return value


def _insist(good: bool, reason: str) -> None:
    if not good:
        raise Refused(BAD_REQUEST, reason)
