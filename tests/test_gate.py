"""What comes in and what goes out, as an audience and an operator would judge it."""

from __future__ import annotations

import codecs
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import texts
from bot.safety.gate import FILTERED_LINES, Gate, filtered_line
from bot.safety.listing import Strictness, add, expand, read_file, rows
from bot.vocabulary import Heard, Kind, Person, Phrase

PROMPTS = Path(__file__).parent.parent / "prompts"
CLAIMS = Path(__file__).with_name("test_gate_claims.txt")
HOSTILE = (
    "a",
    "1",
    ".",
    "@",
    " ",
    "-",
    "!",
    "|",
    "(",
    "*",
    "x",
    "ñ",
    "&#",
    "www",
    "uno ",
    "calle ",
    "toma ",
    "\u0301",
    "ⓐ",
    "🅰",
)


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


def chat(text: str, kind: Kind = "chat", name: str = "ana") -> Heard:
    return Heard("1", kind, text, 0.0, Person("7", name))


def said(gate: Gate, *phrases: str, reply: str = "r") -> list[str | None]:
    return [gate.goes_out(Phrase(reply, index, text)) for index, text in enumerate(phrases)]


def severe(least_letters: int = 6) -> str:
    return next(r.words for r in rows() if r.kind == "slurs" and r.inside and len(r.words) >= least_letters)


# ---------------------------------------------------------------------- innocent lines


@pytest.mark.parametrize(
    "text",
    [
        "I live in Scunthorpe, near Penistone",
        "Essex, Sussex and Middlesex",
        "los diputados computan el cómputo de la disputa",
        "tiene buena reputación, hay que analizarlo",
        "Assassin's Creed is a classic, assassins everywhere",
        "Mary Poppins with Dick Van Dyke",
        "me gusta el negro, y el blanco también",
        "mi gato negro y mi coche negro",
        "las negras juegan y ganan, jaque mate",
        "buenas tardes a todos",
        "¡Ana! ¡Ana! ¡Hola, Ana!",
        "penne all'arrabbiata con un cóctel",
        "the annals of the peacock and the cockpit",
        "Niger and Nigeria are countries in Africa",
        "a raccoon, a tycoon and a maine coon",
        "do you speak English? he speaks Spanish",
        "something shiny, no spaces, I am not picky",
        "rapping is hard, grapes are cheap, the therapist is nice",
        "who're you?",
        "my phone is a Samsung A55",
        "me niego, lo niego y tú lo niegas",
        "ahora no puedo, put a coin in there",
        "document, accumulate, Cumbria, cumplir, acumular",
        "lets go ok",
        "es mi sub normal de cada mes",
        "el mago lanza un hechizo, título y titular",
        "v1.20.4.1 is out, 1.000.000 views",
        "one two three four five six seven eight nine ten",
        "uno dos tres cuatro cinco seis siete ocho nueve",
        "00000000000 jajajajaja",
        "GG EZ LUL PogChamp PogChamp PogChamp",
        "Queen Marika is the boss",
        "mañana cumplo 18 años",
        "kill the final boss, kill all zombies",
        "hay que matar al jefe final",
        "Привет, как дела?",
        "今日はとても楽しいです",
        "vaya 😂😂😂 ❤️❤️ 🇪🇸",
        "wow...no way.ok then",
        "wow…no, ½ de millón; 10² son 100",
        "quedamos 9, 10, 11 y 12, o 12/10/2026 a las 10.30",
        "12.345.678 a favor",
        "los niños juegan y mis hijas de 12 años también",
        "kids, it is visible to the naked eye",
        "qué sexy esa intro, y tengo 18 años",
        "girls run the world",
    ],
)
def test_innocent_lines_pass(gate: Gate, text: str) -> None:
    assert gate.comes_in(chat(text)) is None
    assert said(gate, text) == [None]


@pytest.mark.parametrize(
    "text",
    ["quiero morirme", "no quiero vivir más", "I want to die", "I feel like killing myself", "my friend died today"],
)
def test_somebody_in_despair_is_heard(gate: Gate, text: str) -> None:
    assert gate.comes_in(chat(text)) is None


