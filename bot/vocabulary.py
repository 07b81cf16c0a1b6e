"""The words that every room uses, and the small Protocols that engines implement.

Times are seconds of ``time.monotonic()`` unless a name says otherwise. Sample positions are counted from
the first sample of what they belong to. Text from outside is data: nothing here interprets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Role = Literal["broadcaster", "moderator", "vip", "subscriber", "first_timer", "bot"]
Kind = Literal["chat", "operator", "event", "silence", "say"]
Mode = Literal["operator", "chat_one", "chat_many", "event", "idle", "say"]
Language = Literal["es", "en"]
State = Literal["ok", "degraded", "down", "off"]

EXPRESSIONS = ("neutral", "happy", "excited", "sad", "angry", "surprised", "shy")
"""Every expression that a tag may name and that an avatar can show."""

Pcm = npt.NDArray[np.int16]
"""Mono sound, 16 bits."""

Tell = Callable[[dict[str, Any]], None]
"""Publishes one JSON-ready message with a ``type`` to whoever listens; never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who said or did something: platform id, shown name, roles."""

    id: str
    name: str
    roles: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class Heard:
    """Something said or done to her; ``id`` is the source's own, so that it can be withdrawn."""

    id: str
    kind: Kind
    text: str
    at_s: float
    person: Person | None = None
    event: str = ""
    """For ``kind == "event"``: which one, such as ``raid``."""
    priority: int = 0
    """For events: a higher one is answered first."""


@dataclass(frozen=True, slots=True)
class Cue:
    """The director's decision to speak: what to answer, in which mode, and why (for the studio)."""

    mode: Mode
    heard: tuple[Heard, ...]
    at_s: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt. ``content`` may hold viewers' text and is never read as control tokens."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a brain is asked: stable messages first, what changes last."""

    messages: tuple[Message, ...]
    cue: Cue
    max_tokens: int = 160
    temperature: float = 0.8


@dataclass(frozen=True, slots=True)
class Phrase:
    """A piece of text fit to be spoken, with the expression it is spoken in."""

    reply: str
    index: int
    text: str
    expression: str = "neutral"


@dataclass(frozen=True, slots=True)
class Shape:
    """A mouth shape that starts at a sample of its phrase's sound; ``viseme`` is an Azure id, 0 to 21."""

    at: int
    viseme: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a phrase: first sample in the phrase's sound, and its characters ``text[start:end]``."""

    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of one phrase's audio. Shapes and words are counted from the first sample of the whole phrase.

    A voice may send shapes and words ahead of the audio they belong to, never behind it. The last piece of a phrase
    has ``last`` set (it may be empty).
    """

    pcm: Pcm
    rate_hz: int
    shapes: tuple[Shape, ...] = ()
    words: tuple[Word, ...] = ()
    last: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the audience really heard of a reply, and why it was cut (``None``: it was not)."""

    reply: str
    text: str
    cut: str | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the operator said. ``language`` is ``es``, ``en`` and so on, empty while unknown."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of one part, why, and the one line that repairs it. ``serving``: who really does the work now."""

    part: str
    state: State
    reason: str = ""
    repair: str = ""
    serving: str = ""


@dataclass(slots=True, eq=False)
class Reply:
    """One answer from birth to last sample. Everything in flight belongs to one; late items die by identity."""

    id: str
    cue: Cue
    marks: dict[str, float] = field(default_factory=dict)
    """Mark name to ``time.monotonic()``; see ``bot.timing``."""
    cut: str | None = None
    """Why it was asked to stop; ``None`` while nobody asked."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self, why: str) -> None:
        """Ask it to end now. The first reason counts; calling again does nothing."""
        if self.cut is None:
            self.cut = why
            self.stopped.set()


def sound_text(text: str) -> str:
    """Return a text that can be written as UTF-8: half characters become ``?``."""
    return text.encode("utf-8", "replace").decode("utf-8")


class EngineDown(Exception):
    """An engine cannot serve now. ``reason`` is a sentence for people, ``repair`` says what to do."""

    def __init__(self, reason: str, repair: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.repair = repair


class PromptTooLong(Exception):
    """The prompt does not fit the model's context; history must shrink."""


class Brain(Protocol):
    """Something that answers."""

    @property
    def name(self) -> str:
        """What the record calls it."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Real size of the newest prompt in tokens; 0 while unknown."""
        ...

    def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Stream the answer's text in pieces as they are made; closing the generator cancels within 50 ms.

        Raises ``EngineDown`` or ``PromptTooLong``.
        """
        ...

    async def warm(self, prompt: Prompt) -> None:
        """Read the prompt ahead so that an answer to one that begins alike starts sooner; cancellable."""
        ...


class Voice(Protocol):
    """Something that speaks."""

    @property
    def name(self) -> str:
        """What the record calls it."""
        ...

    def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        """Stream one phrase's sound; closing the generator cancels. Raises ``EngineDown``."""
        ...

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can speak; ``False``: not within that time."""
        ...


class Utterance(Protocol):
    """One stretch of the operator's speech while it is being recognised."""

    def feed(self, pcm: Pcm) -> None:
        """Append sound at 16 kHz; never blocks."""
        ...

    async def text_so_far(self) -> Transcript:
        """Return what was said in all that has been fed; may be asked again after more was fed.

        Cancelling it costs nothing. Raises ``EngineDown``.
        """
        ...

    def close(self) -> None:
        """Drop it; never blocks."""
        ...


class Recogniser(Protocol):
    """Something that turns speech into text."""

    @property
    def name(self) -> str:
        """What the record calls it."""
        ...

    def begin(self, on_partial: Callable[[str], None]) -> Utterance:
        """Begin an utterance, with its pre-roll as the first sound fed.

        ``on_partial`` is called in the loop's thread with everything understood so far, as often as the engine has
        something new: it replaces what came before.
        """
        ...

    async def ready(self, timeout_s: float) -> bool:
        """Wait until it can listen; ``False``: not within that time."""
        ...


class Output(Protocol):
    """Where sound becomes audible, with the sample clock of one reply at a time.

    Positions are samples at ``rate_hz`` since ``begin``.
    """

    @property
    def name(self) -> str:
        """``browser``, ``sound_card`` or ``none``."""
        ...

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        ...

    def begin(self, serial: int) -> None:
        """Start a new reply's stream at position 0; what is left of the one before is dropped."""
        ...

    def write(self, pcm: Pcm) -> None:
        """Append sound."""
        ...

    def end(self) -> None:
        """Nothing more comes for this reply."""
        ...

    def played(self) -> int:
        """Return how many samples are audible by now; never more than was written, never less than before."""
        ...

    def cut(self) -> int:
        """Silence now and drop what was not audible; return the final position."""
        ...

    def close(self) -> None:
        """Release the device."""
        ...


Options = Mapping[str, Any]
"""JSON-ready settings handed to an engine in a child process."""
