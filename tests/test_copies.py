"""Copies by fingerprint and by embeddings; those in encodings are in ``test_index.py``."""

from __future__ import annotations

import numpy as np
import pytest
from support import music

from tonearm.data import copies
from tonearm.data.embedding_store import StoredEmbeddings

RATE_HZ = 8_000


def noise(seed: int, seconds: float) -> np.ndarray:
    """Noise whose bands change every tenth of a second, as music does."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * 10)
    bins = rng.gamma(0.3, size=(frames, 401)) * np.exp(2j * np.pi * rng.random((frames, 401)))
    samples = np.fft.irfft(bins, n=800, axis=1).ravel()
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


@pytest.fixture(scope="module")
def long() -> np.ndarray:
    return noise(0, 200)


def found(**sounds: np.ndarray) -> list[tuple[str, str]]:
    return copies.find({name: copies.fingerprint(x, RATE_HZ) for name, x in sounds.items()})


@pytest.mark.parametrize("begin_s", [0, 13.37, 60, 185])
def test_an_excerpt_is_found_wherever_it_begins(long: np.ndarray, begin_s: float) -> None:
    begin = round(begin_s * RATE_HZ)
    excerpt = long[begin : begin + 15 * RATE_HZ]
    assert found(whole=long, excerpt=0.3 * excerpt, other=noise(1, 30)) == [("whole", "excerpt")]


def test_the_end_of_one_is_the_beginning_of_another(long: np.ndarray) -> None:
    one = np.concatenate([noise(2, 40), long[: 10 * RATE_HZ]])
    other = np.concatenate([long[: 10 * RATE_HZ], noise(3, 25)])
    assert found(one=one, other=other) == [("one", "other")]


def test_two_seconds_in_common_are_a_sample_and_no_copy(long: np.ndarray) -> None:
    one = np.concatenate([noise(4, 20), long[: 2 * RATE_HZ], noise(5, 20)])
    other = np.concatenate([noise(6, 20), long[: 2 * RATE_HZ], noise(7, 20)])
    assert found(one=one, other=other) == []


def test_fraction_wrong_by_hand() -> None:
    codes = np.arange(1, 201, dtype=np.uint32)
    assert copies.fraction_wrong(codes, codes, 0) == 0
    assert copies.fraction_wrong(codes, codes[50:], 50) == 0
    assert copies.fraction_wrong(codes, codes ^ np.uint32(0xFF), 0) == pytest.approx(8 / 32)
    assert copies.fraction_wrong(codes, codes, 150) == 1.0, "they share less than 3 s"
    still = np.where(np.arange(200) < 150, 0, codes).astype(np.uint32)
    assert copies.fraction_wrong(still, still, 0) == 1.0, "less than 3 s that are not silent"


def test_nothing_and_too_little() -> None:
    assert copies.find({}) == []
    assert len(copies.fingerprint(np.zeros(10, dtype=np.float32), RATE_HZ)) == 0


def embeddings(
    seed: int, *, windows: int = 6, duration_s: float = 200.0, hop_s: float = 10.0
) -> StoredEmbeddings:
    values = np.random.default_rng(seed).beta(1, 5, (windows, 50))
    starts_s = np.arange(windows, dtype=np.float32) * np.float32(hop_s)
    return StoredEmbeddings(values.astype(np.float16), starts_s, duration_s)


def nearly(one: StoredEmbeddings, by: float = 0.01, **changes: float) -> StoredEmbeddings:
    rng = np.random.default_rng(9)
    values = np.clip(one.values + by * rng.standard_normal(one.values.shape), 0, 1)
    return StoredEmbeddings(
        values.astype(np.float16), one.starts_s, changes.get("duration_s", one.duration_s)
    )


def test_the_same_windows_of_tracks_of_one_length() -> None:
    one = embeddings(1)
    tracks = {"a": one, "b": embeddings(2), "c": nearly(one, duration_s=200.05)}
    assert copies.find_by_embeddings(tracks) == [("a", "c")]
    tracks["c"] = nearly(one, duration_s=200.2)
    assert copies.find_by_embeddings(tracks) == [], "another length"


def test_equal_means_are_no_copies() -> None:
    """Excerpts of an album's style agree on the whole, but not window by window."""
    one = embeddings(1)
    turned = StoredEmbeddings(one.values[::-1].copy(), one.starts_s, one.duration_s)
    assert copies.find_by_embeddings({"a": one, "b": turned}) == []


@pytest.mark.parametrize(
    ("windows", "hop_s"), [(3, 10.0), (6, 0.5)], ids=["few windows", "a short stretch"]
)
def test_too_little_is_no_proof(windows: int, hop_s: float) -> None:
    one = embeddings(1, windows=windows, hop_s=hop_s)
    assert copies.find_by_embeddings({"a": one, "b": nearly(one)}) == []


def test_windows_of_unknown_begins_are_not_compared() -> None:
    one = embeddings(1)
    old = StoredEmbeddings(one.values, None, one.duration_s)
    assert copies.find_by_embeddings({"a": one, "b": old}) == []
    assert copies.find_by_embeddings({"a": one}) == []


def test_lengths_and_means_of_copies() -> None:
    assert copies.lengths_agree(np.array([200.0, 200.08, 200.2]), 200.0).tolist() == [
        True,
        True,
        False,
    ]
    points = np.array([[0.0, 0.0], [0.1, 0.0], [0.2, 0.0]])
    assert copies.embeddings_agree(points, points[0]).tolist() == [True, True, False]


def test_music_of_one_style_is_not_one_recording() -> None:
    clips = {str(i): music.clip(1, i, seconds=12) for i in range(4)}
    codes = {name: copies.fingerprint(x, music.RATE_HZ) for name, x in clips.items()}
    assert copies.find(codes) == []


FRAME_S = 0.0775


def clip(seed: int, frames: int = 500) -> np.ndarray:
    """Levels of notes that begin and end, [frames, 128], in decibels."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.normal(0, 12, (frames // 4, 64)), 4, axis=0)
    return -40 + np.repeat(steps, 2, axis=1).astype(np.float32)


@pytest.mark.parametrize(("begin", "length"), [(0, 500), (37, 300), (200, 200), (380, 120)])
def test_clips_of_one_recording_by_their_levels(begin: int, length: int) -> None:
    one = clip(0)
    tilt = np.linspace(-6, 6, 128, dtype=np.float32)  # an equaliser
    noise = np.random.default_rng(9).normal(0, 4, (length, 128)).astype(np.float32)
    other = 0.7 * one[begin : begin + length] + tilt + noise
    clips = {"one": one, "none": clip(1), "other": other}
    assert copies.find_by_spectrogram(clips, frame_s=FRAME_S) == [("one", "other")]


def test_a_stretch_too_short_is_no_copy() -> None:
    one, other = clip(0), clip(1)
    other[:60] = one[-60:]  # less than six seconds
    assert copies.find_by_spectrogram({"one": one, "other": other}, frame_s=FRAME_S) == []


def test_silent_clips_are_not_alike() -> None:
    still = np.full((400, 128), -80, dtype=np.float32)
    assert copies.find_by_spectrogram({"a": still, "b": still + 1}, frame_s=FRAME_S) == []
    assert copies.find_by_spectrogram({"a": still}, frame_s=FRAME_S) == []