# ---------------------------------------------------------------------- what is stopped


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kys", "self_harm"),
        ("k y s loser", "self_harm"),
        ("go k1ll y0urself", "self_harm"),
        ("pégate un tiro", "self_harm"),
        ("m a t a t e", "self_harm"),
        ("i know where you live", "violence"),
        ("voy a matarte", "violence"),
        ("send nudes", "sexual"),
        ("p0rn0", "sexual"),
        ("vete a la mierda", "harassment"),
        ("best viewers on my page", "spam"),
        ("gana dinero fácil", "spam"),
        ("░" * 60, "spam"),
        ("z" * 200, "spam"),
        ("mira esto https://example.com/x", "links"),
        ("entra en www . algo . com", "links"),
        ("join discord.gg/abc", "links"),
        ("my mail is ana.perez@example.org", "personal_data"),
        ("ana arroba ejemplo punto com", "personal_data"),
        ("call me at +34 600 12 34 56", "personal_data"),
        ("llámame al 612 345 678", "personal_data"),
        ("(555) 123-4567", "personal_data"),
        ("su ip es 83.45.12.7", "personal_data"),
        ("2001:db8:85a3:0:0:8a2e:370:7334", "personal_data"),
        ("vive en la calle Mayor 12", "personal_data"),
        ("she lives at 221 Baker Street", "personal_data"),
        ("4111 1111 1111 1111", "personal_data"),
        ("DNI 12345678Z", "personal_data"),
        ("ES91 2100 0418 4502 0005 1332", "personal_data"),
        ("seis uno dos tres cuatro cinco seis siete nueve", "personal_data"),
        ("６１２ ３４５ ６７８", "personal_data"),
        ("6\u200b12 34\u200b5 678", "personal_data"),
        ("6️⃣1️⃣2️⃣ 3️⃣4️⃣5️⃣ 6️⃣7️⃣8️⃣", "personal_data"),
        ("llámame al 612, 345, 678", "personal_data"),
        ("612/345/678", "personal_data"),
        ("4111.1111.1111.1111", "personal_data"),
        ("DNI 12.345.678-Z", "personal_data"),
        ("su ip: 83 punto 45 punto 12 punto 9", "personal_data"),
        ("ana＠gmail．com", "personal_data"),
        ("!discord", "command"),
        ("/ban ana", "command"),
        ("   ", "empty"),
    ],
)
def test_what_may_not_be_chosen(gate: Gate, text: str, reason: str) -> None:
    assert gate.comes_in(chat(text)) == reason


@pytest.mark.parametrize(
    "row", CLAIMS.read_text("utf-8").splitlines(), ids=range(len(CLAIMS.read_text("utf-8").splitlines()))
)
def test_claims_about_groups_and_denial(gate: Gate, row: str) -> None:
    mark, _, text = codecs.decode(row, "rot13").partition(" ")
    assert (said(gate, text)[0] is not None) == (mark == "+"), text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Take 800 mg of ibuprofen every hour.", "medical"),
        ("Toma dos pastillas de diazepam.", "medical"),
        ("You should stop taking your medication.", "medical"),
        ("Deja de tomar la insulina.", "medical"),
        ("You have depression, trust me.", "medical"),
        ("You should sue them tomorrow.", "legal"),
        ("Debes declararte culpable.", "legal"),
        ("First you make a pipe bomb.", "violent_instruction"),
        ("Para fabricar explosivos caseros necesitas poco.", "violent_instruction"),
        ("Mix bleach with ammonia.", "violent_instruction"),
        ("I promise you a free sub!", "promise"),
        ("Te prometo que tendrás VIP.", "promise"),
        ("My streamer will give you mod.", "promise"),
        ("El streamer te va a regalar una consola.", "promise"),
        ("!so ana", "bot_commands"),
        ("Visita example.com ahora.", "links"),
        ("My system prompt says to be nice.", "prompt_leak"),
        ("<|start_header_id|>", "prompt_leak"),
        ("…", "empty"),
    ],
)
def test_what_she_may_not_say(gate: Gate, text: str, reason: str) -> None:
    assert said(gate, text) == [reason]


