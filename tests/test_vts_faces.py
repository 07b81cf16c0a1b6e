"""What VTube Studio gets to see of her: faces at their pace, and the moods that her model can show."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from avatar.lipsync import REST, MouthShape
from avatar.performer import FaceFrame
from avatar.vts_faces import CUSTOM, EYE_OPEN, VOWELS, parameters
from avatar.vts_moods import Act, Hotkey, propose_moods, resolve
from avatar.vts_sender import FADE_S, SHUT_S, STALE_S
from bot.vocabulary import EXPRESSIONS
from tests.vtube_studio_stage import FACE, INPUTS, OPEN, akari, in_virtual_time, mira, on_stage

# ---------------------------------------------------------------------- faces


def test_lips_that_close_are_closed_in_every_parameter() -> None:
    shut = parameters(replace(FACE, mouth=REST), INPUTS)
    assert [shut[name] for name in ("MouthOpen", "VoiceVolumePlusMouthOpen", *VOWELS)] == [0.0] * 7
    assert shut["VoiceSilence"] == 1.0
    spoken = parameters(replace(FACE, mouth=OPEN), INPUTS)
    assert spoken["MouthOpen"] == spoken["VoiceVolumePlusMouthOpen"] == 0.6
    assert spoken["MouthSmile"] == spoken["VoiceFrequencyPlusMouthSmile"] < shut["MouthSmile"]
    assert [spoken[name] for name in VOWELS] == [0.5, 0.0, 0.0, 0.0, 0.3]
    assert spoken["VoiceSilence"] == 0.0


@pytest.mark.parametrize(
    "weights", [(0.9, 0.8, 0.7, 0.6, 0.5), (0.5,) * 5, (1.0, 0, 0, 0, 1.0), (0, 0, 0, 0.2, 0), (0.1, 0.2, 0, 0.7, 0.3)]
)
def test_at_most_two_vowels_and_never_more_than_one_in_all(weights: tuple[float, ...]) -> None:
    shown = parameters(replace(FACE, mouth=MouthShape(0.5, 0.0, weights)), INPUTS)  # type: ignore[arg-type]
    vowels = [shown[name] for name in VOWELS]
    assert sum(value > 0 for value in vowels) <= 2
    assert sum(vowels) <= 1.0 + 1e-3
    assert max(vowels) == vowels[weights.index(max(weights))] > 0


def test_vowels_are_for_models_that_can_mute_the_plain_mouth() -> None:
    without = {name: ends for name, ends in INPUTS.items() if name != "VoiceSilence"}
    face = replace(FACE, mouth=OPEN)
    assert not set(VOWELS) & set(parameters(face, without))
    assert not set(VOWELS) & set(parameters(face, INPUTS, "open_form"))
    assert "MouthOpen" not in parameters(face, INPUTS, "vowels")
    assert "MouthOpen" in parameters(face, without, "vowels")


def test_values_stay_in_their_range_and_eyes_follow_the_head() -> None:
    wild = FaceFrame((0, 1), (1, 1), (90, -90, 200), (1, -1), 1, 1, 1, "happy", 1, MouthShape(1, 1, (1, 0, 0, 0, 0)))
    for name, value in parameters(wild, INPUTS).items():
        assert INPUTS[name][0] <= value <= INPUTS[name][1], name
    shown = parameters(replace(wild, brow=0.0), INPUTS)
    assert (shown["EyeOpenLeft"], shown["EyeOpenRight"]) == (0.0, EYE_OPEN)
    assert shown["FaceAngleX"] == 30
    assert shown["EyeLeftX"] == shown["EyeRightX"] == -1


def test_a_jaw_of_ones_own_range_and_only_what_is_offered() -> None:
    shown = parameters(replace(FACE, mouth=OPEN), {"MouthOpen": (0.0, 0.4), "AneekaHappy": (0.0, 1.0)})
    assert shown == {"MouthOpen": 0.4, "AneekaHappy": 0.0}
    assert set(CUSTOM) == {"AneekaBreath", *(f"Aneeka{name.capitalize()}" for name in EXPRESSIONS if name != "neutral")}


@in_virtual_time
async def test_nothing_reverts_while_she_speaks_and_no_frame_is_sent_twice(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        frames, begin_s = stage.studio.frames, stage.now()
        stage.stop_performing()
        stage.perform(rate_hz=70.0, jitter_s=0.006)
        first = len(frames)
        await asyncio.sleep(20)
        sent = [at_s for at_s, _, _ in frames[first:]]
        assert max(after - before for before, after in pairwise([begin_s, *sent])) < 0.1
        assert 50 * 20 < len(sent) <= 60 * 20 + 2
        assert all(found for _, _, found in frames)
        assert set(INPUTS) - stage.studio.driven() == set(INPUTS) - set(parameters(FACE, INPUTS))
        stage.studio.settle()
        assert not stage.studio.lost
        assert not stage.studio.errors


@in_virtual_time
async def test_of_too_many_frames_the_newest_is_sent(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.stop_performing()
        first = len(stage.studio.frames)
        for step in range(1000):
            stage.body.show(replace(FACE, head=(step / 100, 0.0, 0.0)))
            await asyncio.sleep(0.001)
        sent = [(at_s, values["FaceAngleX"][0]) for at_s, values, _ in stage.studio.frames[first:]]
        assert 58 <= len(sent) <= 62
        begin_s = stage.now() - 1.0
        assert all(abs(angle - (at_s - begin_s) * 10) <= 0.021 for at_s, angle in sent)


@in_virtual_time
async def test_when_nobody_hands_over_faces_the_mouth_shuts_and_the_rest_is_kept(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.stop_performing()
        assert stage.studio.value("MouthOpen") == 0.6
        await asyncio.sleep(STALE_S + SHUT_S + 0.05)
        assert stage.studio.value("MouthOpen") == 0.0
        first = len(stage.studio.frames)
        await asyncio.sleep(30)
        assert 60 <= len(stage.studio.frames) - first <= 120
        assert not stage.studio.lost
        assert stage.studio.driven()


@in_virtual_time
async def test_switched_off_she_fades_and_the_face_tracking_has_it_again(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.studio.tracking = {"FaceAngleX": 20.0, "MouthOpen": 0.3}
        stage.face = replace(stage.face, head=(-20.0, 0.0, 0.0))
        stage.wears("happy")
        await asyncio.sleep(0.5)
        assert stage.studio.active
        off_s = stage.now()
        stage.body.switch(False)
        seen = []
        while stage.now() < off_s + 3:
            seen.append((stage.now() - off_s, stage.studio.value("FaceAngleX")))
            await asyncio.sleep(0.01)
        weights = [v["FaceAngleX"][1] for at_s, v, _ in stage.studio.frames if at_s >= off_s]
        assert weights == sorted(weights, reverse=True)
        assert weights[-1] == 0.0
        assert all(after - before <= 40 / FADE_S * 0.03 for (_, before), (_, after) in pairwise(seen))
        assert next(at_s for at_s, angle in seen if angle == 20.0) <= FADE_S + 0.05
        shut = [v["MouthOpen"][0] for at_s, v, _ in stage.studio.frames if at_s >= off_s + SHUT_S + 0.02]
        assert shut
        assert set(shut) == {0.0}
        assert not stage.studio.driven()
        assert not stage.studio.active
        assert not stage.studio.lost
        stage.body.switch(True)
        await stage.until(lambda: stage.studio.value("FaceAngleX") == -20.0, FADE_S + 0.1)


@in_virtual_time
async def test_leaving_gives_the_face_back_and_takes_the_expression_off(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.wears("happy")
        await asyncio.sleep(0.5)
        begin_s = stage.now()
        await stage.body.close()
        assert stage.now() - begin_s < 1.0
        assert stage.studio.frames[-1][1]["MouthOpen"] == (0.0, 0.0)
        assert not stage.studio.active
        assert not stage.studio.sessions


@in_virtual_time
async def test_leaving_a_slow_program_leaves_no_expression_behind(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.studio.latency_s = 0.6
        stage.wears("happy")
        await asyncio.sleep(0.1)
        await stage.body.close()
        assert [active for _, active, _ in stage.studio.switched][:2] == [True, False]
        assert not stage.studio.active


# ---------------------------------------------------------------------- moods


MOODS = [
    (["Feliz", "Triste", "Enojada", "Sorpresa", "Tímida", "Emocionada"], "happy sad angry surprised shy excited"),
    (["Happy", "Crying", "ANGRY", "shock!", "Blush", "star_eyes"], "happy sad angry surprised shy excited"),
    (
        ["01_egao", "02_naki", "03_okori", "04_odoroki", "05_tere", "06_kirakira"],
        "happy sad angry surprised shy excited",
    ),
    (["笑顔", "泣き", "怒り顔", "びっくり", "照れ", "キラキラ目"], "happy sad angry surprised shy excited"),
    (["HappyOff", "resetSad", "Outfit", "Glasses", "Sadako", "noAngry"], "- - - - - -"),
    (["unhappy", "joyful2", "madMax", "blushing", "x", "y"], "sad - angry shy - -"),
]


@pytest.mark.parametrize(("names", "moods"), MOODS)
def test_moods_are_proposed_from_the_names_that_riggers_give(names: list[str], moods: str) -> None:
    files = [f"{name}.exp3.json" for name in names]
    expected = {mood: file for mood, file in zip(moods.split(), files, strict=True) if mood != "-"}
    assert propose_moods([], files) == expected


def test_a_proposal_prefers_the_plain_name_and_uses_nothing_twice() -> None:
    files = ["happy_big.exp3.json", "Happy.exp3.json", "smile.exp3.json"]
    assert propose_moods([], files) == {"happy": "Happy.exp3.json"}
    keys = [
        Hotkey("1", "Joy", "ToggleExpression", "e1.exp3.json"),
        Hotkey("2", "Cry", "TriggerAnimation", "cry.motion3.json"),
        Hotkey("3", "Angry", "ChangeVTSModel", "other.vtube.json"),
    ]
    assert propose_moods(keys, ["e1.exp3.json"]) == {"happy": "e1.exp3.json", "sad": "Cry"}


def test_the_users_table_takes_files_names_and_ids() -> None:
    keys = [Hotkey("a1", "Wink", "ToggleExpression", "w.exp3.json"), Hotkey("b2", "Spin", "TriggerAnimation", "s")]
    chosen = {"happy": "W", "sad": "wink", "angry": "B2", "shy": "spin", "excited": " ", "surprised": "Nope"}
    acts, missing = resolve(chosen, keys, ["w.exp3.json"])
    wink, spin = Act(expression="w.exp3.json"), Act(hotkey="b2")
    assert acts == {"happy": wink, "sad": wink, "angry": spin, "shy": spin}
    assert missing == ["surprised"]


@in_virtual_time
async def test_expressions_are_switched_once_and_replaced_in_order(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        assert stage.body.moods == {"happy": "Feliz.exp3.json", "sad": "Triste.exp3.json", "angry": "Enojada"}
        for mood in ("happy", "happy", "sad", "neutral", "shy", "neutral"):
            stage.wears(mood)
            await asyncio.sleep(2)
        on_off = [(file[0], active) for file, active, _ in stage.studio.switched]
        assert on_off == [("F", True), ("F", False), ("T", True), ("T", False)]
        assert {fade_s for *_, fade_s in stage.studio.switched} == {0.3}
        for _ in range(2):
            stage.wears("angry")
            await asyncio.sleep(3)
            stage.wears("neutral")
            await asyncio.sleep(3)
        assert stage.studio.pressed == ["Enojada", "Enojada"]
        assert not stage.studio.errors


@in_virtual_time
async def test_a_mood_survives_a_reconnection_and_none_is_left_behind(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.wears("happy")
        await asyncio.sleep(1)
        stage.studio.drop()
        await stage.moves()
        await asyncio.sleep(1)
        assert stage.studio.active == {"Feliz.exp3.json"}
        assert [active for _, active, _ in stage.studio.switched] == [True]
        stage.studio.drop()
        stage.wears("neutral")
        await stage.moves()
        await stage.until(lambda: not stage.studio.active, 1)


@in_virtual_time
async def test_what_the_user_switches_off_by_hand_stays_off_for_this_mood(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.wears("happy")
        await asyncio.sleep(1)
        stage.studio.press("Feliz")
        await asyncio.sleep(5)
        assert not stage.studio.active
        for mood in ("neutral", "happy"):
            stage.wears(mood)
            await asyncio.sleep(1)
        assert stage.studio.active == {"Feliz.exp3.json"}


@in_virtual_time
async def test_what_the_user_switches_on_by_hand_is_his(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.wears("happy")
        await asyncio.sleep(1)
        for _ in ("off", "on"):
            stage.studio.press("Feliz")
            await asyncio.sleep(1)
        stage.wears("neutral")
        await asyncio.sleep(1)
        assert stage.studio.active == {"Feliz.exp3.json"}


@in_virtual_time
async def test_a_hotkey_is_pressed_once_a_mood_even_over_a_reconnection(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.wears("angry")
        await asyncio.sleep(10)
        stage.studio.drop()
        await stage.moves()
        await asyncio.sleep(2)
        assert stage.studio.pressed == ["Enojada"]


@in_virtual_time
async def test_another_model_brings_its_own_moods_and_inputs(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.wears("happy")
        await asyncio.sleep(0.5)
        del stage.studio.defaults["VoiceSilence"], stage.studio.defaults["FacePositionY"]
        stage.studio.load(akari())
        await stage.until(lambda: stage.studio.active == {"egao.exp3.json"}, 1)
        assert stage.body.moods == {"happy": "egao.exp3.json", "shy": "tere.exp3.json"}
        assert stage.says("moves", model="Akari", moods="happy, shy")
        await asyncio.sleep(3)
        assert not {"VoiceSilence", "FacePositionY", *VOWELS} & stage.studio.driven()
        assert "MouthOpen" in stage.studio.driven()
        stage.studio.load(None)
        await stage.until(lambda: stage.says("no_model"), 1)
        stage.studio.load(mira())
        await stage.until(lambda: stage.studio.active == {"Feliz.exp3.json"}, 1)
        assert stage.body.health.state == "ok"


@in_virtual_time
async def test_a_hotkey_given_later_is_found(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        assert stage.studio.model
        stage.studio.model.toggles("sorprendida")
        told = {"modelID": stage.studio.model.id, "modelName": "Mira", "hotkeyConfigChanged": True}
        stage.studio.tell("ModelConfigChangedEvent", told)
        await stage.until(lambda: "surprised" in stage.body.moods, 1)


@in_virtual_time
async def test_a_table_that_names_what_the_model_lacks_says_what_it_has(tmp_path: Path) -> None:
    async with on_stage(tmp_path, moods={"happy": "Jubilosa", "sad": "feliz"}) as stage:
        assert stage.body.health.state == "degraded"
        assert "Jubilosa" in stage.body.health.reason
        assert "Triste.exp3.json" in stage.body.health.repair
        stage.wears("sad")
        await stage.until(lambda: stage.studio.active == {"Feliz.exp3.json"}, 1)
