"""Invented viewers and the ways they type: names of every shape, typing errors, emotes, capitals, stretched letters."""

from __future__ import annotations

import random
import re
import unicodedata

_ONSETS = "b c ch d f g h j k l m n p qu r s t v w x y z br cl cr dr fl gr kr pl pr sh sk st th tr".split()
_VOWELS = "a a e e i o o u ai au ei ie ia io oo ou y".split()
_CODAS = ["", "", "", "n", "r", "s", "l", "x", "k", "t", "m", "z", "th", "ck", "nd"]
_WORDS = (
    "luna sol gato lobo dark shadow night pixel panda ninja dragon fox wolf cat star sky moon fire ice storm neo toxic "
    "sweet happy crazy lazy pro mini mega ultra king queen lord lady mister doc captain ghost rose blue red green gold "
    "silver black white sombra rayo trueno fuego hielo rey reina pirata mago bruja oso zorro tigre pollo queso taco "
    "nube flor mar rio cielo gamer player hunter killer sniper tank healer noob boss potato waffle mango kiwi toast"
).split()
_FOREIGN = (
    "さくら たけし ゆき ミカ ソラ ひなた Дима Катя Олег Нина 민수 지은 小明 美玲 Łukasz Żaneta Børge Åsa Jörg Müller "
    "Élodie François Zoë Nuño Begoña Íñigo Ángela Sofía Raúl Óscar José Inés Martín Peña Ibáñez Αλέξης Νίκος"
).split()
_LEET = str.maketrans("aeios", "43105")
_EMOTES = (
    "Kappa PogChamp LUL KEKW OMEGALUL monkaS Pog PepeHands FeelsBadMan FeelsGoodMan catJAM Sadge HypeE BibleThump "
    "HeyGuys <3 :) :D ;) xD :3 ^^ ❤ 😂 🔥 😭 🥺 👀 💜 🎉 👋 😍 ✨ VoHiYo NotLikeThis TwitchUnity bleedPurple "
    "peepoHappy peepoClap Clap EZ WutFace ResidentSleeper 5Head Copium LULW PauseChamp anek1Hi anekLove aneekaWave"
).split()
_SHORTHAND = {
    "es": "que=q qué=q porque=pq también=tmb para=pa por=x".split(),
    "en": "you=u are=r your=ur please=pls what=wut because=cuz to=2 the=da".split(),
}
_AROUND_A_NAME = "xX_{}_Xx xx{}xx {}TV {}_ttv its{} The{} el_{} soy{} im_{} {}_".split()
_NEIGHBOUR = dict(zip("qwertyuioasdfghjklzxcvbn", "wertyuiopsdfghjklñxcvbnm", strict=True))
"""What a finger hits that slips one key to the right."""


def a_name(chance: random.Random) -> str:
    """Return a viewer's name as Twitch shows them: mostly never seen before."""
    kind = chance.random()
    if kind < 0.06:
        return chance.choice(_FOREIGN)
    if kind < 0.16:
        letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
        return chance.choice(letters[:26]) + "".join(chance.choices(letters, k=chance.randint(2, 11)))
    parts = [_invented(chance) if chance.random() < 0.7 else chance.choice(_WORDS)]
    if chance.random() < 0.4:
        parts.append(_invented(chance) if chance.random() < 0.4 else chance.choice(_WORDS))
    style = chance.random()
    if style < 0.4:
        name = "".join(part.capitalize() for part in parts)
    elif style < 0.8:
        name = chance.choice(["", "_"]).join(parts)
    else:
        name = "".join(parts).upper() if style < 0.86 else parts[0].capitalize() + "".join(parts[1:])
    if chance.random() < 0.08:
        name = name.translate(_LEET)
    if chance.random() < 0.38:
        name += chance.choice(["", "", "_"]) + str(chance.randint(0, 10 ** chance.randint(1, 4)))
    if chance.random() < 0.12:
        name = _stuttered(name, chance)
    if chance.random() < 0.08:
        name = chance.choice(_AROUND_A_NAME).format(name)
    return name[:25]


