"""Configuration: what a user writes, and what she is told when it is wrong."""

from __future__ import annotations

import itertools
import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot import texts
from bot.chat.token_store import TokenStore
from bot.config import ConfigErrors, Loaded, Problem, Settings, data_dir, load, show
from bot.config.check import FIELDS, KEYS, is_secret
from bot.setup.config_file import save
from bot.vocabulary import Language

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
CANARY = "sk-canary-8341-never-shown"

Load = Callable[..., Loaded]

DOCUMENTED = """
persona.name persona.language
llm.engine llm.model llm.context llm.gpu_layers llm.threads llm.base_url llm.api_key
stt.engine stt.model stt.language
tts.engine tts.fallback tts.voice tts.speed tts.xtts.model_dir tts.xtts.speaker_wav tts.xtts.accept_license
azure.key azure.region azure.endpoint
audio.input_device audio.output_device audio.mode
stage.sound stage.record
avatar.outputs avatar.vtube_studio.url avatar.vtube_studio.offset_ms avatar.vmc.host avatar.vmc.port avatar.vmc.names
twitch.mode twitch.channel twitch.client_id twitch.access_token twitch.refresh_token
twitch.api_url twitch.auth_url twitch.eventsub_url twitch.irc_url
studio.host studio.port studio.token studio.public
""".split()
"""The keys that users' scripts rely on."""

DOCUMENTED_DEFAULTS = {
    "persona.name": "Aneeka",
    "persona.language": "es",
    "llm.engine": "llama",
    "llm.model": "demo",
    "stt.engine": "whisper",
    "stt.model": "small",
    "tts.engine": "espeak",
    "audio.mode": "open",
    "stage.sound": "auto",
    "avatar.outputs": ("page",),
    "avatar.vtube_studio.url": "ws://127.0.0.1:8001",
    "avatar.vmc.host": "127.0.0.1",
    "avatar.vmc.port": 39539,
    "avatar.vmc.names": "vrm0",
    "twitch.mode": "off",
    "studio.host": "127.0.0.1",
    "studio.port": 8710,
}


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start in an empty folder, with an empty home and none of our variables."""
    for name in list(os.environ):
        if name.upper().startswith("ANEEKA_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield
    texts.use("es")


@pytest.fixture
def load_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a config.toml with this content and these environment variables."""

    def run(content: str | bytes = "", **environment: str) -> Loaded:
        raw = content if isinstance(content, bytes) else content.encode()
        Path("config.toml").write_bytes(raw)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load(None)

    return run


def value_of(loaded: Settings, key: str) -> object:
    value: object = loaded
    for name in key.split("."):
        value = getattr(value, name)
    return value


# --- what works ---------------------------------------------------------------------------------------------------


def test_with_nothing_at_all_every_documented_default_holds() -> None:
    loaded = load(None)
    assert loaded.file is None
    assert set(loaded.origins.values()) == {"default"}
    assert {key: value_of(loaded.settings, key) for key in DOCUMENTED_DEFAULTS} == DOCUMENTED_DEFAULTS


def test_every_documented_key_exists() -> None:
    assert set(DOCUMENTED) <= set(KEYS)


def test_the_example_shows_every_key_with_its_default() -> None:
    tables = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))

    def flat(table: dict[str, object], above: str = "") -> Iterator[tuple[str, object]]:
        for name, value in table.items():
            if isinstance(value, dict):
                yield from flat(value, f"{above}{name}.")
            else:
                yield above + name, value

    loaded, untouched = load(EXAMPLE), load(None)
    assert list(dict(flat(tables))) == KEYS
    assert loaded.settings == untouched.settings
    assert all(origin.startswith(f"{EXAMPLE} line ") for origin in loaded.origins.values())
    for key, value in flat(tables):
        default = FIELDS[key].default
        assert (value, type(value)) == (
            ("", str) if is_secret(FIELDS[key]) else (_plain(default), type(_plain(default)))
        )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_the_example_explains_every_key() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for key in KEYS:
        name = key.rpartition(".")[2]
        assert any(
            line.startswith(f"{name} = ") and ("  # " in line or before.startswith("# "))
            for before, line in itertools.pairwise(lines)
        ), key


def test_the_file_in_this_folder_goes_before_the_users_own(tmp_path: Path) -> None:
    own = tmp_path / "home" / "aneeka"
    if sys.platform == "darwin":
        own = tmp_path / "home" / "Library" / "Application Support" / "aneeka"
    own.mkdir(parents=True)
    (own / "config.toml").write_text("persona.name = 'Own'")
    assert load(None).settings.persona.name == "Own"
    Path("config.toml").write_text("persona.name = 'Here'")
    assert load(None).settings.persona.name == "Here"
    Path("other.toml").write_text("persona.name = 'Asked'")
    assert load(Path("other.toml")).settings.persona.name == "Asked"


