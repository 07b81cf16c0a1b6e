"""Voices of Piper: what the repository ``rhasspy/piper-voices`` publishes for each, with its model card's licence.

Only voices whose recordings are under a free licence are offered.
"""

from __future__ import annotations

_MIB = 2**20
REPO = "rhasspy/piper-voices"
REVISION = "375a0fe641dea077c2a47b4e9a056d6da521eed3"

PIPER: tuple[tuple[str, str, str, tuple[str, str], tuple[tuple[int, str], tuple[int, str]]], ...] = (
    (
        "es_MX-claude-high",
        "es/es_MX/claude/high",
        "es",
        ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
        (
            (63_122_309, "3ef40a71ea63852cd8ab7e6fa7d2ecdcfa67a0b47c9c48e3f10e02ee02083ea0"),
            (4_963, "1afc81f703c0e4cb3b4d7c0dca096b8b54a98806807f0170cf5eb5557723c12d"),
        ),
    ),
    (
        "es_AR-daniela-high",
        "es/es_AR/daniela/high",
        "es",
        ("CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
        (
            (114_199_011, "7ceb1fc0dab349418c5b54a639ae9ee595212d7c9ea422220d8419163d5cc985"),
            (7_248, "aedbf69647e1d754c62ecf8e0366ca5f16af3e768e3c6b5329af6eb6bde3852b"),
        ),
    ),
    (
        "es_ES-sharvard-medium",
        "es/es_ES/sharvard/medium",
        "es",
        ("CC BY 3.0", "https://creativecommons.org/licenses/by/3.0/"),
        (
            (76_733_615, "40febfb1679c69a4505ff311dc136e121e3419a13a290ef264fdf43ddedd0fb1"),
            (4_903, "7438c9b699c72b0c3388dae1b68d3f364dc66a2150fe554a1c11f03372957b2c"),
        ),
    ),
    (
        "en_US-ljspeech-high",
        "en/en_US/ljspeech/high",
        "en",
        ("Public domain", "https://keithito.com/LJ-Speech-Dataset/"),
        (
            (114_199_011, "5d4f08ba6a2a48c44592eed3ce56bf85e9de3dd4e20df90541ae68a8310c029a"),
            (4_970, "7e1f4634af596d83cca997fb7a931ba80b70f8a316a2655ee69c55365e0ace14"),
        ),
    ),
)
"""Name, folder, language, licence, and size and SHA-256 of the model and of the ``.json`` beside it."""


def memory_of(model_bytes: int) -> int:
    """Return what a voice takes while it runs: the weights, the libraries and room to work (rounded up)."""
    return 2 * model_bytes + 250 * _MIB
