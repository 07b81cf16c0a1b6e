"""The operator's desk: the verbs and the state that the studio, scripts and stream decks use."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from bot import __version__
from bot.config.settings import Settings
from bot.vocabulary import Heard, Person, Role

if TYPE_CHECKING:
    from bot.app import Aneeka

TYPED = "studio:"
"""What the ids of viewers who are typed by name begin with: none of a platform's does."""
MOST_WAITING = 300
"""Messages that the state shows as waiting: as many as the studio keeps. One that is not there counts as lost."""
LAST_WORD_S = 0.02
"""How long a page's word on where the guard silenced it may wait to be read."""


class Desk:
    """What the studio's server may ask for (see ``bot.studio.api.House``)."""

    def __init__(self, aneeka: Aneeka) -> None:
        self._aneeka = aneeka

    def hear_viewer(self, user: str, said: str, user_id: str, roles: frozenset[Role]) -> str:
        """A viewer's message, typed in the studio."""
        name = " ".join(user.split())
        person = Person(user_id or f"{TYPED}{name.casefold()}", name, roles)
        heard = self._aneeka.intake.heard("chat", said, person)
        self._aneeka.intake.hear(heard)
        return heard.id

    def hear(self, heard: Heard, unfit: str | None = None) -> None:
        """What was said or done on the channel; ``unfit``: why it is not to be answered."""
        self._aneeka.intake.hear(heard, unfit)

    def ignores(self, person: Person) -> bool:
        """Whether the operator has blocked this viewer."""
        return self._aneeka.hand.blocks(person)

    def feel(self, expression: str) -> None:
        """Show a mood for a while."""
        self._aneeka.performer.feels(expression, self._aneeka.now())

    def hear_operator(self, said: str) -> str:
        """The operator's words, typed."""
        heard = self._aneeka.intake.heard("operator", said)
        self._aneeka.intake.hear(heard)
        return heard.id

    def say(self, said: str) -> str:
        """She says exactly this, as far as the gate lets it pass."""
        heard = self._aneeka.intake.heard("say", said)
        self._aneeka.intake.hear(heard)
        return heard.id

    def withdraw(self, heard_id: str) -> str:
        """Take a message back everywhere (see ``bot.moderation``)."""
        return self._aneeka.moderation.withdraw(heard_id)

    def withdraw_person(self, person_id: str, for_s: float) -> str:
        """Take a person's messages back everywhere, and hear nothing of them for so long."""
        return self._aneeka.moderation.withdraw_person(person_id, for_s=for_s)

    def withdraw_all(self) -> str:
        """Take all of chat back everywhere."""
        return self._aneeka.moderation.withdraw_all()

    def allow_person(self, person_id: str) -> None:
        """Hear a person again."""
        self._aneeka.moderation.allow_person(person_id)

    def control(self, verb: str) -> None:
        """``mute`` and ``panic`` silence at once; ``pause`` lets her finish; ``skip`` ends what she says."""
        a = self._aneeka
        if verb in ("mute", "unmute"):
            a.director.muted = verb == "mute"
        elif verb in ("pause", "panic"):
            a.director.paused = True
        elif verb == "resume":
            a.director.paused = False
            if a.guard.silenced():
                a.cut("panic")
            a.guard.resume()
            a.pages.show(a.guard.news())
        if verb in ("mute", "skip", "panic"):
            a.cut(verb)
        if verb == "panic":
            a.hand.panicked()
            a.live.tell({"type": "panic"})
        a.wake()

    def panicked(self) -> None:
        """The guard has silenced her already: hold, and end the reply where it was silenced."""
        a = self._aneeka
        a.director.paused = True
        a.hand.panicked()
        a.hand.note("panic", "guard")
        a.live.tell({"type": "panic"})
        a.wake()
        reply = a.reply

        def end() -> None:
            if a.reply is reply:
                a.cut("panic")

        asyncio.get_running_loop().call_later(LAST_WORD_S, end)

    def ask_vtube_studio(self) -> bool:
        """Ask VTube Studio once more for a permission that was denied; ``False``: none was."""
        body = self._aneeka.bodies.get("vtube_studio")
        return body is not None and body.ask_again()

    def turns(self, limit: int) -> list[dict[str, Any]]:
        """The newest turn records, newest first."""
        return self._aneeka.recorder.newest(limit)

    async def models(self) -> dict[str, Any]:
        """The models that can be had, and what this machine can bear."""
        return await self._aneeka.shelf.models()

    def pull_model(self, name: str) -> dict[str, Any]:
        """Begin to fetch a model and put it in charge."""
        return self._aneeka.shelf.pull(name)

    async def cancel_model(self, name: str) -> dict[str, Any]:
        """Stop fetching it."""
        return await self._aneeka.shelf.cancel(name)

    def counters(self) -> dict[str, Any]:
        """Every counter of the interface page."""
        a = self._aneeka
        return {
            "chat_received": a.inbox.received,
            "chat_duplicates": a.inbox.duplicates,
            "chat_dropped": dict(sorted(a.inbox.dropped.items())),
            "chat_answered": a.inbox.answered,
            "events_received": a.inbox.events_received,
            "turns": a.reporter.turns,
            "turns_cut": a.reporter.turns_cut,
            "phrases_blocked": a.reporter.phrases_blocked,
            "twitch": a.twitch.counters() if a.twitch is not None else {},
        }

    def state_line(self) -> dict[str, Any]:
        """What changes from moment to moment."""
        a = self._aneeka
        sound = a.board.parts.get("sound")
        where = {"output": sound.serving, "why": sound.reason} if sound else {"output": "none", "why": ""}
        held = {"muted": a.director.muted, "paused": a.director.paused, "away": a.director.away}
        return {"doing": a.reporter.doing, **held, "sound": where}

    def state(self) -> dict[str, Any]:
        """Everything about her, as ``GET /api/state`` gives it."""
        a = self._aneeka
        settings = a.settings
        health = a.board.as_json()
        for name, part in a.engines.parts.items():
            if name in health and part.pid is not None:
                health[name]["pid"] = part.pid
        return {
            "name": settings.persona.name,
            "language": settings.persona.language,
            "version": __version__,
            **self.state_line(),
            "brain": health.get("brain", {}).get("serving", ""),
            "voice": health.get("voice", {}).get("serving", ""),
            "config": _configured(settings),
            "health": health,
            "counters": self.counters(),
            "waiting": [_waiting(heard, score, a.now()) for heard, score in a.inbox.waiting(a.now())[:MOST_WAITING]],
            "obs": {
                "stage": a.server.address("/stage", watch=True),
                "captions": a.server.address("/captions", watch=True),
            },
            "panic": a.server.panic_address(),
            "held": a.hand.held(),
            "blocked": a.hand.blocked(),
            "away_minutes": settings.safety.away_minutes,
        }

    def page_hello(self) -> dict[str, Any]:
        """What a page that shows her needs to know first."""
        a = self._aneeka
        held = {"muted": a.director.muted, "paused": a.director.paused, "guard": a.guard.news()}
        persona = a.settings.persona
        who = {"name": persona.name, "language": persona.language, "reduced_motion": a.settings.avatar.reduced_motion}
        return {
            **who,
            "rate_hz": a.stage.rate_hz,
            "server_ms": round(a.now() * 1000),
            "state": a.reporter.doing,
            **held,
        }