@pytest.mark.parametrize(
    ("name", "given", "key", "expected"),
    [
        ("ANEEKA_LLM__MODEL", "qwen", "llm.model", "qwen"),
        ("aneeka_llm__model", "lower", "llm.model", "lower"),
        ("ANEEKA_LLM__CONTEXT", "4096", "llm.context", 4096),
        ("ANEEKA_LLM__GPU_LAYERS", "-1", "llm.gpu_layers", -1),
        ("ANEEKA_TTS__SPEED", "1.25", "tts.speed", 1.25),
        ("ANEEKA_STUDIO__PUBLIC", "true", "studio.public", True),
        ("ANEEKA_STUDIO__PUBLIC", "1", "studio.public", True),
        ("ANEEKA_STUDIO__PUBLIC", "False", "studio.public", False),
        ("ANEEKA_TTS__XTTS__ACCEPT_LICENSE", "yes", "tts.xtts.accept_license", True),
        ("ANEEKA_TTS__XTTS__MODEL_DIR", r"C:\models\new", "tts.xtts.model_dir", r"C:\models\new"),
        ("ANEEKA_AVATAR__VMC__PORT", "40000", "avatar.vmc.port", 40000),
        ("ANEEKA_AVATAR__OUTPUTS", '["page"]', "avatar.outputs", ("page",)),
        ("ANEEKA_AVATAR__OUTPUTS", "page,vmc", "avatar.outputs", ("page", "vmc")),
        ("ANEEKA_AVATAR__OUTPUTS", "vmc", "avatar.outputs", ("vmc",)),
        ("ANEEKA_AVATAR__OUTPUTS", "page, page ,vmc,", "avatar.outputs", ("page", "vmc")),
        ("ANEEKA_TTS__FALLBACK", "", "tts.fallback", ()),
        ("ANEEKA_CHAT__IGNORED_USERS", "nightbot,streamelements", "chat.ignored_users", ("nightbot", "streamelements")),
        ("ANEEKA_AUDIO__INPUT_DEVICE", "5", "audio.input_device", "5"),
        ("ANEEKA_TWITCH__CHANNEL", "https://www.twitch.tv/NightOwl", "twitch.channel", "nightowl"),
        ("ANEEKA_TWITCH__CHANNEL", "#NightOwl", "twitch.channel", "nightowl"),
        ("ANEEKA_LLM__BASE_URL", "http://127.0.0.1:11434/v1/", "llm.base_url", "http://127.0.0.1:11434/v1"),
        ("ANEEKA_AZURE__ENDPOINT", "ws://127.0.0.1:9000", "azure.endpoint", "ws://127.0.0.1:9000"),
        ("ANEEKA_STAGE__RECORD", "", "stage.record", ""),
    ],
)
def test_the_environment_goes_over_the_file(load_with: Load, name: str, given: str, key: str, expected: object) -> None:
    file = "[llm]\nmodel = 'file'\ncontext = 2048\n[avatar]\noutputs = ['vtube_studio']\n[stage]\nrecord = 'takes'\n"
    loaded = load_with(file, **{name: given})
    assert value_of(loaded.settings, key) == expected
    assert loaded.origins[key].upper() == f"environment {name}".upper()  # Windows knows capitals only


def test_a_secret_from_a_file_with_a_last_line_break_is_usable(load_with: Load) -> None:
    loaded = load_with(ANEEKA_AZURE__KEY=f"{CANARY}\n")
    assert loaded.settings.azure.key.get_secret_value() == CANARY


def test_origins_name_the_line_also_with_dots_inline_tables_and_texts_over_several_lines(load_with: Load) -> None:
    loaded = load_with(
        "# first\npersona.name = '''\nLuna'''\n\n[ llm ]\n'model' = 'x'  # [tts]\ncontext=4096\n"
        "[avatar]\noutputs = [\n  'page',\n]\nvmc = { port = 40000, names = 'vrm1' }\n[tts.xtts]\nmodel_dir = 'm'\n"
    )
    expected = {
        "persona.name": 2,
        "llm.model": 6,
        "llm.context": 7,
        "avatar.outputs": 9,
        "avatar.vmc.port": 12,
        "avatar.vmc.names": 12,
        "tts.xtts.model_dir": 14,
    }
    assert {key: loaded.origins[key] for key in expected} == {k: f"config.toml line {n}" for k, n in expected.items()}
    assert loaded.origins["avatar.vmc.host"] == "default"
    assert loaded.settings.persona.name == "Luna"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_files_of_any_editor_are_read(load_with: Load, encoding: str, newline: str) -> None:
    loaded = load_with(newline.join(["[persona]", "name = 'Ñandú'", ""]).encode(encoding))
    assert loaded.settings.persona.name == "Ñandú"
    assert loaded.origins["persona.name"] == "config.toml line 2"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.2"])
