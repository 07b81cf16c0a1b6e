"""The demo brain's reader: names what a line means, in both languages."""

import pytest

from bot.mind.demo.reader import Meant, Reader
from bot.vocabulary import Cue, Heard


@pytest.mark.parametrize(
    ("text", "mode", "meant"),
    [
        ("holaaa buenas a todos", "chat", "greet"),
        ("cual es tu color favorito aneeka??", "chat", "fav_color"),
        ("what's your favorite color", "chat", "fav_color"),
        ("are you a real person or a bot", "many", "are_you_ai"),
        ("how many electrons does zirconium have", "chat", "unknown"),
        ("qwzx plk vbnm", "chat", "unknown"),
    ],
)
def test_the_reader_names_what_is_meant(text, mode, meant):
    assert Reader("Aneeka").read(text, mode).intent == meant


def test_her_name_says_nothing_whatever_it_is():
    assert {Reader(name).read(f"{name} tell me a joke", "chat").intent for name in ("Aneeka", "Zorba")} == {"joke"}


def test_nothing_is_read_out_of_silence():
    assert Reader("Aneeka").meant(Cue("idle", (Heard("1", "silence", "", 0.0),), 0.0)) == [Meant("", 1.0)]
