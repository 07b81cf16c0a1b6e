"""Moderators are obeyed: at every stage, everywhere, and nothing comes back."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bot.vocabulary import Prompt
from tests import tiny_gguf
from tests.moderation_scene import ANA, DEEDS, EAR_S, LEO, SECRET, SILENT_S, TROLL, Scene
from tests.virtual_time import play


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    async def at_once(job: Callable[..., Any], *args: Any) -> Any:
        return job(*args)

    monkeypatch.setattr(asyncio, "to_thread", at_once)  # virtual time does not wait for threads

    def run(acts: Callable[[Scene], Coroutine[Any, Any, None]], **how: Any) -> Scene:
        async def whole() -> Scene:
            scene = Scene(tmp_path, **how)
            try:
                await acts(scene)
            finally:
                await scene.close()
            return scene

        played: Scene = play(whole())
        return played

    return run


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Prompt | str], list[int]]:
    """Return the ids that a real tokeniser and template make of a prompt, or of words inside one."""
    pytest.importorskip("llama_cpp")
    from bot.mind.llama_engine import LlamaEngine

    path = tiny_gguf.write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
    engine = LlamaEngine({"model_path": str(path), "context": 512, "gpu_layers": 0, "threads": 1, "min_p": 0.05})

    def ids(what: Prompt | str) -> list[int]:
        if isinstance(what, str):
            return list(engine._tokens.content(what))
        return engine._tokens.prompt([{"role": m.role, "content": m.content} for m in what.messages])

    return ids


def holds(ids: list[int], part: list[int]) -> bool:
    return any(ids[i : i + len(part)] == part for i in range(len(ids)))


def everything_on_disk(folder: Path) -> str:
    return "".join(file.read_text("utf-8") for file in (folder / "data" / "recordings").iterdir())


# ---- every deed at every stage


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("stage", ["queued", "thinking", "speaking", "about to be remembered", "remembered"])
def test_silence_and_nothing_left_anywhere(
    deed: str, stage: str, scene: Callable[..., Scene], tokens: Callable[..., list[int]], tmp_path: Path
) -> None:
    async def acts(s: Scene) -> None:
        a = s.aneeka
        asked_at = math.inf
        was = ""

        def act() -> None:
            nonlocal asked_at, was
            asked_at, was = a.now(), DEEDS[deed](a)

        if stage == "queued":
            a.desk.say("Un momento, que ahora mismo estoy con vosotros y leo el chat.")
            await asyncio.sleep(1.0)
        if stage == "about to be remembered":
            close = a.stage.close

            def close_and_act(reply: Any) -> Any:
                heard = close(reply)
                act()
                a.stage.close = close  # type: ignore[method-assign]
                return heard

            a.stage.close = close_and_act  # type: ignore[method-assign]
        s.hear("bad", TROLL, f"mira mi {SECRET}, Aneeka")
        if stage == "queued":
            assert [heard.id for heard, _ in a.inbox.waiting(a.now())] == ["bad"]
            act()
            await s.quiet()
            assert s.audible_at > asked_at, "what she says to others goes on"
        elif stage == "about to be remembered":
            await s.thinking_of("bad")
            await s.quiet()
        else:
            await (s.thinking_of("bad") if stage == "thinking" else s.speaking_of("bad"))
            if stage == "remembered":
                await s.quiet()
                assert SECRET in str(a.memory.messages())
            act()
            assert (a.stage.position, a.stage.snapshot()) == (None, [])
            await s.quiet()
            assert s.audible_at - asked_at <= EAR_S < SILENT_S
        assert asked_at < math.inf
        expected = {"queued": "waiting", "remembered": "spoken"}.get(stage, "speaking")
        assert was == expected
        if deed != "banned":
            s.hear("bad", TROLL, f"mira mi {SECRET}, Aneeka")
        s.hear("good", LEO, "¿a qué jugamos hoy?")
        turn = await s.answer_to("good")
        assert "Leo" in turn["spoken"]
        await a.recorder.flush()

    played = scene(acts)
    last = played.brain.prompts[-1]
    assert last.cue.heard[0].id == "good"
    assert not holds(tokens(last), tokens(SECRET))
    assert not holds(tokens(last), tokens("Trolazo"))
    a = played.aneeka
    shown = json.dumps([a.memory.turns[-1].heard, a.desk.turns(100)], ensure_ascii=False)
    for kept in (shown, everything_on_disk(tmp_path), str(a.memory.messages())):
        assert SECRET not in kept
        assert "Trolazo" not in kept
    wavs = sorted(path.stem for path in (tmp_path / "wav").iterdir())
    assert wavs == sorted(turn["id"] for turn in a.desk.turns(100) if "withdrawn" not in turn)
    counters = a.desk.counters()
    inbox = a.inbox
    assert counters["chat_received"] == inbox.answered + sum(inbox.dropped.values()) == 2


def test_the_tokens_would_show_it(scene: Callable[..., Scene], tokens: Callable[..., list[int]]) -> None:
    async def acts(s: Scene) -> None:
        s.hear("bad", TROLL, f"mira mi {SECRET}, Aneeka")
        await s.answer_to("bad")
        s.hear("good", LEO, "¿a qué jugamos hoy?")
        await s.answer_to("good")

    ids = tokens(scene(acts).brain.prompts[-1])
    assert holds(ids, tokens(SECRET))
    assert holds(ids, tokens("Trolazo"))


# ---- several viewers in one answer


@pytest.mark.parametrize("deed", ["deleted", "banned"])
def test_the_others_of_one_answer_are_answered_again_if_nothing_was_heard(
    deed: str, scene: Callable[..., Scene]
) -> None:
    async def acts(s: Scene) -> None:
        s.aneeka.desk.say("Un momento.")
        for id, person in (("a", ANA), ("bad", TROLL), ("l", LEO)):
            s.hear(id, person, f"soy {person.name}, ¿qué cuentas?")
        await s.thinking_of("bad")
        await asyncio.sleep(0.2)
        assert DEEDS[deed](s.aneeka) == "speaking"
        assert len((await s.answer_to("a"))["heard"]) <= 2
        await s.answer_to("l")
        await s.quiet()

    played = scene(acts)
    first, *again = (frozenset(h.id for h in p.cue.heard) for p in played.brain.prompts)
    assert first == {"a", "bad", "l"}
    assert frozenset().union(*again) == {"a", "l"}
    spoken = [turn["spoken"] for turn in played.aneeka.desk.turns(100)]
    assert not any("Trolazo" in said for said in spoken)
    assert "Trolazo" not in str(played.aneeka.memory.messages())


@pytest.mark.parametrize("deed", ["deleted", "banned"])
def test_an_answer_to_many_that_was_heard_is_cut_and_not_repeated(deed: str, scene: Callable[..., Scene]) -> None:
    async def acts(s: Scene) -> None:
        s.aneeka.desk.say("Un momento.")
        for id, person in (("a", ANA), ("bad", TROLL), ("l", LEO)):
            s.hear(id, person, f"soy {person.name}, ¿qué cuentas?")
        await s.speaking_of("bad")
        asked_at = s.aneeka.now()
        DEEDS[deed](s.aneeka)
        await asyncio.sleep(30)
        assert s.audible_at - asked_at <= EAR_S
        assert len(s.brain.prompts) == 1

    turn = scene(acts).aneeka.desk.turns(1)[0]
    assert (turn["spoken"], turn["generated"], turn["cut"]) == ("", "", "withdrawn")
    assert {line["id"]: line["user"] for line in turn["heard"]} == {"a": "Ana", "bad": "", "l": "Leo"}


# ---- what she says to somebody else


@pytest.mark.parametrize("kind", ["chat", "operator", "event"])
def test_an_answer_built_on_forgotten_history_starts_again(
    kind: str, scene: Callable[..., Scene], tokens: Callable[..., list[int]]
) -> None:
    async def acts(s: Scene) -> None:
        s.hear("bad", TROLL, f"mira mi {SECRET}, Aneeka")
        await s.answer_to("bad")
        s.hear("next", None if kind == "operator" else ANA, "¿qué tal?", kind, event="raid" if kind == "event" else "")
        await s.thinking_of("next")
        await asyncio.sleep(0.1)
        s.aneeka.moderation.withdraw_person(TROLL.id)
        assert (await s.answer_to("next"))["spoken"].endswith("Pues claro que sí.")

    before, after = scene(acts).brain.prompts[-2:]
    assert before.cue.heard == after.cue.heard
    assert holds(tokens(before), tokens(SECRET))
    assert not holds(tokens(after), tokens(SECRET))


def test_an_answer_to_another_that_is_being_heard_goes_on(scene: Callable[..., Scene]) -> None:
    async def acts(s: Scene) -> None:
        s.hear("bad", TROLL, f"mira mi {SECRET}, Aneeka")
        await s.answer_to("bad")
        s.hear("next", ANA, "¿qué tal?")
        await s.speaking_of("next")
        assert s.aneeka.moderation.withdraw("bad") == "spoken"
        await s.answer_to("next")

    assert len(scene(acts).brain.prompts) == 2


@pytest.mark.parametrize(("tokens_per_s", "after_s"), [(4.0, 1.0), (1000.0, 1.0), (1000.0, 6.5)])
def test_she_does_not_go_on_about_somebody_who_is_banned_meanwhile(
    tokens_per_s: float, after_s: float, scene: Callable[..., Scene]
) -> None:
    async def acts(s: Scene) -> None:
        s.hear("old", TROLL, "hola Aneeka, ¿qué tal?")
        await s.answer_to("old")
        s.brain.adds = " Trolazo, nuestro amigo, cuenta siempre lo mismo cada noche, y nos reímos mucho con él."
        s.hear("next", ANA, "¿qué tal?")
        await s.speaking_of("next", after_s)
        name_was_heard = any(told["type"] == "phrase" and told["text"].startswith("Trolazo") for told in s.told)
        assert name_was_heard == (after_s > 5)
        s.told.clear()
        s.aneeka.moderation.withdraw_person(TROLL.id)
        await s.quiet()
        assert "Trolazo" not in json.dumps(s.told)

    played = scene(acts, tokens_per_s=tokens_per_s)
    assert "Trolazo" not in str(played.aneeka.memory.messages())
    assert "Trolazo" not in json.dumps(played.aneeka.desk.turns(10))


# ---- late, early, and for how long


def test_a_banned_person_is_unheard_for_a_while_or_until_allowed(scene: Callable[..., Scene]) -> None:
    async def acts(s: Scene) -> None:
        a = s.aneeka
        drops = a.inbox.dropped

        def says(id: str) -> bool:
            before = drops["withdrawn"]
            s.hear(id, TROLL, f"número {id}, ¿me oyes?")
            return drops["withdrawn"] == before

        a.moderation.withdraw_person(TROLL.id, for_s=400)
        a.moderation.withdraw_person(TROLL.id)
        await asyncio.sleep(399)
        assert not says("1")
        s.hear("raid", TROLL, "", "event", event="raid")
        assert a.inbox.first_event() is None
        await asyncio.sleep(2)
        assert says("2")
        a.moderation.withdraw_person(TROLL.id, for_s=math.inf)
        await asyncio.sleep(1000)
        assert not says("3")
        a.moderation.allow_person(TROLL.id)
        assert says("4")
        a.moderation.withdraw_person(TROLL.id, for_s=0)
        assert says("5")
        await s.quiet()

    scene(acts)


def test_clearing_the_chat_leaves_deeds_and_the_operator(scene: Callable[..., Scene]) -> None:
    async def acts(s: Scene) -> None:
        a = s.aneeka
        a.desk.control("pause")
        s.hear("raid", ANA, "(12 personas)", "event", event="raid")
        s.hear("cheer", TROLL, f"{SECRET} (100 bits)", "event", event="cheer")
        s.hear("paid", LEO, f"di {SECRET}", "event", event="reward")
        s.hear("op", None, "¿cómo vas?", "operator")
        s.hear("line", LEO, "¿a qué jugamos?")
        assert a.moderation.withdraw_all() == "waiting"
        a.desk.control("resume")
        await s.answer_to("raid")
        await s.quiet()

    assert [p.cue.heard[0].id for p in scene(acts).brain.prompts] == ["op", "raid"]


def test_copies_of_a_withdrawn_text_by_others_stay_unsaid(scene: Callable[..., Scene]) -> None:
    async def acts(s: Scene) -> None:
        s.hear("bad", TROLL, f"todos a decir {SECRET} con ganas")
        await s.thinking_of("bad")
        s.aneeka.moderation.withdraw_person(TROLL.id)
        s.hear("copy", LEO, f"TODOS a decir {SECRET} con ganas!!!")
        await s.quiet()

    played = scene(acts)
    assert played.aneeka.inbox.dropped["repeated"] == 1
    assert len(played.brain.prompts) == 1
