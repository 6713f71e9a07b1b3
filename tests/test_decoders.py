"""Every container, channel count, sample format and rate; damage; spans against the whole."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import small_files
from support.sounds import Array, best_lag, spread, sweep, wav_bytes, write_av, write_sndfile

from tonearm import audio
from tonearm.audio.ffmpeg import AvReader
from tonearm.audio.reader import mono
from tonearm.audio.sndfile import SndfileReader
from tonearm.errors import DecodeError

SECONDS = 6.0
Write = Callable[[Path, Array, int], Path]


class Case:
    """A container: how it is written, at which rate, and what may be asked of it.

    ``lag`` is the most samples by which its encoder moves the sound, ``span`` the most by which a
    span may differ from the same part of the whole.
    """

    def __init__(
        self, name: str, write: Write, *, rate: int = 44_100, lag: int = 0, span: float = 1e-6
    ) -> None:
        self.name, self.write, self.rate, self.lag, self.span = name, write, rate, lag, span

    def __repr__(self) -> str:
        return self.name


def sndfile(**options: str) -> Write:
    return partial(write_sndfile, **options)


def ffmpeg(codec: str, container: str, bit_rate: int | None = None) -> Write:
    return partial(write_av, codec=codec, container=container, bit_rate=bit_rate)


# What AAC and AMR decoders remember of earlier frames fades to this within the quarter of a second.
FADED = 1e-4
CASES = [
    Case("a.wav", sndfile()),
    Case("a.flac", sndfile()),
    Case("a.aiff", sndfile()),
    Case("a.au", sndfile()),
    Case("a.caf", sndfile()),
    Case("a.w64", sndfile()),
    Case("a.mp3", sndfile()),
    Case("a.ogg", sndfile(subtype="VORBIS", form="OGG")),
    Case("a.opus", sndfile(subtype="OPUS", form="OGG"), rate=48_000, span=FADED),
    Case("a.m4a", ffmpeg("aac", "ipod", 128_000), lag=1_024, span=FADED),
    Case("alac.m4a", ffmpeg("alac", "ipod")),
    Case("a.aac", ffmpeg("aac", "adts", 128_000), lag=1_024, span=FADED),
    Case("a.wma", ffmpeg("wmav2", "asf", 128_000), lag=2_048),
    Case("v1.wma", ffmpeg("wmav1", "asf", 128_000), lag=2_048),
    Case("a.webm", ffmpeg("libopus", "webm", 96_000), rate=48_000, span=FADED),
    Case("flac.mka", ffmpeg("flac", "matroska")),
    Case("aac.mka", ffmpeg("aac", "matroska", 128_000), lag=1_024, span=FADED),
    Case("mp3.mka", ffmpeg("libmp3lame", "matroska", 128_000), lag=1_105),
    Case("a.ac3", ffmpeg("ac3", "ac3", 192_000), rate=48_000, lag=256, span=FADED),
    Case("a.wv", ffmpeg("wavpack", "wv")),
    Case("a.tta", ffmpeg("tta", "tta")),
    Case("a.mp2", ffmpeg("mp2", "mp2", 192_000), lag=481, span=FADED),
    Case("a.ts", ffmpeg("aac", "mpegts", 128_000), lag=1_024, span=FADED),
    Case("a.flv", ffmpeg("aac", "flv", 128_000), lag=1_024, span=FADED),
    Case("a.avi", ffmpeg("libmp3lame", "avi", 128_000), lag=1_105),
    Case("a.mov", ffmpeg("pcm_s16le", "mov")),
]


@pytest.fixture(scope="module")
def music() -> Array:
    return sweep(SECONDS, 44_100)


@pytest.fixture(scope="module", params=CASES, ids=repr)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A container with its ``path`` written and its ``whole`` decoded, once for all tests of it."""
    case: Case = request.param
    path = tmp_path_factory.mktemp("container") / case.name
    case.path = case.write(path, spread(sweep(SECONDS, case.rate), 2), case.rate)
    case.whole = audio.decode(path)
    return case


