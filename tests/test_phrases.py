"""What is spoken of what a brain writes, and how soon."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.voice.cleaning import Cleaner
from bot.voice.phrases import Cut, PhraseCutter
from bot.voice.tags import expression_of

EARLY, WHOLE = True, False


def tokens(text: str) -> list[str]:
    """Split as a language model does: words with the space before them, marks apart."""
    return re.findall(r" ?\w+|\s|[^\w\s]+", text)


def phrases(language, text, eager, pieces=None, **options) -> list[Cut]:
    cutter = PhraseCutter(language, name="Aneeka", **options)
    cuts = []
    for piece in tokens(text) if pieces is None else pieces:
        cuts += cutter.feed(piece, eager=eager)
    return cuts + cutter.finish()


# language, eager, text, phrases (with their expression unless it is neutral)
TABLE = [
    ("es", EARLY, "¡Hola, Ana! ¿Qué tal?", ["¡Hola, Ana!", "¿Qué tal?"]),
    ("es", EARLY, "¡Wow! No me esperaba eso.", ["¡Wow!", "No me esperaba eso."]),
    ("en", EARLY, "Wow! That was close.", ["Wow!", "That was close."]),
    (
        "en",
        EARLY,
        "Well, that depends on the day: sometimes I win.",
        ["Well, that depends on the day:", "sometimes I win."],
    ),
    ("es", EARLY, "Sí. Claro que sí, cuando quieras.", ["Sí.", "Claro que sí,", "cuando quieras."]),
    ("es", EARLY, "La versión 3.5 salió ayer, y ya tiene fans.", ["La versión 3.5 salió ayer,", "y ya tiene fans."]),
    ("en", EARLY, "It costs 1,000 coins, no joke.", ["It costs 1,000 coins,", "no joke."]),
    ("es", EARLY, "Quedamos a las 12:30, en serio.", ["Quedamos a las 12:30,", "en serio."]),
    ("en", EARLY, "Dr. Smith is here, right on time.", ["Dr. Smith is here,", "right on time."]),
    (
        "es",
        EARLY,
        "El Sr. García y la Sra. Ruiz vienen hoy, creo.",
        ["El Sr. García y la Sra. Ruiz vienen hoy,", "creo."],
    ),
    ("es", EARLY, "Vivo en EE. UU. desde siempre, y me gusta.", ["Vivo en EE. UU. desde siempre,", "y me gusta."]),
    ("es", EARLY, "Juegos, música, etc. y mucho más, claro.", ["Juegos, música,", "etc. y mucho más,", "claro."]),
    ("es", EARLY, "Hay cosas, p. ej. gatos, que me encantan.", ["Hay cosas, p. ej. gatos,", "que me encantan."]),
    ("en", EARLY, "Cats vs. dogs, the eternal question.", ["Cats vs. dogs,", "the eternal question."]),
    ("en", EARLY, "I wake up at 7 a.m. every day, sadly.", ["I wake up at 7 a.m. every day,", "sadly."]),
    ("en", EARLY, "J. R. R. Tolkien wrote that, you know.", ["J. R. R. Tolkien wrote that,", "you know."]),
    ("en", EARLY, "The U.S. team won again, wow.", ["The U.S. team won again,", "wow."]),
    ("es", EARLY, "Espera... ¿qué?! No puede ser.", ["Espera...", "¿qué?!", "No puede ser."]),
    ("es", EARLY, "Hola:D ¿qué tal?", ["Hola: ¿qué tal?"]),
    ("es", WHOLE, "Me encanta :) de verdad xD <3", ["Me encanta de verdad"]),
    ("es", EARLY, "1. Primero esto. 2. Luego lo otro.", ["1. Primero esto.", "2. Luego lo otro."]),
    (
        "en",
        EARLY,
        "Here is my list:\n- First one\n- Second one\n* Third",
        ["Here is my list:", "First one", "Second one", "Third"],
    ),
    ("en", WHOLE, "**Bold** and *really* `code` and _under_ # title", ["Bold and really code and under title"]),
    ("en", WHOLE, "*waves* Hello there!", ["Hello there!"]),
    ("es", WHOLE, "Hola *sonríe* amigos.", ["Hola amigos."]),
    ("es", WHOLE, "*se ríe a carcajadas* ¡Qué bueno!", ["¡Qué bueno!"]),
    ("es", WHOLE, "Esto *no* es broma.", ["Esto no es broma."]),
    ("en", WHOLE, "2*3 is six, snake_case is two words.", ["2×3 is six, snake case is two words."]),
    ("es", WHOLE, "¡Vamos! 🎉🎉 Qué partida 😂.", ["¡Vamos!", "Qué partida."]),
    ("es", WHOLE, "Te quiero ❤️👩\u200d👩\u200d👧 mucho 🇪🇸", ["Te quiero mucho"]),
    (
        "en",
        WHOLE,
        "Go to https://twitch.tv/ana_k?x=1.5. It is fun.",
        ["Go to https://twitch.tv/ana_k?x=1.5.", "It is fun."],
    ),
    ("en", WHOLE, "Follow twitch.tv/aneeka. Thanks!", ["Follow twitch.tv/aneeka.", "Thanks!"]),
    ("en", WHOLE, "Visit twitch.tv now. Bye", ["Visit twitch.tv now.", "Bye"]),
    ("es", EARLY, "Son 42. Bueno, 43.", ["Son 42.", "Bueno, 43."]),
    ("es", EARLY, "Tengo 3 gatos", ["Tengo 3 gatos"]),
    (
        "en",
        EARLY,
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
        ["one two three four five six seven eight nine ten eleven twelve", "thirteen fourteen"],
    ),
    (
        "es",
        EARLY,
        "yo quiero jugar contigo toda la noche sin parar y luego dormir todo el día entero",
        ["yo quiero jugar contigo toda la noche sin parar", "y luego dormir todo el día entero"],
    ),
    (
        "es",
        WHOLE,
        "Primero. Segundo... ¿Tercero?! «Cuarto.» Fin",
        ["Primero.", "Segundo...", "¿Tercero?!", "«Cuarto.»", "Fin"],
    ),
    ("en", WHOLE, '"Really?" she said. "Yes."', ['"Really?"', "she said.", '"Yes."']),
    ("es", WHOLE, "Dijo (en voz baja) que no. Vale.", ["Dijo (en voz baja) que no.", "Vale."]),
    ("es", WHOLE, "Aneeka: Hola.", ["Hola."]),
    ("es", WHOLE, "**Aneeka:** Hola.", ["Hola."]),
    ("es", WHOLE, "[happy] Aneeka: Hola.", [("Hola.", "happy")]),
    ("es", WHOLE, "Aneeka, ven.", ["Aneeka, ven."]),
    ("es", WHOLE, "[happy] Hola.", [("Hola.", "happy")]),
    ("es", WHOLE, "[FELIZ] Hola.", [("Hola.", "happy")]),
    ("es", WHOLE, "[ ha ppy ] Hola.", [("Hola.", "happy")]),
    ("es", WHOLE, "Hola. [triste] Me voy [happy]. No", ["Hola.", ("Me voy", "sad"), ("No", "happy")]),
    ("es", WHOLE, "[sighs] Bueno [música] vale.", ["Bueno vale."]),
    (
        "es",
        WHOLE,
        "[happy Hola a todos mis amigos del chat de hoy",
        [("Hola a todos mis amigos del chat de hoy", "happy")],
    ),
    ("es", WHOLE, "happy] Hola.", [("Hola.", "happy")]),
    (
        "es",
        WHOLE,
        "Hola] amigos [ de siempre jamás, gente bonita de aquí.",
        ["amigos de siempre jamás, gente bonita de aquí."],
    ),
    ("en", WHOLE, "[happy, laughing] Ha!", [("Ha!", "happy")]),
    ("en", WHOLE, "[[sad]] Oh no.", [("Oh no.", "sad")]),
    ("en", WHOLE, "(happy) ok [] fine", ["(happy) ok fine"]),
    ("es", WHOLE, "[vergüenza] Ay, [enojada]no!", [("Ay,", "shy"), ("no!", "angry")]),
    ("es", WHOLE, "Hola   \t amigo\u200b mío\x07.", ["Hola amigo mío."]),
    ("es", WHOLE, "Línea uno\nLínea dos\n\n\nLínea tres", ["Línea uno", "Línea dos", "Línea tres"]),
    ("es", WHOLE, "... ¡! ¿? —", []),
    ("es", WHOLE, "", []),
    ("es", EARLY, "¿Eh?", ["¿Eh?"]),
    ("en", EARLY, "No way - I love that - truly.", ["No way - I love that -", "truly."]),
    ("es", EARLY, "Muy bien hecho — eso es todo, amigos.", ["Muy bien hecho —", "eso es todo, amigos."]),
    ("en", EARLY, "I said: (wait for it) boom!", ["I said: (wait for it) boom!"]),
    ("en", EARLY, 'He said "Wow!" and left.', ['He said "Wow!"', "and left."]),
    ("es", WHOLE, "Mmm… déjame pensarlo. ¡Ya!", ["Mmm…", "déjame pensarlo.", "¡Ya!"]),
    ("en", EARLY, "Ok, ok, ok, that is enough, thanks.", ["Ok, ok, ok, that is enough,", "thanks."]),
    ("es", WHOLE, "T_T no me digas ^^ adiós", ["no me digas adiós"]),
    ("en", WHOLE, "I am 5' tall & it's 20°C, $5 + tax = fine.", ["I am 5' tall & it's 20°C, $5 + tax = fine."]),
    ("en", EARLY, "Node.js is cool, right? v1.2.3 too.", ["Node.", "js is cool, right?", "v1.2.3 too."]),
    ("es", WHOLE, "> cita\n# Título\n1) Uno", ["cita", "Título", "1 Uno"]),
    ("es", EARLY, "¡¡Síii!! Por fin!!", ["¡¡Síii!!", "Por fin!!"]),
    ("es", WHOLE, "Hola😀amigo.", ["Hola amigo."]),
    ("es", WHOLE, "> :( vaya", ["vaya"]),
]


@pytest.mark.parametrize(("language", "eager", "text", "expected"), TABLE)
def test_what_is_spoken(language, eager, text, expected):
    spoken = [
        cut.text if cut.expression == "neutral" else (cut.text, cut.expression)
        for cut in phrases(language, text, eager)
    ]
    assert spoken == expected


@pytest.mark.parametrize(("language", "text"), [(row[0], row[2]) for row in TABLE])
def test_whole_sentences_do_not_depend_on_how_the_text_was_split(language, text):
    by_token = phrases(language, text, WHOLE)
    assert phrases(language, text, WHOLE, pieces=list(text)) == by_token
    assert phrases(language, text, WHOLE, pieces=[text]) == by_token


# pieces, and the index of the one with which the first phrase must be there
FIRST = [
    (["Wow", "!", " That"], 1),
    (["¡", "Hola", "!", " ¿", "Qué"], 2),
    (["Sí", ".", " Claro"], 1),
    (["Mmm", "…", " a", " ver"], 1),
    (["Bueno", "...", " no"], 1),
    (["Hola", ",", " Ana", " María", ",", " ven"], 4),
    (["Buenas", " noches", ",", " gente"], 2),
    (["Te", " explico", " esto", ":", " es"], 3),
    (["Muchas", " gracias", ";", " de"], 2),
    (["El", " Dr", ".", " López", " dice", " no", ",", " pero"], 6),
    (["Vale", " 3", ".", "5", " y", " ya", "."], 6),
    (["Somos", " muchos", " 3", ",", " creo"], 4),
    (["Son", " 42", ".", " Ya"], 3),
    (["[", "ha", "ppy", "]", " Wow", "!"], 5),
    (["**", "Wow", "!**", " a"], 2),
    (["Aneeka", ":", " Hola", "!", " a"], 3),
    (["Mira", " twitch", ".tv", " ahora", ".", " a"], 4),
    (["Qué", " alegría", " verte", "\n", "Hola"], 3),
    ([" uno"] * 13, 12),
]


@pytest.mark.parametrize(("pieces", "expected"), FIRST)
def test_the_first_phrase_waits_for_nothing(pieces, expected):
    cutter = PhraseCutter("es", name="Aneeka")
    first = next(index for index, piece in enumerate(pieces) if cutter.feed(piece, eager=True))
    assert first == expected


def test_a_pause_that_was_passed_over_is_used_as_soon_as_sound_runs_low():
    cutter = PhraseCutter("es")
    assert cutter.feed("Pues la verdad, no sé qué decir", eager=False) == []
    assert cutter.feed("te", eager=True) == [Cut("Pues la verdad,", "neutral")]
    assert cutter.finish() == [Cut("no sé qué decirte", "neutral")]


def test_a_long_sentence_is_cut_at_a_comma_and_an_address_never():
    sentence = "palabra " * 10 + "y coma, " + "palabra " * 30
    cuts = phrases("es", sentence, WHOLE, max_chars=120)
    assert cuts[0].text.endswith("coma,")
    assert max(len(cut.text) for cut in cuts) <= 120
    address = "https://example.org/" + "a" * 150
    assert address in [cut.text for cut in phrases("es", f"Mira {address} ya", WHOLE, max_chars=60)]


def test_the_expression_is_that_of_the_newest_tag():
    cutter = PhraseCutter("es")
    assert cutter.expression == "neutral"
    cutter.feed("[sad] Hola", eager=False)
    assert cutter.expression == "sad"


def test_an_unclosed_bracket_holds_nothing_back_for_long():
    cutter = PhraseCutter("en")
    assert (
        cutter.feed("[well this is quite a long story! Yes", eager=True)[0].text == "well this is quite a long story!"
    )


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("happy", "happy"),
        (" EXCITED ", "excited"),
        ("Tímida", "shy"),
        ("cariño", "happy"),
        ("thinking", "neutral"),
        ("sur prised", "surprised"),
        ("very angry", "angry"),
        ("banana", None),
        ("", None),
    ],
)
def test_tag_names(name, expression):
    assert expression_of(name) == expression


BITS = [
    *"hola|happy|sad|waves|Aneeka|porque|Dr|EE|UU|x|D|P|T_T|é|ñ|12|3|https://|www.|twitch.tv/".split("|"),
    *" |\n|[|]|[happy]|[feliz|*|**|_|#|`|(|)|:)|xD|<3|:|;|=|'|\"|^|-|—| - |/|.|,|!|?|…|¿|¡|😀|\u200b".split("|"),
]
TEXTS = st.one_of(st.lists(st.sampled_from(BITS), max_size=40).map("".join), st.text(max_size=80))


def letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


@given(
    TEXTS, st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=20), st.sampled_from([20, 220])
)
@example(":**Dr(**/**xD happy", [(1, True), (3, False)], 220)
@settings(deadline=None)
def test_nothing_is_lost_repeated_or_invented(text, split, max_chars):
    cleaner = Cleaner("Aneeka")
    clean = "".join(item for item in cleaner.feed(text) + cleaner.finish() if isinstance(item, str))
    cutter = PhraseCutter("es", max_chars=max_chars, name="Aneeka")
    cuts, at, turn = [], 0, 0
    while at < len(text):
        size, eager = split[turn % len(split)]
        cuts += cutter.feed(text[at : at + size], eager=eager)
        at, turn = at + size, turn + 1
    cuts += cutter.finish()
    assert letters("".join(cut.text for cut in cuts)) == letters(clean)
    for cut in cuts:
        assert letters(cut.text)
        assert not set("[]*`\n") & set(cut.text)
        assert cut.text == cut.text.strip()
        assert "  " not in cut.text


WORDS = st.text("abcdefghijklmnñopqrstuvwxyzáéíóúü", min_size=2, max_size=9).filter(lambda word: word != "xd")


@given(st.lists(WORDS, max_size=40))
@settings(deadline=None)
def test_plain_words_are_all_spoken(words):
    text = " ".join(words)
    assert " ".join(cut.text for cut in phrases("es", text, EARLY)) == text