def _configured(settings: Settings) -> dict[str, Any]:
    """Return what is configured of each part, by its section and key; of folders only whether there is one."""
    stt, audio, safety = settings.stt, settings.audio, settings.safety
    return {
        "llm": {"engine": settings.llm.engine, "model": settings.llm.model},
        "stt": {"engine": stt.engine, "model": stt.model, "language": stt.language},
        "tts": {"engine": settings.tts.engine, "voice": settings.tts.voice},
        "audio": {"input": audio.input, "mode": audio.mode, "answer": audio.answer},
        "stage": {"sound": settings.stage.sound, "record": bool(settings.stage.record)},
        "avatar": {"outputs": settings.avatar.outputs, "reduced_motion": settings.avatar.reduced_motion},
        "twitch": {"mode": settings.twitch.mode, "channel": settings.twitch.channel},
        "safety": {"strictness": safety.strictness, "second_opinion": safety.second_opinion, "hold": safety.hold},
    }


def _waiting(heard: Heard, score: float, now: float) -> dict[str, Any]:
    person = heard.person
    who = {"user": person.name, "user_id": person.id} if person else {"user": "", "user_id": ""}
    roles = sorted(person.roles) if person else []
    at_ms = round((time.time() - (now - heard.at_s)) * 1000)
    return {"id": heard.id, **who, "roles": roles, "text": heard.text, "at_ms": at_ms, "score": score}
