"""Held in mid-word: silence at once, and then she goes on from that word or is cut, and nothing counts twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from avatar.lipsync import MouthTrack
from bot.bench import Answer, SimulatedBrain, SimulatedVoice, Speeds, split_tokens
from bot.reply import Outcome, Performance
from bot.stage.browser import BrowserOutput
from bot.stage.playback import FADE_IN, Stage
from bot.stage.silent import RATE_HZ, SilentOutput
from bot.stage.sound_card import SoundCardOutput
from bot.vocabulary import Cue, Heard, Message, Output, Pcm, Phrase, Prompt, Reply, Sound, Word
from bot.voice.phrases import PhraseCutter
from tests.test_sound_card import FakePortAudio, Samples
from tests.virtual_time import play

LONG = "Hola, Marta, qué alegría verte otra vez. Ayer estuve pensando en lo que dijiste. Fue una tarde muy bonita."
WORD_S = 0.5


class Scene:
    """One reply with engines of known speed; ``at`` runs things at moments after its start."""

    def __init__(self, output: Output | None = None) -> None:
        self.now = asyncio.get_running_loop().time
        self.started = self.now()
        self.shown: list[dict[str, Any]] = []
        self.words: list[tuple[float, int, int]] = []
        self.output = output or SilentOutput(self.now)
        self.held_from_the_start = False
        self.stage = Stage(self.output, lambda: MouthTrack(RATE_HZ), self.shown.append, self._tell, self.now)
        self.cue = Cue("operator", (Heard("1", "operator", "hola", self.now()),), self.now())
        self.reply = Reply("r1", self.cue)

    def _tell(self, message: dict[str, Any]) -> None:
        if message["type"] == "word":
            self.words.append((self.now(), message["index"], message["start"]))

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(seconds, act)

    def hold(self) -> None:
        self.stage.hold(self.reply)

    def resume(self) -> None:
        self.stage.resume(self.reply)

    async def run(self) -> Outcome:
        performance = Performance(
            self.reply,
            brain=SimulatedBrain(Answer(split_tokens(LONG)), Speeds()),
            cutter=PhraseCutter("es"),
            gate=lambda phrase: None,
            voice=SimulatedVoice(Speeds()),
            stage=self.stage,
            tell=lambda message: None,
        )
        if self.held_from_the_start:
            self.stage.begin = partial(self.stage.begin, held=True)  # type: ignore[method-assign]
        return await performance.run(Prompt((Message("user", "hola"),), self.cue))


@pytest.mark.parametrize("at_s", [0.2, 0.5, 1.1, 2.37, 3.9, 5.05])
def test_what_is_held_and_goes_on_is_said_whole_and_once(at_s: float) -> None:
    async def scene() -> None:
        plain = Scene()
        undisturbed = await plain.run()
        one = Scene()
        one.at(at_s, one.hold)
        one.at(at_s + 1.5, one.resume)
        outcome = await one.run()
        assert outcome.spoken == undisturbed.spoken
        assert len(one.words) == len(LONG.split()), "each word is told once"
        again_s = (len(outcome.sound) - len(undisturbed.sound)) / RATE_HZ
        assert 0.0 <= again_s <= WORD_S, "one word at most is said again"
        assert not [at for at, *_ in one.words if at_s < at - one.started < at_s + 1.5], "and none in the silence"

    play(scene())


def test_a_held_reply_moves_no_mouth_and_takes_no_time_off() -> None:
    async def scene() -> None:
        one = Scene()
        held: list[Any] = []
        one.at(1.0, one.hold)
        one.at(1.001, lambda: held.append((one.stage.position, one.stage.mouth_now(), one.stage.level_db())))
        one.at(9.0, lambda: held.append((one.stage.position, one.stage.snapshot())))
        one.at(9.5, one.resume)
        outcome = await one.run()
        (position, mouth, level), (still, snapshot) = held
        assert (position, still, snapshot) == (None, None, [])
        assert mouth.open == 0.0
        assert level < -90.0
        assert outcome.spoken.cut is None
        assert outcome.spoken.text == LONG

    play(scene())


@pytest.mark.parametrize("wait_s", [0.0, 0.3, 2.0])
def test_cut_while_held_ends_when_the_silence_began(wait_s: float) -> None:
    async def scene() -> None:
        one, other = Scene(), Scene()
        one.at(1.31, one.hold)
        one.at(1.31 + wait_s, lambda: one.reply.stop("barge_in"))
        outcome = await one.run()
        other.started = other.now()
        other.at(1.31, lambda: other.reply.stop("barge_in"))
        assert outcome.spoken.text == (await other.run()).spoken.text
        assert one.reply.marks["last_audible"] - one.started == pytest.approx(1.31, abs=0.001)
        one.stage.resume(one.reply)
        assert one.shown[-1]["type"] == "cut"

    play(scene())


def test_cut_right_after_going_on_keeps_what_was_heard_before() -> None:
    async def scene() -> None:
        one = Scene()
        one.at(2.0, one.hold)
        one.at(3.0, one.resume)
        one.at(3.02, lambda: one.reply.stop("skip"))
        outcome = await one.run()
        other = Scene()
        other.at(2.0, lambda: other.reply.stop("skip"))
        before = await other.run()
        assert outcome.spoken.text == before.spoken.text
        assert len(outcome.sound) / RATE_HZ == pytest.approx(len(before.sound) / RATE_HZ + 0.02, abs=0.002)

    play(scene())


def test_held_again_and_again_she_still_says_it_all() -> None:
    async def scene() -> None:
        one = Scene()
        for i in range(8):
            one.at(0.6 + i * 0.8, one.hold)
            one.at(0.9 + i * 0.8, one.resume)
        outcome = await one.run()
        assert outcome.spoken.text == LONG
        assert len(one.words) == len(LONG.split())

    play(scene())


def test_before_anything_was_audible_she_waits_and_then_says_all_of_it() -> None:
    async def scene() -> None:
        one = Scene()
        one.at(0.05, one.hold)
        one.at(2.0, one.resume)
        outcome = await one.run()
        assert outcome.spoken.text == LONG
        assert one.reply.marks["first_audible"] - one.started == pytest.approx(2.0, abs=0.01)
        assert one.words[0][0] - one.started >= 2.0

    play(scene())


def test_pages_follow_as_a_cut_and_a_new_stream_of_the_same_reply() -> None:
    async def scene() -> None:
        one = Scene()
        one.at(2.0, one.hold)
        one.at(3.0, one.resume)
        await one.run()
        streams = [message for message in one.shown if message["type"] in ("begin", "cut")]
        assert [message["type"] for message in streams][:3] == ["begin", "cut", "begin"]
        first, second = (message["serial"] for message in streams if message["type"] == "begin")
        assert streams[2]["reply"] == streams[0]["reply"] == "r1"
        old = {m["index"]: m for m in one.shown if m["type"] == "phrase" and m["serial"] == first}
        new = {m["index"]: m for m in one.shown if m["type"] == "phrase" and m["serial"] == second}
        assert set(old) <= set(new), "a page that missed the beginning has all of the text"
        moved = {old[index]["at"] - new[index]["at"] for index in old}
        assert len(moved) == 1, "everything is counted from where the second stream begins"
        rows = [m for m in one.shown if m["type"] == "mouth" and m["serial"] == second]
        assert 0 <= rows[0]["at"] < 480
        edges = [(m["at"], m["at"] + m["step"] * len(m["frames"])) for m in rows]
        assert all(end == start for (_, end), (start, _) in pairwise(edges)), "no row is missing"
        ends = [m["samples"] for m in one.shown if m["type"] == "end"]
        assert edges[-1][1] == pytest.approx(ends[-1], abs=480)

    play(scene())


def test_what_was_begun_too_early_and_is_dropped_has_never_been() -> None:
    async def scene() -> None:
        one = Scene()
        one.stage.begin(Reply("r0", one.cue))
        one.stage.end(one.stage.current)
        await one.stage.drained(one.stage.current)
        one.stage.close(one.stage.current)
        one.shown.clear()
        one.held_from_the_start = True
        one.at(2.0, lambda: one.reply.stop("goes_on"))
        one.at(1.0, lambda: one.shown.extend(one.stage.snapshot()))
        outcome = await one.run()
        assert (outcome.spoken.text, len(outcome.sound)) == ("", 0)
        assert one.shown == one.words == []
        assert not {"first_audible", "last_audible"} & set(one.reply.marks)

    play(scene())


def test_what_was_begun_early_sounds_at_once_when_it_may() -> None:
    async def scene() -> None:
        one = Scene()
        one.held_from_the_start = True
        busy: list[bool] = []
        one.at(0.9, lambda: busy.append(one.stage.busy))
        one.at(1.0, one.resume)
        one.at(1.1, lambda: busy.append(one.stage.busy))
        outcome = await one.run()
        assert outcome.spoken.text == LONG
        assert one.reply.marks["first_audible"] - one.started == pytest.approx(1.0, abs=0.005)
        assert busy == [False, True]
        assert [m["type"] for m in one.shown if m["type"] in ("begin", "cut")] == ["begin", "cut"]

    play(scene())


class Page:
    """A page that plays what it is sent, in real time, and reports."""

    def __init__(self) -> None:
        self.got: list[tuple[int, int, Pcm]] = []

    def send_sound(self, serial: int, at: int, pcm: Pcm) -> bool:
        self.got.append((serial, at, pcm))
        return True


def tone(seconds: float) -> Pcm:
    return np.full(round(seconds * RATE_HZ), 5000, np.int16)


def test_a_page_gets_the_rest_again_from_the_word_on_and_late_reports_of_before_do_not_count() -> None:
    async def scene() -> None:
        page, now = Page(), asyncio.get_running_loop().time
        output = BrowserOutput(page, now)
        stage = Stage(output, lambda: MouthTrack(RATE_HZ), lambda m: None, lambda m: None, now)
        reply = Reply("r", Cue("say", (), now()))
        stage.begin(reply)
        words = (Word(0, 0, 3), Word(RATE_HZ, 4, 7), Word(2 * RATE_HZ, 8, 12))
        stage.play(reply, Phrase("r", 0, "uno dos tres"), Sound(tone(3.0), RATE_HZ, words=words, last=True))
        stage.end(reply)
        output.reported(1, round(1.4 * RATE_HZ))
        stage.hold(reply)
        stage.resume(reply)
        serial, at, rest = page.got[-1]
        assert (serial, at, len(rest)) == (2, 0, 2 * RATE_HZ), "from the word that was cut short"
        assert rest[0] == 0, "it does not click"
        output.reported(1, 3 * RATE_HZ)
        assert stage.position == RATE_HZ
        output.reported(2, RATE_HZ // 2)
        assert stage.position == round(1.5 * RATE_HZ)
        reply.stop("skip")
        stage.cut(reply)
        spoken, sound = stage.close(reply)
        assert spoken.text == "uno dos"
        assert len(sound) == round(1.9 * RATE_HZ)

    play(scene())


class Card(FakePortAudio):
    """A device whose blocks are audible as they are asked for."""

    def play(self, seconds: float) -> Samples:
        blocks = []
        for _ in range(round(seconds * RATE_HZ) // self.blocksize):
            out = np.zeros((self.blocksize, 1), np.int16)
            self.callback(out, self.blocksize, SimpleNamespace(outputBufferDacTime=self.time + 1e-9), None)
            self.time += self.blocksize / RATE_HZ
            blocks.append(out[:, 0])
        return np.concatenate(blocks).astype(np.float32)


def test_the_sound_card_is_silent_within_a_block_and_then_plays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Card()
    monkeypatch.setattr("bot.stage.sound_card._portaudio", lambda: device)

    async def scene() -> None:
        now = asyncio.get_running_loop().time
        stage = Stage(SoundCardOutput(""), lambda: MouthTrack(RATE_HZ), lambda m: None, lambda m: None, now)
        reply = Reply("r", Cue("say", (), now()))
        stage.begin(reply)
        words = (Word(0, 0, 3), Word(RATE_HZ, 4, 7))
        stage.play(reply, Phrase("r", 0, "uno dos"), Sound(tone(2.0), RATE_HZ, words=words, last=True))
        stage.end(reply)
        assert device.play(1.2).min() == 5000
        stage.hold(reply)
        assert device.play(0.01)[RATE_HZ // 200 :].max() == 0
        assert device.play(0.5).max() == 0
        stage.resume(reply)
        assert stage.position == RATE_HZ
        assert device.play(1.0)[FADE_IN:].min() == 5000
        assert device.play(0.1).max() == 0
        stage.cut(reply)
        spoken, sound = stage.close(reply)
        assert spoken.text == "uno dos"
        assert len(sound) / RATE_HZ == pytest.approx(2.2, abs=0.02)

    play(scene())


def test_a_voice_without_word_times_goes_on_from_a_quiet_moment() -> None:
    async def scene() -> None:
        now = asyncio.get_running_loop().time
        output = SilentOutput(now)
        stage = Stage(output, lambda: MouthTrack(RATE_HZ), lambda m: None, lambda m: None, now)
        reply = Reply("r", Cue("say", (), now()))
        stage.begin(reply)
        sound = np.concatenate([tone(1.0), np.zeros(RATE_HZ // 20, np.int16), tone(1.0)])
        stage.play(reply, Phrase("r", 0, "uno dos tres"), Sound(sound, RATE_HZ, last=True))
        await asyncio.sleep(1.4)
        stage.hold(reply)
        stage.resume(reply)
        assert stage.position is not None
        assert 1.0 <= stage.position / RATE_HZ <= 1.06
        stage.cut(reply)
        stage.close(reply)

    play(scene())