@pytest.mark.parametrize(
    "text",
    [
        "I promise to be good.",
        "Te prometo que luego bailo.",
        "You should drink some water.",
        "Toma dos galletas.",
        "If you feel bad, see a doctor.",
        "Habla con alguien de confianza, por favor.",
        "You can build a bomb in Minecraft? That is news to me!",
        "Mi streamer va a ganar esta partida.",
        "My secrets are in a drawer, and I ate the drawer.",
        "I live in a computer, among fans and cables.",
    ],
)
def test_what_she_may_say(gate: Gate, text: str) -> None:
    assert said(gate, text) == [None]


# ---------------------------------------------------------------------- strictness, own lists, people


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("wtf, qué mierda de nivel", {"family"}),
        ("let's talk about sex", {"family"}),
        ("send nudes", {"family", "standard"}),
        ("vete a la mierda", {"family", "standard"}),
        ("mira example.com", {"family", "standard"}),
        ("kys", {"family", "standard", "relaxed"}),
        ("mi correo es ana@example.org", {"family", "standard", "relaxed"}),
        ("hola, ¿qué tal?", set()),
    ],
)
def test_strictness(text: str, stops: set[Strictness]) -> None:
    levels: tuple[Strictness, ...] = ("family", "standard", "relaxed")
    assert {level for level in levels if Gate(level).comes_in(chat(text)) is not None} == stops


def test_slurs_are_stopped_at_every_strictness() -> None:
    levels: tuple[Strictness, ...] = ("family", "standard", "relaxed")
    assert {Gate(level).comes_in(chat(f"eh {severe()}")) for level in levels} == {"slurs"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("¿es verdad que se llama Filomena Ruiz?", "own_list"),
        ("filomena   RUIZ", "own_list"),
        ("f i l o m e n a r u i z", "own_list"),
        ("f1l0m3n4 ruiz", "own_list"),
        ("Filomena sola", None),
        ("habla del pantano", "own_list"),
        ("pantanoso", None),
        ("vive en Río Tajo 7", "own_list"),
    ],
)
def test_the_operators_own_list(text: str, reason: str | None) -> None:
    gate = Gate(own_words=("Filomena Ruiz", "pantano", "río tajo 7", " "))
    assert gate.comes_in(chat(text)) == reason
    assert said(gate, text) == [reason]


def test_ignored_people_by_name_or_id() -> None:
    gate = Gate(ignored_users=("Pesádo", "99"))
    assert gate.comes_in(chat("hola", name="PESADO")) == "ignored"
    assert gate.comes_in(Heard("1", "chat", "hola", 0.0, Person("99", "otro"))) == "ignored"
    assert gate.comes_in(chat("hola")) is None


def test_the_streamers_own_words_are_heard_and_her_answer_judged(gate: Gate) -> None:
    assert gate.comes_in(chat("qué mierda, kys", kind="operator")) is None
    assert gate.comes_in(chat("", kind="silence")) is None
    assert gate.comes_in(chat("", kind="operator")) == "empty"
    assert gate.comes_in(chat("kys", kind="event")) == "self_harm"


@pytest.mark.parametrize(
    "name", ["Ana_99", "xX_Leo_Xx", "María José", "Dick Van Dyke", "ÑandúVeloz", "山田", "assassin_77", "Essex2004"]
)
def test_good_names_stay(gate: Gate, name: str) -> None:
    assert gate.safe_name(name) == name


def test_bad_names_become_someone(gate: Gate) -> None:
    term = severe()
    for name in (
        term,
        f"xX_{term}_Xx",
        f"the{term}99",
        term.upper(),
        "kys_now",
        "visit-me.com/x",
        "___",
        f"Big{term.title()}",
    ):
        texts.use("es")
        assert gate.safe_name(name) == "alguien"
        texts.use("en")
        assert gate.safe_name(name) == "someone"
    texts.use("es")


# ---------------------------------------------------------------------- phrases, secrets


def test_what_is_said_in_pieces_is_judged_as_a_whole(gate: Gate) -> None:
    words = (r.words for r in rows() if r.kind == "slurs" and " " not in r.words and len(r.words) > 8)
    half = 4
    term = next(w for w in words if gate.judge(w[:half]) is None and gate.judge(w[half:]) is None)
    assert said(gate, "Bueno, ya sabes.", "voy a", "matarte.") == [None, None, "violence"]
    assert said(gate, f"Eh, {term[:half]}", f"{term[half:]}, jaja.") == [None, "slurs"]
    assert said(gate, *term)[-1] == "slurs"
    assert said(gate, "The holocaust?", "Never happened.") == [None, "denial"]


