"""What she knows of a viewer is found wherever it is kept, goes when it is asked for, and goes by itself in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bot.app import Aneeka
from bot.chat.regulars import Regulars
from bot.config.settings import Settings
from bot.outbound import outbound
from bot.privacy import DAY_S, Privacy
from bot.recorder import Recorder
from bot.safety.approval import Draft
from bot.safety.decisions import Decisions
from bot.supervisor import for_ever
from bot.vocabulary import Cue, Heard, Person, Spoken
from tests.conftest import House
from tests.held_files import Held
from tests.virtual_time import play

Home = Callable[..., Aneeka]
GoLive = Callable[..., Awaitable[House]]
MARTA = Person("4711", "Marta_Ríos")
LEO = Person("99", "Leonardo")
OLD = "2021-01-05"


@pytest.fixture
async def at_home(tmp_path: Path) -> AsyncIterator[Home]:
    """Build her as she is, with nobody who answers: nothing is started."""
    houses: list[Aneeka] = []

    def build(**sections: dict[str, Any]) -> Aneeka:
        own = {"stage": {"sound": "none"}, "llm": {"engine": "understudy"}, "studio": {"port": 0}}
        houses.append(Aneeka(Settings(**(own | sections)), tmp_path / "data"))
        return houses[-1]

    yield build
    for aneeka in houses:
        await aneeka.privacy.close()
        await aneeka.recorder.flush()
        aneeka.hand.close()
        await aneeka.guard.close()


def line(person: Person, words: str, id: str = "m") -> dict[str, str]:
    return {"id": id, "kind": "chat", "user": person.name, "text": words, "user_id": person.id}


def turn(id: str, at_s: float, *heard: dict[str, str], spoken: str = "claro que sí", **more: Any) -> dict[str, Any]:
    said = {"generated": spoken, "spoken": spoken, "cut": None, "marks_ms": {"heard": 0.0}}
    return {"id": id, "at_s": at_s, "mode": "chat_one", "heard": list(heard), **said, **more}


def write(file: Path, *records: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def everything(folder: Path) -> str:
    return "\n".join(file.read_bytes().decode("utf-8", "replace") for file in folder.rglob("*") if file.is_file())


def heard(id: str, person: Person, words: str, now: float) -> Heard:
    return Heard(id, "chat", words, now, person)


def left_from_before(data: Path) -> Path:
    """Let earlier streams have left something of Marta, under an older name; return a recorded sound."""
    before = Person(MARTA.id, "Martilla")
    write(data / f"recordings/{OLD}.jsonl", turn("r1", 10.0, line(before, "secreto antiguo"), wav=str(data / "r1.wav")))
    write(data / f"recordings/{OLD}.jsonl", turn("r2", 11.0, line(LEO, "hola"), spoken="dice Martilla que sí"))
    for day in (6, 7, 8):
        write(data / f"recordings/2021-01-0{day}.jsonl", turn("r3", 12.0, line(LEO, "qué tal")))
    regulars = Regulars(data / "regulars.json", time.time)
    for person in (MARTA, LEO):
        regulars.is_newcomer(person)
    regulars.save()
    (data / "r1.wav").write_bytes(b"RIFF")
    return data / "r1.wav"


def comes_now(aneeka: Aneeka) -> None:
    """Let something of Marta be in every place that keeps anything while she is on."""
    now = aneeka.now()
    record = turn("r4", time.time(), line(MARTA, "secreto nuevo"), line(LEO, "buenas", "l"))
    aneeka.recorder.write(record, np.zeros(0, np.int16), 48_000)
    cue = Cue("chat_one", (heard("a", MARTA, "secreto dicho", now),), now)
    aneeka.memory.remember(cue, "Marta dice: secreto dicho", Spoken("r5", "vale", None))
    aneeka.intake.hear(heard("b", MARTA, "secreto que espera, Aneeka", now))
    held = Cue("chat_one", (heard("c", MARTA, "secreto retenido", now),), now)
    aneeka.hand.approvals.add(Draft("d1", held, "hola", "hola", "", (), now + 60))


async def test_all_that_is_kept_of_a_viewer_is_shown_and_deleted_everywhere(at_home: Home, tmp_path: Path) -> None:
    data = tmp_path / "data"
    wav = left_from_before(data)
    aneeka = at_home()
    comes_now(aneeka)
    told: list[dict[str, Any]] = []
    aneeka.live.tell = told.append  # type: ignore[method-assign]
    kept = await aneeka.privacy.kept(MARTA.id)
    assert kept is not None
    assert kept["names"] == ["Marta_Ríos", "Martilla"]
    assert [one["text"] for one in kept["written"]] == ["secreto nuevo", "secreto antiguo"]
    counts = {"lines": 2, "named": 1, "history": 1, "waiting": 1, "held": 1, "regular": True, "blocked": False}
    assert counts.items() <= kept.items()
    assert (kept["first_s"], kept["keep_days"]) == (10.0, 14)

    await aneeka.hand.block(MARTA.id, MARTA.name, "page")
    kept = await aneeka.privacy.kept(MARTA.id)
    assert kept is not None
    assert (kept["blocked"], kept["lines"], [one["what"] for one in kept["decisions"]]) == (True, 1, ["block"])

    await aneeka.privacy.forget(MARTA.id, "page")
    aneeka.hand.close()
    assert await aneeka.privacy.kept(MARTA.id) is None
    whole = everything(data) + json.dumps(aneeka.recorder.newest(9)) + json.dumps(aneeka.hand.decisions(9))
    for trace in (MARTA.id, "Marta_R", "Martilla", "secreto"):
        assert trace not in whole
    assert not wav.exists()
    assert whole.count(LEO.name) >= 5, "the others stay"
    assert LEO.id in (data / "regulars.json").read_text()
    assert aneeka.hand.decisions(1)[0]["what"] == "unblock"
    assert {"type": "viewers", "blocked": []} in told
    assert aneeka.inbox.name_of(MARTA.id) == ""


@pytest.mark.parametrize("file", [f"{OLD}.jsonl", "decisions.jsonl", "blocked.json", "regulars.json"])
async def test_while_a_file_is_open_elsewhere_nobody_is_told_that_all_is_deleted(
    at_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    data, held = tmp_path / "data", Held(monkeypatch)
    left_from_before(data)
    aneeka = at_home()
    await aneeka.hand.block(MARTA.id, MARTA.name, "page")
    held.hold(file)
    with pytest.raises(PermissionError):
        await aneeka.privacy.forget(MARTA.id, "page")
    with pytest.raises(PermissionError):
        await aneeka.privacy.forget(MARTA.id, "page")
    held.let_go()
    await aneeka.privacy.forget(MARTA.id, "page")
    assert await aneeka.privacy.kept(MARTA.id) is None
    for trace in (MARTA.id, "Marta_R", "Martilla", "secreto"):
        assert trace not in everything(data)


async def test_what_a_file_held_goes_at_the_end(at_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, held = tmp_path / "data", Held(monkeypatch)
    left_from_before(data)
    aneeka = at_home()
    held.hold(f"{OLD}.jsonl")
    aneeka.privacy.forget_soon(Person(MARTA.id, "Martilla"))
    await aneeka.privacy.close()
    assert "secreto" in everything(data)
    held.let_go()
    await aneeka.privacy.close()
    assert "secreto" not in everything(data)


async def test_who_writes_forgetme_is_forgotten_on_disk_too_but_stays_blocked(at_home: Home, tmp_path: Path) -> None:
    data = tmp_path / "data"
    left_from_before(data)
    aneeka = at_home(twitch={"mode": "anonymous", "channel": "ana", "commands": {"forget": "!forgetme"}})
    comes_now(aneeka)
    await aneeka.hand.block(MARTA.id, MARTA.name, "page")
    await aneeka.hand.block(LEO.id, LEO.name, "page")
    await aneeka.hand.unblock(LEO.id, "page")
    assert aneeka.twitch is not None
    for person in (MARTA, LEO):
        aneeka.twitch._hear(heard(f"f{person.id}", person, "!forgetme", aneeka.now()), None, "!forgetme")
    await aneeka.privacy.close()
    kept = await aneeka.privacy.kept(MARTA.id)
    assert kept is not None
    assert {name for name in kept if kept[name]} == {"user_id", "names", "keep_days", "blocked", "decisions"}
    assert await aneeka.privacy.kept(LEO.id) is None
    whole = everything(data / "recordings") + (data / "regulars.json").read_text()
    whole += json.dumps(aneeka.hand.decisions(9)[:2])
    for trace in (MARTA.id, "Martilla", "secreto", LEO.name, '"99"'):
        assert trace not in whole


async def test_a_crowd_that_wants_to_be_forgotten_is_looked_up_together(at_home: Home, tmp_path: Path) -> None:
    crowd = [Person(str(5000 + number), f"Visitante{number}") for number in range(200)]
    for person in crowd:
        write(tmp_path / f"data/recordings/{OLD}.jsonl", turn("r", 10.0, line(person, "secreto")))
    aneeka = at_home(twitch={"mode": "anonymous", "channel": "ana", "commands": {"forget": "!forgetme"}})
    looks = 0
    look = aneeka.recorder.look

    async def counted(see: Any) -> Any:
        nonlocal looks
        looks += 1
        return await look(see)

    aneeka.recorder.look = counted  # type: ignore[method-assign]
    for person in crowd:
        aneeka.privacy.forget_soon(person)
        await asyncio.sleep(0)
    await aneeka.privacy.close()
    assert looks <= 3
    assert "secreto" not in everything(tmp_path / "data/recordings")


async def test_who_cannot_be_forgotten_on_disk_costs_neither_the_next_nor_a_clean_end(
    at_home: Home, tmp_path: Path
) -> None:
    left_from_before(tmp_path / "data")
    aneeka = at_home()
    look = aneeka.recorder.look

    async def broken(see: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    aneeka.recorder.look = broken  # type: ignore[method-assign]
    aneeka.privacy.forget_soon(MARTA)
    await aneeka.privacy.close()
    aneeka.recorder.look = look  # type: ignore[method-assign]
    aneeka.privacy.forget_soon(MARTA)
    await aneeka.privacy.close()
    assert MARTA.id not in everything(tmp_path / "data/recordings")


async def test_viewers_are_found_by_part_of_a_name_as_people_write_it_or_by_id(at_home: Home, tmp_path: Path) -> None:
    data = tmp_path / "data"
    left_from_before(data)
    aneeka = at_home()
    comes_now(aneeka)

    async def names(asked: str) -> list[str]:
        return [one["name"] for one in (await aneeka.privacy.find(asked))["viewers"]]

    assert await names("RIOS") == await names("martill") == await names("4711") == ["Marta_Ríos"]
    assert await names("nadie") == []
    assert sorted(await names("")) == ["Leonardo", "Marta_Ríos"]
    broken = ['{"heard": [{"id": 1}]}', "[" * 5000, '{"id": "x", "heard": "Marta"', "null", '{"at_s": 1, "heard": [7]}']
    (data / "recordings/2021-01-09.jsonl").write_text("\n".join(broken))
    (data / "recordings/9999-99-99.jsonl").write_text("not hers")
    crowd = [turn(f"c{n}", 20.0 + n, line(Person(f"c{n}", f"Coro{n}"), "la")) for n in range(60)]
    write(data / "recordings/2021-01-09.jsonl", {}, *crowd)
    found = await aneeka.privacy.find("coro")
    assert (len(found["viewers"]), found["viewers"][0]["name"], found["more"]) == (50, "Coro59", 10)


async def test_who_is_typed_in_the_studio_is_not_taken_for_somebody_on_twitch(at_home: Home) -> None:
    aneeka = at_home()
    aneeka.desk.hear_viewer("4711", "hola Aneeka, desde el estudio", "", frozenset())
    aneeka.intake.hear(heard("t", MARTA, "hola Aneeka, desde el canal", aneeka.now()))
    await aneeka.privacy.forget(MARTA.id, "script")
    assert [one.person.id for one, _ in aneeka.inbox.waiting(aneeka.now()) if one.person] == ["studio:4711"]


# ---------------------------------------------------------------------- time


async def test_old_files_go_whole_and_of_what_stays_viewers_words_go(tmp_path: Path) -> None:
    folder, sounds = tmp_path / "recordings", tmp_path / "wav"
    sounds.mkdir()
    noon = datetime(2031, 1, 10, 12).timestamp()
    wavs = {name: str(sounds / f"{name}.wav") for name in ("old", "mine", "morning", "evening")}
    for wav in wavs.values():
        Path(wav).write_bytes(b"RIFF")
    mine = {"id": "o", "kind": "operator", "user": "", "text": "mis palabras"}
    old = turn("r1", noon - 2 * DAY_S, line(MARTA, "viejo"), wav=wavs["old"])
    own = turn("r2", noon - 2 * DAY_S, mine, wav=wavs["mine"])
    write(folder / "2031-01-08.jsonl", old, own)
    morning = turn("r3", noon - 3600, line(MARTA, "por la mañana"), mine, wav=wavs["morning"], spoken="hola Marta")
    evening = turn("r4", noon + 3600, line(MARTA, "por la tarde"), wav=wavs["evening"])
    write(folder / "2031-01-10.jsonl", morning, evening)
    with (folder / "2031-01-10.jsonl").open("a") as file:
        file.write('{"torn": "viejo')
    (folder / "2031-01-10.new").write_text("viejo, a medio escribir")
    (folder / "notes.txt").write_text("not hers")
    recorder = Recorder(folder, sounds)
    recorder._newest.append(json.loads(json.dumps(morning)))
    recorder.expire(noon)
    await recorder.flush()
    assert sorted(file.name for file in folder.iterdir()) == ["2031-01-10.jsonl", "notes.txt"]
    first, second = (json.loads(row) for row in (folder / "2031-01-10.jsonl").read_text("utf-8").split("\n")[:2])
    assert first["heard"] == [{"id": "m", "kind": "chat", "user": "", "text": "", "user_id": ""}, mine]
    assert (first["spoken"], first["generated"], first["expired"], first["marks_ms"]) == ("", "", True, {"heard": 0.0})
    assert second == evening
    assert recorder.newest(1) == [first]
    assert sorted(file.name for file in sounds.iterdir()) == ["evening.wav", "mine.wav"]
    assert "viejo" not in everything(folder)


async def test_old_decisions_go_and_new_ones_are_written_after_them(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    old = {"at": "2020-01-01T00:00:00+0100", "what": "block", "who": "page", "user_id": "4711", "user": "Marta"}
    file.with_suffix(".old").write_text(json.dumps(old) + "\n")
    file.write_text(json.dumps(old) + "\n{torn\n")
    log = Decisions(file)
    log.note("mute", "page")
    assert len(await log.about("4711")) == 2
    log.expire(time.time() - DAY_S)
    log.note("block", "page", user_id="99", user="Leo")
    assert await log.about("4711") == []
    assert [one["what"] for one in await log.about("99")] == ["block"]
    log.close()
    assert [json.loads(row)["what"] for row in file.read_text().splitlines()] == ["mute", "block"]
    assert file.with_suffix(".old").read_text() == ""


def test_time_is_looked_at_when_she_starts_and_once_a_day(tmp_path: Path) -> None:
    expired: list[tuple[str, float]] = []

    def part(name: str) -> SimpleNamespace:
        return SimpleNamespace(expire=lambda before_s: expired.append((name, before_s)))

    async def scene() -> None:
        now = asyncio.get_running_loop().time
        start, hand = now(), SimpleNamespace(log=part("decisions"))
        settings = Settings(recorder={"keep_days": 3})
        house: Any = SimpleNamespace(settings=settings, recorder=part("records"), hand=hand)
        privacy = Privacy(house, tmp_path, lambda act: act(), unix_s=lambda: 9e8 + now() - start)
        work = asyncio.create_task(for_ever(privacy.expire))
        await asyncio.sleep(2.5 * DAY_S)
        work.cancel()

    play(scene())
    days = [9e8 + (day - 3) * DAY_S for day in range(3)]
    assert expired == [(name, pytest.approx(day)) for day in days for name in ("records", "decisions")]


async def test_what_is_too_old_is_gone_when_she_has_started(go_live: GoLive, tmp_path: Path) -> None:
    old = tmp_path / "data/recordings/2020-01-01.jsonl"
    write(old, turn("r1", 1.6e9, line(MARTA, "viejo")))
    house = await go_live(with_voice=False)
    await house.aneeka.recorder.look(list)
    assert not old.exists()
    for headers in ({}, {"Authorization": f"Bearer {house.watch_token}"}):
        for method, path in (("GET", "/api/viewers"), ("GET", "/api/viewers/1"), ("DELETE", "/api/viewers/1")):
            assert (await house.ask(method, path, headers=headers))[0] == 401
    assert (await house.ask("GET", "/api/viewers/4711"))[0] == 404
    assert (await house.ask("GET", f"/api/viewers?name={'x' * 101}"))[0] == 400
    assert (await house.ask("GET", "/api/viewers/blocked"))[1] == []
    assert (await house.ask("DELETE", "/api/viewers/4711"))[1] == {"user_id": "4711", "kept": None}
    assert "4711" not in json.dumps((await house.ask("GET", "/api/decisions?limit=9"))[1])


# ---------------------------------------------------------------------- what leaves


def test_with_the_settings_as_they_come_nothing_leaves() -> None:
    assert [one.reason for one in outbound(Settings())] == ["Nada sale de esta máquina."]


def test_every_engine_that_was_chosen_is_listed_by_host_and_never_by_key() -> None:
    key = "k" * 32
    settings = Settings(
        llm={"engine": "openai", "base_url": f"https://brain.example/v1?key={key}", "api_key": key},
        stt={"engine": "whisper", "fallback": ("azure",)},
        tts={"engine": "openai", "fallback": ("azure",), "openai": {"base_url": "http://127.0.0.1:9/v1"}},
        azure={"key": key, "region": "westeurope"},
        twitch={"mode": "eventsub", "channel": "ana", "client_id": "c", "talk_back": "all"},
        avatar={"outputs": ("vmc",), "vmc": {"host": "192.168.1.7"}},
        safety={"second_opinion": "openai", "second_opinion_url": f"https://judge.example/v1?key={key}"},
    )
    lines = [one.reason for one in outbound(settings)]
    hosts = ["brain.example", "westeurope.stt.speech.microsoft.com", "westeurope.tts.speech.microsoft.com"]
    hosts += ["judge.example"]
    hosts += ["id.twitch.tv", "eventsub.wss.twitch.tv", "api.twitch.tv", "192.168.1.7"]
    assert len(lines) == len(hosts)
    for host, said in zip(hosts, lines, strict=True):
        assert host in said
        assert key not in said
    assert not any("127.0.0.1" in said for said in lines)