def typed(text: str, language: str, bot: str, chance: random.Random) -> str:
    """Return the text as somebody in chat may type it."""
    if chance.random() < 0.15:
        text = _shortened(text, language, chance)
    if chance.random() < 0.55:
        text = re.sub("[¿¡]", "", text)
    if chance.random() < 0.4:
        text = without_accents(text)
    if chance.random() < 0.5:
        text = text.rstrip(".!")
    if chance.random() < 0.3:
        text = text.rstrip("?")
    for _ in range(chance.choice([0, 0, 0, 0, 0, 1, 1, 2])):
        text = _slip(text, chance)
    if chance.random() < 0.1:
        text = _stretched(text, chance)
    if bot.lower() not in text.lower() and chance.random() < 0.2:
        called = chance.choice([bot, bot.lower(), "@" + bot.lower()])
        text = chance.choice([f"{called} {text}", f"{called}, {text}", f"{text} {called}"])
    if chance.random() < 0.14:
        emotes = " ".join([chance.choice(_EMOTES)] * chance.choice([1, 1, 1, 2, 3]))
        text = f"{text} {emotes}" if chance.random() < 0.85 else f"{emotes} {text}"
    case = chance.random()
    if case < 0.05:
        return text.upper()
    if case < 0.3:
        return text
    return text[:1].upper() + text[1:] if case < 0.4 else text.lower()


def an_emote(chance: random.Random) -> str:
    """Return nothing but emotes."""
    return " ".join([chance.choice(_EMOTES)] * chance.choice([1, 1, 2, 3]))


def an_unknown_word(chance: random.Random) -> str:
    """Return a word that nobody has heard before."""
    return _invented(chance)


def without_accents(text: str) -> str:
    """Return the text as typed on a keyboard without accents; ñ stays."""
    kept = text.replace("ñ", "\0")
    plain = "".join(sign for sign in unicodedata.normalize("NFD", kept) if not unicodedata.combining(sign))
    return plain.replace("\0", "ñ")


def _stuttered(name: str, chance: random.Random) -> str:
    """Return a name in which something comes twice or more, as it does in many: they are the hardest to copy."""
    kind = chance.randrange(5)
    if kind == 0:
        return name + name[-1] * chance.randint(1, 3)
    if kind == 1:
        return name + chance.choice(("", "_")) + chance.choice(("2000", "1999", "777", "2011", "100", "0007", "999"))
    if kind == 2:
        return name[:2].lower() * 2 + name[2:]
    if kind == 3:
        return f"{name}{chance.choice(('Del', '_del_', '_de_', '_the_', 'Y'))}{_invented(chance)}{name[-2:]}"
    return (
        f"{chance.choice(('el', 'la', 'the', 'El', 'La'))}_{name}_de_{chance.choice(('la', 'el'))}_{_invented(chance)}"
    )


def _invented(chance: random.Random) -> str:
    parts = [
        chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS) for _ in range(chance.randint(1, 3))
    ]
    if chance.random() < 0.3:
        parts.insert(0, chance.choice("aaeeiou"))
    return "".join(parts)


def _shortened(text: str, language: str, chance: random.Random) -> str:
    for pair in _SHORTHAND[language]:
        long, short = pair.split("=")
        if chance.random() < 0.6:
            text = re.sub(rf"\b{long}\b", short, text)
    return text


def _slip(text: str, chance: random.Random) -> str:
    """Slip once: a letter dropped, doubled, swapped with the next one, or its neighbour on the keyboard."""
    if len(text) < 4:
        return text
    at = chance.randrange(1, len(text) - 1)
    kind = chance.randrange(4)
    if not text[at].isalpha():
        return text
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    if kind == 2:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + _NEIGHBOUR.get(text[at].lower(), text[at]) + text[at + 1 :]


def _stretched(text: str, chance: random.Random) -> str:
    vowels = [at for at, sign in enumerate(text) if sign.lower() in "aeiouáéíóú"]
    if not vowels:
        return text
    at = chance.choice(vowels[-3:])
    return text[:at] + text[at] * chance.randint(3, 7) + text[at + 1 :]
