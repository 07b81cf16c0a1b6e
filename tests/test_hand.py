"""The operator's hand: nothing is heard without a yes, who is blocked stays blocked, and who is away is silent."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.safety.approval import MOST, Approvals, Draft, Hold
from bot.safety.away import Away
from bot.safety.blocks import Blocks
from bot.safety.decisions import Decisions
from bot.vocabulary import Cue, Heard, Mode, Person
from bot.withdrawal import Withdrawal
from tests.conftest import HANGS_S, House, until

GoLive = Callable[..., Awaitable[House]]
ANA = Person("1", "Anabel")


def draft(name: str, *, mode: Mode = "chat_one", text: str = "¡Hola!", expires_s: float = 60.0) -> Draft:
    cue = Cue(mode, (Heard(f"heard-{name}", "chat", "hola", 0.0, ANA),), 0.0, "best")
    return Draft(name, cue, text, f"[happy] {text}", "", (), expires_s)


class TestApprovals:
    @pytest.mark.parametrize(
        ("hold", "held"),
        [
            ("off", set()),
            ("chat", {"chat_one", "chat_many"}),
            ("all", {"chat_one", "chat_many", "event", "idle", "operator"}),
        ],
    )
    def test_what_is_held(self, hold: Hold, held: set[Mode]) -> None:
        modes: tuple[Mode, ...] = ("operator", "chat_one", "chat_many", "event", "idle", "say")
        assert {mode for mode in modes if Approvals(hold, 60).holds(Cue(mode, (), 0.0))} == held

    def test_an_edited_answer_is_said_as_it_was_edited(self) -> None:
        approvals = Approvals("chat", 60)
        for name in "ab":
            approvals.add(draft(name))
        assert approvals.next() is None, "nothing is said without a yes"
        approvals.approve("b", "Buenas.")
        approvals.approve("a", "¡Hola!")
        said = [approvals.next(), approvals.next(), approvals.next()]
        assert [d and d.tagged for d in said] == ["Buenas.", "[happy] ¡Hola!", None]

    def test_each_is_decided_once(self) -> None:
        approvals = Approvals("chat", 60)
        approvals.add(draft("a"))
        assert approvals.reject("a") is not None
        assert approvals.reject("a") is None
        assert approvals.approve("a") is None
        assert approvals.next() is None

    def test_stale_ones_leave_also_when_approved(self) -> None:
        approvals = Approvals("chat", 60)
        for name, expires_s in (("a", 10.0), ("b", 10.0), ("c", 11.0)):
            approvals.add(draft(name, expires_s=expires_s))
        approvals.approve("b")
        assert {d.id for d in approvals.expire(10.0)} == {"a", "b"}
        assert approvals.next() is None
        assert [d.id for d in approvals.waiting] == ["c"]

    def test_the_oldest_leaves_when_too_many_wait(self) -> None:
        approvals = Approvals("chat", 60)
        left = [approvals.add(draft(str(i))) for i in range(MOST)]
        assert (left, approvals.full) == ([None] * MOST, True)
        gone = approvals.add(draft("late"))
        assert gone is not None
        assert gone.id == "0"

    @pytest.mark.parametrize(
        "what",
        [Withdrawal(frozenset({"heard-a"})), Withdrawal(person_id="1"), Withdrawal(names=frozenset({"anabel"}))],
    )
    def test_what_is_withdrawn_leaves_also_when_approved(self, what: Withdrawal) -> None:
        approvals = Approvals("chat", 60)
        approvals.add(draft("a", text="Hola, Anabel."))
        approvals.approve("a")
        assert [d.id for d in approvals.take_back(what)] == ["a"]
        assert approvals.next() is None


class TestAway:
    def test_after_so_long_without_input_and_until_the_next(self) -> None:
        away = Away(5, now=100.0)
        assert not away.is_away(399.0)
        assert away.is_away(400.0)
        away.seen(500.0)
        assert not away.is_away(500.0)

    def test_never_by_default(self) -> None:
        assert not Away(0, now=0.0).is_away(1e9)


class TestBlocks:
    def test_they_last(self, tmp_path: Path) -> None:
        blocks = Blocks(tmp_path / "blocked.json")
        blocks.block("1", "Anabel")
        blocks.block("2", "Leo")
        blocks.unblock("1")
        blocks.save()
        again = Blocks(tmp_path / "blocked.json")
        assert again.names() == {"2": "Leo"}
        assert Person("2", "another name now") in again
        assert ANA not in again

    @pytest.mark.parametrize("broken", ["", "[]", "\x00"])
    def test_a_broken_file_is_put_aside(self, tmp_path: Path, broken: str) -> None:
        (tmp_path / "blocked.json").write_text(broken)
        assert Blocks(tmp_path / "blocked.json").names() == {}
        assert (tmp_path / "blocked.unreadable").read_text() == broken


def test_the_log_of_decisions_is_kept_and_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.safety.decisions.FILE_BYTES", 300)
    log = Decisions(tmp_path / "decisions.jsonl")
    for number in range(8):
        log.note("reject", "page", held=str(number))
    log.close()
    files = [tmp_path / "decisions.old", tmp_path / "decisions.jsonl"]
    kept = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    assert kept[-1] == log.newest(1)[0]
    assert (kept[-1]["what"], kept[-1]["who"], kept[-1]["held"]) == ("reject", "page", "7")
    assert all(file.stat().st_size < 500 for file in files)


async def ask_held(house: House, live: Any, text: str = "hola Aneeka") -> dict[str, Any]:
    await house.ask("POST", "/api/chat", {"user": "Anabel", "text": text, "user_id": "1"})
    return await until(live, "held")


async def test_an_answer_to_chat_waits_and_is_said_when_approved(go_live: GoLive, tmp_path: Path) -> None:
    house = await go_live(safety={"hold": "chat"})
    live, page = await house.live(), await house.stage()
    held = await ask_held(house, live)
    assert (held["heard"][0]["user"], held["heard"][0]["text"], held["blocked"]) == ("Anabel", "hola Aneeka", [])
    assert held["text"]
    assert held["why"]
    assert house.aneeka.desk.turns(1) == []
    assert house.aneeka.reply is None
    _, waiting = await house.ask("GET", "/api/held")
    assert [item["text"] for item in waiting] == [held["text"]]
    await house.ask("POST", "/api/operator", {"text": "¿sigues ahí?"})
    await until(live, "word")
    await house.ask("POST", "/api/control/skip")
    assert (await until(live, "turn"))["mode"] == "operator"
    status, answer = await house.ask("POST", f"/api/held/{held['id']}/approve")
    assert (status, answer) == (200, {"id": held["id"], "verb": "approve"})
    assert (await until(live, "decided"))["what"] == "approve"
    turn = await until(live, "turn")
    assert (turn["spoken"], turn["mode"], turn["heard"][0]["user"]) == (held["text"], "chat_one", "Anabel")
    shown = []
    while (message := await page.receive(timeout=HANGS_S)).json() != {"type": "card"}:
        shown.append(message.json())
    assert {m["text"] for m in shown if m["type"] == "card"} <= {held["text"], "hola Aneeka"}
    assert (await house.ask("POST", f"/api/held/{held['id']}/approve"))[0] == 404
    house.aneeka.hand.close()
    log = (tmp_path / "data/decisions.jsonl").read_text("utf-8")
    assert [json.loads(line)["what"] for line in log.splitlines()] == ["skip", "approve"]
    assert "hola Aneeka" not in log
    assert house.token not in log
    assert (await house.ask("GET", "/api/decisions?limit=5"))[1][0]["who"] == "script"


async def test_nothing_of_a_held_answer_reaches_the_stream_before_the_yes(go_live: GoLive) -> None:
    house = await go_live(safety={"hold": "chat"})
    live, page = await house.live(), await house.stage()
    held = await ask_held(house, live)
    await house.ask("POST", f"/api/held/{held['id']}/reject")
    await until(live, "decided", what="reject")
    await house.ask("POST", "/api/say", {"text": "Fin."})
    kinds = set()
    while (message := (await page.receive(timeout=HANGS_S)).json())["type"] != "end":
        kinds.add(message["type"])
        assert "hola Aneeka" not in json.dumps(message, ensure_ascii=False)
        assert message.get("text") in (None, "", "Fin.")
    assert "phrase" in kinds
    assert house.aneeka.memory.messages() == ()
    counters = house.aneeka.desk.counters()
    assert (counters["chat_answered"], counters["chat_dropped"]) == (0, {"unsaid": 1})


async def test_an_edited_answer_is_said_and_passes_the_gate_again(go_live: GoLive) -> None:
    house = await go_live(safety={"hold": "all", "blocked_words": ["Villarriba"]})
    live = await house.live()
    held = await ask_held(house, live)
    await house.ask("POST", f"/api/held/{held['id']}/approve", {"text": "Buenas, Anabel."})
    assert (await until(live, "turn"))["spoken"] == "Buenas, Anabel."
    await house.ask("POST", "/api/operator", {"text": "¿y tú?"})
    held = await until(live, "held")
    assert held["mode"] == "operator"
    await house.ask("POST", f"/api/held/{held['id']}/approve", {"text": "Vivo en Villarriba."})
    assert (await until(live, "blocked"))["reason"] == "own_list"
    assert "Villarriba" not in (await until(live, "turn"))["spoken"]
    for body in ({"text": ""}, {"text": 3}, {}):
        assert (await house.ask("POST", "/api/held/x/approve", body))[0] == 400


async def test_held_answers_expire_are_withdrawn_and_do_not_outlive_panic(go_live: GoLive) -> None:
    house = await go_live(safety={"hold": "chat", "hold_expires_s": 5.0}, chat={"idle_after_s": 0.0})
    live, hand = await house.live(), house.aneeka.hand
    held = await ask_held(house, live)
    await house.ask("DELETE", f"/api/chat/{held['heard'][0]['id']}")
    assert (await until(live, "decided"))["what"] == "withdrawn"
    held = await ask_held(house, live, "¿cuál es tu color favorito?")
    await house.ask("POST", "/api/control/pause")
    await house.ask("POST", f"/api/held/{held['id']}/approve")
    await house.ask("POST", "/api/control/panic")
    assert (await until(live, "decided", what="panic"))["id"] == held["id"]
    await house.ask("POST", "/api/control/resume")
    held = await ask_held(house, live, "¿y tu comida favorita?")
    later = house.aneeka.now() + 5.0
    house.aneeka.now = lambda: later
    hand.tick()
    assert (await until(live, "decided", what="expired"))["id"] == held["id"]
    assert hand.held() == []
    counters = house.aneeka.desk.counters()
    assert counters["chat_received"] == counters["chat_answered"] + sum(counters["chat_dropped"].values())


async def test_the_others_of_a_held_answer_are_answered_again_when_one_was_withdrawn(go_live: GoLive) -> None:
    house = await go_live(safety={"hold": "chat"}, chat={"idle_after_s": 0.0, "window_s": 0.0})
    live = await house.live()
    await house.ask("POST", "/api/control/pause")
    for user in ("Anabel", "Leonor", "Marisol"):
        await house.ask("POST", "/api/chat", {"user": user, "text": f"Aneeka, soy {user}"})
    await house.ask("POST", "/api/control/resume")
    withdrawn, *others = [line["id"] for line in (await until(live, "held"))["heard"]]
    assert len(others) == 2
    _, answer = await house.ask("DELETE", f"/api/chat/{withdrawn}")
    assert answer["was"] == "waiting"
    assert (await until(live, "held"))["heard"][0]["id"] in others


async def test_a_blocked_viewer_is_taken_back_and_heard_no_more_until_unblocked(
    go_live: GoLive, tmp_path: Path
) -> None:
    house = await go_live(safety={"hold": "chat"})
    live = await house.live()
    held = await ask_held(house, live)
    status, answer = await house.ask("POST", "/api/viewers/block", {"user_id": "1", "name": "Anabel"})
    assert (status, answer) == (200, {"blocked": [{"user_id": "1", "name": "Anabel"}]})
    assert (await until(live, "decided"))["id"] == held["id"]
    assert await until(live, "viewers") == {"type": "viewers", **answer}
    await house.ask("POST", "/api/chat", {"user": "Otro nombre", "text": "¿hola?", "user_id": "1"})
    assert (await until(live, "dropped", reason="ignored"))["reason"] == "ignored"
    assert json.loads((tmp_path / "data/blocked.json").read_text("utf-8")) == {"1": "Anabel"}
    assert (await house.ask("POST", "/api/viewers/unblock", {"user_id": "1"}))[1] == {"blocked": []}
    await ask_held(house, live, "¿me oyes ahora, Aneeka?")
    for body in ({}, {"user_id": "1"}, {"user_id": "", "name": "x"}, {"user_id": "x" * 101, "name": "x"}):
        assert (await house.ask("POST", "/api/viewers/block", body))[0] == 400


async def test_when_the_operator_is_away_she_reads_on_in_silence(go_live: GoLive) -> None:
    house = await go_live(safety={"away_minutes": 1.0})
    aneeka, live = house.aneeka, await house.live()
    real = aneeka.now
    aneeka.now = lambda: real() + 61.0
    aneeka.hand.tick()
    assert (await until(live, "state"))["away"] is True
    await house.ask("POST", "/api/chat", {"user": "Anabel", "text": "hola Aneeka"})
    _, state = await house.ask("GET", "/api/state")
    assert (state["away"], state["doing"], len(state["waiting"])) == (True, "muted", 1)
    await house.ask("POST", "/api/present")
    assert (await until(live, "state", away=False))["muted"] is False
    assert (await until(live, "cue"))["mode"] == "chat_one"
    await until(live, "word")


async def test_only_the_operator_decides(go_live: GoLive) -> None:
    house = await go_live(with_voice=False)
    for method, path in (
        ("GET", "/api/held"),
        ("POST", "/api/held/x/approve"),
        ("POST", "/api/held/x/reject"),
        ("GET", "/api/viewers/blocked"),
        ("POST", "/api/viewers/block"),
        ("GET", "/api/decisions"),
        ("POST", "/api/present"),
    ):
        for headers in ({}, {"Authorization": f"Bearer {house.watch_token}"}):
            assert (await house.ask(method, path, headers=headers))[0] == 401, (method, path)
    assert (await house.ask("POST", "/api/held/x/reject"))[0] == 404
    assert (await house.ask("GET", "/api/decisions?limit=x"))[0] == 400
