"""What was withdrawn leaves the brain's memory of what it has read, and everything else behind a ban over HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.mind.demo.brain import DemoBrain
from bot.mind.llama import LlamaBrain
from bot.vocabulary import Cue, Message, Prompt
from tests import tiny_gguf
from tests.conftest import HANGS_S, House, until

pytest.importorskip("llama_cpp")

GoLive = Callable[..., Awaitable[House]]
SECRET = "zarigüeya"


@pytest.fixture
async def brains(tmp_path: Path) -> AsyncGenerator[list[LlamaBrain], None]:
    model = tiny_gguf.write(tmp_path / "tiny.gguf")
    demo = DemoBrain("Eres Aneeka.", "Aneeka", on_health=lambda health: None, model=model)
    brains = [LlamaBrain(model, gpu_layers=0, threads=1, on_health=lambda health: None), demo]
    for brain in brains:
        await brain.start()
        assert await brain.ready(HANGS_S)
    yield brains
    for brain in brains:
        await brain.close()


def pieces_of_the_secret(model: Path, clean: list[dict[str, str]], secret: list[dict[str, str]]) -> list[bytes]:
    """Return keys and values that llama.cpp computes for what only the second conversation says, in an own engine."""
    import ctypes

    import llama_cpp

    from bot.mind.llama_engine import LlamaEngine

    engine = LlamaEngine({"model_path": str(model), "context": 8192, "gpu_layers": 0, "threads": 1, "min_p": 0.05})
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
    model = tiny_gguf.write(tmp_path / "tiny.gguf", says="Mundo feliz.")
    llm = {"engine": "llama", "model": str(model), "threads": 1, "gpu_layers": 0, "context": 8192}
    house = await go_live(llm=llm)
    brain: Any = house.aneeka.engines.parts["brain"]
    assert await brain.ready(HANGS_S)
    live = await house.live()
    bad = {"user": "Trolazo", "user_id": "t1", "text": f"mira mi {SECRET}, Aneeka"}
    await house.ask("POST", "/api/chat", bad)
    await until(live, "turn")
    await house.aneeka.thinking.warmed()
    before = house.aneeka.prompts.warm_prompt(house.aneeka.memory)
    assert SECRET in before.messages[1].content
    assert (await house.ask("DELETE", "/api/chat?user_id=t1&seconds=60"))[1] == {"user_id": "t1", "was": "spoken"}
    told = await until(live, "withdrawn")
    assert (told["user_id"], len(told["ids"]), len(told["turns"])) == ("t1", 1, 1)
    await house.aneeka.thinking.warmed()
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
