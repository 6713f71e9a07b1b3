"""Whole files, spans and blocks; and files that are not audio, each with a plain error."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import (
    Array,
    best_lag,
    png,
    sweep,
    tone,
    wav_bytes,
    write_av,
    write_silent_video,
    write_sndfile,
)

from tonearm import audio
from tonearm.errors import DecodeError

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files and rights")
RATE = 22_050


@pytest.fixture(scope="module")
def music() -> Array:
    return sweep(5.0, RATE)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory, music: Array) -> Path:
    return write_sndfile(tmp_path_factory.mktemp("song") / "song.wav", music, RATE)


def refusal(path: Path | str) -> DecodeError:
    """The error that decoding ``path`` ends in."""
    with pytest.raises(DecodeError) as caught:
        audio.decode(path)
    error = caught.value
    assert error.path == os.fspath(path)
    assert str(error) == f"{path} {error.reason}"
    assert "\n" not in error.reason and os.fspath(path) not in error.reason
    return error


def test_decode_a_span(song: Path) -> None:
    whole = audio.decode(song)
    assert whole.duration_s == 5.0
    span = audio.decode(song, start_s=1.5, duration_s=2.0)
    assert np.array_equal(span.samples, whole.samples[33_075:77_175])
    assert len(audio.decode(song, start_s=4.0).samples) == RATE
    assert len(audio.decode(song, start_s=4.0, duration_s=9.0).samples) == RATE
    assert len(audio.decode(song, start_s=-1.0, duration_s=1.0).samples) == RATE
    assert len(audio.decode(song, start_s=60.0).samples) == 0


def test_resample_keeps_a_tone_and_its_place() -> None:
    for from_hz, to_hz in ((44_100, 16_000), (8_000, 16_000), (48_000, 22_050), (192_000, 16_000)):
        there = audio.resample(sweep(2.0, from_hz), from_hz, to_hz)
        assert there.dtype == np.float32
        assert abs(len(there) - 2 * to_hz) <= 1
        inner = slice(2_000, 2 * to_hz - 2_000)
        worst = np.abs(there[inner] - sweep(2.0, to_hz)[inner]).max()
        assert worst < 5e-3, f"{from_hz} to {to_hz}: {worst:.1e} off"
    # What the new rate cannot hold is filtered out, not folded back.
    assert np.abs(audio.resample(tone(15_000, 1, 44_100), 44_100, 16_000)[500:-500]).max() < 1e-3


def test_resample_to_the_same_rate_is_no_copy() -> None:
    samples = tone(440, 0.1, 16_000)
    assert audio.resample(samples, 16_000, 16_000) is samples
    assert len(audio.resample(samples[:0], 44_100, 16_000)) == 0


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
def test_spans_over_the_edges_are_zero_there(music: Array, rate_hz: int) -> None:
    reader = audio.ArrayReader(music, RATE)
    whole = audio.resample(music, RATE, rate_hz)
    n = len(whole)
    padded = np.concatenate([np.zeros(n, np.float32), whole, np.zeros(2 * n, np.float32)])
    for start, stop in (
        (-500, 1_000),
        (-1_000, -10),
        (n - 700, n + 900),
        (n + 50_000, n + 51_000),
        (-100, n + 100),
        (7, 7),
    ):
        span = audio.read_span(reader, start, stop, rate_hz=rate_hz)
        assert len(span) == stop - start
        worst = np.abs(span - padded[n + start : n + stop]).max(initial=0)
        assert worst <= 2e-6, f"{start}-{stop}: {worst:.1e} off"


@given(
    start=st.integers(-3_000, 90_000),
    length=st.integers(1, 20_000),
    own_hz=st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000]),
)
def test_any_span_is_the_converted_whole_cut(start: int, length: int, own_hz: int) -> None:
    samples = sweep(4.0, own_hz)
    whole = audio.resample(samples, own_hz, 16_000)
    span = audio.read_span(
        audio.ArrayReader(samples, own_hz), start, start + length, rate_hz=16_000
    )
    truth = np.zeros(length, np.float32)
    inside = whole[max(0, start) : max(0, start + length)]
    truth[max(0, -start) : max(0, -start) + len(inside)] = inside
    assert np.abs(span - truth).max() <= 2e-6


def test_blocks_are_the_whole(song: Path, music: Array) -> None:
    with audio.open_audio(song) as reader:
        pieces = list(audio.blocks(reader, block_s=0.7))
    assert {len(piece) for piece in pieces[:-1]} == {round(0.7 * RATE)}
    together = np.concatenate(pieces)
    assert np.array_equal(together, audio.decode(song).samples)
    assert len(together) == len(music)


@pytest.mark.parametrize("name", ["long.wav", "long.mp3", "long.wv"])
def test_ten_minutes_in_bounded_memory(name: str, tmp_path: Path) -> None:
    rate, path = 16_000, tmp_path / name
    minute = sweep(60.0, rate)
    if name == "long.mp3":  # frames put behind each other are a file
        options = {"write_xing": "0", "id3v2_version": "0"}
        write_av(path, minute, rate, codec="libmp3lame", container="mp3", options=options)
        path.write_bytes(10 * path.read_bytes())
    elif name == "long.wv":
        write_av(path, np.tile(minute, 10), rate, codec="wavpack", container="wv")
    else:
        write_sndfile(path, np.tile(minute, 10), rate)
    tracemalloc.start()
    try:
        with audio.open_audio(path) as reader:
            seconds = sum(map(len, audio.blocks(reader))) / rate
        with audio.open_audio(path) as reader:
            late = audio.read_span(reader, 590 * rate, 593 * rate, rate_hz=rate)
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert seconds == pytest.approx(600, rel=5e-3)
    assert best_lag(late, minute[50 * rate : 53 * rate], most=20_000)[1] > 0.8
    # All of it is 38 MB; a block of 30 s is 2, held a few times over while it is put together.
    assert peak_mb < 12, f"{peak_mb:.1f} MB at most"


def test_array_reader_is_a_file_in_memory(music: Array) -> None:
    reader = audio.ArrayReader(music, RATE)
    assert (reader.info.samples, reader.info.sample_rate_hz) == (len(music), RATE)
    assert np.array_equal(reader.read(100, 50), music[100:150])
    assert len(reader.read(len(music) - 5, 50)) == 5
    assert audio.count_samples(reader) == len(music)
    holed = np.array([np.nan, 0.5], np.float32)
    assert audio.ArrayReader(holed, RATE).read(0, 2).tolist() == [0, 0.5]


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert all(s.startswith(".") and s == s.lower() for s in audio.AUDIO_SUFFIXES)
    assert {".mp3", ".flac", ".m4a", ".ogg", ".opus", ".wma", ".au"} <= audio.AUDIO_SUFFIXES


# Files that are not audio.


def test_missing(tmp_path: Path) -> None:
    error = refusal(tmp_path / "none.mp3")
    assert (error.kind, error.reason) == ("missing", "does not exist")
    error = refusal(tmp_path / "none" / "none.mp3")
    assert error.kind == "missing"


@posix
def test_broken_link_and_link_to_itself(tmp_path: Path) -> None:
    broken, loop = tmp_path / "broken.mp3", tmp_path / "loop.mp3"
    broken.symlink_to(tmp_path / "none")
    loop.symlink_to(loop)
    assert refusal(broken).reason == "is a link to a file that does not exist"
    error = refusal(loop)
    assert (error.kind, error.reason) == ("unreadable", "is a link to itself")


def test_folder(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert (error.kind, error.reason) == ("not-a-file", "is a folder, not a file")


@posix
def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    assert refusal(tmp_path / "pipe.mp3").kind == "not-a-file"
    assert refusal("/dev/null").kind == "not-a-file"


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").touch()
    error = refusal(tmp_path / "a.mp3")
    assert (error.kind, error.reason) == ("empty", "is empty (0 bytes)")


@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a.flac", "a.ogg", "a.m4a", "a.wma", "a"])
@pytest.mark.parametrize(
    "content",
    [
        b"\1\2\3" * 8,
        b"\xc3\x28Dear diary" * 40,
        b"\1" + bytes(5_000),
        b"ID3\4\0\0\0\0\0\0" + b"\0" * 50,
    ],
    ids=["few bytes", "no text", "almost zeros", "only tags"],
)
def test_not_audio(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    error = refusal(tmp_path / name)
    assert error.kind == "not-audio"
    assert "Report it if a player plays it" in error.reason
    assert "libsndfile: " in error.reason and "FFmpeg: " in error.reason, error.reason


def test_picture(tmp_path: Path) -> None:
    (tmp_path / "cover.mp3").write_bytes(png())
    error = refusal(tmp_path / "cover.mp3")
    assert error.kind == "no-audio-stream" and "picture" in error.reason


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mp3"])
def test_film_without_sound(name: str, tmp_path: Path) -> None:
    path = write_silent_video(tmp_path / name.replace(".mp3", ".mp4"))
    path = path.rename(tmp_path / name)
    assert refusal(path).kind == "no-audio-stream"


def test_random_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    rng = np.random.default_rng(0)
    for _ in range(5):
        path.write_bytes(rng.integers(0, 256, 30_000, np.uint8).tobytes())
        try:
            decoded = audio.decode(path)
        except DecodeError as error:
            assert error.kind == "not-audio"
        else:  # MPEG has no checksum: some noise has frames in it
            assert np.isfinite(decoded.samples).all()


@pytest.mark.parametrize(
    "data",
    [
        wav_bytes(b"", rate_hz=RATE),
        wav_bytes(bytes(2_000), rate_hz=0),
        wav_bytes(bytes(2_000), channels=0),
        wav_bytes(bytes(2_000))[:30],
        wav_bytes(bytes(2_000), code=0x9999),
    ],
    ids=["no samples", "0 Hz", "0 channels", "half a header", "unknown codec"],
)
def test_wav_headers_that_cannot_be(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    assert refusal(tmp_path / "a.wav").kind in ("not-audio", "empty")


def test_one_sample(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(b"\0\x40"))
    assert audio.decode(tmp_path / "a.wav").samples.tolist() == [0.5]


def test_flac_without_samples(tmp_path: Path) -> None:
    write_sndfile(tmp_path / "a.flac", np.zeros(0, np.float32), RATE)
    assert refusal(tmp_path / "a.flac").kind in ("not-audio", "empty")


@posix
@pytest.mark.parametrize("locked", ["file", "folder"])
def test_no_rights(locked: str, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    path = write_sndfile(folder / "a.wav", sweep(0.1, RATE), RATE)
    # Nobody must come as far as the file; the folders above it are root's alone, so by the
    # working directory.
    tmp_path.chmod(0o755)
    (path if locked == "file" else folder).chmod(0)
    script = """