def test_container_holds_what_was_written(case: Case) -> None:
    assert case.whole.sample_rate_hz == case.rate
    assert case.whole.warning is None
    assert case.whole.duration_s == pytest.approx(SECONDS, abs=0.1)
    lag, r = best_lag(case.whole.samples, sweep(SECONDS, case.rate), most=3_000)
    assert abs(lag) <= case.lag, f"{lag} samples late"
    assert r > 0.99, f"correlation {r:.4f} at lag {lag}"
    if not case.lag:
        assert len(case.whole.samples) == round(SECONDS * case.rate)


def test_length_is_known_beforehand(case: Case) -> None:
    with audio.open_audio(case.path) as reader:
        assert reader.info.channels == 2
        assert reader.info.duration_s == pytest.approx(case.whole.duration_s, abs=0.1)
        assert audio.count_samples(reader) == len(case.whole.samples)


def test_spans_from_anywhere_are_the_whole_cut(case: Case) -> None:
    whole, n = case.whole.samples, 8_000
    # Forwards, backwards, back to the beginning, next to each other, into the last frame.
    places = [2.5, 4.0, 1.0, 5.0, 0.0, 0.181, 3.3, 0.1, SECONDS - 0.3]
    with audio.open_audio(case.path) as reader:
        for place in places:
            start = round(place * case.rate)
            worst = np.abs(reader.read(start, n) - whole[start : start + n]).max()
            assert worst <= case.span, f"{worst:.1e} off at {place} s"
        assert reader.ended_at is None


def test_reading_on_in_pieces_is_the_whole(case: Case) -> None:
    whole = case.whole.samples
    with audio.open_audio(case.path) as reader:
        edges = [0, 1, 4_096, 11_025, 22_050, 88_200, 176_400, 200_000]
        pieces = [reader.read(a, b - a) for a, b in pairwise(edges)]
    worst = np.abs(np.concatenate(pieces) - whole[:200_000]).max()
    assert worst <= 1e-6, f"{worst:.1e} off"


@pytest.mark.parametrize("rate_hz", [16_000, 22_050])
def test_converted_spans_are_the_converted_whole_cut(case: Case, rate_hz: int) -> None:
    whole = audio.resample(case.whole.samples, case.rate, rate_hz)
    n = 2 * rate_hz
    with audio.open_audio(case.path) as reader:
        for start in (round(2.51 * rate_hz), 0, round(3.7 * rate_hz) + 1, rate_hz):
            span = audio.read_span(reader, start, start + n, rate_hz=rate_hz)
            worst = np.abs(span - whole[start : start + n]).max()
            assert worst <= max(2e-6, case.span), f"{worst:.1e} off at {start}"


@pytest.mark.parametrize("channels", range(1, 9))
def test_mono_is_the_mean_of_channels(channels: int, tmp_path: Path, music: Array) -> None:
    path = write_sndfile(tmp_path / "a.wav", spread(music, channels), 44_100, subtype="FLOAT")
    with audio.open_audio(path) as reader:
        assert reader.info.channels == channels
    np.testing.assert_allclose(audio.decode(path).samples, music, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_mono_through_ffmpeg(channels: int, tmp_path: Path, music: Array) -> None:
    samples = spread(music, channels)
    path = write_av(tmp_path / "a.wv", samples, 44_100, codec="wavpack", container="wv")
    decoded = audio.decode(path).samples
    np.testing.assert_allclose(decoded, music, atol=2e-4)


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_mono_of_planes(channels: int, tmp_path: Path, music: Array) -> None:
    samples = spread(music, channels)
    path = write_av(tmp_path / "a.m4a", samples, 44_100, codec="aac", container="ipod")
    decoded = audio.decode(path).samples[: len(music)]
    assert np.corrcoef(decoded, music[: len(decoded)])[0, 1] > 0.97


@pytest.mark.parametrize(
    ("subtype", "step"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-22),
        ("PCM_32", 2**-22),
        ("FLOAT", 0.0),
        ("DOUBLE", 2**-23),
        ("ULAW", 2**-5),
        ("ALAW", 2**-5),
        ("IMA_ADPCM", 0.2),  # slow to follow the beginning
    ],
)
def test_sample_formats(subtype: str, step: float, tmp_path: Path, music: Array) -> None:
    path = write_sndfile(tmp_path / "a.wav", music, 44_100, subtype=subtype)
    decoded = audio.decode(path).samples[: len(music)]
    assert np.abs(decoded - music).max() <= step


