"""``POST /api/voice-chat``: asked with curl in every container, answered aloud, and never in the way of the show."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from bot import texts
from bot.studio.voice_chat import AUDIO_BYTES
from tests.conftest import REAL_TIME, House, living, needs, until
from tests.containers import pack, wav
from tests.spoken_english import RATE_HZ, spoken
from tests.transcription_server import KEY, Sphinx, Transcriptions

pytestmark = REAL_TIME

pytest.importorskip("pocketsphinx", reason="needs the package pocketsphinx")

GoLive = Callable[..., Awaitable[House]]
QUESTION = "what is the weather like"
HISTORY = [{"role": "user", "content": "hello [happy]"}, {"role": "assistant", "content": "Hi there!"}]


shared = pytest.mark.asyncio(loop_scope="module")
"""These tests ask one and the same program."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Transcriptions]:
    server = Transcriptions(Sphinx())
    server.url = await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(server: Transcriptions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    texts.use("es")
    async with living(tmp_path_factory.mktemp("house")) as go_live:
        hearing = {"engine": "openai", "openai": {"base_url": server.url, "api_key": KEY}}
        yield await go_live(stt=hearing, persona={"language": "en"})


async def ask(house: House, sound: bytes | None, messages: Any = None, **headers: str) -> tuple[int, Any]:
    form = aiohttp.FormData(default_to_multipart=True)
    if sound is not None:
        form.add_field("audio", sound, filename="question", content_type="application/octet-stream")
    form.add_field("messages", messages if isinstance(messages, str) else json.dumps(messages or []))
    async with house.client.post(house.url + "/api/voice-chat", data=form, headers=house.headers | headers) as answer:
        return answer.status, await answer.json()


def seconds_of(address: str) -> float:
    kind, _, data = address.partition(",")
    assert kind == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(data))) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert np.abs(pcm).max() > 3000, "she is heard"
        return len(pcm) / file.getframerate()


