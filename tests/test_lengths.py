"""Lengths that a file states wrongly or not at all, and streams that change on the way.

A stated length is a claim. Every file here is made whole, then its header is changed: all of its
sound must be read, at its own speed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.sounds import Array, noise, sweep, tone, write_av, write_sndfile

from tonearm import Classifier, audio, files
from tonearm.containers import flac
from tonearm.containers.edges import syncsafe
from tonearm.containers.mpeg import after_header_frame
from tonearm.containers.mpeg_count import count_frames
from tonearm.containers.ogg import links
from tonearm.errors import DecodeError

SECONDS = 6.0


def alike(found: Array, wanted: Array) -> float:
    """Correlation of two sounds of about the same length."""
    n = min(len(found), len(wanted))
    return float(np.corrcoef(found[:n], wanted[:n])[0, 1])


def whole(path: Path) -> audio.Audio:
    """Decoded from beginning to end, and by windows that are read in any order."""
    decoded = audio.decode(path)
    rate = decoded.sample_rate_hz
    with audio.open_audio(path) as reader:
        for start_s in (3.0, 1.0, 4.0):
            if start_s + 1 < decoded.duration_s:
                span = reader.read(round(start_s * rate), rate)
                there = decoded.samples[round(start_s * rate) :][:rate]
                assert alike(span, there) > 0.99, f"another sound at {start_s} s"
    return decoded


# FLAC: 36 bits of STREAMINFO count the samples.


def with_total(path: Path, total: int) -> Path:
    data = bytearray(path.read_bytes())
    field = int.from_bytes(data[18:26], "big")
    data[18:26] = (field >> 36 << 36 | total).to_bytes(8, "big")
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("total", [0, 1, 40_000, 97_000, 200_000, 2**31 - 1, 2**36 - 1])
def test_flac_is_read_whatever_it_states(total: int, tmp_path: Path) -> None:
    music = sweep(SECONDS, 16_000)
    path = with_total(write_sndfile(tmp_path / "a.flac", music, 16_000), total)
    decoded = whole(path)
    assert len(decoded.samples) >= len(music) - 1
    assert alike(decoded.samples, music) > 0.999
    with audio.open_audio(path) as reader:
        # No codec packs years into these bytes: then the packets were counted at once.
        assert audio.length_is_wrong(reader) == (total in (1, 40_000, 200_000))
        assert audio.count_samples(reader) == len(music)


def test_the_last_frame_of_a_flac_knows_its_end(tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "a.flac", sweep(SECONDS, 16_000), 16_000)
    with path.open("rb") as file:
        assert flac.ends_as_stated(file)
    data = path.read_bytes()
    for tail in (b"TAG".ljust(128, b"\0"), b"rubbish" * 100):
        path.write_bytes(data + tail)
        with path.open("rb") as file:
            assert flac.ends_as_stated(file)
    path.write_bytes(data[: len(data) * 3 // 4])
    with path.open("rb") as file:
        assert not flac.ends_as_stated(file)
    assert "truncated" in str(audio.decode(path).warning)


# MP3: a Xing or Info frame counts the frames.


def with_count(path: Path, change: Callable[[int], int]) -> Path:
    data = bytearray(path.read_bytes())
    at = max(data[:4_000].find(b"Xing"), data[:4_000].find(b"Info")) + 8
    assert at > 8
    count = int.from_bytes(data[at : at + 4], "big")
    data[at : at + 4] = min(change(count), 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("kind", ["constant", "variable"])
@pytest.mark.parametrize("factor", [0, 0.1, 0.9, 2, 1e9])
def test_mp3_is_read_whatever_its_header_counts(kind: str, factor: float, tmp_path: Path) -> None:
    music = np.concatenate([sweep(SECONDS, 44_100), noise(2.0, 44_100, level=0.3)])
    path = tmp_path / "a.mp3"
    if kind == "constant":
        write_av(path, music, 44_100, codec="libmp3lame", container="mp3", bit_rate=128_000)
    else:
        write_sndfile(path, music, 44_100)
    decoded = whole(with_count(path, lambda count: int(count * factor)))
    assert decoded.duration_s == pytest.approx(len(music) / 44_100, abs=0.1)
    assert decoded.warning is None, "its bytes are all there"


def test_mp3s_in_a_row_are_one_piece(tmp_path: Path) -> None:
    pieces = []
    for i, rate_kbps in enumerate((64, 128, 96)):
        path = tmp_path / f"{i}.mp3"
        music = tone(300 + 200 * i, 3, 44_100)
        write_av(
            path, music, 44_100, codec="libmp3lame", container="mp3", bit_rate=rate_kbps * 1_000
        )
        pieces.append(path.read_bytes())
    path.write_bytes(b"".join(pieces))
    decoded = whole(path)
    assert decoded.duration_s == pytest.approx(9, abs=0.3)
    assert [pitch(decoded, s) for s in (1, 4.5, 8)] == pytest.approx([300, 500, 700], abs=3)


def test_rubbish_between_frames_is_skipped(tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "a.mp3", sweep(SECONDS, 44_100), 44_100)
    count = count_frames(path)
    assert count is not None and count.agrees
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes(range(256)) * 40 + data[middle:])
    found = count_frames(path)
    assert found is not None and found.frames == pytest.approx(count.frames, abs=3)


@pytest.mark.parametrize("filled_with", ["zeros", "noise"])
@pytest.mark.parametrize("kind", ["constant", "variable", "not stated"])
def test_sound_behind_a_hole_counts(kind: str, filled_with: str, tmp_path: Path) -> None:
    music = np.concatenate([tone(pitch_hz, 3, 44_100) for pitch_hz in (300, 500, 700)])
    music += noise(9, 44_100, level=0.02)  # a lone tone packs to next to nothing
    path = tmp_path / "a.mp3"
    if kind == "variable":
        write_sndfile(path, music, 44_100)
    else:
        options = {"write_xing": "0"} if kind == "not stated" else None
        write_av(
            path,
            music,
            44_100,
            codec="libmp3lame",
            container="mp3",
            bit_rate=128_000,
            options=options,
        )
    data = path.read_bytes()
    hole = slice(len(data) * 4 // 9, len(data) * 5 // 9)  # the middle second
    size = hole.stop - hole.start
    rubbish = bytes(size) if filled_with == "zeros" else np.random.default_rng(1).bytes(size)
    path.write_bytes(data[: hole.start] + rubbish + data[hole.stop :])
    with audio.open_audio(path) as reader:
        samples = audio.count_samples(reader)
        warning = audio.short_warning(reader.info, samples)
    assert samples / 44_100 == pytest.approx(8, abs=0.3)
    # Noise may be foreign, unless a header says how much sound there was.
    if (kind, filled_with) == ("not stated", "noise"):
        assert warning is None
    else:
        assert warning is not None and "of 9" in warning
    decoded = audio.decode(path)
    assert [pitch(decoded, s) for s in (1, 7)] == pytest.approx([300, 700], abs=3)


def test_tags_between_two_mp3s_are_no_hole(tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "a.mp3", tone(300, 3, 44_100), 44_100)
    data = path.read_bytes()
    tag = b"ID3\3\0\0" + syncsafe(60_000) + bytes(60_000)
    for end in (len(data), len(data) - 50):  # the second time within the last frame
        path.write_bytes(data[:end] + tag + data)
        found = count_frames(path)
        assert found is not None and found.hole_bytes == 0
        assert audio.decode(path).warning is None


@pytest.mark.parametrize("with_header", [False, True])
@pytest.mark.parametrize("tag_bytes", [0, 400])
def test_many_mp3s_in_a_row_are_whole(
    with_header: bool, tag_bytes: int, tiny: Classifier, tmp_path: Path
) -> None:
    path = write_sndfile(tmp_path / "a.mp3", tone(300, 1, 44_100), 44_100)
    with path.open("rb") as file:
        begin = 0 if with_header else after_header_frame(file, 0)
    one = path.read_bytes()[begin:]
    tag = b"ID3\3\0\0" + syncsafe(tag_bytes) + bytes(tag_bytes) if tag_bytes else b""
    path.write_bytes((tag + one) * 12)
    for timeline in (False, True):
        embeddings = tiny.embed(path, timeline=timeline)
        # An encoder pads each of them by a tenth of a second at most.
        assert embeddings.duration_s == pytest.approx(12.5, abs=0.7)
        assert embeddings.warnings == ()


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_of_files_in_a_row_that_no_player_joins_the_first_counts(
    suffix: str, tmp_path: Path
) -> None:
    one, other = (
        write_sndfile(tmp_path / f"{hz}{suffix}", tone(hz, 3, 44_100), 44_100).read_bytes()
        for hz in (300, 500)
    )
    path = tmp_path / f"a{suffix}"
    for data in (one + one, one + other):
        path.write_bytes(data)
        decoded = whole(path)
        assert decoded.duration_s == pytest.approx(3, abs=0.01)
        assert pitch(decoded, 1.5) == pytest.approx(300, abs=3)
        assert decoded.warning is None


def test_foreign_bytes_amid_all_frames_are_no_damage(tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "a.mp3", tone(300, 9, 44_100), 44_100)
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes(i * 31 % 256 for i in range(60_000)) + data[middle:])
    decoded = whole(path)
    assert decoded.duration_s == pytest.approx(9, abs=0.1) and decoded.warning is None


# Sample rates and channels that change.


def pitch(decoded: audio.Audio, at_s: float) -> float:
    """The strongest frequency of one second, in hertz."""
    rate = decoded.sample_rate_hz
    piece = decoded.samples[round(at_s * rate) - rate // 2 :][:rate]
    return float(np.abs(np.fft.rfft(piece)).argmax())


@pytest.mark.parametrize(
    ("suffix", "codec", "container"),
    [(".mp3", "libmp3lame", "mp3"), (".aac", "aac", "adts"), (".ac3", "ac3", "ac3")],
)
def test_every_rate_plays_at_its_own_speed(
    suffix: str, codec: str, container: str, tmp_path: Path
) -> None:
    parts = []
    for rate in (48_000, 32_000, 48_000):
        part = tmp_path / f"part{suffix}"
        write_av(part, tone(440, 3, rate), rate, codec=codec, container=container, bit_rate=96_000)
        parts.append(part.read_bytes())
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"".join(parts))
    decoded = whole(path)
    assert decoded.duration_s == pytest.approx(9, abs=0.4)
    assert [pitch(decoded, s) for s in (1.5, 4.5, 7.5)] == pytest.approx([440] * 3, abs=3)
    assert decoded.warning is None


def ogg(path: Path, kind: str, music: Array, rate: int) -> Path:
    if kind == "vorbis":
        return write_sndfile(path, music, rate, form="OGG", subtype="VORBIS")
    codec = {"opus": "libopus", "flac": "flac"}[kind]
    return write_av(path, music, 48_000 if kind == "opus" else rate, codec=codec, container="ogg")


@pytest.mark.parametrize("kind", ["vorbis", "opus", "flac"])
@pytest.mark.parametrize("rates", [(48_000, 48_000), (48_000, 24_000)])
@pytest.mark.parametrize("channels", [(1, 1, 1), (2, 1, 2)])
def test_ogg_streams_in_a_row_are_one_piece(
    kind: str, rates: tuple[int, int], channels: tuple[int, ...], tmp_path: Path
) -> None:
    data = b""
    for i, count in enumerate(channels):
        rate = 48_000 if kind == "opus" else rates[i % 2]
        music = tone(300 + 200 * i, 3, rate)[:, None] * np.ones((1, count), np.float32)
        data += ogg(tmp_path / f"{i}.ogg", kind, music, rate).read_bytes()
    path = tmp_path / "a.ogg"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert [link.codec for link in links(file)] == [kind] * 3
    decoded = whole(path)
    assert decoded.warning is None
    assert decoded.duration_s == pytest.approx(9, abs=0.1)
    assert [pitch(decoded, s) for s in (1.5, 4.5, 7.5)] == pytest.approx([300, 500, 700], abs=2)


def test_an_ogg_stream_that_cannot_be_decoded_is_left_out_and_named(tmp_path: Path) -> None:
    first = ogg(tmp_path / "0.ogg", "vorbis", tone(300, 3, 48_000), 48_000).read_bytes()
    broken = bytearray(first)
    broken[200:400] = bytes(200)  # in the set-up header
    path = tmp_path / "a.ogg"
    path.write_bytes(first + bytes(broken) + first)
    decoded = audio.decode(path)
    assert decoded.duration_s == pytest.approx(6, abs=0.1)
    assert decoded.warning == "1 of its 3 streams could not be decoded"


# Containers that say "unknown", or begin late.


@pytest.mark.parametrize("unknown", [0xFFFFFFFF, 0x7FFFFFFF])
def test_sizes_of_all_ones_are_no_damage(unknown: int, tmp_path: Path) -> None:
    music = sweep(SECONDS, 16_000)
    path = write_sndfile(tmp_path / "a.aiff", music, 16_000)
    data = bytearray(path.read_bytes())
    at = data.index(b"SSND") + 4
    data[at : at + 4] = unknown.to_bytes(4, "big")
    data[4:8] = unknown.to_bytes(4, "big")
    path.write_bytes(bytes(data))
    decoded = audio.decode(path)
    assert decoded.warning is None and len(decoded.samples) == len(music)


def test_matroska_that_begins_late_is_whole(tmp_path: Path) -> None:
    import av

    plain = write_av(
        tmp_path / "a.flac", sweep(SECONDS, 48_000), 48_000, codec="flac", container="flac"
    )
    path = tmp_path / "late.mka"
    with av.open(str(plain)) as source, av.open(str(path), "w") as sink:
        stream = source.streams.audio[0]
        copy = sink.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None and stream.time_base:
                shift = round(5 / stream.time_base)
                packet.pts, packet.dts = (packet.pts or 0) + shift, packet.dts + shift
                packet.stream = copy
                sink.mux(packet)
    with audio.open_audio(path) as reader:
        assert reader.info.duration_s == pytest.approx(SECONDS, abs=0.1)
        assert not audio.length_is_wrong(reader)


# Headers that ask for more than any computer has.


def wav(path: Path, rate_hz: int, channels: int, frames: int) -> Path:
    """A WAV file of silence that takes no room on the disk."""
    size = 2 * channels * frames
    form = struct.pack(
        "<HHIIHH", 1, channels, rate_hz, 2 * channels * rate_hz % 2**32, 2 * channels, 16
    )
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + form
    with path.open("wb") as file:
        file.write(head + b"data" + struct.pack("<I", size))
        file.truncate(len(head) + 8 + size)
    return path


def test_many_channels_at_a_high_rate_take_bounded_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = wav(tmp_path / "a.wav", 4_000_000, 64, 5_000_000)
    with audio.open_audio(path) as reader:
        reader.read(0, 1_000)
        tracemalloc.start()
        try:
            for samples in audio.blocks(reader, block_s=0.5):
                assert len(samples) <= 2_000_000
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 150e6, f"{most / 1e6:.0f} MB"


@pytest.mark.parametrize(
    ("rate_hz", "channels", "said"),
    [
        (44_100, 255, "255 channels"),
        (10_000_000, 1, "samples a second"),
        (10, 1, "samples a second"),
    ],
)
def test_what_no_recording_has_is_refused(
    rate_hz: int, channels: int, said: str, tmp_path: Path
) -> None:
    path = wav(tmp_path / "a.wav", rate_hz, channels, 10_000)
    with pytest.raises(DecodeError, match=said):
        audio.decode(path)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_files_too_large_to_be_mapped(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sndfile(tmp_path / f"a{suffix}", sweep(SECONDS, 44_100), 44_100)
    path.write_bytes(2 * path.read_bytes())

    def found() -> object:
        with path.open("rb") as file:
            return links(file) if suffix == ".ogg" else count_frames(path)

    mapped = found()
    monkeypatch.setattr(files, "_MOST_MAPPED", 1)
    assert found() == mapped
