"""Offsets, silence and long tracks: what the encoder is given of a file that is not plain music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.fakes import HIGH_HZ, LOW_HZ
from support.sounds import Array, noise, sweep, tone, write_sndfile

from tonearm import audio
from tonearm.model.classifier import Classifier, Embeddings
from tonearm.model.track import is_silent
from tonearm.windows import for_length

RATE = 16_000


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def embed(
    classifier: Classifier, samples: Array, folder: Path, *, count: int | None = None
) -> Embeddings:
    path = write_sndfile(folder / "a.wav", samples, RATE, subtype="FLOAT")
    return classifier.embed(path, count=count)


@pytest.mark.parametrize("offset", [0.05, 0.4, -0.4])
def test_an_offset_changes_nothing(offset: float, shipped: Classifier, tmp_path: Path) -> None:
    music = sweep(12, RATE)
    plain = embed(shipped, music, tmp_path).values
    assert np.abs(embed(shipped, music + np.float32(offset), tmp_path).values - plain).max() < 0.01


def test_the_offset_of_ordinary_recordings_stays() -> None:
    music = sweep(3, RATE) + np.float32(0.005)
    span = audio.read_span(audio.ArrayReader(music, RATE), 0, len(music), rate_hz=RATE)
    np.testing.assert_array_equal(span, music)


@pytest.mark.parametrize(
    ("before_s", "between_s", "behind_s"), [(60, 0, 0), (0, 0, 120), (0, 300, 0), (40, 500, 60)]
)
def test_silent_windows_are_left_out(
    before_s: int, between_s: int, behind_s: int, tiny: Classifier, tmp_path: Path
) -> None:
    song = tone(LOW_HZ, 20, RATE)
    silences = [np.zeros(s * RATE, np.float32) for s in (before_s, between_s, behind_s)]
    track = np.concatenate([silences[0], song, silences[1], song, silences[2]])
    embeddings = embed(tiny, track, tmp_path)
    alone = embed(tiny, song, tmp_path).values[0]
    np.testing.assert_allclose(
        embeddings.values, np.tile(alone, (len(embeddings.values), 1)), atol=0.05
    )
    prediction = tiny.classify(embeddings.values)
    assert prediction.genre == "blues" and prediction.confidence > 0.95


def test_a_whole_track_leaves_silence_out_too(tiny: Classifier, tmp_path: Path) -> None:
    song = tone(LOW_HZ, 20, RATE)
    track = np.concatenate([song, np.zeros(30 * RATE, np.float32), song])
    path = write_sndfile(tmp_path / "a.wav", track, RATE)
    everything = tiny.embed(path, count="all")
    assert everything.duration_s == 70
    assert not ((everything.starts_s > 20.5) & (everything.starts_s < 46.5)).any()
    assert len(everything.values) == len(everything.starts_s) == 15


def test_noise_of_a_tape_is_silence_next_to_music(tiny: Classifier, tmp_path: Path) -> None:
    hiss = noise(200, RATE, level=0.0005)
    for hz, genre in ((LOW_HZ, "blues"), (HIGH_HZ, "metal")):
        track = np.concatenate([hiss, tone(hz, 20, RATE), hiss])
        assert tiny.classify(embed(tiny, track, tmp_path).values).genre == genre


def test_a_quiet_track_is_not_silent(tiny: Classifier, tmp_path: Path) -> None:
    track = tone(LOW_HZ, 60, RATE) * np.float32(1e-4)
    assert tiny.classify(embed(tiny, track, tmp_path).values).genre == "blues"
    assert not is_silent(np.array([1e-9, 2e-9])).any()
    assert is_silent(np.array([0.0, 0.0])).all()
    assert is_silent(np.array([0.1, 0.9e-6, 2e-6])).tolist() == [False, True, False]


def test_a_short_track_takes_as_many_windows_as_a_model_wants() -> None:
    assert [for_length(8, s) for s in (1, 240, 599)] == [8, 8, 8]
    assert for_length("all", 9_999) == "all"


def test_windows_grow_with_length() -> None:
    lengths_s = [600, 720, 3_600, 7_200, 36_000]
    counts = [for_length(8, s) for s in lengths_s]
    assert all(isinstance(count, int) and count >= 40 for count in counts)
    assert counts == sorted(counts) and counts[-1] > counts[0]
    assert for_length(8, 1e9) == for_length(8, 1e6), "a claim of years takes no years"