def test_a_studio_for_this_machine_alone_needs_nothing(load_with: Load, host: str) -> None:
    assert load_with(ANEEKA_STUDIO__HOST=host).settings.studio.host == host


def test_a_studio_for_others_opens_on_purpose_and_with_a_token(load_with: Load) -> None:
    loaded = load_with("[studio]\nhost = '0.0.0.0'\npublic = true\ntoken = '0123456789abcdef'")
    assert loaded.settings.studio.token.get_secret_value() == "0123456789abcdef"


# --- what is wrong ------------------------------------------------------------------------------------------------

BROKEN: list[tuple[str, dict[str, str], str, str, str, str]] = [
    # file, environment, key, found, wanted, suggestion
    # names
    ("[llm]\nmodle = 'x'", {}, "llm.modle", "unknown key", "engine, model", "llm.model"),
    ("[llm]\nmodels = 'x'", {}, "llm.models", "unknown key", "engine, model", "llm.model"),
    ("[llm]\nMODEL = 'x'", {}, "llm.MODEL", "unknown key", "model", "llm.model"),
    ("[llm]\nbase-url = 'x'", {}, "llm.base-url", "unknown key", "base_url", "llm.base_url"),
    ("[llm]\nvoice = 'x'", {}, "llm.voice", "unknown key", "model", "tts.voice"),
    ("[llm]\nzzzz = 1", {}, "llm.zzzz", "unknown key", "model", "config.example.toml"),
    ("[lln]\nmodel = 'x'", {}, "lln", "unknown section", "llm", "llm"),
    ("[LLM]\nmodel = 'x'", {}, "LLM", "unknown section", "llm", "llm"),
    ("[voice]\nengine = 'espeak'", {}, "voice", "unknown section", "tts", "tts.voice"),
    ("[vmc]\nport = 1", {}, "vmc", "unknown section", "avatar", "avatar.vmc"),
    ("model = 'x'", {}, "model", "unknown section", "llm", "llm.model"),
    ("[avatar.vmc]\nprot = 1", {}, "avatar.vmc.prot", "unknown key", "host, port, names", "avatar.vmc.port"),
    ("[avatar]\nvmc = { prot = 1 }", {}, "avatar.vmc.prot", "unknown key", "port", "avatar.vmc.port"),
    ("[twitch]\nacess_token = 'x'", {}, "twitch.acess_token", "unknown key", "channel", "twitch.access_token"),
    ("_env_file = '/etc/passwd'", {}, "_env_file", "unknown section", "llm", "config.example.toml"),
    ("_cli_parse_args = true", {}, "_cli_parse_args", "unknown section", "llm", "config.example.toml"),
    ("self = 1", {}, "self", "unknown section", "llm", ""),
    ("", {"LLM_MODEL": "x"}, "llm_model", "unknown variable", "ANEEKA_LLM__MODEL", "ANEEKA_LLM__MODEL"),
    ("", {"LLM__MODLE": "x"}, "llm.modle", "unknown variable", "setting", "ANEEKA_LLM__MODEL"),
    ("", {"LLM__MODEL__X": "x"}, "llm.model.x", "unknown variable", "setting", "ANEEKA_LLM__MODEL"),
    ("", {"LMM__MODEL": "x"}, "lmm.model", "unknown variable", "setting", "ANEEKA_LLM__MODEL"),
    ("", {"LLM.MODEL": "x"}, "llm.model", "unknown variable", "setting", "ANEEKA_LLM__MODEL"),
    ("", {"DATADIR": "x"}, "datadir", "unknown variable", "setting", ""),
    ("", {"AVATAR_OUTPUTS": "x"}, "avatar_outputs", "unknown variable", "setting", "ANEEKA_AVATAR__OUTPUTS"),
    # sections
    ("llm = 5", {}, "llm", "a bare value", "[llm]", "[llm]"),
    ("llm = 'llama'", {}, "llm", "a text", "[llm]", "[llm]"),
    ("[[llm]]\nmodel = 'x'", {}, "llm", "a list", "[llm]", "[llm]"),
    ("[avatar]\nvmc = true", {}, "avatar.vmc", "a bare value", "[avatar.vmc]", "ANEEKA_AVATAR__VMC__HOST"),
    ("", {"AZURE": CANARY}, "azure", "a text", "[azure]", "ANEEKA_AZURE__KEY"),
    ("", {"TTS__XTTS": '{"model_dir": "x"}'}, "tts.xtts", "a text", "[tts.xtts]", "ANEEKA_TTS__XTTS__MODEL_DIR"),
    ("[llm.model]\nname = 'x'", {}, "llm.model", "a section", "a text", 'model = "demo"'),
    # one of several
    ("[llm]\nengine = 'lama'", {}, "llm.engine", '"lama"', "llama, openai, understudy", 'engine = "llama"'),
    ("[llm]\nengine = 'OpenAI'", {}, "llm.engine", '"OpenAI"', "llama, openai", 'engine = "openai"'),
    ("[llm]\nengine = 'gpt'", {}, "llm.engine", '"gpt"', "llama, openai", 'engine = "llama"'),
    ("[llm]\nengine = 5", {}, "llm.engine", "5", "llama, openai", 'engine = "llama"'),
    ("[audio]\nmode = 'push-to-talk'", {}, "audio.mode", '"push-to-talk"', "open, push_to_talk", '"push_to_talk"'),
    ("[stage]\nsound = 'soundcard'", {}, "stage.sound", '"soundcard"', "sound_card", '"sound_card"'),
    ("[avatar.vmc]\nnames = 'vrm2'", {}, "avatar.vmc.names", '"vrm2"', "vrm0, vrm1", "vrm"),
    ("[safety]\nstrictness = 'strict'", {}, "safety.strictness", '"strict"', "standard, family", "standard"),
    ("", {"TTS__ENGINE": "espeak-ng"}, "tts.engine", '"espeak-ng"', "espeak, azure", "ANEEKA_TTS__ENGINE=espeak"),
    ("", {"TWITCH__MODE": "event_sub"}, "twitch.mode", '"event_sub"', "eventsub", "ANEEKA_TWITCH__MODE=eventsub"),
    # lists
    ("[avatar]\noutputs = ['page', 'vts']", {}, "avatar.outputs", '"vts"', "page, vtube_studio", "vtube_studio"),
    ("[avatar]\noutputs = [1]", {}, "avatar.outputs", "1", "a list of: page", 'outputs = ["page"]'),
    ("[avatar]\noutputs = 1", {}, "avatar.outputs", "1", "a list of: page", 'outputs = ["page"]'),
    ("[avatar]\noutputs = 'pages'", {}, "avatar.outputs", '"pages"', "a list of: page", "page"),
    ("", {"AVATAR__OUTPUTS": "page,vcm"}, "avatar.outputs", '"vcm"', "vmc", "vmc"),
    ("", {"AVATAR__OUTPUTS": '["page"'}, "avatar.outputs", "page", "a list of", "page"),
    ("[chat]\nignored_users = [7]", {}, "chat.ignored_users", "7", "a list of texts", "ignored_users = []"),
    ("[safety]\nblocked_words = ['']", {}, "safety.blocked_words", "nothing", "none empty", "blocked_words = []"),
    # types
    ("[studio]\nport = '8711'", {}, "studio.port", '"8711"', "a whole number from 0 to 65535", "port = 8711"),
    ("[studio]\nport = true", {}, "studio.port", "true", "a whole number", "port = 8710"),
    ("[llm]\ncontext = 4096.0", {}, "llm.context", "4096.0", "a whole number", "context = 4096"),
    ("[llm]\ncontext = '8k'", {}, "llm.context", '"8k"', "a whole number", "context = 8192"),
    ("[tts]\nspeed = 'fast'", {}, "tts.speed", '"fast"', "a number from 0.5 to 2", "speed = 1.0"),
    ("[tts]\nspeed = '1.5'", {}, "tts.speed", '"1.5"', "a number", "speed = 1.5"),
    ("[studio]\npublic = 'true'", {}, "studio.public", '"true"', "true or false", "public = true"),
    ("[studio]\npublic = 'maybe'", {}, "studio.public", '"maybe"', "true or false", "public = false"),
    ("[persona]\nname = 7", {}, "persona.name", "7", "a text of 1 to 40", 'name = "7"'),
    ("[persona]\nname = ['a']", {}, "persona.name", '["a"]', "a text", 'name = "Aneeka"'),
    ("[persona]\nname = ''", {}, "persona.name", "nothing", "a text of 1 to 40", 'name = "Aneeka"'),
    (f"[persona]\nname = '{'x' * 90}'", {}, "persona.name", "xxx...", "a text of 1 to 40", 'name = "Aneeka"'),
    ("[llm]\nmodel = ''", {}, "llm.model", "nothing", "not empty", 'model = "demo"'),
    ("[llm]\nmodel = 2024-01-01", {}, "llm.model", "2024-01-01", "a text", 'model = "demo"'),
    ("", {"LLM__CONTEXT": "lots"}, "llm.context", '"lots"', "a whole number", "ANEEKA_LLM__CONTEXT=8192"),
    ("", {"LLM__THREADS": ""}, "llm.threads", "nothing", "a whole number", "ANEEKA_LLM__THREADS=0"),
    ("", {"STUDIO__PUBLIC": "perhaps"}, "studio.public", '"perhaps"', "true or false", "ANEEKA_STUDIO__PUBLIC=false"),
    # ranges
    ("[studio]\nport = 70000", {}, "studio.port", "70000", "0 to 65535", "port = 8710"),
    ("[llm]\ngpu_layers = -2", {}, "llm.gpu_layers", "-2", "-1 to 1000", "gpu_layers = -1"),
    ("[tts]\nspeed = 3", {}, "tts.speed", "3", "0.5 to 2", "speed = 1.0"),
    ("[tts]\nspeed = nan", {}, "tts.speed", "nan", "0.5 to 2", "speed = 1.0"),
    ("[tts]\nspeed = inf", {}, "tts.speed", "inf", "0.5 to 2", "speed = 1.0"),
    ("[chat]\nreply_chance = 50", {}, "chat.reply_chance", "50", "0 to 1", "reply_chance = 1.0"),
    ("[chat]\nmax_age_s = 0", {}, "chat.max_age_s", "0", "1 to 3600", "max_age_s = 60.0"),
    (f"[llm]\ncontext = 0x{'f' * 5000}", {}, "llm.context", "0xfff", "512 to 131072", "context = 8192"),
    (f"[tts]\nspeed = 0x{'f' * 5000}", {}, "tts.speed", "0xfff", "0.5 to 2", "speed = 1.0"),
    ("", {"AVATAR__VMC__PORT": "0"}, "avatar.vmc.port", "0", "1 to 65535", "ANEEKA_AVATAR__VMC__PORT=39539"),
    ("", {"LLM__TEMPERATURE": "nan"}, "llm.temperature", "nan", "0 to 2", "ANEEKA_LLM__TEMPERATURE=0.8"),
    ("", {"LLM__CONTEXT": "9" * 5000}, "llm.context", "999", "512 to 131072", "ANEEKA_LLM__CONTEXT=8192"),
    # meaning
    ("[llm]\nbase_url = 'localhost:11434'", {}, "llm.base_url", "localhost", "http://", "http://127.0.0.1"),
    ("[llm]\nbase_url = 'http://'", {}, "llm.base_url", "http://", "http://", "http://127.0.0.1"),
    ("[llm]\nbase_url = 'http://a:x'", {}, "llm.base_url", "http://a:x", "http://", "http://127.0.0.1"),
    ("[avatar.vtube_studio]\nurl = 'http://a'", {}, "avatar.vtube_studio.url", "http://a", "ws://", "ws://127.0.0.1"),
    ("[twitch]\nchannel = 'night owl'", {}, "twitch.channel", "night owl", "Twitch channel", "twitch.tv/"),
    ("[twitch]\nmode = 'anonymous'", {}, "twitch.channel", "nothing", "Twitch channel", "twitch.tv/"),
    ("", {"TWITCH__MODE": "anonymous"}, "twitch.channel", "nothing", "Twitch channel", "twitch.tv/"),
    ("[stt]\nlanguage = 'Spanish'", {}, "stt.language", '"Spanish"', "es, en", "auto"),
    ("[tts.xtts]\nlanguage = 'pt-BR'", {}, "tts.xtts.language", '"pt-BR"', "nl, pl, pt", "pt"),
    ("[studio]\nhost = '0.0.0.0'", {}, "studio.host", "0.0.0.0", "public = true", "127.0.0.1"),
    ("", {"STUDIO__HOST": "192.168.1.5"}, "studio.host", "192.168.1.5", "16 or more", "127.0.0.1"),
    ("[studio]\nhost = '::'\npublic = true", {}, "studio.token", "nothing", "16 or more", "ANEEKA_STUDIO__TOKEN"),
    (
        "[studio]\nhost = '0.0.0.0'\npublic = true\ntoken = 'canary-short'",
        {},
        "studio.token",
        "•••",
        "16 or more",
        "ANEEKA_STUDIO__TOKEN",
    ),
    (
        "[audio]\npush_to_talk_key = 'scroll_lock'\n[safety]\npanic_hotkey = 'Scroll Lock'",
        {},
        "safety.panic_hotkey",
        '"Scroll Lock"',
        "audio.push_to_talk_key",
        '"f12"',
    ),
    # Windows paths
    (r"[llm]" "\n" r'model = "C:\models\x.gguf"', {}, "llm.model", "backslash", "TOML", "single quotes"),
    (r"[llm]" "\n" r'model = "C:\users\x.gguf"', {}, "llm.model", "backslash", "TOML", "single quotes"),
    (r"[stage]" "\n" r'record = "C:\temp\rec"', {}, "stage.record", r"C:\temp", "control", "single quotes"),
    # grammar
    ("[llm]\nmodel = llama", {}, "llm.model", "without quotes", "TOML", 'model = "..."'),
    ("[llm]\nmodel = 'x", {}, "llm.model", "closing quote", "TOML", "quote"),
    ("[llm]\nmodel =", {}, "llm.model", "without a value", "TOML", "value"),
    ("[studio]\npublic = True", {}, "studio.public", "bare word", "TOML", "lower case"),
    ("[tts]\nspeed = 1,5", {}, "tts.speed", "decimal comma", "TOML", "1.5"),
    ("[llm]\nmodel = 'a'\nmodel = 'b'", {}, "llm.model", "already written", "TOML", "one of the two"),
    ("[llm]\nmodel = 'a'\n[tts]\n[llm]", {}, "llm", "already written", "TOML", "one of the two"),
    ("[llm\nmodel = 'a'", {}, "", "not TOML", "TOML", "config.example.toml"),
    ("[avatar]\noutputs = ['page'\n[llm]\nmodel = 'x'", {}, "llm", "not TOML", "TOML", "the one before"),
    ("llm: {model: x}", {}, "", "not TOML", "TOML", "config.example.toml"),
    (f"x = {'[' * 5000}", {}, "x", "not TOML", "TOML", "config.example.toml"),
    (f"x = {'9' * 5000}", {}, "x", "not TOML", "TOML", "config.example.toml"),
]


