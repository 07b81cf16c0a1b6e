"""She in virtual time, with a brain that repeats whatever it is told, for scenes with moderators in them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.app import Aneeka
from bot.bench import SimulatedVoice, Speeds, split_tokens
from bot.config.settings import Settings
from bot.mind.forethought import Forethought
from bot.supervisor import BrainLadder, for_ever
from bot.vocabulary import Heard, Person, Prompt
from bot.voice.captions_only import CaptionsOnly
from bot.voice.ladder import VoiceLadder
from tests.conftest import HANGS_S

SECRET = "zarigüeya"
TROLL = Person("t1", "Trolazo")
ANA = Person("a1", "Ana")
LEO = Person("l1", "Leo")
SILENT_S = 0.25
EAR_S = 0.005

DEEDS: dict[str, Callable[[Aneeka], str]] = {
    "deleted": lambda a: a.moderation.withdraw("bad"),
    "banned": lambda a: a.moderation.withdraw_person(TROLL.id),
    "cleared": lambda a: a.moderation.withdraw_all(),
}


class Parrot:
    """A brain that repeats what it heard and whom it heard, so that whatever is kept shows."""

    name = "parrot"
    prompt_tokens = 0

    def __init__(self, tokens_per_s: float) -> None:
        self.prompts: list[Prompt] = []
        self.adds = ""
        self._pause_s = 1 / tokens_per_s

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        self.prompts.append(prompt)
        heard = prompt.cue.heard
        names, texts = " y ".join(h.person.name for h in heard if h.person), " y ".join(h.text for h in heard)
        said = f"Hola, {names}, qué bien verte. Decías: {texts}. Pues claro que sí.{self.adds}"
        await asyncio.sleep(0.15)
        for token in split_tokens(said):
            yield token
            await asyncio.sleep(self._pause_s)

    async def warm(self, prompt: Prompt) -> None:
        pass


class Scene:
    """She, in virtual time: everything but the engines and the server is real."""

    def __init__(self, folder: Path, tokens_per_s: float = 60.0) -> None:
        settings = Settings(
            stage={"sound": "none", "record": str(folder / "wav")},
            llm={"engine": "understudy"},
            studio={"port": 0},
            chat={"idle_after_s": 0.0, "window_s": 0.0, "viewer_cooldown_s": 0.0},
        )
        self.aneeka = a = Aneeka(settings, folder / "data")
        self.brain = Parrot(tokens_per_s)
        voice = SimulatedVoice(Speeds())
        a.engines = replace(
            a.engines,
            brain=BrainLadder(self.brain, self.brain, lambda cue: "", a.board),
            voice=VoiceLadder([voice], CaptionsOnly(), a.board, "es"),
        )
        a.thinking.brain = Forethought(a.engines.brain)
        self.told: list[dict[str, Any]] = []
        a.stage._tell = lambda message: (a.reporter.on_stage(message), self.told.append(message))[0]
        self.audible_at = -math.inf
        for step in (a._converse, self._listen):
            a._keeper.keep(for_ever(step))

    async def _listen(self) -> None:
        """The ear: when the newest sample was audible."""
        output, position = self.aneeka.stage.output, -1
        while output is self.aneeka.stage.output:
            if self.aneeka.stage.current is not None and output.played() > max(position, 0):
                self.audible_at = self.aneeka.now()
            position = output.played()
            await asyncio.sleep(EAR_S if self.aneeka.reply is not None else 20 * EAR_S)

    def hear(self, id: str, person: Person | None, text: str, kind: str = "chat", **more: Any) -> None:
        self.aneeka.intake.hear(Heard(id, kind, text, self.aneeka.now(), person, **more))  # type: ignore[arg-type]

    async def until(self, what: Callable[[], Any]) -> None:
        """Wait for something that has to happen within a minute."""
        async with asyncio.timeout(HANGS_S):
            while not what():
                await asyncio.sleep(EAR_S)

    async def thinking_of(self, id: str) -> None:
        await self.until(lambda: self.aneeka.reply and id in [h.id for h in self.aneeka.reply.cue.heard])

    async def speaking_of(self, id: str, seconds: float = 2.0) -> None:
        await self.thinking_of(id)
        await self.until(lambda: (self.aneeka.stage.position or 0) >= seconds * 48_000)

    async def quiet(self) -> None:
        await self.until(lambda: self.aneeka.reply is None and not self.aneeka.inbox.chat_waiting)

    async def answer_to(self, id: str) -> dict[str, Any]:
        """Wait for the turn that answers it in full."""

        def found() -> list[dict[str, Any]]:
            turns = self.aneeka.recorder.newest(100)
            return [t for t in turns if t["cut"] is None and id in [line["id"] for line in t["heard"]]]

        await self.until(found)
        return found()[0]

    async def close(self) -> None:
        await self.aneeka._keeper.close()
        await self.aneeka.recorder.flush()
        await self.aneeka.guard.close()
