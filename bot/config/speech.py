"""The settings of hearing and voices: engines, the Azure account, microphone and loudspeakers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from bot.config.kinds import AnyAddress, Listed, Name, Secret, Text, WebAddress, refusal, speech_language
from bot.config.section import Section

EarEngine = Literal["whisper", "azure", "openai"]
VoiceEngine = Literal["espeak", "azure", "xtts", "openai", "piper"]
Device = Literal["auto", "cpu", "cuda"]
XTTS_LANGUAGES = ("cs", "de", "en", "es", "fr", "hu", "it", "nl", "pl", "pt", "tr")
"""What XTTS2 speaks of languages in Latin letters, the only ones that reach a voice. Source: its documentation."""


def _xtts_language(value: str) -> str:
    """Accept a language of XTTS2's, or nothing."""
    if value and value not in XTTS_LANGUAGES:
        raise refusal("xtts_language", values=", ".join(XTTS_LANGUAGES))
    return value


class SttServer(Section):
    """A server for speech recognition, for engine openai."""

    base_url: Annotated[WebAddress, Field(min_length=1)] = Field(
        default="https://api.openai.com/v1", description="its address; any OpenAI-compatible one"
    )
    api_key: Secret = Field(default=SecretStr(""), description="its key; many local servers want none")
    model: Name = Field(default="whisper-1", description="the server's own name of a model")


class Stt(Section):
    """Hearing the operator."""

    engine: Literal["whisper", "azure", "openai", "off"] = Field(
        default="whisper", description="who turns speech into text"
    )
    fallback: Listed[EarEngine] = Field(default=(), description="who listens when the engine cannot, tried in order")
    model: Name = Field(
        default="small", description="size of the Whisper model (tiny, base, small, ...), or a local folder"
    )
    language: Annotated[Name, AfterValidator(speech_language)] = Field(
        default="auto", description="auto, or the language you speak, such as es or en"
    )
    device: Device = Field(default="auto", description="where Whisper runs; auto = the graphics card if it can")
    openai: SttServer = Field(default=SttServer(), description="A server for speech recognition, for engine openai.")


class Voices(Section):
    """The voice of each engine that stands in for the first one; empty = its default."""

    espeak: Text = Field(default="", description='such as "es-419+f2"')
    azure: Text = Field(default="", description='such as "es-MX-DaliaNeural"')
    xtts: Text = Field(default="", description="a voice you cloned")
    openai: Text = Field(default="", description="the server's own name")
    piper: Text = Field(default="", description='such as "es_MX-claude-high"')


class Xtts(Section):
    """The XTTS2 voice."""

    model_dir: Text = Field(default="", description="folder of the downloaded model")
    speaker_wav: Text = Field(default="", description="the sample whose voice she takes")
    accept_license: bool = Field(default=False, description="true = you have read and accept the model's licence")
    device: Device = Field(default="auto", description="auto = the graphics card if there is one")
    language: Annotated[Text, AfterValidator(_xtts_language)] = Field(
        default="", description=f"{', '.join(XTTS_LANGUAGES)}; empty = hers"
    )


class TtsServer(Section):
    """A server for speech, for engine openai."""

    base_url: Annotated[WebAddress, Field(min_length=1)] = Field(
        default="https://api.openai.com/v1", description="its address; any OpenAI-compatible one"
    )
    api_key: Secret = Field(default=SecretStr(""), description="its key; many local servers want none")
    model: Name = Field(default="tts-1", description="the server's own name of a model")


class Tts(Section):
    """Her voice."""

    engine: VoiceEngine = Field(default="espeak", description="espeak needs no account and no model")
    fallback: Listed[VoiceEngine] = Field(default=(), description="who speaks when the engine cannot, tried in order")
    voice: Text = Field(
        default="", description="the engine's own name of a voice (`aneeka voices list`); empty = its default"
    )
    speed: float = Field(default=1.0, ge=0.5, le=2, description="1.0 = as the voice was made")
    pitch: float = Field(default=0.0, ge=-12, le=12, description="semitones above or below the voice as it was made")
    voices: Voices = Field(default=Voices(), description="The voice of each engine that stands in for the first one.")
    xtts: Xtts = Field(default=Xtts(), description="The XTTS2 voice.")
    openai: TtsServer = Field(default=TtsServer(), description="A server for speech, for engine openai.")


class Azure(Section):
    """The Azure account, for hearing and voice."""

    key: Secret = Field(default=SecretStr(""), description="key of your speech resource")
    region: Text = Field(default="", description="its region, such as westeurope")
    endpoint: AnyAddress = Field(default="", description="replaces the region: private link, container, test")


class Turns(Section):
    """When you have finished speaking, and what does not interrupt her."""

    quick_s: float = Field(default=0.25, ge=0.1, le=3, description="silence that ends what sounds finished")
    patient_s: float = Field(default=0.6, ge=0.1, le=5, description="silence that ends everything else")
    interrupt: bool = Field(default=True, description="true = she stops when you talk over her")
    murmurs: Listed[Name] = Field(
        default=(), description="your own words like mm-hm that do not interrupt her, besides the usual ones"
    )


class Audio(Section):
    """Microphone and loudspeakers."""

    input: Literal["sound_card", "browser"] = Field(
        default="sound_card", description="browser = the studio page's microphone, with echo cancellation"
    )
    input_device: Text = Field(
        default="", description="microphone by name (part of it is enough); empty = the system's"
    )
    output_device: Text = Field(
        default="", description="loudspeaker by name (part of it is enough); empty = the system's"
    )
    mode: Literal["open", "push_to_talk", "off"] = Field(
        default="open",
        description="open = by voice activity, push_to_talk = while the key is held",
    )
    answer: Literal["auto", "everything", "addressed"] = Field(
        default="auto",
        description="addressed = only what is said to her; auto = the same while a channel is read, else everything",
    )
    push_to_talk_key: Text = Field(
        default="", description='a key for push_to_talk that works in every window, such as "f9"; empty = none'
    )
    turns: Turns = Field(
        default=Turns(), description="When you have finished speaking, and what does not interrupt her."
    )
