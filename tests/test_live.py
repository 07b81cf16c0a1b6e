"""She lives: real prompts, understudy, espeak-ng, stage and server, driven as scripts and stream decks drive her."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bot.chat.recorded import RecordedLine
from bot.commands import replay
from bot.config.settings import Settings
from tests.conftest import AT_EASE, HANGS_S, House, living, until

GoLive = Callable[..., Awaitable[House]]
LONG = (
    "Esta es una frase larga para poder cortarla. Y aquí viene otra más, con muchas palabras, que no debe oírse entera."
)


async def test_a_viewer_is_answered_the_record_and_the_memory_tell_how_until_it_is_withdrawn(
    go_live: GoLive, tmp_path: Path
) -> None:
    house = await go_live(stage={"sound": "none", "record": str(tmp_path / "wav")})
    live = await house.live()
    assert (await until(live, "hello"))["state"]["counters"]["chat_received"] == 0
    status, accepted = await house.ask("POST", "/api/chat", {"user": "Marta", "text": "¡Hola, Aneeka!"})
    assert status == 202
    chat = await until(live, "chat")
    assert (chat["id"], chat["user"], chat["text"]) == (accepted["id"], "Marta", "¡Hola, Aneeka!")
    cue = await until(live, "cue")
    assert (cue["heard"], cue["mode"]) == ([accepted["id"]], "chat_one")
    turn = await until(live, "turn")
    assert "Marta" in turn["spoken"]
    assert turn["cut"] is None
    assert turn["engines"] == {"stt": None, "llm": "understudy", "tts": "espeak"}
    marks = list(turn["marks_ms"])
    assert marks == [
        *("heard", "cue", "prompt_ready", "first_token", "first_phrase", "first_sound", "first_audible", "last_audible")
    ]
    assert list(turn["marks_ms"].values()) == sorted(turn["marks_ms"].values())
    _, turns = await house.ask("GET", "/api/turns?limit=5")
    assert [t["id"] for t in turns] == [turn["id"]]
    await house.aneeka.recorder.flush()
    kept = [
        json.loads(line) for file in (tmp_path / "data/recordings").iterdir() for line in file.open(encoding="utf-8")
    ]
    assert kept == turns
    assert Path(turn["wav"]).stat().st_size > 20_000
    _, state = await house.ask("GET", "/api/state")
    assert (state["counters"]["chat_answered"], state["counters"]["turns"]) == (1, 1)
    assert len(house.aneeka.memory.messages()) == 2
    messages = house.aneeka.prompts.warm_prompt(house.aneeka.memory).messages
    assert messages[-1].role == "assistant"
    assert messages[-1].content.endswith(turn["spoken"])
    assert (await house.ask("DELETE", f"/api/chat/{accepted['id']}"))[1]["was"] == "spoken"
    assert house.aneeka.memory.messages() == ()
    assert house.aneeka.desk.turns(1)[0]["spoken"] == ""


async def test_the_state_tells_of_all_that_waits_who_wrote_it_and_when(go_live: GoLive) -> None:
    house = await go_live(stage={"sound": "none"}, chat={"repeat_window_s": 0.0})
    live = await house.live()
    await house.ask("POST", "/api/control/pause")
    for number in range(25):
        line = {"user": f"viewer{number}", "text": f"mensaje número {number}", "roles": ["vip"]}
        await house.ask("POST", "/api/chat", line)
    told = [await until(live, "chat") for _ in range(25)]
    _, state = await house.ask("GET", "/api/state")
    waiting = {line["id"]: line for line in state["waiting"]}
    assert set(waiting) == {line["id"] for line in told}
    for line in told:
        assert waiting[line["id"]]["roles"] == ["vip"]
        assert abs(waiting[line["id"]]["at_ms"] - line["at_ms"]) < 2_000


async def test_say_is_said_exactly_and_skip_leaves_only_what_was_audible(go_live: GoLive, tmp_path: Path) -> None:
    house = await go_live(stage={"sound": "none", "record": str(tmp_path / "wav")})
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": "Buenas noches a todos."})
    assert (await until(live, "turn"))["spoken"] == "Buenas noches a todos."
    await house.ask("POST", "/api/say", {"text": LONG})
    for _ in range(5):
        await until(live, "word")
    await house.ask("POST", "/api/control/skip")
    answered = house.aneeka.now()
    words = 5
    while (turn := await live.receive_json())["type"] != "turn":
        words += turn["type"] == "word"
    assert turn["cut"] == "skip"
    assert abs(len(turn["spoken"].split()) - words) <= 1
    assert LONG.startswith(turn["spoken"])
    silent_at = turn["audible_at_s"] + (turn["marks_ms"]["last_audible"] - turn["marks_ms"]["first_audible"]) / 1000
    assert silent_at - answered < 0.03, "she is silent as soon as it is said that she is, on the marks' own clock"


async def test_the_operator_comes_first_and_panic_holds_until_resume(go_live: GoLive) -> None:
    house = await go_live()
    live = await house.live()
    await house.ask("POST", "/api/chat", {"user": "Leo", "text": "cuéntame algo de ti, Aneeka"})
    await until(live, "word")
    await house.ask("POST", "/api/operator", {"text": "hola, ¿me oyes?"})
    assert (await until(live, "turn"))["cut"] == "operator"
    assert (await until(live, "cue"))["mode"] == "operator"
    await until(live, "word")
    _, answer = await house.ask("POST", "/api/control/panic")
    assert answer == {"verb": "panic", "muted": False, "paused": True}
    assert (await until(live, "turn"))["cut"] == "panic"
    await house.ask("POST", "/api/operator", {"text": "¿y ahora?"})
    await house.ask("POST", "/api/control/panic")
    assert house.aneeka.reply is None
    await house.ask("POST", "/api/control/resume")
    assert (await until(live, "cue"))["mode"] == "operator"


async def test_a_withdrawn_message_is_cut_off_and_gone_everywhere(go_live: GoLive, tmp_path: Path) -> None:
    house = await go_live(stage={"sound": "none", "record": str(tmp_path / "wav")})
    live = await house.live()
    _, accepted = await house.ask("POST", "/api/chat", {"user": "Troll", "text": "palabra secreta, Aneeka, ¿qué tal?"})
    await until(live, "word")
    _, answer = await house.ask("DELETE", f"/api/chat/{accepted['id']}")
    assert answer["was"] == "speaking"
    assert (await until(live, "withdrawn"))["ids"] == [accepted["id"]]
    turn = await until(live, "turn")
    assert (turn["cut"], turn["spoken"], turn["heard"][0]["text"]) == ("withdrawn", "", "")
    assert house.aneeka.memory.messages() == ()
    await house.aneeka.recorder.flush()
    kept = "".join(file.read_text("utf-8") for file in (tmp_path / "data/recordings").iterdir())
    assert "secreta" not in kept
    assert not (tmp_path / "wav").exists()
    assert accepted["id"] in kept


async def test_a_folder_that_cannot_be_written_is_seen_before_the_first_reply(go_live: GoLive, tmp_path: Path) -> None:
    (tmp_path / "wav").write_text("in the way")
    house = await go_live(stage={"sound": "none", "record": str(tmp_path / "wav")})
    live = await house.live()
    await house.aneeka.recorder.flush()
    _, state = await house.ask("GET", "/api/state")
    assert state["health"]["recorder"]["state"] == "down"
    assert state["health"]["recorder"]["repair"]
    await house.ask("POST", "/api/say", {"text": "Hola a todos."})
    turn = await until(live, "turn")
    assert turn["spoken"] == "Hola a todos."
    assert "wav" not in turn
    await house.aneeka.recorder.flush()
    (tmp_path / "wav").unlink()
    await house.ask("POST", "/api/say", {"text": "Hola otra vez."})
    await until(live, "health", part="recorder", state="ok")
    await house.aneeka.recorder.flush()
    _, (newest, first) = await house.ask("GET", "/api/turns?limit=2")
    assert Path(newest["wav"]).stat().st_size > 20_000
    assert "wav" not in first


async def test_turns_are_still_there_after_a_restart(tmp_path: Path) -> None:
    async with living(tmp_path) as start:
        house = await start()
        live = await house.live()
        await house.ask("POST", "/api/say", {"text": "Hasta mañana."})
        await until(live, "turn")
    async with living(tmp_path) as start:
        house = await start(with_voice=False)
        await house.aneeka.recorder.flush()
        _, turns = await house.ask("GET", "/api/turns?limit=5")
        assert [turn["spoken"] for turn in turns] == ["Hasta mañana."]
        _, state = await house.ask("GET", "/api/state")
        assert state["counters"]["turns"] == 0


async def test_a_replay_counts_every_turn_of_its_own_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bot.recorder.KEPT_IN_MEMORY", 1)
    quiet: dict[str, Any] = {"stage": {"sound": "none"}, "llm": {"engine": "understudy"}, "studio": {"port": 0}}
    lines = [RecordedLine(0.7 * n, "operator", "", f"¿qué tal va {n}?") for n in range(4)]
    for _ in range(2):
        told = {"speed": 1.0, "until_s": None, "as_json": True, "open_page": False}
        await replay(Settings(**quiet), tmp_path, lines, **told)
        summary = json.loads(capsys.readouterr().out)
        assert summary["turns"] > 1
        assert summary["turns_by_mode"] == {"operator": summary["turns"]}


async def test_the_voice_of_a_reply_that_was_cut_in_its_first_word_is_told(go_live: GoLive) -> None:
    house = await go_live(with_voice=False, tts={"engine": "azure", "fallback": ["espeak"], "speed": 1.0})
    assert await house.aneeka.engines.parts["voice_espeak"].ready(HANGS_S)
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": LONG})
    while house.aneeka.reply is None or "first_sound" not in house.aneeka.reply.marks:
        await asyncio.sleep(0)
    house.aneeka.desk.control("skip")
    turn = await until(live, "turn")
    assert (turn["spoken"], turn["engines"]["tts"]) == ("", "espeak")


async def test_what_nobody_hears_has_no_voice_and_no_sound_in_its_record(go_live: GoLive) -> None:
    house = await go_live(safety={"hold": "all"})
    live = await house.live()
    await house.ask("POST", "/api/chat", {"user": "Marta", "text": "¡Hola, Aneeka!"})
    while house.aneeka.reply is None or "first_sound" not in house.aneeka.reply.marks:
        await asyncio.sleep(0)
    house.aneeka.desk.control("skip")
    turn = await until(live, "turn")
    assert (turn["cut"], turn["engines"]["tts"]) == ("skip", None)
    assert "first_phrase" in turn["marks_ms"]
    assert not {"first_sound", "first_audible", "last_audible"} & turn["marks_ms"].keys()
    assert turn["audible_at_s"] is None


async def test_the_line_in_place_of_a_blocked_phrase_is_the_first_phrase(go_live: GoLive) -> None:
    house = await go_live(safety={"blocked_words": ["Villarriba"]})
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": "Saludos a Villarriba."})
    turn = await until(live, "turn")
    assert turn["spoken"]
    assert "Villarriba" not in turn["spoken"]
    marks = list(turn["marks_ms"])
    assert marks[marks.index("first_phrase") + 1] == "first_sound"


async def test_several_viewers_at_once_get_one_answer(go_live: GoLive) -> None:
    house = await go_live()
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": "Un momento."})
    await until(live, "cue")
    for user in ("Ana", "Leo", "Eva"):
        await house.ask("POST", "/api/chat", {"user": user, "text": f"soy {user}, ¿qué tal el día, Aneeka?"})
    turn = await until(live, "turn", mode="chat_many")
    assert {h["user"] for h in turn["heard"]} == {"Ana", "Leo", "Eva"}
    assert all(user in turn["spoken"] for user in ("Ana", "Leo", "Eva"))


async def test_killing_her_voice_in_mid_reply_never_ends_her(go_live: GoLive) -> None:
    house = await go_live()
    live = await house.live()
    text = "Uno dos tres cuatro cinco seis. Siete ocho nueve."
    await house.ask("POST", "/api/say", {"text": text})
    await until(live, "word")
    _, state = await house.ask("GET", "/api/state")
    psutil.Process(state["health"]["voice"]["pid"]).kill()
    turn = await until(live, "turn")
    assert turn["spoken"] == text
    await house.ask("POST", "/api/say", {"text": "Sigo aquí."})
    again = await until(live, "turn")
    assert (again["spoken"], again["engines"]["tts"]) == ("Sigo aquí.", "espeak")


async def test_a_page_that_sounds_gets_all_the_sound_and_its_mouth(go_live: GoLive) -> None:
    house = await go_live(stage={"sound": "browser"}, tts=AT_EASE)
    page = await house.stage()
    hello = await until(page, "hello")
    assert (hello["rate_hz"], hello["language"]) == (48_000, "es")
    await page.send_json({"type": "ready", "kind": "stage", "can_sound": True})
    assert (await until(page, "sounding"))["value"] is True
    await house.ask("POST", "/api/say", {"text": "Mamá, papá y bebé."})
    heard: list[np.ndarray[Any, Any]] = []
    rows: list[list[int]] = []
    captions = ""
    while True:
        message = await page.receive(timeout=HANGS_S)
        if isinstance(message.data, bytes):
            serial, at = np.frombuffer(message.data[:8], "<u4")
            assert at == sum(map(len, heard))
            heard.append(np.frombuffer(message.data[8:], "<i2"))
            await page.send_json({"type": "played", "serial": int(serial), "samples": sum(map(len, heard))})
            continue
        told = message.json()
        if told["type"] == "mouth":
            assert told["at"] == len(rows) * told["step"]
            rows += told["frames"]
        elif told["type"] == "phrase":
            captions += told["text"]
        elif told["type"] == "end":
            assert told["samples"] == sum(map(len, heard))
            break
    sound = np.concatenate(heard).astype(float)
    assert captions == "Mamá, papá y bebé."
    assert np.sqrt(np.mean(sound**2)) > 500
    opened = np.array(rows)[:, 0]
    assert len(rows) == pytest.approx(len(sound) / 480, abs=2)
    assert opened.max() > 40
    shut = [i for i in range(10, len(opened) - 10) if opened[i] <= 2]
    assert len(shut) >= 4 * 4, "four closures of m, p and b"


async def test_a_page_that_comes_in_mid_reply_is_brought_to_the_present(go_live: GoLive) -> None:
    house = await go_live()
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": LONG})
    await until(live, "word", index=0)
    page = await house.stage()
    seen = [(await until(page, kind))["type"] for kind in ("hello", "begin", "phrase", "mouth", "clock")]
    assert seen == ["hello", "begin", "phrase", "mouth", "clock"]


async def test_closing_her_in_mid_sentence_keeps_the_record_and_leaves_nothing_behind(
    go_live: GoLive, tmp_path: Path
) -> None:
    house = await go_live()
    live = await house.live()
    await house.ask("POST", "/api/say", {"text": LONG})
    await until(live, "word")
    pid = house.aneeka.engines.parts["voice"].pid
    assert house.aneeka.desk.turns(1) == []
    async with asyncio.timeout(HANGS_S):
        await house.aneeka.close()
    assert pid is not None
    assert not psutil.pid_exists(pid)
    kept = [
        json.loads(line) for file in (tmp_path / "data/recordings").iterdir() for line in file.open(encoding="utf-8")
    ]
    assert [(turn["cut"], LONG.startswith(turn["spoken"])) for turn in kept] == [("closing", True)]
