"""Her body over VMC, judged by a strict receiver: scenes play in virtual time over real UDP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from avatar import osc_link
from avatar.lipsync import MouthShape, MouthTrack
from avatar.osc import DATAGRAM_MAX
from avatar.performer import MANNERS, FaceFrame, Performer
from avatar.vmc import LATE_S, NEUTRAL, Vmc
from avatar.vmc_face import BONES, REST, Body, Names
from bot.vocabulary import EXPRESSIONS, Health, Shape
from tests.conftest import HANGS_S
from tests.faces import FRAME_S, now, speaking
from tests.healths import Healths
from tests.osc_sink import VRM0, VRM1, OscSink
from tests.virtual_time import play


@pytest.fixture
def sink() -> Iterator[OscSink]:
    sink = OscSink()
    yield sink
    sink.close()


async def on_air(sink: OscSink, report: Callable[[Health], None] = lambda _: None, **options: Any) -> Vmc:
    vmc = Vmc("127.0.0.1", sink.port, options.pop("names", "vrm0"), report, now, **options)
    await vmc.start()
    assert await vmc.ready(HANGS_S)
    return vmc


async def perform(vmc: Vmc, sink: OscSink, frames: list[FaceFrame]) -> None:
    for frame in frames:
        vmc.send(frame, now())
        sink.drain()
        await asyncio.sleep(FRAME_S)
    sink.until(lambda: len(sink.faces) >= vmc.sent)


@pytest.mark.parametrize("names", ["vrm0", "vrm1"])
@pytest.mark.parametrize("body", ["face", "upper", "arms"])
def test_minutes_of_life_break_no_rule(sink: OscSink, names: Names, body: Body) -> None:
    async def scene() -> None:
        vmc = await on_air(sink, names=names, body=body)
        performer, rng = Performer(5), np.random.default_rng(2)
        frames = []
        for index in range(900):
            at = 2000.0 + index * FRAME_S
            if index % 90 == 0:
                performer.set_state(str(rng.choice(list(MANNERS))), at)
                performer.set_expression(str(rng.choice(EXPRESSIONS)), at)
            weights = rng.random(5)
            frames.append(performer.frame(at, MouthShape(rng.random(), rng.uniform(-1, 1), tuple(weights))))
        await perform(vmc, sink, frames)
        await vmc.close()
        sink.until(lambda: len(sink.faces) >= vmc.sent)
        assert vmc.dropped == 0

    play(scene())
    sink.settled()
    assert set(sink.faces[0].shapes) == (VRM0 if names == "vrm0" else VRM1)
    assert all(tuple(face.bones) == BONES[body] for face in sink.faces)
    assert all((face.root is None) == (body == "face") for face in sink.faces)
    assert all(face.at_s is not None and face.loaded is not None for face in sink.faces)
    assert max(sink.packets) <= DATAGRAM_MAX


def test_an_expression_fades_without_a_jump(sink: OscSink) -> None:
    async def scene() -> None:
        vmc = await on_air(sink)
        performer = Performer(1)
        performer.set_expression("happy", 10.0)
        frames = [performer.frame(10.0 + at * FRAME_S, MouthShape(0, 0, (0,) * 5)) for at in range(360)]
        await perform(vmc, sink, frames)
        await vmc.close()

    play(scene())
    joy = [face.shapes["Joy"] for face in sink.faces]
    assert max(joy) == 1.0
    assert joy[-1] == 0.0
    assert max(abs(after - before) for before, after in pairwise(joy)) < 0.25


def test_lips_close_on_p_b_and_m(sink: OscSink) -> None:
    rate = 24_000
    track = MouthTrack(rate)
    said = [Shape(0, 2), Shape(rate // 4, 21), Shape(rate // 4 + rate // 20, 2), Shape(rate * 3 // 4, 0)]
    track.add(0, said, (np.sin(np.arange(rate) / 20) * 12000).astype(np.int16), last=True)

    async def scene() -> int:
        vmc = await on_air(sink)
        before = vmc.sent
        await perform(vmc, sink, [replace(NEUTRAL, mouth=track.at(at * rate / 60)) for at in range(60)])
        await vmc.close()
        return before

    before = play(scene())
    opened = [sum(face.shapes[name] for name in "AIUEO") for face in sink.faces[before : before + 60]]
    shut = [at for at, value in enumerate(opened[6:40], 6) if value == 0.0]
    assert opened[10] > 0.8
    assert len(shut) >= 2
    assert all(0.2 < at * FRAME_S < 0.32 for at in shut)
    assert opened[22] > 0.5


def test_bones_rest_where_the_model_says(sink: OscSink) -> None:
    async def scene() -> None:
        vmc = await on_air(sink, rest={"Head": (0.0, 0.5, 0.0)})
        await perform(vmc, sink, [NEUTRAL])
        await vmc.close()

    play(scene())
    assert sink.faces[0].bones["Head"][:3] == (0.0, 0.5, 0.0)
    assert sink.faces[0].bones["Neck"][:3] == pytest.approx(REST["Neck"])


def test_without_frames_she_goes_on_and_shuts_her_mouth(sink: OscSink) -> None:
    async def scene() -> None:
        vmc = await on_air(sink)
        await perform(vmc, sink, [replace(speaking(a=0.9), head=(9.0, 0.0, 0.0))] * 6)
        await asyncio.sleep(3)
        sink.until(lambda: len(sink.faces) >= vmc.sent)
        vmc.send(replace(NEUTRAL, blink=(1.0, 1.0)), now())
        await vmc.close()
        sink.until(lambda: len(sink.faces) >= vmc.sent)

    play(scene())
    times = [face.at_s or 0.0 for face in sink.faces]
    assert max(after - before for before, after in pairwise(times)) <= 0.2
    spoke = [face for face in sink.faces if face.shapes["A"] > 0.0]
    last = (spoke[-1].at_s or 0.0) - 5 * FRAME_S
    assert spoke[0].at_s is not None
    assert last - spoke[0].at_s < 0.5
    after = sink.faces[sink.faces.index(spoke[-1]) + 1]
    assert after.bones["Head"] == spoke[-1].bones["Head"]


def test_late_frames_are_dropped_and_never_queued(sink: OscSink) -> None:
    async def scene() -> None:
        vmc = await on_air(sink)
        base, start = vmc.sent, now()
        vmc.send(speaking(a=0.1), start)
        vmc.send(speaking(i=0.9), start)
        vmc.send(speaking(i=0.9), start - 0.01)
        await asyncio.sleep(0.08)
        vmc.send(speaking(i=0.9), now() - LATE_S - 0.001)
        vmc.send(speaking(a=0.2), now() - LATE_S + 0.001)
        assert (vmc.sent - base, vmc.dropped) == (2, 3)
        await vmc.close()
        vmc.send(speaking(i=0.9), now())
        sink.until(lambda: len(sink.faces) >= vmc.sent)

    play(scene())
    assert all(face.shapes["I"] == 0.0 for face in sink.faces)


def test_a_full_buffer_drops_the_frame(sink: OscSink, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def send(self, _: bytes) -> int:
            raise BlockingIOError

        recv = send

        def close(self) -> None: ...

    async def scene() -> None:
        vmc = await on_air(sink)
        vmc._link._socket.close()  # type: ignore[union-attr]
        vmc._link._socket = Full()  # type: ignore[assignment]
        for _ in range(5):
            vmc.send(NEUTRAL, now())
            await asyncio.sleep(FRAME_S)
        assert vmc.dropped == 5
        await vmc.close()

    play(scene())


def test_she_lets_go_of_the_face_at_the_end(sink: OscSink) -> None:
    healths = Healths()
    frame = replace(speaking(a=0.9), expression="angry", weight=1.0, head=(20.0, 5.0, 0.0), blink=(1.0, 1.0))

    async def scene() -> float:
        vmc = await on_air(sink, healths.report)
        await perform(vmc, sink, [frame] * 3)
        ended = now() - vmc._begun_s
        await vmc.close()
        await vmc.close()
        sink.until(lambda: len(sink.faces) >= vmc.sent)
        return ended

    ended = play(scene())
    *_, fading, first, second, third = sink.faces
    for face in (first, second, third):
        assert set(face.shapes.values()) == {0.0}
        assert face.bones["Head"][3:] == (0.0, 0.0, 0.0, 1.0)
    assert [face.loaded for face in (fading, first, second, third)] == [1, 1, 1, 0]
    released = next(face for face in sink.faces if face.at_s and face.at_s > ended and not any(face.shapes.values()))
    assert released.at_s is not None
    assert released.at_s - ended < 0.12
    turns = [face.bones["Head"][4] for face in sink.faces[-9:]]
    assert max(abs(after - before) for before, after in pairwise(turns)) < 0.04
    assert [health.state for health in healths] == ["ok", "off"]


# ---------------------------------------------------------------------- nobody there


def test_a_receiver_that_goes_and_comes_back_is_a_light_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    healths = Healths()
    first = OscSink()
    port = first.port

    async def run(vmc: Vmc, sink: OscSink | None, state: str) -> None:
        for _ in range(100_000):
            vmc.send(NEUTRAL, now())
            if sink:
                sink.drain()
            if healths and healths[-1].state == state:
                return
            await asyncio.sleep(FRAME_S)
        pytest.fail(f"never {state}")

    async def scene() -> None:
        vmc = Vmc("127.0.0.1", port, "vrm0", healths.report, now)
        assert vmc.pid is None
        await vmc.start()
        await run(vmc, first, "ok")
        assert await vmc.ready(1)
        first.close()
        await run(vmc, None, "down")
        assert not await vmc.ready(1)
        for _ in range(300):
            vmc.send(NEUTRAL, now())
            await asyncio.sleep(FRAME_S)
        second = OscSink(port)
        await run(vmc, second, "ok")
        assert second.faces
        await vmc.close()
        second.close()

    play(scene())
    assert [(health.part, health.state) for health in healths] == [
        ("vmc", state) for state in ("ok", "down", "ok", "off")
    ]
    assert str(port) in healths[1].reason
    assert "VMC" in healths[1].repair
    assert not [record for record in caplog.records if record.name.startswith(("avatar", "bot"))]


def test_a_machine_that_cannot_be_found_is_tried_again(sink: OscSink, monkeypatch: pytest.MonkeyPatch) -> None:
    healths = Healths()
    tries: list[str] = []

    async def resolve(host: str, port: int) -> Any:
        tries.append(host)
        if len(tries) < 4:
            raise OSError(-2, "Name or service not known")
        return await real("127.0.0.1", port)

    real = osc_link._resolve
    monkeypatch.setattr(osc_link, "_resolve", resolve)

    async def scene() -> None:
        vmc = Vmc("studio-pc", sink.port, "vrm1", healths.report, now)
        await vmc.start()
        assert not await vmc.ready(1)
        vmc.send(NEUTRAL, now())
        assert vmc.dropped == 1
        assert await vmc.ready(HANGS_S)
        await vmc.close()

    play(scene())
    assert [health.state for health in healths] == ["down", "ok", "off"]
    assert "studio-pc" in healths[0].reason
    assert healths[0].repair


def test_a_network_that_is_gone_is_told_and_survived(sink: OscSink) -> None:
    healths = Healths()

    class Gone:
        def recv(self, _: int) -> bytes:
            raise BlockingIOError

        def send(self, _: bytes) -> int:
            raise OSError(101, "Network is unreachable")

        def close(self) -> None: ...

    async def scene() -> None:
        vmc = await on_air(sink, healths.report)
        vmc._link._socket.close()  # type: ignore[union-attr]
        vmc._link._socket = Gone()  # type: ignore[assignment]
        vmc.send(NEUTRAL, now())
        assert healths[-1].state == "down"
        assert "Network is unreachable" in healths[-1].reason
        assert await vmc.ready(HANGS_S)
        await vmc.close()

    play(scene())