@pytest.mark.parametrize(
    "rate_hz", [8_000, 11_025, 16_000, 22_050, 32_000, 48_000, 96_000, 192_000]
)
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.wv"])
def test_rates(rate_hz: int, name: str, tmp_path: Path) -> None:
    truth, path = sweep(1.5, rate_hz), tmp_path / name
    if name == "a.wv":
        write_av(path, truth, rate_hz, codec="wavpack", container="wv")
    else:
        write_sndfile(path, truth, rate_hz)
    decoded = audio.decode(path)
    assert decoded.sample_rate_hz == rate_hz
    np.testing.assert_allclose(decoded.samples, truth, atol=2e-4)
    with audio.open_audio(path) as reader:
        span = audio.read_span(reader, 4_000, 20_000, rate_hz=16_000)
    np.testing.assert_allclose(span, sweep(1.5, 16_000)[4_000:20_000], atol=5e-3)


def test_mono_cuts_what_no_sound_can_be() -> None:
    wild = np.array([[np.nan], [np.inf], [-np.inf], [0.5], [1e30], [-9.0]], np.float32)
    assert mono(wild).tolist() == [0, 0, 0, 0.5, 2, -2]
    assert mono(np.array([[0.25, 0.75], [np.nan, 1.0]], np.float32)).tolist() == [0.5, 1]


def test_mono_is_of_the_channels_that_hold_sound() -> None:
    left = sweep(0.2, 16_000)
    nothing, lost = np.zeros_like(left), np.full_like(left, np.nan)
    for other, wanted in ((-left, left), (lost, left), (nothing, left / 2), (left, left)):
        stereo = np.stack([left, other], axis=1)
        np.testing.assert_allclose(mono(stereo), wanted, atol=1e-6)
    surround = np.stack([left, -left, left / 2, -left / 2], axis=1)
    np.testing.assert_allclose(mono(surround), left, atol=1e-6)


@pytest.mark.parametrize("wide", [0.0, 0.5, 1.0, 2.0])
def test_mono_of_wide_stereo_is_the_mean(wide: float) -> None:
    rng = np.random.default_rng(0)
    middle, side = rng.normal(0, 0.1, (2, 16_000)).astype(np.float32)
    stereo = np.stack([middle + wide * side, middle - wide * side], axis=1)
    np.testing.assert_allclose(mono(stereo), middle, atol=1e-6)


@given(st.lists(st.lists(st.floats(width=32), min_size=2, max_size=2), min_size=1, max_size=20))
def test_mono_of_anything_is_finite(rows: list[list[float]]) -> None:
    result = mono(np.array(rows, np.float32))
    assert len(result) == len(rows)
    assert np.abs(result).max() <= 2


def test_mono_leaves_its_argument_alone() -> None:
    channels = np.array([[0.5, np.nan]], np.float32)
    mono(channels)
    assert channels[0, 0] == 0.5 and np.isnan(channels[0, 1])


@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE"])
def test_a_float_file_with_holes(kind: str, tmp_path: Path, music: Array) -> None:
    holed = music.copy()
    holed[1_000:1_010], holed[2_000], holed[3_000] = np.nan, np.inf, -np.inf
    path = write_sndfile(tmp_path / "a.wav", holed, 44_100, subtype=kind)
    decoded = audio.decode(path).samples
    assert np.isfinite(decoded).all()
    assert not decoded[[*range(1_000, 1_010), 2_000, 3_000]].any()
    assert np.abs(decoded[4_000:] - music[4_000:]).max() < 1e-6


TRUNCATED = [
    ("a.wav", sndfile(), 0.02),
    ("a.aiff", sndfile(), 0.02),
    ("a.au", sndfile(), 0.02),
    ("a.flac", sndfile(), 0.3),
    ("a.mp3", sndfile(), 0.3),
    ("a.wv", ffmpeg("wavpack", "wv"), 0.6),
    ("alac.mka", ffmpeg("alac", "matroska"), 0.6),
    ("a.wma", ffmpeg("wmav2", "asf", 128_000), 0.6),
    ("a.webm", ffmpeg("libopus", "webm", 96_000), 0.6),
]


