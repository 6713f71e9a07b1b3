"""Audio from a path, a file object, or an array: all of them the same samples."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from support.fakes import LOW_HZ
from support.sounds import tone, write_av, write_sndfile

from tonearm.audio import decode
from tonearm.audio.source import mono_samples, open_source
from tonearm.errors import DecodeError
from tonearm.model.classifier import Classifier

RATE = 16_000
STEREO = np.array([[1.0, 0.0], [0.5, -0.5], [-1.0, 0.0]], np.float32)
MEAN = [0.5, 0.0, -0.5]


def test_layouts_of_stereo() -> None:
    assert mono_samples(STEREO).tolist() == MEAN
    assert mono_samples(STEREO.T).tolist() == MEAN
    assert mono_samples(STEREO.astype(np.float64)[:, :1]).tolist() == [1, 0.5, -1]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_integers_are_scaled_by_their_type(dtype: type[np.signedinteger]) -> None:
    full = -int(np.iinfo(dtype).min)
    samples = np.array([-full, 0, full // 2], dtype)
    assert mono_samples(samples).tolist() == [-1, 0, 0.5]


def test_samples_of_16_bits_in_a_wider_type_are_not_silence() -> None:
    loud = np.array([0, 20_001, -20_001] * 9, np.int16)
    for wide in (loud.tolist(), loud.astype(np.int32), (loud.astype(np.uint32) + 2**15) % 2**16):
        with pytest.raises(ValueError, match="which is silence by that type: convert"):
            mono_samples(wide)
    # Made as 32 bits: loud, as faint as the last of 24 bits, and silent.
    for fine in (loud.astype(np.int32) << 16, loud.astype(np.int32) % 2 << 8, np.zeros(9, int)):
        assert len(mono_samples(fine)) == len(fine)


def test_a_number_too_large_for_float32_is_not_left_out() -> None:
    with pytest.raises(ValueError, match=r"samples reach 1e\+300"):
        mono_samples(np.array([0.1, 1e300]))
    with pytest.raises(ValueError, match=r"shape \(2, 0\) is not audio"):
        mono_samples(np.zeros((2, 0)))


def test_an_array_without_a_number_is_not_silence() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="no sample is a finite number"):
            mono_samples(np.full((100, 2), value, np.float32))
    one_sided = np.stack([STEREO[:, 0], np.full(3, np.nan)], axis=1)
    assert mono_samples(one_sided).tolist() == STEREO[:, 0].tolist(), "the good channel counts"


def test_bytes_say_what_they_should_be_wrapped_in() -> None:
    with pytest.raises(TypeError, match=r"io\.BytesIO"), open_source(b"RIFF"):  # type: ignore[arg-type]
        pass


def test_unsigned_samples_have_their_zero_in_the_middle() -> None:
    assert mono_samples(np.array([0, 128, 192], np.uint8)).tolist() == [-1, 0, 0.5]


def test_a_mean_of_full_scale_integers_does_not_overflow() -> None:
    full = np.full((4, 2), 32_767, np.int16)
    np.testing.assert_allclose(mono_samples(full), 32_767 / 32_768)


def test_floats_a_little_over_full_scale_are_audio() -> None:
    assert mono_samples(np.array([1.5, -1.25])).tolist() == [1.5, -1.25]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """One tone as what libsndfile reads, and as what only FFmpeg reads."""
    sound = tone(LOW_HZ, 6, RATE)
    flac = write_sndfile(tmp_path / "a.flac", sound, RATE)
    m4a = tmp_path / "a.m4a"
    write_av(m4a, sound, RATE, codec="aac", container="ipod", bit_rate=96_000)
    return [flac, m4a]


def test_a_file_object_is_its_file(files: list[Path], tiny: Classifier) -> None:
    for path in files:
        truth = tiny.embed(path)
        with path.open("rb") as file:
            found = tiny.embed(file)
            assert not file.closed
        np.testing.assert_array_equal(found.values, truth.values)
        assert (found.duration_s, found.path) == (truth.duration_s, str(path))
        in_memory = tiny.embed(io.BytesIO(path.read_bytes()))
        np.testing.assert_array_equal(in_memory.values, truth.values)
        assert in_memory.path is None


def test_a_file_object_is_read_from_where_it_stands(files: list[Path]) -> None:
    data = io.BytesIO(b"a header of my own" + files[0].read_bytes())
    data.seek(18)
    with open_source(data) as opened:
        assert opened.reader.info.samples == 6 * RATE


def test_an_array_is_its_file(files: list[Path], tiny: Classifier) -> None:
    audio = decode(files[0])
    integers = np.round(audio.samples * 32_768).astype(np.int16)
    found = tiny.embed(np.stack([integers, integers]), audio.sample_rate_hz)
    np.testing.assert_allclose(found.values, tiny.embed(files[0]).values, atol=1e-4)
    assert found.path is None


def test_nothing_temporary_stays_or_is_named(
    tiny: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DecodeError) as caught:
        tiny.embed(io.BytesIO(b"no audio at all"))
    assert os.listdir(tmp_path) == []
    assert str(tmp_path) not in str(caught.value) and "<file object>" in str(caught.value)


def test_a_reason_names_the_file_that_people_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: str) -> None:
        raise DecodeError(path, "unreadable", f"the disk failed at {path}")

    monkeypatch.setattr("tonearm.audio.source.open_audio", failing)
    song = tmp_path / "song.mp3"
    song.touch()
    with song.open("rb") as file, pytest.raises(DecodeError) as caught, open_source(file):
        pass
    assert (caught.value.path, caught.value.reason) == (str(song), f"the disk failed at {song}")


def test_text_is_refused(tmp_path: Path, tiny: Classifier) -> None:
    with pytest.raises(TypeError, match="mode 'rb'"):
        tiny.embed(io.StringIO("la la la"))