@pytest.mark.parametrize(
    ("content", "environment", "key", "found", "wanted", "suggestion"),
    BROKEN,
    ids=[f"{index}-{case[2] or 'file'}" for index, case in enumerate(BROKEN)],
)
def test_one_mistake_is_told_once_with_its_repair(
    load_with: Load,
    content: str,
    environment: dict[str, str],
    key: str,
    found: str,
    wanted: str,
    suggestion: str,
) -> None:
    variables = {f"ANEEKA_{name}": value for name, value in environment.items()}
    with pytest.raises(ConfigErrors) as caught:
        load_with(content, ANEEKA_PERSONA__LANGUAGE="en", **variables)
    told = str(caught.value)
    assert len(caught.value.problems) == 1, told
    problem = caught.value.problems[0]
    assert problem.key == key
    assert found in problem.found
    assert wanted in problem.wanted
    assert suggestion in problem.suggestion
    assert told.startswith(problem.where)
    assert "\n" not in told
    assert "canary" not in told
    if content:
        assert re.fullmatch(r"config\.toml:\d+", problem.where)
    else:
        assert problem.where in variables


def test_eight_mistakes_are_told_at_once_in_the_order_of_their_lines(load_with: Load) -> None:
    content = r"""
[persona]
language = "en"
nmae = "Luna"
[llm]
engine = "lama"
context = "4096"
model = "C:\models\x.gguf"
[studio]
port = 99999
host = "0.0.0.0"
[avatar]
outputs = ["page", "vts"]
[voice]
engine = "espeak"
"""
    with pytest.raises(ConfigErrors) as caught:
        load_with(content, ANEEKA_TTS__SPEED="9")
    assert [(problem.where, problem.key) for problem in caught.value.problems] == [
        ("config.toml:4", "persona.nmae"),
        ("config.toml:6", "llm.engine"),
        ("config.toml:7", "llm.context"),
        ("config.toml:8", "llm.model"),
        ("config.toml:10", "studio.port"),
        ("config.toml:11", "studio.host"),
        ("config.toml:13", "avatar.outputs"),
        ("config.toml:14", "voice"),
        ("ANEEKA_TTS__SPEED", "tts.speed"),
    ]
    assert len(str(caught.value).splitlines()) == 9