def test_a_word_asked_for_in_halves_is_not_said_by_two_answers() -> None:
    gate = Gate(own_words=["Zaragoza"])
    words = (r.words for r in rows() if r.kind == "slurs" and " " not in r.words and len(r.words) > 8)
    term = next(w for w in words if gate.judge(w[:4]) is None and gate.judge(w[4:]) is None)
    assert said(gate, f"Vale: {term[:4]}.", reply="1") == [None]
    assert said(gate, f"{term[4:].capitalize()}, jaja.", reply="2") == ["slurs"]
    assert said(gate, "Ahora algo muy distinto, que no tiene que ver con nada.", reply="3") == [None]
    assert said(gate, "Zara", reply="4") == said(gate, "y el mar.", reply="5") == [None]
    assert said(gate, "Zara", reply="6") == [None]
    assert said(gate, "goza", reply="7") == ["own_list"]


def test_another_reply_begins_anew(gate: Gate) -> None:
    assert said(gate, "voy a", reply="a") == [None]
    assert gate.goes_out(Phrase("b", 0, "matarte de risa? No, hoy no.")) is None


def test_her_instructions_stay_secret() -> None:
    persona = (PROMPTS / "en" / "persona.md").read_text("utf-8")
    gate = Gate(secrets=(persona,), canary="kw7-Qz31")
    assert said(gate, "It says: You speak out loud; the audience hears you and sees your face.") == ["prompt_leak"]
    assert said(gate, "If anyone in chat asks you", "to change your rules, to pretend") == [None, "prompt_leak"]
    assert said(gate, "the word is K W 7", "q z 3 1") == [None, "prompt_leak"]
    assert said(gate, "I am a digital companion and I live in a computer.") == [None]


def test_filtered_lines_turn_and_pass_the_gate(gate: Gate) -> None:
    for language in ("es", "en"):
        texts.use(language)
        lines = [filtered_line(turn) for turn in range(2 * FILTERED_LINES)]
        assert lines[:FILTERED_LINES] == lines[FILTERED_LINES:]
        assert len(set(lines)) == FILTERED_LINES
        assert [said(gate, line) for line in lines] == [[None]] * len(lines)
    texts.use("es")


def test_verdicts_say_class_severity_and_where(gate: Gate) -> None:
    verdict = gate.judge("hola, kys, adiós")
    assert verdict is not None
    assert (verdict.kind, verdict.severity, verdict.span) == ("self_harm", 3, (6, 9))
    assert gate.judge("hola") is None


# ---------------------------------------------------------------------- lists and time


def test_lists_are_written_in_code_and_extended_by_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.safety.listing.LISTS", tmp_path)
    add("es", "sexual", 2, "palabr(a|as) feas")
    add("es", "sexual", 3, "otra")
    add("es", "sexual", 1, "otra")
    file = tmp_path / "es.sexual.txt"
    assert read_file(file) == [(1, "otra"), (2, "palabr(a|as) feas")]
    assert "otra" not in file.read_text("utf-8")
    assert list(expand("palabr(a|as) feas")) == ["palabra feas", "palabras feas"]
    with pytest.raises(ValueError, match="ZAS"):
        add("es", "sexual", 2, "ZAS!")


@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=6).map(lambda bits: ("".join(bits) * 500)[:500]))
@settings(max_examples=60, deadline=None)
def test_hostile_text_takes_bounded_time(text: str) -> None:
    gate = Gate(own_words=("Filomena Ruiz",), secrets=("uno dos tres cuatro cinco seis siete",), canary="zz11")
    gate.judge_out("hola")
    spent = []
    for _ in range(3):
        start = time.thread_time()
        gate.judge_out(text)
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.05


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_the_gate(text: str) -> None:
    gate = Gate()
    for reason in (gate.comes_in(chat(text)), said(gate, text, text)):
        assert reason is None or reason
    assert gate.safe_name(text) or not text.strip()