import os
from tonearm import audio
from tonearm.errors import DecodeError
if os.geteuid() == 0:  # root may read everything
    os.setgid(65534); os.setuid(65534)
try:
    audio.decode("locked/a.wav")
except DecodeError as error:
    print(error.kind, error.reason)
"""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    finally:
        folder.chmod(0o755)
    assert ended.stdout == "permission-denied cannot be read: permission denied\n", ended.stderr


ODD_NAMES = [
    "a\nb.wav",
    "tab\t.wav",
    "\x1b[31mred.wav",
    "🎸 élan.wav",
    "日本語.wav",
    "a:b?*.wav",
    "-n.wav",
    "%s{0}.wav",
    "no suffix",
    "caf\udce9.wav",  # a byte that is no UTF-8
]


@posix
@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
@pytest.mark.parametrize("content", ["libsndfile", "FFmpeg", "text"])
def test_odd_names(name: str, content: str, tmp_path: Path, song: Path) -> None:
    path = tmp_path / name
    if content == "text":
        path.write_bytes(b"no audio")
        assert refusal(path).kind == "not-audio"
        return
    if content == "libsndfile":
        path.write_bytes(song.read_bytes())
    else:
        made = write_av(tmp_path / "a.wv", sweep(1.0, RATE), RATE, codec="wavpack", container="wv")
        made.rename(path)
    assert len(audio.decode(path).samples) in (RATE, 5 * RATE)


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path: Path, song: Path) -> None:
    # FFmpeg would open "concat:" and "http:" as protocols: a relative name must not become one.
    script = (
        "import sys\nfrom tonearm import audio\nfrom tonearm.errors import DecodeError\n"
        "try:\n    print(len(audio.decode(sys.argv[1]).samples))\n"
        "except DecodeError as error:\n    print(error.kind)\n"
    )
    name = "file:song.wv"
    write_av(tmp_path / "song.wv", sweep(1.0, RATE), RATE, codec="wavpack", container="wv")
    (tmp_path / "song.wv").rename(tmp_path / name)
    ended = subprocess.run(
        [sys.executable, "-c", script, name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{RATE}\n", ended.stderr


@posix
@pytest.mark.parametrize("container", ["wav", "wv"])
def test_vanishing_file(container: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{container}"
    if container == "wav":
        write_sndfile(path, sweep(20.0, RATE), RATE)
    else:
        write_av(path, sweep(20.0, RATE), RATE, codec="wavpack", container="wv")
    with audio.open_audio(path) as reader:
        path.unlink()
        # An open file stays readable on POSIX, whatever happens to its name.
        assert len(reader.read(10 * RATE, RATE)) == RATE
    assert refusal(path).kind == "missing"


def test_vanished_between_check_and_opening(
    tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(song.read_bytes())
    monkeypatch.setattr(audio, "check_file", lambda path: path.unlink())
    error = refusal(path)
    assert error.kind == "missing" and "disappeared" in error.reason


def test_readers_are_closed(tmp_path: Path, song: Path) -> None:
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("counts open files in /proc")
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"no audio" * 100)
    wv = write_av(tmp_path / "a.wv", sweep(1.0, RATE), RATE, codec="wavpack", container="wv")
    audio.decode(song), audio.decode(wv)
    before = len(list(fds.iterdir()))
    for _ in range(5):
        audio.decode(song)
        audio.decode(wv)
        refusal(bad)
    assert len(list(fds.iterdir())) == before


def test_error_crosses_process_borders(tmp_path: Path) -> None:
    error = refusal(tmp_path / "none.wav")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.kind, copy.path) == (str(error), error.kind, error.path)