def test_what_follows_from_a_mistake_is_not_told_as_another(load_with: Load) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_with("[twitch]\nmode = 'anonymous'\nchannel = nightowl")
    assert [problem.key for problem in caught.value.problems] == ["twitch.channel"]


@pytest.mark.parametrize(
    ("content", "environment", "language"),
    [
        ("[llm]\nmodle = 1", {}, "es"),
        ("[llm]\nmodle = 1", {"ANEEKA_PERSONA__LANGUAGE": "en"}, "en"),
        ("[persona]\nlanguage = 'en'\n[llm]\nmodle = 1", {}, "en"),
        ("persona.language = 'en'\n[llm\nmodle = 1", {}, "en"),
        ("persona = { name = 'x', language = \"en\" }\nmodle = 1", {}, "en"),
        ("[persona]\nlanguage = 'en'\n[llm\nmodel = '\xff", {}, "en"),
        ("[persona]\nlanguage = 'english'", {}, "es"),
        ("[stt]\nlanguage = 'en'\nmodle = 1", {}, "es"),
        ("[persona]\nlanguage = 'en'", {"ANEEKA_PERSONA__LANGUAGE": "fr"}, "en"),
    ],
)
def test_mistakes_are_told_in_her_language_even_from_a_broken_file(
    load_with: Load, content: str, environment: dict[str, str], language: str
) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_with(content, **environment)
    assert ("; wanted " if language == "en" else "; se espera ") in str(caught.value)


