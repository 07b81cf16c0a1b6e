"""Whatever container the sound comes in, it is heard as it was; whatever is no sound does no harm."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import numpy as np
import pytest
import soxr

from bot.hearing import decoding
from bot.hearing.decoding import RATE_HZ, BadAudio, decode
from bot.hearing.decoding_child import decoded
from tests.containers import KINDS, pack, wav

SECONDS = 2.0
AT = np.arange(int(SECONDS * 48_000)) / 48_000
CHIRP = (np.sin(2 * np.pi * (300 + 600 * AT) * AT) * 12_000).astype(np.int16)
HEARD = soxr.resample(CHIRP, 48_000, RATE_HZ).astype(np.float64)


def alike(pcm: Any) -> float:
    """Return the best correlation with the chirp: 1 is the same sound, wherever it begins."""
    long = np.zeros(len(HEARD) + 8000)
    long[: min(len(pcm), len(long))] = pcm[: len(long)]
    spectrum = np.fft.rfft(long) * np.conj(np.fft.rfft(HEARD, len(long)))
    return float(np.fft.irfft(spectrum).max() / np.sqrt((long**2).sum() * (HEARD**2).sum()))


def as_24_bits(pcm: np.ndarray[Any, Any]) -> bytes:
    whole = (pcm.astype(np.int32) << 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]
    file = wav(pcm, 48_000)
    head = file[: file.index(b"data")].replace(
        (48_000 * 2).to_bytes(4, "little") + b"\2\0\x10\0", (48_000 * 3).to_bytes(4, "little") + b"\3\0\x18\0"
    )
    return head + b"data" + (len(whole) * 3).to_bytes(4, "little") + whole.tobytes()


WAVS = {
    "16 bits": wav(CHIRP, 48_000),
    "44.1 kHz": wav(soxr.resample(CHIRP, 48_000, 44_100), 44_100),
    "16 kHz": wav(soxr.resample(CHIRP, 48_000, 16_000), 16_000),
    "8 bits": wav((CHIRP // 256 + 128).astype(np.uint8), 48_000),
    "24 bits": as_24_bits(CHIRP),
    "32 bits": wav(CHIRP.astype(np.int32) * 65536, 48_000),
    "float": wav(CHIRP.astype(np.float32) / 32768, 48_000),
    "double": wav(CHIRP.astype(np.float64) / 32768, 48_000),
    "stereo": wav(np.stack((CHIRP, CHIRP), axis=1), 48_000),
    "extensible": wav(np.stack((CHIRP, CHIRP), axis=1), 48_000, extensible=True),
    "streamed, of unknown length": wav(CHIRP, 48_000, claimed=0xFFFFFFFF),
}


@pytest.mark.parametrize("kind", WAVS)
async def test_wav_of_any_kind_needs_no_process(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "CHILD_S", 0.0)
    heard = await decode(WAVS[kind], 60)
    assert heard.dtype == np.int16
    assert len(heard) == pytest.approx(SECONDS * RATE_HZ, abs=2)
    assert alike(heard) > 0.99
    assert np.abs(heard).max() == pytest.approx(12_000, rel=0.05)


@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_browsers_and_phones_send(kind: str, stereo: bool) -> None:
    file = pack(CHIRP, 48_000, kind, stereo=stereo)
    why, sound = decoded(file, decoding.container_of(file), 60)
    heard = np.frombuffer(sound, "<i2")
    assert why == ""
    assert len(heard) / RATE_HZ == pytest.approx(SECONDS, abs=0.15)
    assert alike(heard) > 0.9


async def test_a_process_of_its_own_decodes_them() -> None:
    assert alike(await decode(pack(CHIRP, 48_000, "webm/opus"), 60)) > 0.9


async def refused(data: bytes, longest_s: float = 60) -> str:
    with pytest.raises(BadAudio) as bad:
        await decode(data, longest_s)
    return bad.value.kind


async def test_each_refusal_has_its_reason() -> None:
    assert await refused(b"") == "empty"
    assert await refused(wav(CHIRP[:0], 48_000)) == "empty"
    assert await refused(b"hello, I am a text file") == "broken"
    assert await refused(b"\xff") == "broken"
    assert await refused(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n") == "broken"
    assert await refused(b"RIFF\0\0\0\0WAVE") == "broken"
    assert await refused(wav(CHIRP, 1)) == "broken"
    assert await refused(wav(CHIRP, 48_000), 1.9) == "too_long"
    assert await refused(pack(CHIRP, 48_000, "webm/opus"), 1.5) == "too_long"


async def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "CHILD_S", 0.01)
    assert await refused(pack(CHIRP, 48_000, "mp3")) == "broken"


def test_damaged_wav_files_are_sound_or_refused() -> None:
    dice = random.Random(5)
    for _ in range(300):
        data = bytearray(dice.choice(list(WAVS.values()))[:4000])
        for _ in range(dice.randint(1, 12)):
            data[dice.randrange(60)] = dice.randrange(256)
        with contextlib.suppress(BadAudio):
            heard = decoding._wav(bytes(data), 60)
            assert heard is None or len(heard) <= 60 * RATE_HZ


def test_damaged_files_in_the_childs_own_code_give_sound_or_a_reason() -> None:
    dice = random.Random(6)
    for kind in ("webm/opus", "ogg/opus", "mp3", "m4a/aac", "flac"):
        whole = pack(CHIRP[:24_000], 48_000, kind)
        container = decoding.container_of(whole)
        assert container
        for _ in range(15):
            data = bytearray(whole)
            for _ in range(dice.randint(1, 30)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            why, sound = decoded(bytes(data[: dice.randint(1, len(data))]), container, 5)
            assert (why in ("broken", "empty", "too_long")) != bool(sound)
            assert len(sound) <= 5 * RATE_HZ * 2 + 100_000
