"""Lengths of MP3 files: with and without the header that states it, between tags of any size."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import id3v2, noise, sweep, write_av, write_sndfile

from tonearm import audio
from tonearm.audio.ffmpeg import AvReader
from tonearm.audio.sndfile import SndfileReader
from tonearm.containers.edges import id3v2_bytes
from tonearm.containers.mpeg import constant_rate, states_length
from tonearm.containers.mpeg_count import count_frames

SECONDS = 8.0
PLAIN = {"write_xing": "0", "id3v2_version": "0"}
ID3V1 = b"TAG" + b"A title".ljust(124, b"\0") + b"\x07"


def mp3(path: Path, rate_hz: int = 44_100, bit_rate: int = 128_000, *, xing: bool = False) -> Path:
    """A file of constant bit rate, with or without the header frame."""
    options = {"id3v2_version": "0"} if xing else PLAIN
    samples = sweep(SECONDS, rate_hz)
    return write_av(
        path,
        samples,
        rate_hz,
        codec="libmp3lame",
        container="mp3",
        bit_rate=bit_rate,
        options=options,
    )


def vbr(tmp_path: Path, *, xing: bool) -> Path:
    """A file of variable bit rate: silence, then noise, so that its rates differ widely."""
    samples = np.concatenate([np.zeros(44_100 * 6, np.float32), noise(2.0, 44_100, level=0.3)])
    path = write_sndfile(tmp_path / "vbr.mp3", samples, 44_100)
    if not xing:
        data = path.read_bytes()
        begin = id3v2_bytes(io.BytesIO(data))
        assert b"Xing" in data[begin : begin + 400]
        second = data.index(data[begin : begin + 2], begin + 4)
        path.write_bytes(data[second:])
    return path


def constant_rate_samples(path: Path) -> int | None:
    found = constant_rate(path)
    return found.samples if found else None


def ape_tag(*, header: bool) -> bytes:
    """An APEv2 tag with one genre, as some players write at the end of an MP3."""
    item = (4).to_bytes(4, "little") + bytes(4) + b"Genre\0" + b"Jazz"
    flags = (0x80000000 if header else 0).to_bytes(4, "little")
    size = (len(item) + 32).to_bytes(4, "little")
    common = b"APETAGEX" + (2_000).to_bytes(4, "little") + size + (1).to_bytes(4, "little")
    head = common + (0xA0000000).to_bytes(4, "little") + bytes(8) if header else b""
    return head + item + common + flags + bytes(8)


@pytest.mark.parametrize(
    ("rate_hz", "bit_rate"),
    [
        (44_100, 128_000),
        (44_100, 320_000),
        (48_000, 192_000),
        (32_000, 64_000),
        (22_050, 56_000),  # MPEG-2
        (16_000, 32_000),
        (11_025, 24_000),  # MPEG-2.5
        (8_000, 16_000),
    ],
)
def test_constant_rate_is_divided_out(rate_hz: int, bit_rate: int, tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", rate_hz, bit_rate)
    assert not states_length(path)
    samples = constant_rate_samples(path)
    assert samples is not None
    assert samples / rate_hz == pytest.approx(SECONDS, abs=0.25)  # padding: two frames at 8 kHz
    embeddings = audio.decode(path)
    assert embeddings.warning is None
    assert samples == pytest.approx(len(embeddings.samples), abs=1_152)


@pytest.mark.parametrize("tags", ["", "art", "id3v1", "ape", "ape with header", "all"])
def test_tags_are_no_sound(tags: str, tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3")
    data = path.read_bytes()
    truth = constant_rate_samples(path)
    if tags in ("art", "all"):
        data = id3v2(1_000_000) + data  # which divided by 128 kb/s would be a minute
    if tags in ("ape", "ape with header", "all"):
        data += ape_tag(header=tags == "ape with header")
    if tags in ("id3v1", "all"):
        data += ID3V1
    path.write_bytes(data)
    assert constant_rate_samples(path) == truth
    with audio.open_audio(path) as reader:
        assert isinstance(reader, SndfileReader)
        assert reader.info.duration_s == pytest.approx(SECONDS, abs=0.1)
        assert len(reader.read(0, reader.info.samples)) == pytest.approx(
            reader.info.samples, abs=1_152
        )


def test_spans_behind_a_large_picture(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3")
    plain = audio.decode(path).samples
    path.write_bytes(id3v2(1_000_000) + path.read_bytes())
    with audio.open_audio(path) as reader:
        late = reader.read(200_000, 30_000)
    assert np.abs(late - plain[200_000:230_000]).max() < 1e-5


@pytest.mark.parametrize("art", [0, 1_000_000])
def test_stated_length_is_believed(art: int, tmp_path: Path) -> None:
    path = vbr(tmp_path, xing=True)
    if art:
        path.write_bytes(id3v2(art) + path.read_bytes())
    assert states_length(path)
    with audio.open_audio(path) as reader:
        assert isinstance(reader, SndfileReader)
        assert reader.info.samples == round(SECONDS * 44_100)
        assert audio.count_samples(reader) == reader.info.samples


def test_variable_rate_without_header_is_counted(tmp_path: Path) -> None:
    path = vbr(tmp_path, xing=False)
    assert not states_length(path)
    assert constant_rate_samples(path) is None
    with audio.open_audio(path) as reader:
        assert isinstance(reader, AvReader)
        assert reader.info.duration_s == pytest.approx(SECONDS, abs=0.1)
        loud = reader.read(round(6.5 * 44_100), 44_100)
    assert np.std(loud) == pytest.approx(0.3, rel=0.3), "another place than asked for"


def test_truncated_with_stated_length(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", xing=True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    embeddings = audio.decode(path)
    assert embeddings.duration_s == pytest.approx(SECONDS / 2, abs=0.2)
    assert embeddings.warning is not None and "of 8.0 s" in embeddings.warning


def test_truncated_without_stated_length_is_just_shorter(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    embeddings = audio.decode(path)
    assert embeddings.duration_s == pytest.approx(SECONDS / 2, abs=0.2)
    assert embeddings.warning is None


CONSTANT = [
    (44_100, 128_000, True),
    (44_100, 320_000, True),
    (44_100, 32_000, True),  # a frame may lean on seven before it
    (48_000, 192_000, False),
    (22_050, 56_000, True),  # MPEG-2
    (8_000, 16_000, False),  # MPEG-2.5
]


@pytest.mark.parametrize(("rate_hz", "bit_rate", "xing"), CONSTANT)
@pytest.mark.parametrize("art", [0, 100_000])
def test_frames_that_were_cut_out_say_the_same(
    rate_hz: int,
    bit_rate: int,
    xing: bool,
    art: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = mp3(tmp_path / "a.mp3", rate_hz, bit_rate, xing=xing)
    path.write_bytes(id3v2(art) + path.read_bytes())
    whole = soundfile.read(path, dtype="float32")[0]
    without_seeking(monkeypatch)
    with audio.open_audio(path) as reader:
        for start in (0, 1, 575, 576, 1_152, 3_000, len(whole) // 2, len(whole) - 5_000):
            worst = np.abs(reader.read(start, 2_500) - whole[start : start + 2_500]).max()
            assert worst <= 1e-6, f"{worst:.1e} off at sample {start}"


def without_seeking(monkeypatch: pytest.MonkeyPatch) -> None:
    def seek(*_: object) -> None:
        raise AssertionError("the decoder had to seek")

    monkeypatch.setattr(SndfileReader, "_read_by_seeking", seek)


def vbr_of_all_sizes(path: Path, rate_hz: int) -> Path:
    """Silence, a sweep, noise, silence: frames from the smallest to the largest and back."""
    parts = [np.zeros(rate_hz * 2, np.float32), sweep(3.0, rate_hz), noise(2.0, rate_hz, level=0.3)]
    return write_sndfile(path, np.concatenate([*parts, parts[0]]), rate_hz)


@pytest.mark.parametrize("rate_hz", [44_100, 32_000, 22_050])
@pytest.mark.parametrize("lame", [True, False])
def test_frames_of_a_variable_rate_are_cut_by_an_index(
    rate_hz: int, lame: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vbr_of_all_sizes(tmp_path / "a.mp3", rate_hz)
    if not lame:  # as other encoders write it: nothing said of what comes before the music
        data = path.read_bytes()
        behind = data.index(b"Xing") + 120
        path.write_bytes(data[:behind] + bytes(36) + data[behind + 36 :])
    assert constant_rate(path) is None
    whole = soundfile.read(path, dtype="float32")[0]
    without_seeking(monkeypatch)
    with audio.open_audio(path) as reader:
        assert isinstance(reader, SndfileReader)
        assert reader.info.samples == len(whole)
        for start in (0, 1, 1_152, 2 * rate_hz - 9, len(whole) // 2, 5 * rate_hz, len(whole) - 999):
            for count in (999, 2 * rate_hz):
                found = reader.read(start, count)
                worst = np.abs(found - whole[start : start + len(found)]).max()
                assert len(found) == min(count, len(whole) - start)
                assert worst <= 1e-6, f"{worst:.1e} off at sample {start}"


def test_an_index_with_a_gap_is_not_used(tmp_path: Path) -> None:
    path = vbr_of_all_sizes(tmp_path / "a.mp3", 44_100)
    data = path.read_bytes()
    counted = count_frames(path)
    assert counted is not None and counted.places is not None
    assert counted.places[-1] == counted.end
    assert len(counted.places) == counted.frames + 1
    middle = counted.places[counted.frames // 2]
    path.write_bytes(data[:middle] + bytes(300) + data[middle:])
    whole = soundfile.read(path, dtype="float32")[0]
    counted = count_frames(path)
    assert counted is not None and counted.places is None
    with path.open("rb") as file:
        assert counted.cut(file, 0, 1_000) is None
    with audio.open_audio(path) as reader:
        late = reader.read(6 * 44_100, 44_100)
    np.testing.assert_allclose(late, whole[6 * 44_100 :][: len(late)], atol=1e-6)


@pytest.mark.parametrize("stray", [b"", b"\0", bytes(150)])
def test_frames_that_lie_a_little_elsewhere(stray: bytes, tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3")
    data, found = path.read_bytes(), constant_rate(path)
    assert found is not None
    middle = data.index(found.key, len(data) // 2)
    path.write_bytes(data[:middle] + stray + data[middle:])
    whole = soundfile.read(path, dtype="float32")[0]
    with audio.open_audio(path) as reader:
        start = round(len(whole) * 0.8)
        embeddings = reader.read(start, 44_100)
    # A decoder that comes by the stray bytes may lose a frame over them.
    worst = min(
        np.abs(embeddings - whole[begin:][:44_100]).max() for begin in (start, start - 1_152)
    )
    assert worst <= 1e-6


def test_no_frames_at_a_constant_rate(tmp_path: Path) -> None:
    assert constant_rate(vbr(tmp_path, xing=True)) is None
    path = mp3(tmp_path / "a.mp3", xing=True)
    path.write_bytes(path.read_bytes()[:50_000])  # fewer than it states: only decoding shows it
    assert constant_rate(path) is None


def test_id3v2_size_by_hand() -> None:
    assert id3v2_bytes(io.BytesIO(b"ID3\4\0\0\0\0\2\1" + bytes(300))) == 10 + 257
    assert id3v2_bytes(io.BytesIO(b"ID3\4\0\0\x7f\x7f\x7f\x7f")) == 10 + 2**28 - 1
    assert id3v2_bytes(io.BytesIO(b"\xff\xfb\x90\x00" * 9)) == 0
    assert id3v2_bytes(io.BytesIO(b"ID3")) == 0
    assert id3v2_bytes(io.BytesIO(b"ID3\4\0\0\0\0\0\x80" + bytes(300))) == 0, "no syncsafe length"
    assert id3v2_bytes(io.BytesIO(id3v2(70_000))) == len(id3v2(70_000))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xfb\x90\x00", b"ID3\4\0\0\x7f\x7f\x7f\x7f"])
def test_short_files(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(data)
    assert not states_length(path)
    assert constant_rate_samples(path) is None


@given(st.binary(max_size=4_000), st.booleans())
def test_any_bytes_have_an_answer(tmp_path: Path, data: bytes, framed: bool) -> None:
    path = tmp_path / "any.mp3"
    path.write_bytes((b"\xff\xfb\x90\x00" + bytes(413) if framed else b"") * 3 + data)
    states_length(path)
    samples = constant_rate_samples(path)
    assert samples is None or samples >= 0