def problem_of(path: Path) -> Problem:
    with pytest.raises(ConfigErrors) as caught:
        load(path)
    [problem] = caught.value.problems
    return problem


def test_a_file_that_was_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANEEKA_PERSONA__LANGUAGE", "en")
    missing = problem_of(Path("nowhere/my.toml"))
    assert "does not exist" in missing.found
    assert missing.where == str(Path("nowhere/my.toml"))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert problem_of(tmp_path).where == str(tmp_path)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.toml").write_bytes(b"#" * 1_000_000)
    assert problem_of(tmp_path / "big.toml").where.endswith("big.toml")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_told_with_its_line(load_with: Load, encoding: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_with("[persona]\nname = 'Ñandú'\nlanguage = 'en'".encode(encoding))
    [problem] = caught.value.problems
    assert problem.where == ("config.toml:2" if encoding == "latin-1" else "config.toml:1")
    assert "UTF-8" in problem.suggestion


def test_what_a_terminal_would_obey_is_shown_as_an_escape(load_with: Load) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_with('[llm]\n"\\u001b[31m\\u202e" = 1\nmodel = "\\u0007\\u009b"')
    told = str(caught.value)
    assert all(letter.isprintable() for letter in told.replace("\n", ""))
    assert r"\x1b[31m\u202e" in told


# --- secrets ------------------------------------------------------------------------------------------------------

SECRETS = [key for key in KEYS if is_secret(FIELDS[key])]


def test_the_keys_that_are_secret() -> None:
    assert set(SECRETS) == {
        "llm.api_key",
        "stt.openai.api_key",
        "tts.openai.api_key",
        "azure.key",
        "safety.second_opinion_key",
        "twitch.access_token",
        "twitch.refresh_token",
        "studio.token",
    }


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_is_never_shown(load_with: Load, key: str) -> None:
    section, _, name = key.rpartition(".")
    loaded = load_with(f"[{section}]\n{name} = '{CANARY}'")
    value = value_of(loaded.settings, key)
    assert value.get_secret_value() == CANARY  # type: ignore[attr-defined]
    shown = [show(loaded, origin=True), show(loaded, origin=False), repr(loaded), str(loaded.settings)]
    assert not any(CANARY in text for text in shown)
    lines = show(loaded, origin=False).split(f"[{section}]")[1].splitlines()
    assert f"# {name}: puesto" in lines


@pytest.mark.parametrize(
    "form",
    ["['{}']", "{{ x = '{}' }}", "{}", "'{}", '"{}\\q"', '"{}\\t"', "'{}' x", "'{}'\n{name} = '{}'"],
)
@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_that_was_written_wrongly_is_not_repeated(load_with: Load, key: str, form: str) -> None:
    section, _, name = key.rpartition(".")
    with pytest.raises(ConfigErrors) as caught:
        load_with(f"[{section}]\n{name} = {form.format(CANARY, CANARY, name=name)}")
    everything = str(caught.value) + repr(caught.value) + repr(caught.value.problems)
    assert "canary" not in everything
    assert {problem.key for problem in caught.value.problems} == {key}


def test_a_secret_under_a_wrong_name_is_not_repeated(load_with: Load) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_with(f"apikey = '{CANARY}'\n[llm]\napikey = '{CANARY}'", ANEEKA_LLM_API_KEY=CANARY, ANEEKA_AZURE=CANARY)
    assert len(caught.value.problems) == 4
    assert "canary" not in str(caught.value) + repr(caught.value)


# --- show ---------------------------------------------------------------------------------------------------------


def test_what_is_shown_can_be_loaded_again(load_with: Load) -> None:
    loaded = load_with(r"tts.xtts.model_dir = 'C:\models\\ñ \"x\"'", ANEEKA_AVATAR__OUTPUTS="page,vmc")
    Path("again.toml").write_text(show(loaded, origin=True), encoding="utf-8")
    again = load(Path("again.toml"))
    assert again.settings == loaded.settings


def test_origins_are_shown(load_with: Load) -> None:
    shown = show(load_with("[llm]\nmodel = 'x'", ANEEKA_LLM__THREADS="3"), origin=True).splitlines()
    assert 'model = "x"  # config.toml line 2' in shown
    assert "threads = 3  # environment ANEEKA_LLM__THREADS" in shown
    assert "context = 8192  # default" in shown


# --- anything at all ----------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("[llm]", "[[llm]]", "[", "]", "{", "}", "=", ".", ",", '"', "'", '"""', "'''", "\\", "#", "\n", "\r\n", " "),
        *("llm", "persona", "language", "model", "context", "port", "studio", "avatar", "outputs", "vmc", "api_key"),
        *("true", "nan", "1e999", "-0", "0x" + "f" * 300, "2024-13-01", "\x00", "\ufeff", "\ud800", "ñ", "_env_file"),
    ]
)
CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.lists(PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")),
    st.lists(st.tuples(st.sampled_from(KEYS), PIECES), max_size=8).map(
        lambda lines: "\n".join(f"{key} = {piece}" for key, piece in lines).encode("utf-8", "surrogatepass")
    ),
)
VARIABLES = st.dictionaries(
    st.one_of(
        st.sampled_from(KEYS).map(lambda key: key.upper().replace(".", "__")),
        st.text(alphabet="ABL_M.é", max_size=12),
        st.sampled_from(["LLM", "AVATAR__VMC", "LLM__MODEL__X", "LLM__", "_LLM__MODEL"]),
    ),
    st.one_of(st.text(max_size=30), PIECES).filter(lambda value: "\x00" not in value and value.isprintable()),
    max_size=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENTS, variables=VARIABLES)
