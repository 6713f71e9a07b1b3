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
    return noise(0, 90)


def found(**sounds: np.ndarray) -> list[tuple[str, str]]:
    return copies.find({name: copies.fingerprint(x, RATE_HZ) for name, x in sounds.items()})


@pytest.mark.parametrize("begin_s", [0, 13.37, 75])
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


def random_codes(seed: int, frames: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 2**32, frames, dtype=np.uint32)


@pytest.mark.parametrize(("common", "copy"), [(90, False), (100, True)])
def test_three_seconds_of_one_sound_are_needed(common: int, copy: bool) -> None:
    """A frame is 32 ms, so that 94 of them are 3 s."""
    codes = random_codes(0)
    # The end of one is the beginning of the other; what comes before and after is silent.
    one = np.concatenate([np.zeros(200, dtype=np.uint32), codes[:common]])
    other = np.concatenate([codes[:common], np.zeros(200, dtype=np.uint32)])
    assert copies.find({"a": one, "b": other}) == ([("a", "b")] if copy else [])


def test_silence_around_a_short_sound_is_nothing_in_common() -> None:
    """A jingle of 1.6 s with silence around it, as samples and tests begin and end."""
    silence = np.zeros(100, dtype=np.uint32)
    jingle = np.concatenate([silence, random_codes(0, 50), silence])
    one, other = (np.concatenate([jingle, random_codes(seed)]) for seed in (1, 2))
    assert copies.find({"a": one, "b": other}) == []


@pytest.mark.parametrize("row", [0, 1, 2])
def test_every_speed_is_compared_from_both_sides(row: int) -> None:
    codes = random_codes(0)
    fast = np.stack([random_codes(i + 1) for i in range(3)])
    fast[row] = codes
    slow = np.stack([codes, random_codes(8), random_codes(9)])
    assert copies.find({"a": fast, "b": slow}) == [("a", "b")]
    assert copies.find({"a": slow, "b": fast}) == [("a", "b")]


def test_more_equal_codes_than_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_HITS_AT_ONCE", 7)
    codes = random_codes(0)
    found = copies.find({name: codes[i * 10 :] for i, name in enumerate("abcd")})
    assert len(found) == 6


@pytest.mark.parametrize("speed", [0.98, 1.005, 1.015])
def test_a_copy_that_is_faster_or_slower(long: np.ndarray, speed: float) -> None:
    whole, part = long[: 20 * RATE_HZ], long[5 * RATE_HZ : 17 * RATE_HZ]
    other = np.interp(np.arange(0, len(part), speed), np.arange(len(part)), part)
    assert found(whole=whole, other=other.astype(np.float32)) == [("whole", "other")]


def test_nothing_and_too_little() -> None:
    assert copies.find({}) == []
    assert copies.fingerprint(np.zeros(10, dtype=np.float32), RATE_HZ).shape == (3, 0)


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
