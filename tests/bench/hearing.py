"""From the operator's voice to hers: how long it takes, how fast she yields, and what an hour of listening costs.

``answer``: the last sample of the operator's last word to the first audible one of hers, with a recogniser, brain and
voice of known speed; everything between them is the real thing. Over the floor of a cascade: E (the pause that ends a
turn) and S (the text) overlap, then the brain G, then the voice T; thinking ahead of the end hides G, speaking ahead of
it T as well. ``yield``: the first sample of speech over her to the last one of hers, and whether murmurs leave her be.
``hour``: an hour of microphone as fast as it can be heard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any, Literal

import numpy as np
import psutil

from avatar.lipsync import MouthTrack
from bot.bench import ANSWERS, Answer, SimulatedBrain, SimulatedVoice, Speeds, floor_index, split_tokens
from bot.hearing.silero import BLOCK, BLOCK_S, RATE_HZ
from bot.hearing.turns import TurnRules
from bot.reply import Performance
from bot.safety.gate import Gate
from bot.stage.playback import Stage
from bot.stage.silent import RATE_HZ as STAGE_HZ
from bot.stage.silent import SilentOutput
from bot.timing import percentile
from bot.vocabulary import Cue, Message, Phrase, Prompt, Reply, Sound
from bot.voice.phrases import PhraseCutter
from tests.ear_scene import Room, Scene, Speech, noise, spoken
from tests.virtual_time import play

Ahead = Literal["nothing", "brain", "voice"]

QUESTIONS = (
    ("Aneeka, cuéntame un chiste de gatos.", "es"),
    ("¿Qué te parece este juego?", "es"),
    ("Hola, ¿qué tal estás hoy?", "es"),
    ("Lee el último mensaje del chat.", "es"),
    ("¿Cuál es tu color favorito?", "es"),
    ("Vamos a jugar otra partida.", "es"),
    ("Tell me what the chat is saying.", "en"),
    ("What do you think about this level?", "en"),
    ("Do you want to play another round?", "en"),
    ("Sing something for us.", "en"),
)
WORDS = ("Para.", "No.", "Espera un momento.", "Oye, una pregunta.", "Aneeka, no digas eso.", "Cállate ya.")
MURMURS = ("Mm-hm.", "Ajá.", "Sí.", "Vale.", "Claro.", "Jajaja.", "Uy.", "Ya, ya.")
HIS: dict[str, tuple[str, ...]] = {"es": ("es-419+m3", "es+m1", "es-419+f2"), "en": ("en-us+m3", "en-us+f2")}
TALK = "Ayer estuve pensando en lo que dijiste, y creo que tenías razón, aunque hacía frío. " * 4
AT_ONCE = 3


class _WhenSure:
    """A voice that waits until the operator has really finished."""

    name = "simulated"

    def __init__(self, voice: SimulatedVoice, sure: asyncio.Event) -> None:
        self._voice, self._sure = voice, sure

    async def ready(self, timeout_s: float) -> bool:
        return True

    async def speak(self, phrase: Phrase) -> AsyncGenerator[Sound, None]:
        await self._sure.wait()
        async for sound in self._voice.speak(phrase):
            yield sound


class _Provisional(Stage):
    """A stage that holds what is said ahead of the end."""

    held = False

    def begin(self, reply: Reply, *, held: bool = False) -> None:
        super().begin(reply, held=self.held)


class Talk(Scene):
    """An operator who is answered, and talked over if he likes: what the program does with an ear, in short."""

    def __init__(self, room: Room, answer: str, speeds: Speeds, ahead: Ahead, **options: Any) -> None:
        super().__init__(room, **options)
        self.answer, self.speeds, self.ahead = Answer(split_tokens(answer)), speeds, ahead
        self.output = SilentOutput(self.now)
        self.stage = _Provisional(self.output, lambda: MouthTrack(STAGE_HZ), lambda m: None, lambda m: None, self.now)
        self.reply: Reply | None = None
        self.task: asyncio.Task[Any] | None = None
        self.sure = asyncio.Event()
        self.cuts: list[str | None] = []
        """Why each of her replies was cut, ``None`` where it was not."""
        self.her = self  # type: ignore[assignment]

    @property
    def busy(self) -> bool:
        return self.stage.busy

    def block(self, now_s: float) -> tuple[Any, Any]:
        return np.zeros(BLOCK, np.int16), np.zeros(BLOCK, np.int16)

    def begin(self, *, sure: bool) -> None:
        self.sure = asyncio.Event()
        if sure:
            self.sure.set()
        self.reply = Reply("r", Cue("operator", (), self.now()))
        voice: Any = SimulatedVoice(self.speeds)
        performance = Performance(
            self.reply,
            brain=SimulatedBrain(self.answer, self.speeds),
            cutter=PhraseCutter("es"),
            gate=Gate().goes_out,
            voice=_WhenSure(voice, self.sure) if self.ahead == "brain" else voice,
            stage=self.stage,
            tell=lambda message: None,
        )
        self.stage.held = not sure
        self.task = asyncio.create_task(self.perform(performance))

    async def perform(self, performance: Performance) -> None:
        outcome = await performance.run(Prompt((Message("user", ""),), Cue("operator", (), self.now())))
        self.cuts.append(outcome.spoken.cut)

    def drop(self, why: str) -> None:
        if self.reply is not None:
            self.reply.stop(why)
            self.stage.cut(self.reply)

    def probably_said(self, text: str) -> None:
        super().probably_said(text)
        if self.ahead != "nothing":
            self.begin(sure=False)

    def goes_on(self) -> None:
        super().goes_on()
        self.drop("goes_on")
        self.reply = None

    def said(self, text: str, **more: Any) -> None:
        super().said(text, **more)
        if self.reply is None or self.ahead == "nothing":
            self.begin(sure=True)
        self.sure.set()
        if self.reply is not None:
            self.stage.resume(self.reply)

    def interrupts(self) -> None:
        self._note("interrupts")
        if self.reply is not None:
            self.stage.hold(self.reply)

    def murmured(self) -> None:
        self._note("murmured")
        if self.reply is not None:
            self.stage.resume(self.reply)

    def takes_over(self) -> None:
        self._note("takes_over")
        self.drop("barge_in")


def floor_s(answer: Answer, speeds: Speeds, text_s: float, ahead: Ahead, rules: TurnRules) -> float:
    """Return the least time from the last sample he says to the first that she says."""
    brain = speeds.first_token_ms / 1000 + floor_index(answer.tokens) / speeds.tokens_per_s
    voice = speeds.first_audio_ms / 1000
    text = rules.probable_s + text_s
    if ahead == "nothing":
        return max(rules.quick_s, text) + brain + voice
    if ahead == "brain":
        return max(rules.quick_s, text + brain) + voice
    return max(rules.quick_s, text + brain + voice)


async def turn(number: int, ahead: Ahead, text_s: float, speeds: Speeds) -> dict[str, float]:
    """Let one operator ask and be answered; return seconds."""
    said, language = QUESTIONS[number % len(QUESTIONS)]
    speech = spoken(said, language, HIS[language][number % len(HIS[language])])
    room = Room(1.0 + speech.ends_s + 3.0)
    ends = room.add(0.6 + (number % 7) * 0.0045, speech)
    rules = TurnRules()
    talk = Talk(room, ANSWERS[number % len(ANSWERS)], speeds, ahead, delay_s=text_s, rules=rules)
    await talk.run(after_s=0.0)
    assert talk.reply is not None, f"no answer to {said}: {talk.log}"
    assert talk.task is not None
    async with asyncio.timeout(10):
        while "first_audible" not in talk.reply.marks:
            await asyncio.sleep(0.05)
    first = talk.reply.marks["first_audible"] - talk.started - ends
    talk.drop("over")
    await talk.task
    over = first - floor_s(talk.answer, speeds, text_s, ahead, rules)
    return {"voice_to_voice": first, "over_floor": over, "decision": talk.turns[-1]["turn_ended"] - ends}


async def at_once(turns: int, ahead: Ahead, text_s: float, speeds: Speeds) -> list[dict[str, float]]:
    """Let several operators ask in real time, each with an ear of their own. The first turn of all is not counted."""
    slots = asyncio.Semaphore(AT_ONCE)
    await turn(0, ahead, text_s, speeds)

    async def one(number: int) -> dict[str, float]:
        async with slots:
            await asyncio.sleep(0.013 * (number % AT_ONCE))
            return await turn(number, ahead, text_s, speeds)

    return await asyncio.gather(*(one(number) for number in range(turns)))


def answer(turns: int, ahead: Ahead, text_s: float, *, virtual: bool) -> dict[str, Any]:
    """Measure from his voice to hers."""
    speeds = Speeds()
    if virtual:
        took = [play(turn(number, ahead, text_s, speeds)) for number in range(turns)]
    else:
        took = asyncio.run(at_once(turns, ahead, text_s, speeds))
    spreads = {f"{name}_ms": _spread([one[name] for one in took]) for name in took[0]}
    return {"ahead": ahead, "turns": turns, **spreads}


def yielding() -> dict[str, Any]:
    """Measure how fast she falls silent under words, and whether murmurs leave her alone; on a virtual clock."""
    silent: list[float] = []
    cut = spared = 0
    for text in (*WORDS, *MURMURS):
        for voice in HIS["es"]:
            for gain_db in (0.0, -12.0):
                for shift in (0.0, 0.011, 0.022):
                    talk = play(_over_her(spoken(text, "es", voice), gain_db, shift))
                    onset = 3.0 + shift
                    if text in WORDS:
                        silent.append(talk.when("interrupts") - onset)
                        cut += talk.cuts[0] == "barge_in"
                    else:
                        spared += talk.cuts == [None]
    return {
        "onset_to_silence_ms": _spread(silent),
        "words_that_cut_her": f"{cut}/{len(silent)}",
        "murmurs_that_did_not": f"{spared}/{len(MURMURS) * len(HIS['es']) * 6}",
    }


async def _over_her(speech: Speech, gain_db: float, shift_s: float) -> Talk:
    room = Room(7.0)
    room.add(3.0 + shift_s, speech, gain_db)
    talk = Talk(room, TALK, Speeds(), "nothing")
    talk.begin(sure=True)
    await talk.run()
    assert talk.task is not None
    await talk.task
    return talk


async def hour(hours: float) -> dict[str, Any]:
    """Hear so much microphone at full speed: talk, pauses, noise, and she speaking now and then."""
    room = Room(60.0)
    at = 1.0
    for number, (text, language) in enumerate(QUESTIONS * 2):
        at = room.add(at, spoken(text, language, HIS[language][number % 2])) + (0.4, 2.0)[number % 2]
    room.sound[round(50 * RATE_HZ) :] = noise(10.0, -35.0)
    talk = Talk(room, "", Speeds(), "nothing", delay_s=0.0)
    for told in ("said", "interrupts", "murmured", "takes_over", "probably_said", "goes_on", "_note"):
        setattr(talk, told, lambda *_, **__: None)
    turns = 0

    def said(*_: Any, **__: Any) -> None:
        nonlocal turns
        turns += 1

    talk.said = said  # type: ignore[method-assign]
    await talk.ear.start()
    process = psutil.Process()
    resident: list[float] = []
    cpu, began = time.process_time(), time.monotonic()
    blocks = len(room.sound) // BLOCK
    for minute in range(round(hours * 60)):
        for i in range(blocks):
            talk.block_s = (i + 1) * BLOCK_S
            talk.hers_db = -20.0 if i % 600 < 200 else -96.0
            talk.ear.feed(room.sound[i * BLOCK : (i + 1) * BLOCK], talk.started + minute * 60 + talk.block_s)
            await asyncio.sleep(0)
        resident.append(process.memory_info().rss / 2**20)
    took = time.monotonic() - began
    talk.ear.close()
    return {
        "hours": hours,
        "seconds": round(took, 1),
        "times_real_time": round(hours * 3600 / took),
        "cpu_share_live": round((time.process_time() - cpu) / (hours * 3600), 4),
        "turns": turns,
        "rss_mb": {"first_minute": round(resident[0], 1), "last": round(resident[-1], 1)},
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    ms = [value * 1000 for value in seconds]
    return {**{f"p{p}": round(percentile(ms, p / 100), 1) for p in (50, 95)}, "max": round(max(ms), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["answer", "yield", "hour"], help="answer, yield, hour")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--text-ms", type=float, default=100, help="the recogniser's time for a text")
    parser.add_argument(
        "--virtual", action="store_true", help="on a virtual clock: what the rules wait, without our work"
    )
    parser.add_argument("--hours", type=float, default=1.0)
    asked = parser.parse_args()
    figures: dict[str, Any] = {}
    if "answer" in asked.what:
        for text, language in QUESTIONS:
            for voice in HIS[language]:
                spoken(text, language, voice)
        figures["answer"] = [
            answer(asked.turns, ahead, asked.text_ms / 1000, virtual=asked.virtual)
            for ahead in ("nothing", "brain", "voice")
        ]
    if "yield" in asked.what:
        figures["yield"] = yielding()
    if "hour" in asked.what:
        figures["hour"] = asyncio.run(hour(asked.hours))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
