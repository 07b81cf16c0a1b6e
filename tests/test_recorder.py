"""What the flight recorder keeps, and that what is withdrawn is gone from the disk too."""

from __future__ import annotations

import json
import os
import tempfile
import time
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bot.chat.recorded import BadRecording, play_recording, read_recording
from bot.recorder import Recorder, probe
from bot.vocabulary import Health
from bot.withdrawal import Withdrawal, folded_names
from tests.held_files import Held
from tests.virtual_time import play

H1 = Withdrawal(frozenset(("h1",)))


def record(reply: str, heard_id: str, text: str = "hola aneeka") -> dict[str, Any]:
    heard = [{"id": heard_id, "kind": "chat", "user": "ana", "text": text}]
    said = {"generated": "[happy] hola ana", "spoken": "hola ana", "cut": None}
    return {"id": reply, "at_s": 10.0 + int(reply[1:]), "mode": "chat_one", "heard": heard, **said, "marks_ms": {}}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
    ]


async def test_a_line_a_turn_and_the_newest_first(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings")
    for n in range(5):
        recorder.write(record(f"r{n}", f"h{n}"), np.zeros(0, np.int16), 48_000)
    await recorder.flush()
    assert [r["id"] for r in lines(tmp_path / "recordings")] == ["r0", "r1", "r2", "r3", "r4"]
    assert [r["id"] for r in recorder.newest(2)] == ["r4", "r3"]


async def test_what_she_said_as_a_wav(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings", tmp_path / "sounds")
    path = recorder.wav_path("r7")
    recorder.write(record("r7", "h") | {"wav": str(path)}, np.arange(4800, dtype=np.int16), 48_000)
    await recorder.flush()
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (48_000, 1, 4800)
        assert np.frombuffer(sound.readframes(4800), "<i2")[1234] == 1234


async def test_withdrawn_is_blank_in_memory_on_disk_and_as_sound(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings", tmp_path / "sounds")
    for n in range(3):
        path = str(recorder.wav_path(f"r{n}"))
        recorder.write(record(f"r{n}", f"h{n}", f"secreto {n}") | {"wav": path}, np.ones(10, np.int16), 48_000)
    assert recorder.withdraw(H1) == ["r1"]
    await recorder.flush()
    everything = "".join(file.read_text("utf-8") for file in (tmp_path / "recordings").iterdir())
    assert "secreto 1" not in everything
    assert "secreto 0" in everything
    kept = lines(tmp_path / "recordings")
    assert (kept[1]["spoken"], kept[1]["generated"], kept[1]["withdrawn"]) == ("", "", True)
    assert recorder.newest(3)[1]["heard"][0]["text"] == ""
    assert sorted(p.name for p in (tmp_path / "sounds").iterdir()) == ["r0.wav", "r2.wav"]


async def test_every_file_of_the_session_is_blanked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = "2031-01-01"
    monkeypatch.setattr("bot.recorder.time.strftime", lambda form: day)
    recorder = Recorder(tmp_path / "rec", tmp_path / "wav")
    for number in range(1, 5):
        day = f"2031-01-0{number}"
        line = {"id": f"h{number}", "kind": "chat", "user": "Trolazo", "user_id": "t1", "text": "secreto"}
        other = line | {"id": f"o{number}", "user": "Ana", "user_id": "a1", "text": "hola"}
        wav = str(recorder.wav_path(f"r{number}"))
        words = {"generated": "ay, secreto", "spoken": "ay"}
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
    assert "secreto" not in kept
    assert "Trolazo" not in kept
    assert kept.count('"Ana"') == 4
    assert list((tmp_path / "wav").iterdir()) == []


async def test_withdrawal_survives_odd_line_ends_torn_lines_and_foreign_files(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for n, text in enumerate(("uno\u2028dos", "secreto\u0085tres", "cuatro")):
        recorder.write(record(f"r{n}", f"h{n}", text), np.zeros(0, np.int16), 48_000)
    await recorder.flush()
    today = next(tmp_path.glob("*.jsonl"))
    with today.open("a", encoding="utf-8") as file:
        file.write('{"id": "torn", "heard": [{"id": "h1", "text": "secreto')
    (tmp_path / "zz-mine.jsonl").write_text("{not json")
    recorder.withdraw(H1)
    await recorder.flush()
    kept = today.read_text("utf-8")
    assert "secreto" not in kept
    assert "uno" in kept
    assert "cuatro" in kept


async def test_a_withdrawn_turn_leaves_no_sound(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings", tmp_path / "sounds")
    recorder.write(record("r1", "h1") | {"withdrawn": True}, np.ones(10, np.int16), 48_000)
    await recorder.flush()
    assert not (tmp_path / "sounds").exists()


async def test_a_folder_that_cannot_be_written_costs_no_reply(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    recorder = Recorder(tmp_path / "file" / "recordings")
    recorder.write(record("r1", "h"), np.zeros(0, np.int16), 48_000)
    await recorder.flush()
    assert "cannot write the recording" in caplog.text
    assert recorder.newest(1)[0]["id"] == "r1"


def test_a_drive_that_is_gone_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(100))
    monkeypatch.setattr(Path, "exists", lambda path: next(looks, None) is None)  # who looks for ever finds something
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "recordings" / "today")


def test_a_closed_folder_under_windows_is_told_of_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11 tries other names there: it takes a closed folder for a name that is taken (cpython#66305)."""
    tries = iter(range(100))

    def refused(*where: object) -> int:
        assert next(tries, None) is not None, "tries for ever"
        raise PermissionError(13, "Permission denied")

    windows = SimpleNamespace(name="nt", path=os.path, access=lambda *where: True, W_OK=os.W_OK, open=refused)
    monkeypatch.setattr(tempfile, "_os", SimpleNamespace(**vars(os) | vars(windows)))
    monkeypatch.setattr(Path, "write_bytes", refused)
    with pytest.raises(PermissionError):
        probe(tmp_path)


async def test_a_sound_that_cannot_be_kept_lights_the_recorder_until_it_can_again(tmp_path: Path) -> None:
    lights: list[Health] = []
    in_the_way = tmp_path / "sounds"
    in_the_way.write_text("")
    recorder = Recorder(tmp_path / "recordings", in_the_way, lights.append)

    async def turn(reply: str) -> dict[str, Any]:
        path = str(recorder.wav_path(reply))
        recorder.write(record(reply, "h") | {"wav": path}, np.ones(10, np.int16), 48_000)
        await recorder.flush()
        return lines(tmp_path / "recordings")[-1]

    assert "wav" not in await turn("r1")
    assert "wav" not in recorder.newest(1)[0]
    assert (lights[-1].part, lights[-1].state) == ("recorder", "down")
    assert str(in_the_way) in lights[-1].reason
    assert "stage.record" in lights[-1].repair
    in_the_way.unlink()
    assert Path((await turn("r2"))["wav"]).stat().st_size > 0
    assert recorder.newest(2)[0]["wav"].endswith("r2.wav")
    assert "wav" not in recorder.newest(2)[1]
    assert lights[-1].state == "ok"


async def test_turns_that_cannot_be_written_are_when_it_works_again_without_what_was_withdrawn(tmp_path: Path) -> None:
    lights: list[Health] = []
    in_the_way = tmp_path / "recordings"
    in_the_way.write_text("")
    recorder = Recorder(in_the_way, tmp_path / "sounds", lights.append)
    for n in range(3):
        path = str(recorder.wav_path(f"r{n}"))
        recorder.write(record(f"r{n}", f"h{n}", f"secreto {n}") | {"wav": path}, np.ones(10, np.int16), 48_000)
        await recorder.flush()
    assert lights[-1].state == "down"
    recorder.withdraw(H1)
    await recorder.flush()
    assert sorted(file.name for file in (tmp_path / "sounds").iterdir()) == ["r0.wav", "r2.wav"]
    in_the_way.unlink()
    recorder.write(record("r3", "h3"), np.zeros(0, np.int16), 48_000)
    await recorder.flush()
    kept = lines(in_the_way)
    assert [each["id"] for each in kept] == ["r0", "r1", "r2", "r3"]
    assert [each["heard"][0]["text"] for each in kept[:3]] == ["secreto 0", "", "secreto 2"]
    assert lights[-1].state == "ok"


def whole(reply: str, heard_id: str, **more: Any) -> dict[str, Any]:
    return record(reply, heard_id) | {"expression": "happy", "engines": {}, **more}


async def test_the_newest_turns_of_earlier_runs_are_known_again(tmp_path: Path) -> None:
    for day, numbers in (("2031-01-01", range(300)), ("2031-01-02", range(300, 600))):
        rows = [json.dumps(whole(f"r{n}", f"h{n}")) for n in numbers]
        (tmp_path / f"{day}.jsonl").write_text("\n".join([*rows, '{"id": "torn', '{"at_s": 1}', ""]))
    earlier = Recorder(tmp_path)
    earlier.withdraw(Withdrawal(frozenset(("h599",))))
    await earlier.flush()
    recorder = Recorder(tmp_path)
    recorder.begin()
    recorder.write(whole("r600", "h600", at_s=time.time()), np.zeros(0, np.int16), 48_000)
    recorder.withdraw(Withdrawal(frozenset(("h598",))))
    recorder.withdraw(Withdrawal(chat=True))
    await recorder.flush()
    newest = recorder.newest(1000)
    assert [turn["id"] for turn in newest] == [f"r{n}" for n in range(600, 100, -1)]
    assert [turn["heard"][0]["text"] for turn in newest[:4]] == ["", "", "", "hola aneeka"], "of chat, this run's alone"
    assert recorder.withdraw(Withdrawal(frozenset(("h500",)))) == ["r500"]
    recorder.expire(time.time() + 1)
    assert "hola" not in str(recorder.newest(1000))
    await recorder.flush()


async def test_what_is_withdrawn_of_days_ago_does_not_come_back_with_the_next_run(tmp_path: Path) -> None:
    for day in range(1, 5):
        row = json.dumps(whole(f"r{day}", f"h{day}", generated="vale", spoken="vale"))
        (tmp_path / f"2021-01-0{day}.jsonl").write_text(row + "\n")
    first = Recorder(tmp_path)
    first.begin()
    await first.flush()
    assert first.withdraw(H1) == ["r1"]
    await first.flush()
    second = Recorder(tmp_path)
    second.begin()
    await second.flush()
    assert [turn["heard"][0]["text"] for turn in second.newest(4)] == ["hola aneeka"] * 3 + [""]


async def test_the_recorder_s_own_files_can_be_played_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for n in range(3):
        recorder.write(record(f"r{n}", f"h{n}", f"texto {n}"), np.zeros(0, np.int16), 48_000)
    await recorder.flush()
    again = read_recording(next(tmp_path.glob("*.jsonl")))
    assert [(line.at_s, line.user, line.text) for line in again] == [(float(n), "ana", f"texto {n}") for n in range(3)]


def test_recorded_chat_comes_when_it_came_as_fast_as_wanted(tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_text("".join(json.dumps({"at_s": t, "user": "a", "text": str(t)}) + "\n" for t in (2.0, 8.0, 0.0, 30.0)))
    heard: list[tuple[float, str]] = []

    async def scene() -> None:
        import asyncio

        now = asyncio.get_running_loop().time
        start = now()
        await play_recording(
            read_recording(file), lambda line: heard.append((now() - start, line.text)), speed=4.0, until_s=10.0
        )

    play(scene())
    assert [(round(at, 3), text) for at, text in heard] == [(0.0, "0.0"), (0.5, "2.0"), (2.0, "8.0")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "chat.jsonl"),
        ('{"at_s": 1}\n', "1"),
        ("\n{nope\n", "2"),
        ('{"at_s": "x", "user": "a", "text": "b"}', "1"),
        ("[]", "1"),
    ],
)
def test_a_broken_recording_is_one_sentence(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_text(content)
    with pytest.raises(BadRecording, match=says):
        read_recording(file)


def test_a_missing_recording_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="nowhere"):
        read_recording(tmp_path / "nowhere.jsonl")


async def test_what_is_withdrawn_while_a_file_is_open_elsewhere_is_told_of_and_goes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, held = tmp_path / "recordings", Held(monkeypatch)
    folder.mkdir()
    days = [folder / f"2031-01-0{day}.jsonl" for day in (1, 2, 3)]
    for day in days:
        day.write_text(json.dumps(record("r1", "h1", "secreto")) + "\n" + json.dumps(record("r2", "h2")) + "\n")
    recorder = Recorder(folder)
    held.hold(days[1].name)
    recorder.withdraw(H1, ever=True)
    with pytest.raises(PermissionError):
        await recorder.forgotten()
    assert ["secreto" in day.read_text() for day in days] == [False, True, False], "what can go is gone"
    held.let_go()
    recorder.withdraw(Withdrawal(frozenset(("another",))))
    await recorder.flush()
    assert "secreto" not in days[1].read_text()
    assert [heard["text"] for row in lines(folder) for heard in row["heard"]] == ["", "hola aneeka"] * 3


@pytest.mark.parametrize("known", [True, False], ids=["of this run", "of a file alone"])
async def test_a_withdrawn_sound_that_somebody_listens_to_is_told_of_and_goes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    wav = tmp_path / "r1.wav"
    wav.write_bytes(b"RIFF")
    (tmp_path / "2031-01-01.jsonl").write_text(json.dumps(whole("r1", "h1", wav=str(wav))) + "\n")
    recorder = Recorder(tmp_path)
    if known:
        recorder.begin()
        await recorder.flush()
    unlink, held = Path.unlink, [wav]

    def while_held(path: Path, missing_ok: bool = False) -> None:
        if path in held:
            raise PermissionError(13, "held by another program", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", while_held)
    recorder.withdraw(H1)
    with pytest.raises(PermissionError):
        await recorder.forgotten()
    assert "hola" not in (tmp_path / "2031-01-01.jsonl").read_text()
    held.clear()
    await recorder.forgotten()
    assert not wav.exists()