@pytest.mark.parametrize(("name", "write", "slack_s"), TRUNCATED, ids=[t[0] for t in TRUNCATED])
def test_truncated_gives_what_is_there_and_says_so(
    name: str, write: Write, slack_s: float, tmp_path: Path
) -> None:
    rate = 48_000 if name == "a.webm" else 44_100
    path = write(tmp_path / name, sweep(SECONDS, rate), rate)
    whole = audio.decode(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    decoded = audio.decode(path)
    assert decoded.warning is not None and "truncated" in decoded.warning
    # Even data rates are not promised, so "what is there" is 60 % give or take a sixth.
    assert 0.45 * SECONDS < decoded.duration_s < 0.75 * SECONDS
    n = len(decoded.samples) - round(slack_s * rate)
    worst = np.abs(decoded.samples[:n] - whole.samples[:n]).max()
    assert worst < 1e-4, f"{worst:.1e} off in what is there"


def test_reader_says_where_it_broke_off(tmp_path: Path, music: Array) -> None:
    path = write_sndfile(tmp_path / "a.flac", music, 44_100)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with audio.open_audio(path) as reader:
        assert reader.ended_at is None
        reader.read(0, 10_000)
        assert reader.ended_at is None, "nothing is amiss yet"
        last = reader.read(0, reader.info.samples)
        assert reader.ended_at == len(last) > 100_000


@pytest.mark.parametrize(("name", "write", "slack_s"), TRUNCATED, ids=[t[0] for t in TRUNCATED])
def test_spans_of_truncated_files_in_any_order(
    name: str, write: Write, slack_s: float, tmp_path: Path
) -> None:
    rate = 48_000 if name == "a.webm" else 44_100
    path = write(tmp_path / name, sweep(SECONDS, rate), rate)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    there = audio.decode(path).samples
    late, early = round(0.9 * SECONDS * rate), round(0.2 * SECONDS * rate)
    with audio.open_audio(path) as reader:
        missing = reader.read(late, rate)
        assert len(missing) == 0
        first = reader.read(early, rate)
        assert np.abs(first - there[early : early + rate]).max() < FADED
        assert audio.count_samples(reader) == len(there)


def test_damage_in_the_middle_does_not_end_it(tmp_path: Path, music: Array) -> None:
    path = write_sndfile(tmp_path / "a.mp3", music, 44_100)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = b"\x55" * 600
    path.write_bytes(bytes(data))
    decoded = audio.decode(path)
    assert decoded.duration_s == pytest.approx(SECONDS, abs=0.15)
    assert best_lag(decoded.samples[:80_000], music[:80_000], most=50)[1] > 0.99


def flac_by_ffmpeg(path: Path, sound: Array) -> Path:
    """With 8 KB of padding behind its header, as most FLACs have."""
    return write_av(path, sound, 44_100, codec="flac", container="flac")


def test_a_flac_is_read_from_its_beginning_at_once(tmp_path: Path) -> None:
    # Short enough to be read up to its end when the length is checked.
    path = small_files.write(tmp_path / "a.flac", small_files.music(1, 0.5))
    with audio.open_audio(path) as reader:
        assert isinstance(reader, SndfileReader)
        assert len(reader.read(0, 22_050)) == 22_050
        assert reader.ended_at is None and reader.info.warning is None


@pytest.mark.parametrize("place", [0.1, 0.5])
def test_a_broken_frame_of_a_flac_costs_itself_alone(
    place: float, tmp_path: Path, music: Array
) -> None:
    path = flac_by_ffmpeg(tmp_path / "a.flac", music)
    data = bytearray(path.read_bytes())
    at = 9_000 + round(place * (len(data) - 9_000))
    data[at : at + 40] = b"\x55" * 40
    path.write_bytes(bytes(data))
    decoded = audio.decode(path)
    assert decoded.warning is not None and "damaged" in decoded.warning
    assert decoded.duration_s == pytest.approx(len(music) / 44_100, abs=0.3)
    assert np.abs(decoded.samples[-40_000:] - music[-40_000:]).max() < 1e-3
    with audio.open_audio(path) as reader:  # also where the damage is met first
        late = reader.read(len(music) - 60_000, 20_000)
        assert np.abs(late - music[-60_000:-40_000]).max() < 1e-3
        assert reader.read(0, len(music)).size > 0.8 * len(music)


def test_unseekable_transport_stream_is_read_from_the_beginning(tmp_path: Path) -> None:
    # Raw AAC has no index: every place in it must be found by reading.
    path = write_av(
        tmp_path / "a.aac", sweep(8, 44_100), 44_100, codec="aac", container="adts", bit_rate=96_000
    )
    whole = audio.decode(path).samples
    with audio.open_audio(path) as reader:
        late = reader.read(300_000, 5_000)
        early = reader.read(50_000, 5_000)
    assert np.abs(late - whole[300_000:305_000]).max() < FADED
    assert np.abs(early - whole[50_000:55_000]).max() < FADED


def patched(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert data.count(old) >= 1
    path.write_bytes(data.replace(old, new, 1))
    return path


@pytest.mark.parametrize("entry", [b"drms", b"enca"])
def test_protected_mp4(entry: bytes, tmp_path: Path, music: Array) -> None:
    path = write_av(tmp_path / "a.m4p", music, 44_100, codec="aac", container="ipod")
    # The sample entry's name stands after its length, inside the sample description.
    data = path.read_bytes()
    at = data.index(b"mp4a", data.index(b"stsd"))
    path.write_bytes(data[:at] + entry + data[at + 4 :])
    with pytest.raises(DecodeError, match="copy-protected") as caught:
        audio.decode(path)
    assert caught.value.kind == "protected"


def test_protected_windows_media(tmp_path: Path, music: Array) -> None:
    path = ffmpeg("wmav2", "asf", 128_000)(tmp_path / "a.wma", music, 44_100)
    # An empty Content Encryption Object as the header's last; three counts tell of it.
    data = bytearray(path.read_bytes())
    extra = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + struct.pack("<Q", 24 + 16)
    extra += bytes(16)
    size, count = struct.unpack_from("<QI", data, 16)
    struct.pack_into("<QI", data, 16, size + len(extra), count + 1)
    data[size:size] = extra
    path.write_bytes(bytes(data))
    with pytest.raises(DecodeError, match="copy-protected") as caught:
        audio.decode(path)
    assert caught.value.kind == "protected"


def test_each_back_end_reads_what_it_should(tmp_path: Path, music: Array) -> None:
    flac = write_sndfile(tmp_path / "a.flac", music, 44_100)
    one, other = SndfileReader(flac), AvReader(flac)
    try:
        assert one.info.codec == "FLAC/PCM_16" and other.info.codec == "flac/flac"
        assert one.info.samples == other.info.samples == len(music)
        a, b = one.read(100_000, 50_000), other.read(100_000, 50_000)
        assert np.abs(a - b).max() < 1e-6
    finally:
        one.close()
        other.close()


def test_one_frame_only(tmp_path: Path) -> None:
    path = write_av(tmp_path / "a.wv", sweep(0.02, 44_100), 44_100, codec="wavpack", container="wv")
    decoded = audio.decode(path)
    assert len(decoded.samples) == 882
    with audio.open_audio(path) as reader:
        assert np.array_equal(reader.read(400, 100), decoded.samples[400:500])


def test_header_that_states_too_little_or_nothing(tmp_path: Path) -> None:
    pcm = (sweep(1, 22_050) * 32_767).astype("<i2").tobytes()
    path = tmp_path / "a.wav"
    # Written into a pipe: the length was never filled in, and nothing is amiss.
    for unknown in (0xFFFFFFFF - 36, 0x7FFFFFFF):
        path.write_bytes(wav_bytes(pcm, claimed=unknown))
        decoded = audio.decode(path)
        assert len(decoded.samples) == 22_050
        assert decoded.warning is None
    path.write_bytes(wav_bytes(pcm, claimed=4 * len(pcm)))
    cut = audio.decode(path)
    assert len(cut.samples) == 22_050
    assert cut.warning is not None and "truncated" in cut.warning


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.wav\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.wav\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "hls"],
)
def test_a_song_cannot_have_another_file_read(text: str, tmp_path: Path, music: Array) -> None:
    write_sndfile(tmp_path / "other.wav", music, 16_000)
    (tmp_path / "song.mp3").write_text(text)
    with pytest.raises(DecodeError) as caught:
        audio.decode(tmp_path / "song.mp3")
    assert caught.value.kind == "not-audio"
