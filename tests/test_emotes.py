"""What becomes of emote names: nobody wants "K E K W" read out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.emotes import emote, joined, without_cheermotes, without_emotes
from bot.voice.phrases import PhraseCutter


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("KEKW KEKW KEKW", "😂"),
        ("eso ha sido buenísimo OMEGALUL", "eso ha sido buenísimo 😂"),
        ("monkaS qué miedo", "😨 qué miedo"),
        ("catJAM temazo catJAM", "🎉 temazo 🎉"),
        ("Sadge se ha acabado", "😭 se ha acabado"),
        ("aneekaHi buenas", "👋 buenas"),
        ("qué suerte, PogChamp!", "qué suerte, 🎉 !"),
        ("5Head play", "😮 play"),
        ("peepoQwerty xarZzz hola", "hola"),
        ("Kappa", "😏"),
    ],
)
def test_emotes_are_what_they_mean(sent: str, read: str) -> None:
    assert without_emotes(sent) == read


@pytest.mark.parametrize(
    "sent",
    [
        "hola, ¿qué tal?",
        "HOLA A TODO EL MUNDO",
        "vi tu vídeo en YouTube con el iPhone",
        "@NightOwlTV mira esto",
        "hOLA ME QUEDÉ CON LAS MAYÚSCULAS",
        "jajaJAJAJA xDDDD",
        "nooOOOO",
        "LoL qué PvP",
        "el McLaren de MacGregor",
        "https://clips.twitch.tv/FunnyClipName mira",
        "soy de CDMX y tengo un PC",
        "<3 :) ❤ 😂",
    ],
)
def test_words_stay_words(sent: str) -> None:
    assert without_emotes(sent) == sent


def test_a_name_that_looks_like_an_emote_can_be_kept() -> None:
    assert without_emotes("hola MikaBot", ("MikaBot",)) == "hola MikaBot"
    assert without_emotes("hola MikaBot") == "hola"


@pytest.mark.parametrize(
    ("name", "shown"), [("LUL", "😂"), (":)", ":)"), ("<3", "<3"), ("mika1Qq", ""), ("VoHiYo", "👋")]
)
def test_emotes_that_twitch_marks(name: str, shown: str) -> None:
    assert emote(name) == shown


def test_the_bits_of_a_cheer_are_no_words() -> None:
    assert without_cheermotes("Cheer100 toma estos bits cheer1 BibleThump25", 126) == "toma estos bits"
    assert without_cheermotes("¿PS5 o GTA6? Cheer100 cheer1", 101) == "¿PS5 o GTA6?", "only what was paid is bits"
    assert without_cheermotes("Cheer100 y v0", 101) == "y v0"
    assert without_cheermotes("Cheer100 juega al GTA6", 100) == "juega al GTA6"


def test_her_voice_never_spells_one_out() -> None:
    cutter = PhraseCutter("es")
    said = without_emotes("jaja KEKW catJAM monkaS FeelsBadMan bien")
    spoken = [cut.text for cut in (*cutter.feed(said, eager=False), *cutter.finish())]
    assert "".join(spoken).split() == ["jaja", "bien"]


@given(st.text(max_size=80))
def test_any_text_comes_through(sent: str) -> None:
    read = without_emotes(sent)
    assert read == " ".join(read.split())
    assert joined([read]) == read
