"""``aneeka setup voice``: which engine speaks and with which voice, tried aloud before anything is saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, get_args

import numpy as np
from pydantic import BaseModel, ValidationError

from bot.config import Loaded
from bot.config.paths import config_dir
from bot.config.settings import Settings
from bot.config.speech import VoiceEngine
from bot.config.toml_file import written
from bot.setup.config_file import NotSaved, save
from bot.setup.terminal import NoAnswer, Terminal
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Language, Phrase, Sound
from bot.voice.listing import VoiceInfo
from bot.voices import LiveVoice, build_voice
from bot.wav import wav_of

WELL, FAILED = 0, 1
ENGINES: tuple[VoiceEngine, ...] = get_args(VoiceEngine)
READY_S = 300.0
"""A model may have to be read from a slow disk."""
SHOWN = 12
"""How many voices are shown to choose from; any other may be typed."""
SLOW = 0.8
"""An engine that needs more of its time than this to speak is too slow to be live."""
LICENCE = "https://tts-hub.github.io/cpml"
"""Where coqui-tts sends its users to read it."""
_SENTENCES: dict[Language, str] = {
    "es": "¡Hola a todos! Esta es mi voz, y con ella voy a hablarles hoy.",
    "en": "Hello everybody! This is my voice, and with it I will talk to you today.",
}

Values = Mapping[str, Mapping[str, Any]]
"""Settings by section."""
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class _Voice(LiveVoice, Protocol):
    async def list_voices(self) -> list[VoiceInfo]: ...


Build = Callable[[VoiceEngine, Settings, Path, Callable[[Health], None]], _Voice]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a trial brought: all voices, the seconds to the first sound, and those of work for one of speech."""

    voices: list[VoiceInfo]
    first_s: float
    work: float
    file: Path


class _Given(Exception):
    """The user does not go on; why has been told."""


def _build(engine: VoiceEngine, settings: Settings, data: Path, on_health: Callable[[Health], None]) -> _Voice:
    return cast(_Voice, build_voice(engine, settings, data, lambda voice, health: on_health(health)))


def setup_voice(
    loaded: Loaded, data: Path, terminal: Terminal | None = None, run: Run = asyncio.run, build: Build = _build
) -> int:
    """Lead the user through it. Return the exit code; what went wrong has been told."""
    terminal = terminal or Terminal()
    try:
        return _Setup(loaded, data, terminal, run, build).lead()
    except _Given:
        return FAILED
    except NoAnswer:
        terminal.say(text("voice_setup.no_answer"))
    except EngineDown as down:
        _tell(down, terminal)
    except OSError as error:
        terminal.say(text("cli.bad_data", folder=data, error=error.strerror or error))
    return FAILED