@shared
async def test_curl_asks_in_any_container_and_she_answers_aloud(house: House, tmp_path: Path) -> None:
    curl = needs("curl", "curl")
    before = house.aneeka.desk.turns(5), house.aneeka.memory.messages(), house.aneeka.desk.counters()
    pcm = spoken(QUESTION)
    for kind in ("wav", "webm/opus", "ogg/opus", "mp3"):
        question = tmp_path / "question"
        question.write_bytes(wav(pcm, RATE_HZ) if kind == "wav" else pack(pcm, RATE_HZ, kind))
        process = await asyncio.create_subprocess_exec(
            *(curl, "-sS", "--fail-with-body", "-H", f"Authorization: Bearer {house.token}"),
            *("-F", f"audio=@{question}", "-F", f"messages={json.dumps(HISTORY)}", house.url + "/api/voice-chat"),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        answer = json.loads(said)
        assert process.returncode == 0, (kind, answer)
        assert answer["input"] == QUESTION
        assert answer["text"]
        assert 0.5 < seconds_of(answer["audio"]) < 30
    after = house.aneeka.desk.turns(5), house.aneeka.memory.messages(), house.aneeka.desk.counters()
    assert after == before, "the show's own records are as they were"


@shared
async def test_the_conversation_so_far_is_the_callers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    brain = house.aneeka.engines.brain
    real = brain.think

    def think(prompt: Any) -> Any:
        asked.append(prompt)
        return real(prompt)

    monkeypatch.setattr(brain, "think", think)
    live = await house.live()
    await house.ask("POST", "/api/operator", {"text": "this is said live"})
    await until(live, "turn")
    own = house.aneeka.memory.messages()
    system = {"role": "system", "content": "Answer like a pirate."}
    status, _ = await ask(house, ASKED, [*HISTORY, system])
    assert status == 200
    messages = [(message.role, message.content) for message in asked[-1].messages]
    assert [role for role, _ in messages] == ["system", "user", "assistant", "system", "user"]
    assert "hello (happy)" in messages[1][1]
    assert messages[2][1] == "[neutral] Hi there!"
    assert QUESTION in messages[-1][1]
    assert "said live" not in str(messages)
    assert house.aneeka.memory.messages() == own, "the show's own history is as it was"


ASKED = wav(spoken(QUESTION), RATE_HZ)
FAINT = (np.random.default_rng(1).standard_normal(RATE_HZ) * 40).astype(np.int16)
REFUSED: list[tuple[bytes | None, Any, int, str]] = [
    (b"", None, 400, "vacío"),
    (None, None, 400, "audio"),
    (wav(np.zeros(RATE_HZ, np.int16), RATE_HZ), None, 422, "palabra"),
    (wav(FAINT, RATE_HZ), None, 422, "palabra"),
    (wav(np.zeros(61 * RATE_HZ, np.int16), RATE_HZ), None, 413, "60"),
    (b"\x1aE\xdf\xa3" + bytes(range(256)) * 9, None, 422, "dañado"),
    (b"just text", None, 422, "dañado"),
    (bytes(AUDIO_BYTES + 1), None, 413, "grande"),
    (ASKED, "{", 400, "messages"),
    (ASKED, '{"role": "user"}', 400, "messages"),
    (ASKED, '[{"role": "wizard", "content": "x"}]', 400, "messages"),
    (ASKED, '[{"role": "user", "content": 5}]', 400, "messages"),
    (ASKED, "[" * 100_000, 400, "messages"),
    (ASKED, '[{"role": "user", "content": "\\ud800 ' + "x" * 9000 + '"}]', 200, ""),
]
FORM = "multipart/form-data; boundary=x"
NESTED = b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--x--"
NO_FORMS = [
    (b"{}", "application/json", 415),
    (b"", "multipart/form-data", 400),
    (b"nonsense", FORM, 400),
    (b"--x\r\n\r\nno name", FORM, 400),
    (NESTED, FORM, 400),
]


@shared
async def test_each_refusal_says_what_is_wrong(house: House) -> None:
    for sound, messages, status, word in REFUSED:
        got, body = await ask(house, sound, messages)
        assert got == status, (body, (sound or b"")[:20], messages)
        assert status == 200 or (word in body["error"] and body["hint"])
    for data, kind, status in NO_FORMS:
        headers = house.headers | {"Content-Type": kind}
        async with house.client.post(house.url + "/api/voice-chat", data=data, headers=headers) as answer:
            assert (answer.status, set(await answer.json())) == (status, {"error", "hint"}), (data, kind)


async def test_without_ears_it_says_why(go_live: GoLive) -> None:
    house = await go_live(stt={"engine": "off"})
    status, body = await ask(house, ASKED)
    assert status == 503
    assert "stt.engine" in body["hint"]


@shared
async def test_while_she_is_held_nothing_is_answered(house: House) -> None:
    await house.ask("POST", "/api/control/panic")
    assert (await ask(house, ASKED))[0] == 409
    await house.ask("POST", "/api/control/resume")
    assert (await ask(house, ASKED))[0] == 200


@shared
async def test_what_she_may_not_say_live_she_does_not_say_here(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def rude(prompt: Any) -> AsyncIterator[str]:
        yield "[happy] Sure. Here is my number, 612 345 678, call me. "

    monkeypatch.setattr(house.aneeka.engines.brain, "think", rude)
    blocked = house.aneeka.desk.counters()["phrases_blocked"]
    status, body = await ask(house, ASKED)
    assert status == 200
    assert "612" not in body["text"]
    assert body["text"].startswith("Sure.")
    assert house.aneeka.desk.counters()["phrases_blocked"] == blocked + 1


@shared
async def test_the_show_comes_first_and_the_private_answer_begins_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, tries = asyncio.Event(), 0
    real = house.aneeka.engines.brain.think

    async def think(prompt: Any) -> AsyncIterator[str]:
        nonlocal tries
        if QUESTION in prompt.messages[-1].content:
            tries += 1
            began.set()
            yield "[happy] A private"
            if tries == 1:
                await asyncio.Event().wait()
            yield " answer to you."
        else:
            async for piece in real(prompt):
                yield piece

    monkeypatch.setattr(house.aneeka.engines.brain, "think", think)
    live = await house.live()
    asking = asyncio.create_task(ask(house, ASKED))
    await began.wait()
    await house.ask("POST", "/api/operator", {"text": "hello Aneeka"})
    turn = await until(live, "turn")
    assert turn["cut"] is None
    assert "private" not in turn["spoken"]
    status, body = await asking
    assert (status, body["text"], tries) == (200, "A private answer to you.", 2)


@shared
async def test_many_at_once_are_answered_one_after_the_other_or_refused(house: House) -> None:
    answers = await asyncio.gather(*(ask(house, ASKED) for _ in range(8)))
    statuses = sorted(status for status, _ in answers)
    assert statuses.count(200) >= 4
    assert set(statuses) <= {200, 503}
    assert (await ask(house, ASKED))[0] == 200
