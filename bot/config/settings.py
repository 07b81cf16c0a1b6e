"""Every setting: its key, type, limits, default and meaning. ``config.example.toml`` shows the same for users.

A section is a class and a key is a field: ``[avatar.vmc]`` is ``Settings().avatar.vmc``. Values are read strictly (no
``"8710"`` for a number), so that a mistake's repair line can show the value as it should stand.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config.channel import Twitch
from bot.config.environment import Environment
from bot.config.kinds import Listed, Name, Seconds, Secret, SocketAddress, Text, WebAddress, is_loopback, refusal
from bot.config.section import Section
from bot.config.speech import Audio, Azure, Stt, Tts

PREFIX = "ANEEKA_"
"""What names of environment variables start with; ``ANEEKA_LLM__MODEL`` is ``llm.model``."""

MIN_TOKEN_CHARACTERS = 16
"""The shortest studio token that may guard a studio which other machines can reach."""


class Persona(Section):
    """Who she is."""

    name: Annotated[Name, Field(max_length=40)] = Field(
        default="Aneeka", description="what she is called, and answers to"
    )
    language: Literal["es", "en"] = Field(default="es", description="the language that she and all messages speak")


class Llm(Section):
    """The brain."""

    engine: Literal["llama", "openai", "understudy"] = Field(
        default="llama",
        description="llama = on this machine, openai = any OpenAI-compatible server, understudy = no model",
    )
    model: Name = Field(
        default="demo", description="demo (built in), a name from `aneeka models list`, or a path to a .gguf"
    )
    context: int = Field(default=8192, ge=512, le=131072, description="tokens that she keeps in mind")
    gpu_layers: int = Field(default=-1, ge=-1, le=1000, description="layers on the graphics card; -1 = all, 0 = none")
    threads: int = Field(default=0, ge=0, le=1024, description="processor threads; 0 = cores - 1")
    base_url: Annotated[WebAddress, Field(min_length=1)] = Field(
        default="https://api.openai.com/v1", description="address of the server, for engine openai"
    )
    api_key: Secret = Field(default=SecretStr(""), description="key of that server; many local servers want none")
    max_tokens: int = Field(default=160, ge=8, le=4096, description="longest answer in tokens")
    temperature: float = Field(default=0.8, ge=0, le=2, description="0 = always alike, 2 = wild")


class Stage(Section):
    """Where she is heard."""

    sound: Literal["auto", "sound_card", "browser", "none"] = Field(
        default="auto", description="none keeps real time and discards the sound"
    )
    record: Text = Field(default="", description="folder for what she said, one WAV a reply; empty = not recorded")


class Page(Section):
    """Her own page, in OBS."""

    folder: Text = Field(
        default="", description="folder with layers of your own, PNG or SVG (README: layers); empty = as drawn"
    )


class Moods(Section):
    """What of your model shows each mood: expression or hotkey; empty = chosen by itself, - = nothing."""

    happy: Text = Field(default="", description='for instance "Smile.exp3.json"')
    excited: Text = Field(default="", description="the same")
    sad: Text = Field(default="", description="the same")
    angry: Text = Field(default="", description="the same")
    surprised: Text = Field(default="", description="the same")
    shy: Text = Field(default="", description="the same")


class VtubeStudio(Section):
    """VTube Studio (`aneeka setup vtube-studio`)."""

    url: SocketAddress = Field(default="ws://127.0.0.1:8001", description="address of its plugin API")
    offset_ms: int = Field(default=0, ge=-1000, le=1000, description="moves the mouth: above 0 later, below 0 earlier")
    moods: Moods = Field(
        default=Moods(),
        description="What of your model shows each mood: expression or hotkey; empty = chosen by itself, - = nothing.",
    )


class Vmc(Section):
    """VMC apps: VSeeFace, Warudo and others."""

    host: Name = Field(default="127.0.0.1", description="where the app listens")
    port: int = Field(default=39539, ge=1, le=65535, description="its UDP port")
    names: Literal["vrm0", "vrm1"] = Field(default="vrm0", description="mouth shapes named as in VRM 0.x or VRM 1.0")
    body: Literal["upper", "face", "arms"] = Field(
        default="upper",
        description="face = shapes alone, upper = head and chest too, arms = and arms that hang, against a T-pose",
    )
    model: Text = Field(
        default="", description="the .vrm that the app shows, if its neck is stretched: tells where the bones are"
    )


class VrChat(Section):
    """VRChat (in its action menu: Options, OSC, Enabled)."""

    host: Name = Field(default="127.0.0.1", description="where VRChat runs")
    port: int = Field(default=9000, ge=1, le=65535, description="its OSC port")
    parameters: bool = Field(default=False, description="true = moves an avatar that has the parameters (README)")
    captions: bool = Field(default=False, description="true = what she says appears in the chatbox")


class Avatar(Section):
    """Where her body is shown."""

    outputs: Listed[Literal["page", "vtube_studio", "vmc"]] = Field(
        default=("page",), description="any of page (her own, in OBS), vtube_studio, vmc"
    )
    reduced_motion: bool = Field(default=False, description="true = she moves little, for people whom motion makes ill")
    page: Page = Field(default=Page(), description="Her own page, in OBS.")
    vtube_studio: VtubeStudio = Field(default=VtubeStudio(), description="VTube Studio (`aneeka setup vtube-studio`).")
    vmc: Vmc = Field(default=Vmc(), description="VMC apps: VSeeFace, Warudo and others.")
    vrchat: VrChat = Field(default=VrChat(), description="VRChat (in its action menu: Options, OSC, Enabled).")


class Chat(Section):
    """How chat is chosen."""

    window_s: Annotated[float, Field(le=60)] = Field(
        default=1.5, ge=0, description="seconds of chat that are weighed together"
    )
    max_age_s: Annotated[Seconds, Field(ge=1)] = Field(
        default=60.0, description="older messages are no longer answered"
    )
    viewer_cooldown_s: Seconds = Field(
        default=5.0, description="pause for one viewer, counted from the end of her answer"
    )
    busy_per_min: int = Field(
        default=30, ge=1, le=100000, description="from here on she answers several viewers at once"
    )
    max_many: int = Field(default=5, ge=2, le=20, description="how many viewers at once")
    max_waiting: int = Field(default=200, ge=1, le=10000, description="messages kept waiting; the worst leave first")
    reply_chance: float = Field(default=1.0, ge=0, le=1, description="share of messages she answers when not named")
    ignored_users: Listed[Name] = Field(default=(), description="names never answered, such as your other bots")
    idle_after_s: Seconds = Field(default=60.0, description="silence before she speaks by herself; 0 = never")
    idle_max_s: Annotated[Seconds, Field(ge=1)] = Field(default=600.0, description="longest pause between such words")
    repeat_window_s: Seconds = Field(default=30.0, description="the same text within this time counts once")


class Safety(Section):
    """What may come in and go out."""

    strictness: Literal["standard", "family", "relaxed"] = Field(
        default="standard", description="family also stops swearing, relaxed only what gets channels banned"
    )
    blocked_words: Listed[Name] = Field(
        default=(), description="words, names, topics of your own that she never reads and never says"
    )
    second_opinion: Literal["off", "openai", "guard"] = Field(
        default="off",
        description="a second look at her words: openai = a server with /moderations, guard = a model like Llama Guard",
    )
    second_opinion_url: WebAddress = Field(
        default="https://api.openai.com/v1", description="that server; for Ollama http://127.0.0.1:11434/v1"
    )
    second_opinion_model: Text = Field(
        default="", description="such as omni-moderation-latest or llama-guard3:1b; empty = the server's own"
    )
    second_opinion_key: Secret = Field(default=SecretStr(""), description="its key; many local servers want none")
    hold: Literal["off", "chat", "all"] = Field(
        default="off",
        description="chat = answers to chat wait in the studio until you approve them, all = whatever she would say",
    )
    hold_expires_s: Annotated[Seconds, Field(ge=5)] = Field(
        default=60.0, description="an answer that has waited so long is no longer said"
    )
    away_minutes: float = Field(
        default=0.0, ge=0, le=1440, description="she is silent after so long without any input of yours; 0 = never"
    )
    panic_hotkey: Text = Field(
        default="", description='a key that is panic in every window, such as "f12"; empty = none'
    )


class Recorder(Section):
    """The flight recorder."""

    keep_days: int = Field(
        default=14, ge=1, le=3650, description="days that what viewers wrote, and her answers, are kept on this machine"
    )


class Studio(Section):
    """The operator's web page."""

    public: bool = Field(default=False, description="true = other machines may reach the studio")
    host: Name = Field(default="127.0.0.1", description="another one needs public = true and a token of your own")
    port: int = Field(default=8710, ge=0, le=65535, description="0 = any free one")
    token: Secret = Field(
        default=SecretStr(""),
        validate_default=True,
        description="key to the studio; empty = a random one, made at the first start",
    )

    @field_validator("host")
    @classmethod
    def _is_open_on_purpose(cls, host: str, info: ValidationInfo) -> str:
        if not is_loopback(host) and info.data.get("public") is False:
            raise refusal("public", characters=MIN_TOKEN_CHARACTERS)
        return host

    @field_validator("token")
    @classmethod
    def _guards_an_open_studio(cls, token: SecretStr, info: ValidationInfo) -> SecretStr:
        is_open = "host" in info.data and not is_loopback(info.data["host"])
        if is_open and len(token.get_secret_value()) < MIN_TOKEN_CHARACTERS:
            raise refusal("token", cause="studio.host", characters=MIN_TOKEN_CHARACTERS)
        return token


class Settings(BaseSettings):
    """All sections; what is passed in is what the file says, and the environment goes over it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    persona: Persona = Persona()
    llm: Llm = Llm()
    stt: Stt = Stt()
    tts: Tts = Tts()
    azure: Azure = Azure()
    audio: Audio = Audio()
    stage: Stage = Stage()
    avatar: Avatar = Avatar()
    twitch: Twitch = Twitch()
    chat: Chat = Chat()
    safety: Safety = Safety()
    recorder: Recorder = Recorder()
    studio: Studio = Studio()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment over what is passed in."""
        return Environment(settings_cls), init_settings
