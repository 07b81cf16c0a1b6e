"""Finds what she must not tell anybody: medical and legal instructions, how to do harm, promises for her streamer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

AdviceClass = Literal["medical", "legal", "violent_instruction", "promise"]

_MEDICINE = (
    r"(?:ibuprofen[o]?|paracetamol|aspirin[a]?|amoxicilin[a]?|amoxicillin|antibiotic(?:s|o|os)?|xanax|diazepam"
    r"|lorazepam|"
    r"valium|tramadol|morphine|morfina|insulin[a]?|fentanyl|fentanilo|adderall|sertralin[ea]|fluoxetin[ea]"
    r"|melatonin[a]?|"
    r"medication|meds|medicacion|medicamentos?|medicinas?|pastillas|pills|antidepressants?|antidepresivos?|chemo"
    r"|quimio)"
)
_ILLNESS = (
    r"(?:depression|depresion|diabetes|cancer|adhd|tdah|autism|autismo|bipolar|schizophrenia|esquizofrenia|covid|"
    r"pneumonia|neumonia|appendicitis|apendicitis|anorexia|an infection|una infeccion|infarto|heart attack"
    r"|ansiedad cronica)"
)
_WEAPON = (
    r"(?:(?:pipe |nail |car |fertilizer |dirty |homemade )bombs?|explosives?|molotov(?: cocktails?)?|napalm|thermite|"
    r"meth(?:amphetamine)?|ricin|sarin|nerve gas|mustard gas|ghost gun|silencer|nitroglycerin|"
    r"bombas? (?:caseras?|lapa|trampa)|explosivos?(?: caseros?)?|coctel(?:es)? molotov|cocteles molotov|termita casera|"
    r"metanfetamina|ricina|gas sarin|gas mostaza|polvora casera|pistolas? caseras?|armas? caseras?|nitroglicerina"
    r"|a bomb)"
)
_GOODS = (
    r"(?:refund|money back|free subs?|gift(?:ed)? subs?|mod(?:erator)?|vip|giveaway|prize|cash|money|skin|console"
    r"|keys?|"
    r"reembolso|devolucion|dinero|premios?|sorteo|subs?|suscripcion(?:es)?|regalo|moderadora?|skins?|consola|claves?)"
)
_BOSS = r"(?:(?:my|your|the) (?:streamer|boss)|(?:mi|tu|el|la|vuestr[oa]) (?:streamer|jefe|jefa))"
_GIVES = (
    r"(?:will|is going to|s going to|is gonna|ll|promises to|has promised to) (?:\w+ )?(?:give|pay|send|gift"
    r"|refund|buy|unban|mod|make|"
    r"marry|date|meet|play with|follow)"
    r"|(?:te|os|le|les|nos) (?:va a |vamos a |dara|pagara|regalara|enviara|devolvera|hara|comprara|seguira)"
    r"|(?:va a|promete|ha prometido) (?:darte|darle|daros|pagarte|regalar\w*|enviarte|devolver\w*|comprarte|hacerte|"
    r"seguirte|casarse|jugar contigo)"
)

_RULES: tuple[tuple[AdviceClass, re.Pattern[str]], ...] = (
    (
        "medical",
        re.compile(
            r"\b(?:take|toma(?:te|r)?|tomad|tomese|inject|inyectate|swallow|traga|dosis|dose|dosage)\b[^.!?]{0,40}"
            r"\b\d{1,5} ?(?:mg|milligrams?|miligramos?|ml|mililitros|pills?|tablets?|pastillas?|capsulas?|gotas"
            r"|comprimidos?)\b"
            rf"|\b(?:take|toma(?:te|r)?|tomad)\b (?:\w+ ){{0,4}}{_MEDICINE}\b"
            rf"|\b(?:stop|quit|skip|deja|dejad|dejes|suspende|abandona)\b (?:\w+ ){{0,4}}(?:{_MEDICINE}|treatment"
            rf"|tratamiento)\b"
            rf"|\b(?:you (?:have|ve got|probably have|must have|are suffering from)|tienes|padeces|sufres(?: de)?) "
            rf"(?:\w+ )?{_ILLNESS}\b"
            r"|\b(?:you (?:do not|dont) need (?:a|to see a) doctor|no (?:vayas|hace falta ir) al medico"
            r"|no necesitas un medico)\b"
            r"|\b(?:bleach|lejia|chlorine|cloro)\b[^.!?]{0,30}\b(?:cures?|cura|detox|sana)\b"
            r"|\b(?:vaccines?|vacunas?)\b[^.!?]{0,20}\b(?:cause|causes|causan|provocan|are poison|son veneno)\b"
        ),
    ),
    (
        "legal",
        re.compile(
            r"\b(?:you should|you must|you can|i advise you to|debes|deberias|te aconsejo|te recomiendo"
            r"|puedes)\b (?:\w+ ){0,3}"
            r"(?:sue|plead (?:not )?guilty|press charges|file a lawsuit|evade taxes|lie to the (?:police|judge)|"
            r"demandar(?:le|lo|la|los)?|declararte (?:culpable|inocente)|denunciarl[oae]s?|evadir impuestos|"
            r"mentir (?:al juez|a la policia))\b"
            r"|\b(?:as your (?:lawyer|attorney)|como (?:tu|su) abogad[oa]|legally speaking you"
            r"|legalmente (?:puedes|debes|tienes))\b"
            r"|\b(?:sign the contract|firma el contrato|invest (?:all )?your (?:savings|money) in|"
            r"invierte (?:todos )?tus ahorros|invierte todo en)\b"
        ),
    ),
    (
        "violent_instruction",
        re.compile(
            rf"\b(?:make|makes|making|build|building|cook|assemble|construct|synthesi[sz]e|hacer|fabricar"
            rf"|construir|preparar|"
            rf"montar|sintetizar|cocinar|haces|fabricas)\b (?:\w+ ){{0,3}}{_WEAPON}\b(?! in minecraft| en minecraft)"
            r"|\b(?:mix|combine|mezcla(?:r|s)?|combina(?:r|s)?)\b[^.!?]{0,30}\b(?:bleach|lejia)\b[^.!?]{0,30}"
            r"\b(?:ammonia|amoniaco|vinegar|vinagre|acid|acido|acetone|alcohol)\b"
            r"|\b(?:how to|here is how (?:to|you)|asi (?:se|puedes)|como|para)\b (?:\w+ )?(?:poison|strangle|stab"
            r"|kidnap|hotwire|"
            r"hack into|envenenar|estrangular|apu[nñ]alar|secuestrar|hackear) "
            r"(?:a |an |your |his |her |someone|somebody|people|tu |su |un |una |alguien|al |the )"
            r"|\b(?:untraceable poison|veneno (?:indetectable|que no deja rastro)|hide a body|dispose of (?:a"
            r"|the) body|"
            r"esconder (?:un|el) cadaver|deshacer(?:te|se) (?:de un|del) cadaver)\b"
        ),
    ),
    (
        "promise",
        re.compile(
            rf"\b(?:i|we) (?:promise|guarantee|swear)\b[^.!?]{{0,60}}\b{_GOODS}\b"
            rf"|\b(?:te|os|le|les) (?:prometo|aseguro|garantizo|juro)\b[^.!?]{{0,60}}\b{_GOODS}\b"
            rf"|\b(?:prometemos|garantizamos)\b[^.!?]{{0,60}}\b{_GOODS}\b"
            rf"|\b{_BOSS} (?:\w+ )?(?:{_GIVES})"
            rf"|\b(?:i|we) (?:will|ll|shall|am going to|are going to) (?:give|send|pay|refund|gift|make) (?:you"
            rf"|everyone|everybody|"
            rf"all of you)\b[^.!?]{{0,30}}\b{_GOODS}\b"
            rf"|\b(?:te|os|les) (?:voy|vamos) a (?:dar|pagar|regalar|enviar|devolver|hacer)\b[^.!?]{{0,30}}\b{_GOODS}\b"
            rf"|\b(?:everyone|everybody|all of you|whoever subscribes|todos|todo el mundo|quien se suscriba) "
            rf"(?:will get|gets|wins|will win|recibira|recibiran|ganara|gana|se lleva)\b[^.!?]{{0,30}}\b{_GOODS}\b"
        ),
    ),
)


_TRIGGERS: dict[AdviceClass, frozenset[str]] = {
    "medical": frozenset(
        (
            "take toma tomate tomar tomad tomese inject inyectate swallow traga dosis dose dosage stop quit skip "
            "deja dejad dejes suspende abandona have got suffering tienes padeces sufres doctor medico bleach "
            "lejia chlorine cloro vaccine vaccines vacuna vacunas"
        ).split()
    ),
    "legal": frozenset(
        (
            "sue guilty charges lawsuit taxes judge police demandar demandarle demandarlo demandarla demandarlos "
            "culpable inocente denunciarlo denunciarla denunciarle denunciarlos denunciarlas denunciarles "
            "impuestos juez policia lawyer attorney abogado abogada legally legalmente contract contrato savings "
            "money ahorros invierte"
        ).split()
    ),
    "violent_instruction": frozenset(
        (
            "make makes making build building cook assemble construct synthesize synthesise hacer fabricar "
            "construir preparar montar sintetizar cocinar haces fabricas bleach lejia poison strangle stab kidnap "
            "hotwire hack envenenar estrangular apuñalar apunalar secuestrar hackear untraceable veneno body "
            "cadaver"
        ).split()
    ),
    "promise": frozenset(
        (
            "promise guarantee swear prometo aseguro garantizo juro prometemos garantizamos streamer boss jefe "
            "jefa give send pay refund gift make dar pagar regalar enviar devolver hacer get gets win wins "
            "recibira recibiran ganara gana lleva"
        ).split()
    ),
}
"""Without one of these words no rule of a class can hold."""

_WORD = re.compile(r"[a-zñ]+")


def advice(text: str, streamer: re.Pattern[str] | None = None) -> Iterator[tuple[AdviceClass, int, int]]:
    """Yield what is found in a text folded by ``fold``; ``streamer`` is what ``promises_of`` returned."""
    words = frozenset(_WORD.findall(text))
    for kind, rule in _RULES:
        found = None if _TRIGGERS[kind].isdisjoint(words) else rule.search(text)
        if found is not None:
            yield kind, *found.span()
    promised = streamer.search(text) if streamer is not None else None
    if promised is not None:
        yield "promise", *promised.span()


def promises_of(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return the pattern of a promise in the name of a streamer with these folded names; ``None`` without."""
    known = [re.escape(name) for name in names if name.strip()]
    return re.compile(rf"\b(?:{'|'.join(known)}) (?:\w+ )?(?:{_GIVES})") if known else None
