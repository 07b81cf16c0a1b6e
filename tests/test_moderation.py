"""Moderators are obeyed: at every stage, everywhere, and nothing comes back."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.app import Aneeka
from bot.bench import SimulatedVoice, Speeds, split_tokens
from bot.config.settings import Settings
from bot.mind.demo.brain import DemoBrain
from bot.mind.llama import LlamaBrain
from bot.recorder import Recorder
from bot.supervisor import BrainLadder, VoiceLadder, for_ever
from bot.vocabulary import Cue, Heard, Message, Person, Prompt
from bot.voice.captions_only import CaptionsOnly
from bot.withdrawal import Withdrawal, folded_names
from tests import tiny_gguf
from tests.conftest import House, until
from tests.virtual_time import play

GoLive = Callable[..., Awaitable[House]]
SECRET = "zarigüeya"
TROLL = Person("t1", "Trolazo")
ANA = Person("a1", "Ana")
LEO = Person("l1", "Leo")
SILENT_S = 0.25
EAR_S = 0.005

DEEDS: dict[str, Callable[[Aneeka], str]] = {
    "deleted": lambda a: a.moderation.withdraw("bad"),
    "banned": lambda a: a.moderation.withdraw_person(TROLL.id),
    "cleared": lambda a: a.moderation.withdraw_all(),
}


class Parrot:
    """A brain that repeats what it heard and whom it heard, so that whatever is kept shows."""

    name = "parrot"
    prompt_tokens = 0

    def __init__(self, tokens_per_s: float) -> None:
        self.prompts: list[Prompt] = []
        self.adds = ""
        self._pause_s = 1 / tokens_per_s

    async def think(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        self.prompts.append(prompt)
        heard = prompt.cue.heard
        names, texts = " y ".join(h.person.name for h in heard if h.person), " y ".join(h.text for h in heard)
        said = f"Hola, {names}, qué bien verte. Decías: {texts}. Pues claro que sí.{self.adds}"
        await asyncio.sleep(0.15)
        for token in split_tokens(said):
            yield token
            await asyncio.sleep(self._pause_s)

    async def warm(self, prompt: Prompt) -> None:
        pass


class Scene:
    """She, in virtual time: everything but the engines and the server is real."""

    def __init__(self, folder: Path, tokens_per_s: float = 60.0) -> None:
        settings = Settings(
            stage={"sound": "none", "record": str(folder / "wav")},
            llm={"engine": "understudy"},
            studio={"port": 0},
            chat={"idle_after_s": 0.0, "window_s": 0.0, "viewer_cooldown_s": 0.0},
        )
        self.aneeka = a = Aneeka(settings, folder / "data")
        self.brain = Parrot(tokens_per_s)
        voice = SimulatedVoice(Speeds())
        a.engines = replace(
            a.engines,
            brain=BrainLadder(self.brain, self.brain, lambda cue: "", a.board),
            voice=VoiceLadder([voice], CaptionsOnly(), a.board),
        )
        self.told: list[dict[str, Any]] = []
        a.stage._tell = lambda message: (a._on_stage(message), self.told.append(message))[0]
        self.audible_at = -math.inf
        for step in (a._converse, self._listen):
            a._keeper.keep(for_ever(step))

    async def _listen(self) -> None:
        """The ear: when the newest sample was audible."""
        output, position = self.aneeka.stage.output, -1
        while output is self.aneeka.stage.output:
            if self.aneeka.stage.current is not None and output.played() > max(position, 0):
                self.audible_at = self.aneeka.now()
            position = output.played()
            await asyncio.sleep(EAR_S if self.aneeka.reply is not None else 20 * EAR_S)

    def hear(self, id: str, person: Person | None, text: str, kind: str = "chat", **more: Any) -> None:
        self.aneeka.hear(Heard(id, kind, text, self.aneeka.now(), person, **more))  # type: ignore[arg-type]

    async def until(self, what: Callable[[], Any]) -> None:
        """Wait for something that has to happen within a minute."""
        async with asyncio.timeout(60):
            while not what():
                await asyncio.sleep(EAR_S)

    async def thinking_of(self, id: str) -> None:
        await self.until(lambda: self.aneeka.reply and id in [h.id for h in self.aneeka.reply.cue.heard])

    async def speaking_of(self, id: str, seconds: float = 2.0) -> None:
        await self.thinking_of(id)
        await self.until(lambda: (self.aneeka.stage.position or 0) >= seconds * 48_000)

    async def quiet(self) -> None:
        await self.until(lambda: self.aneeka.reply is None and not self.aneeka.inbox.chat_waiting)

    async def answer_to(self, id: str) -> dict[str, Any]:
        """Wait for the turn that answers it in full."""

        def found() -> list[dict[str, Any]]:
            turns = self.aneeka.recorder.newest(100)
            return [t for t in turns if t["cut"] is None and id in [line["id"] for line in t["heard"]]]

        await self.until(found)
        return found()[0]

    async def close(self) -> None:
        await self.aneeka._keeper.close()
        await self.aneeka.recorder.flush()
        await self.aneeka.guard.close()


Play = Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], Scene]


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
    engine = LlamaEngine({"model_path": str(path), "context": 512, "gpu_layers": 0, "threads": 1})

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


# ---- the recorder


async def test_every_file_of_the_session_is_blanked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = "2031-01-01"
    monkeypatch.setattr("bot.recorder.time.strftime", lambda form: day)
    recorder = Recorder(tmp_path / "rec", tmp_path / "wav")
    for number in range(1, 5):
        day = f"2031-01-0{number}"
        line = {"id": f"h{number}", "kind": "chat", "user": "Trolazo", "user_id": "t1", "text": SECRET}
        other = line | {"id": f"o{number}", "user": "Ana", "user_id": "a1", "text": "hola"}
        wav = str(recorder.wav_path(f"r{number}"))
        words = {"generated": f"ay, {SECRET}", "spoken": "ay"}
        record = {"id": f"r{number}", "at_s": number, "heard": [line, other], **words, "wav": wav}
        recorder.write(record, np.ones(9, np.int16), 48_000)
        await recorder.flush()
    named = {"id": "r9", "at_s": 9, "heard": [], "generated": "adiós, Trolazo", "spoken": "adiós, Trolazo"}
    recorder.write(named, np.zeros(0, np.int16), 48_000)
    gone = recorder.withdraw(Withdrawal(person_id="t1", names=folded_names(["Trolazo"])))
    await recorder.flush()
    assert gone == ["r1", "r2", "r3", "r4", "r9"]
    kept = "".join(file.read_text("utf-8") for file in (tmp_path / "rec").iterdir())
    assert len(list((tmp_path / "rec").glob("*.jsonl"))) == 4
    assert SECRET not in kept
    assert "Trolazo" not in kept
    assert kept.count('"Ana"') == 4
    assert list((tmp_path / "wav").iterdir()) == []


# ---- the brain's prompt cache


@pytest.fixture
async def brains(tmp_path: Path) -> AsyncGenerator[list[LlamaBrain], None]:
    pytest.importorskip("llama_cpp")
    model = tiny_gguf.write(tmp_path / "tiny.gguf")
    demo = DemoBrain("Eres Aneeka.", on_health=lambda health: None, model=model)
    brains = [LlamaBrain(model, gpu_layers=0, threads=1, on_health=lambda health: None), demo]
    for brain in brains:
        await brain.start()
        assert await brain.ready(60)
    yield brains
    for brain in brains:
        await brain.close()


def pieces_of_the_secret(model: Path, clean: list[dict[str, str]], secret: list[dict[str, str]]) -> list[bytes]:
    """Return keys and values that llama.cpp computes for what only the second conversation says, in an own engine."""
    import ctypes

    import llama_cpp

    from bot.mind.llama_engine import LlamaEngine

    engine = LlamaEngine({"model_path": str(model), "context": 8192, "gpu_layers": 0, "threads": 1})
    list(engine.run({"do": "warm", "messages": secret}, b""))

    def state() -> bytes:
        size = llama_cpp.llama_state_seq_get_size(engine._llm.ctx, 0)
        data = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(engine._llm.ctx, data, size, 0)
        return bytes(data)

    whole = state()
    shared = engine._reusable(engine._tokens.prompt(clean))
    llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(engine._llm.ctx), 0, shared, -1)
    kept = state()
    pieces = [piece for at in range(0, len(whole) - 32, 64) if (piece := whole[at : at + 32]) not in kept]
    pieces = [piece for piece in pieces if piece.count(0) < len(piece) // 4]  # the others tell where tokens stand
    middle = len(pieces) // 2
    return [*pieces[middle - 2 : middle], *pieces[-2:]]


def found_in(pid: int, pieces: list[bytes]) -> int:
    """Return how many of these stand in the memory of a child of ours."""
    found: set[bytes] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(edge, 16) for edge in place.split("-"))
                memory.seek(start)
                content = memory.read(end - start)
                found |= {piece for piece in pieces if piece in content}
    return len(found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the child's memory in /proc")
async def test_keys_and_values_of_withdrawn_words_are_overwritten(brains: list[LlamaBrain], tmp_path: Path) -> None:
    persona = Message("system", "Eres Aneeka. " * 20)
    clean, secret = ((persona, Message("user", said)) for said in ("hola", f"mira mi {SECRET} de color púrpura"))
    asked = [[{"role": m.role, "content": m.content} for m in messages] for messages in (clean, secret)]
    pieces = pieces_of_the_secret(tmp_path / "tiny.gguf", *asked)
    brain, cue = brains[0], Cue("operator", (), 0.0)
    assert brain.pid is not None
    for messages in (secret, clean):
        await brain.warm(Prompt(messages, cue))
    assert found_in(brain.pid, pieces) > 0, "reading something shorter overwrites some of it only"
    brain.forget()
    await brain.warm(Prompt(clean, cue))
    assert found_in(brain.pid, pieces) == 0


async def test_the_child_keeps_the_shared_beginning_and_nothing_withdrawn(brains: list[LlamaBrain]) -> None:
    persona, cue = Message("system", "Eres Aneeka. " * 20), Cue("operator", (), 0.0)

    def prompt(*said: str) -> Prompt:
        return Prompt((persona, *(Message("user", one) for one in said)), cue, max_tokens=4, temperature=0.0)

    secret, clean = prompt(f"mira mi {SECRET}"), prompt("hola")
    for brain in brains:
        for wanted in (clean, secret):
            fresh = [piece async for piece in brain.think(wanted)]
        shared = brain.reused_tokens
        brain.forget()
        assert brain.must_forget
        await brain.warm(Prompt((persona,), cue))
        assert not brain.must_forget
        again = [piece async for piece in brain.think(secret)]
        assert again == fresh, "wiping broke nothing"
        assert 0 < brain.reused_tokens <= shared, "the persona stayed, and what followed had to be read again"
        brain.forget()
        assert [piece async for piece in brain.think(secret)] == fresh, "an answer that comes first wipes first"
        assert not brain.must_forget


async def test_a_ban_over_http_reaches_history_prompt_cache_and_record(go_live: GoLive, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    model = tiny_gguf.write(tmp_path / "tiny.gguf", says="Mundo feliz.")
    llm = {"engine": "llama", "model": str(model), "threads": 1, "gpu_layers": 0, "context": 8192}
    house = await go_live(llm=llm)
    brain: Any = house.aneeka.engines.parts["brain"]
    assert await brain.ready(60)
    live = await house.live()
    bad = {"user": "Trolazo", "user_id": "t1", "text": f"mira mi {SECRET}, Aneeka"}
    await house.ask("POST", "/api/chat", bad)
    await until(live, "turn")
    await house.aneeka.warmed()
    before = house.aneeka.prompts.warm_prompt(house.aneeka.memory)
    assert SECRET in before.messages[1].content
    assert (await house.ask("DELETE", "/api/chat?user_id=t1&seconds=60"))[1] == {"user_id": "t1", "was": "spoken"}
    told = await until(live, "withdrawn")
    assert (told["user_id"], len(told["ids"]), len(told["turns"])) == ("t1", 1, 1)
    await house.aneeka.warmed()
    assert not brain.must_forget
    await brain.warm(before)
    assert brain.reused_tokens < brain.prompt_tokens - len(before.messages[1].content)
    await house.ask("POST", "/api/chat", bad | {"text": "¿y ahora qué?"})
    assert (await until(live, "chat"))["text"] == ""
    assert (await until(live, "dropped"))["reason"] == "withdrawn"
    assert (await house.ask("POST", "/api/chat/allow", {"user_id": "t1"}))[0] == 200
    assert (await house.ask("POST", "/api/chat/clear"))[1] == {"was": "unknown"}
    await house.ask("POST", "/api/chat", bad | {"text": "¿y por fin?"})
    assert (await until(live, "chat"))["text"] == "¿y por fin?"
    for path in ("/api/chat", "/api/chat?user_id=", "/api/chat?user_id=t1&seconds=-1"):
        status, refused = await house.ask("DELETE", path)
        assert (status, set(refused)) == (400, {"error", "hint"})
    back = await house.live()
    hello = await until(back, "hello")
    assert SECRET not in json.dumps(hello, ensure_ascii=False)
    assert (await until(back, "withdrawn"))["user_id"] == "t1"
