"""What does not interrupt her: murmurs and laughs in both languages; and what must."""

from __future__ import annotations

import pytest

from bot.hearing.murmurs import is_murmur


@pytest.mark.parametrize(
    "text",
    """mm-hm|Ajá.|sí, sí|uh-huh|jajaja|Ja, ja, ja.|ha ha|yeah|right|ok|[risas]|(coughs)|*sighs*|♪|Hmm...|vale, vale
    |claro que sí|¡Wow!|LOL|mhm mhm|sí|Mmmm|ehh|oh, wow|hahaha|jejeje|Ahhh|I see|uff|jajajaja ja ja|Okay, okay.|...|
    |aaah|Ja ja ja ja ja ja|xD|claro|ya veo|siiii""".split("|"),
)
def test_murmurs_and_laughs_are_nothing(text: str) -> None:
    assert is_murmur(text)


@pytest.mark.parametrize(
    "text",
    """para|stop|espera un momento|no|Aneeka|wait|cállate|sí, pero espera|yeah but wait|qué dices|hola|gracias|hello
    |jamás|haz otra cosa|eso no|say that again|jarra|hat|ya está|claro que no|okay stop|hi|he said so|sí sí sí sí sí
    |vale, cambia de tema|mm no|me da igual|jaleo|haha, wait""".split("|"),
)
def test_words_are_not(text: str) -> None:
    assert not is_murmur(text)


def test_the_operators_own_ones_count_too() -> None:
    assert not is_murmur("che")
    assert not is_murmur("qué fuerte")
    assert is_murmur("¡Che!", ("che", "qué fuerte"))
    assert is_murmur("Qué fuerte...", ("che", "qué fuerte"))
    assert is_murmur("che, sí", ("che",))