class _Setup:
    def __init__(self, loaded: Loaded, data: Path, terminal: Terminal, run: Run, build: Build) -> None:
        self._loaded = loaded
        self._data = data
        self._terminal = terminal
        self._run = run
        self._build = build

    def lead(self) -> int:
        say, tts = self._terminal.say, self._loaded.settings.tts
        say(text("voice_setup.intro"))
        for name in ENGINES:
            say(f"  {name:8} {text(f'voice_setup.about_{name}')}")
        engine = self._engine(tts.engine)
        values = self._asked(engine)
        voice = tts.voice if engine == tts.engine else getattr(tts.voices, engine)
        heard = self._tried(engine, voice, values)
        while (chosen := self._chosen(voice, heard.voices)) != voice:
            try:
                heard = self._tried(engine, chosen, values)
                voice = chosen
            except EngineDown as down:
                _tell(down, self._terminal)
        if heard.work > SLOW and not self._insists("ask_slow"):
            return FAILED
        return self._save({**values, "tts": {"engine": engine, "voice": voice}})

    def _engine(self, default: VoiceEngine) -> VoiceEngine:
        while True:
            answer = self._terminal.ask(text("voice_setup.ask_engine"), default).lower()
            for name in ENGINES:
                if name == answer:
                    return name
            self._terminal.say(text("voice_setup.unknown_engine", name=answer, names=", ".join(ENGINES)))

    def _asked(self, engine: VoiceEngine) -> dict[str, dict[str, Any]]:
        """Ask what the engine needs beside a voice's name."""
        settings, ask = self._loaded.settings, self._terminal.ask
        if engine == "xtts":
            self._terminal.say(text("voice_setup.licence", address=LICENCE))
            if not settings.tts.xtts.accept_license and not self._insists("ask_licence"):
                self._terminal.say(text("voice_setup.licence_refused"))
                raise _Given
            return {"tts.xtts": {"accept_license": True}}
        if engine == "azure":
            known = settings.azure
            values: dict[str, Any] = {}
            if not known.endpoint:
                values["region"] = ask(text("voice_setup.ask_region"), known.region)
            if not known.key.get_secret_value():
                self._terminal.say(text("voice_setup.hide"))
                values["key"] = ask(text("voice_setup.ask_key"))
            return {"azure": values}
        if engine == "openai":
            server = settings.tts.openai
            values = {"base_url": ask(text("voice_setup.ask_server"), server.base_url)}
            if not server.api_key.get_secret_value():
                self._terminal.say(text("voice_setup.hide"))
                key = ask(text("voice_setup.ask_server_key"), "-")
                values |= {} if key == "-" else {"api_key": key}
            return {"tts.openai": values | {"model": ask(text("voice_setup.ask_model"), server.model)}}
        return {}

    def _insists(self, question: str) -> bool:
        """Return whether the user says yes in so many letters: a mere Enter, or nobody, does not."""
        no, yes = text("voice_setup.no"), text("voice_setup.yes")
        answer = self._terminal.ask(text(f"voice_setup.{question}", yes=yes), no).lower()
        return answer in (yes, yes.replace("í", "i"), yes[:1])

    def _chosen(self, default: str, voices: list[VoiceInfo]) -> str:
        """Ask for a voice until it is one that there is; Enter keeps the one that was heard."""
        language = self._loaded.settings.persona.language
        own = [voice for voice in voices if any(code.lower().startswith(language) for code in voice.languages)]
        for voice in own[:SHOWN]:
            self._terminal.say(f"  {voice.name:28} {voice.about}")
        if len(voices) > len(own[:SHOWN]):
            self._terminal.say(text("voice_setup.more", count=len(voices) - len(own[:SHOWN])))
        kept = default or text("voice_setup.its_default")
        answer = self._terminal.ask(text("voice_setup.ask_voice"), kept)
        return default if answer == kept else answer

    def _tried(self, engine: VoiceEngine, voice: str, values: Values) -> _Heard:
        """Let it speak, and tell how that went. Raises ``EngineDown``."""
        self._terminal.say(text("voice_setup.trying", engine=engine))
        settings = self._with({**values, "tts": {"engine": engine, "voice": voice}})
        heard: _Heard = self._run(self._rehearsed(engine, settings))
        figures = {"first": f"{heard.first_s:.1f}", "work": f"{heard.work:.2f}"}
        self._terminal.say(text("voice_setup.spoke", file=heard.file, **figures))
        if heard.work > SLOW:
            self._terminal.say(text("voice_setup.slow", **figures))
        return heard

    def _with(self, values: Values) -> Settings:
        """Return the settings as they would be. Raises ``EngineDown`` for a value that cannot be."""
        settings: BaseModel = self._loaded.settings
        try:
            for section, entries in values.items():
                settings = _changed(settings, section.split("."), entries)
        except ValidationError as error:
            names = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
            raise EngineDown(text("voice_setup.bad_value", setting=names), text("voice_setup.again")) from None
        return cast(Settings, settings)

    async def _rehearsed(self, engine: VoiceEngine, settings: Settings) -> _Heard:
        now = asyncio.get_running_loop().time
        voice = self._build(engine, settings, self._data, lambda health: None)
        await voice.start()
        try:
            if not await voice.ready(READY_S):
                raise EngineDown(voice.health.reason or text("voice_setup.not_ready"), voice.health.repair)
            asked_s, sounds, first_s = now(), list[Sound](), 0.0
            phrase = Phrase("setup", 0, _SENTENCES[settings.persona.language])
            async with aclosing(voice.speak(phrase)) as stream:
                async for sound in stream:
                    first_s = first_s or now() - asked_s
                    sounds.append(sound)
            work_s = now() - asked_s
            spoken_s = sum(len(sound.pcm) / sound.rate_hz for sound in sounds)
            if not any(sound.pcm.any() for sound in sounds):
                raise EngineDown(text("voice_setup.silent"), text("voice_setup.again"))
            file = _written(self._data / "voices" / "heard.wav", sounds)
            return _Heard(await voice.list_voices(), first_s, work_s / spoken_s, file)
        finally:
            await voice.close()

    def _save(self, changes: Values) -> int:
        say = self._terminal.say
        file = self._loaded.file or config_dir() / "config.toml"
        try:
            for section, entries in changes.items():
                save(file, section, entries)
        except NotSaved:
            say(text("twitch_setup.not_saved", file=file))
            for section, entries in changes.items():
                shown = {key: "..." if "key" in key else value for key, value in entries.items()}
                say("\n".join([f"[{section}]", *(f"{key} = {written(value)}" for key, value in shown.items())]))
            return FAILED
        say(text("twitch_setup.saved", file=file))
        for key in (f"{section}.{name}" for section, entries in changes.items() for name in entries):
            origin = self._loaded.origins.get(key, "")
            if origin.startswith("environment "):
                say(text("twitch_setup.covered", variable=origin.partition(" ")[2]))
        say(text("voice_setup.next"))
        return WELL


def _tell(down: EngineDown, terminal: Terminal) -> None:
    terminal.say(down.reason)
    if down.repair:
        terminal.say("  " + down.repair)


def _changed(settings: BaseModel, section: list[str], entries: Mapping[str, Any]) -> BaseModel:
    """Return settings with other values in one section; the environment does not cover them. Raises its mistakes."""
    if not section:
        return type(settings).model_validate({**settings.model_dump(), **entries})
    inner = _changed(getattr(settings, section[0]), section[1:], entries)
    return settings.model_copy(update={section[0]: inner})


def _written(file: Path, sounds: list[Sound]) -> Path:
    """Write what was said, so that it can be listened to."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(wav_of(np.concatenate([sound.pcm for sound in sounds]), sounds[0].rate_hz))
    return file