@example(content=b"[" * 100_000, variables={})
@example(content=b"x\n" * 100_000, variables={})
@example(content=b"a = b\n" * 30_000, variables={})
@example(content=b"=" * 250_000, variables={})
@example(content=b'"' * 250_000, variables={})
@example(content=b"a" + b" " * 250_000, variables={})
def test_nothing_but_clear_mistakes_ever_comes_out(tmp_path: Path, content: bytes, variables: dict[str, str]) -> None:
    (tmp_path / "any.toml").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"ANEEKA_{name}", value)
        try:
            loaded = load(tmp_path / "any.toml")
        except ConfigErrors as errors:
            lines, problems = str(errors).encode().splitlines(), errors.problems
        else:
            lines, problems = [], []
            assert tomllib.loads(show(loaded, origin=True)).keys() == Settings.model_fields.keys()
        assert len(lines) == len(problems)


# --- the data folder ----------------------------------------------------------------------------------------------


def test_the_data_folder_is_made_for_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tmp_path / "home" in data_dir().parents
    monkeypatch.setenv("ANEEKA_DATA_DIR", "here/data")
    folder = data_dir()
    assert folder == tmp_path / "here" / "data"
    assert folder.is_dir()
    if sys.platform != "win32":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_on_windows_no_folder_is_made_that_an_administrator_would_have_to_himself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, int] = {}
    real = os.mkdir

    def mkdir(folder: Path, mode: int = 0o777, **more: int | None) -> None:
        asked[os.fspath(folder)] = mode
        real(folder, mode, **more)

    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, b'"ana","S-1"'))
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    TokenStore(data_dir() / "secrets").open()
    save(tmp_path / "roaming" / "config.toml", "twitch", {"channel": "mika"})
    monkeypatch.undo()
    made = {Path(folder).name for folder in asked}
    assert made >= {"aneeka", "secrets", "roaming"}
    assert 0o700 not in asked.values()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_the_users_own_data_folder_is_closed_again_but_a_chosen_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir().chmod(0o755)
    assert stat.S_IMODE(data_dir().stat().st_mode) == 0o700
    chosen = tmp_path / "shared"
    chosen.mkdir()
    chosen.chmod(0o755)
    monkeypatch.setenv("ANEEKA_DATA_DIR", str(chosen))
    assert stat.S_IMODE(data_dir().stat().st_mode) == 0o755


def test_a_data_folder_that_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANEEKA_DATA_DIR", str(tmp_path / "file" / "data"))
    with pytest.raises(ConfigErrors) as caught:
        data_dir()
    assert caught.value.problems[0].key == "ANEEKA_DATA_DIR"


def test_a_second_program_may_look_at_the_data_folder_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def written_and_taken_away(file: Path, *given: str, **how: str) -> int:
        length = write(file, *given, **how)
        file.unlink()
        return length

    monkeypatch.setattr(Path, "write_text", written_and_taken_away)
    assert data_dir().is_dir()


def test_the_data_folder_is_no_setting(load_with: Load) -> None:
    assert load_with(ANEEKA_DATA_DIR="here").settings == Settings()


# --- texts --------------------------------------------------------------------------------------------------------


def test_both_languages_say_the_same_with_the_same_values() -> None:
    def values(language: Language) -> dict[str, set[str]]:
        sentences = texts.table(language)
        return {key: set(re.findall(r"{(\w+)}", line)) for key, line in sentences.items() if key.startswith("config.")}

    assert values("es") == values("en")
