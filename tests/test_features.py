"""The front end: values computed by hand, then librosa as a reference, then properties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import chord, noise, sweep, tone

from tonearm.errors import ModelError
from tonearm.features import (
    DYNAMIC_RANGE_DB,
    GTZAN_SPEC,
    MUSICNN_SPEC,
    FeatureSpec,
    log_mel,
    mel_filters,
    mel_power,
    mfcc,
    power_to_db,
    to_level,
)

SPECS = [pytest.param(MUSICNN_SPEC, id="musicnn"), pytest.param(GTZAN_SPEC, id="gtzan")]


def music(spec: FeatureSpec, seconds: float = 4.0) -> np.ndarray:
    """Chord, sweep and a little noise: something in every band."""
    rate = spec.sample_rate_hz
    return (
        0.5 * chord((220, 277, 330), seconds, rate)
        + 0.5 * sweep(seconds, rate)
        + noise(seconds, rate, level=0.02)
    )


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("hz", [110.0, 440.0, 1_000.0, 3_000.0, 7_000.0])
def test_a_tone_lands_in_its_band(spec: FeatureSpec, hz: float) -> None:
    power = mel_power(tone(hz, 1.0, spec.sample_rate_hz), spec)
    # The bin nearest to the tone, and the band that gives that bin the largest weight.
    bin_ = round(hz * spec.n_fft / spec.sample_rate_hz)
    expected = int(mel_filters(spec)[:, bin_].argmax())
    loudest = power[5:-5].argmax(axis=1)
    assert set(abs(loudest - expected)) <= {0, 1}, f"{hz} Hz in bands {set(loudest)}"
    far = np.abs(np.arange(spec.mel_bands) - expected) > 12
    assert power[5:-5][:, far].max() < 1e-3 * power[5:-5].max()


def test_the_spectrum_of_one_bin_by_hand() -> None:
    # A sine of amplitude a exactly on bin k: the Hann window leaves a*n/4 there a*n/8 next to it.
    spec, k, a = MUSICNN_SPEC, 64, 0.5
    power = mel_power(tone(k * 31.25, 1.0, 16_000, level=a), spec)[20]
    line = (a * spec.n_fft / 4) ** 2
    bins = np.zeros(spec.n_fft // 2 + 1)
    bins[[k - 1, k, k + 1]] = line / 4, line, line / 4
    expected = mel_filters(spec) @ bins
    np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-3 * expected.max())


@pytest.mark.parametrize("spec", SPECS)
def test_power_of_noise_follows_parseval(spec: FeatureSpec) -> None:
    # White noise of variance v has power v * sum(window^2) = v * 3/8 * n_fft in every bin.
    samples = noise(30, spec.sample_rate_hz, level=0.3)
    power = mel_power(samples, spec).mean(axis=0)
    expected = 0.3**2 * 3 / 8 * spec.n_fft * mel_filters(spec).sum(axis=1)
    wide = mel_filters(spec).astype(bool).sum(axis=1) >= 4  # narrower ones average too little
    assert wide.sum() > 30
    np.testing.assert_allclose(power[wide], expected[wide], rtol=0.12)


@pytest.mark.parametrize("spec", SPECS)
def test_silence(spec: FeatureSpec) -> None:
    levels = log_mel(np.zeros(spec.sample_rate_hz, np.float32), spec)
    assert levels.shape == (spec.frames_of(spec.sample_rate_hz), spec.mel_bands)
    assert not levels.any()  # 0 dB below the loudest, and log10(1 + 0)


@pytest.mark.parametrize("spec", SPECS)
def test_filters_have_unit_area_and_cover_the_range(spec: FeatureSpec) -> None:
    filters = mel_filters(spec)
    bin_hz = spec.sample_rate_hz / spec.n_fft
    fine = mel_filters(replace(spec, n_fft=2**16))  # fine enough to sum instead of integrating
    area = fine.sum(axis=1) * spec.sample_rate_hz / 2**16
    np.testing.assert_allclose(area, 1, rtol=2e-3)
    assert filters.min() == 0 and filters.shape == (spec.mel_bands, spec.n_fft // 2 + 1)
    centres = fine.argmax(axis=1)
    assert (np.diff(centres) > 0).all()
    inside = (np.arange(filters.shape[1]) * bin_hz > spec.mel_low_hz + bin_hz) & (
        np.arange(filters.shape[1]) * bin_hz < spec.mel_high_hz - bin_hz
    )
    assert (filters.sum(axis=0)[inside] > 0).all(), "a bin that is in no band"


def test_filters_are_shared_and_read_only() -> None:
    assert mel_filters(GTZAN_SPEC) is mel_filters(GTZAN_SPEC)
    with pytest.raises(ValueError, match="read-only"):
        mel_filters(GTZAN_SPEC)[0, 0] = 1


def test_musicnn_window_is_three_seconds() -> None:
    assert MUSICNN_SPEC.window_s == pytest.approx(2.992)
    assert MUSICNN_SPEC.frame_s == 0.016
    assert GTZAN_SPEC.frames_of(30 * 22_050) == 1_292  # librosa's count for a GTZAN clip
    assert [MUSICNN_SPEC.frames_of(n) for n in (0, 1, 255, 256)] == [0, 1, 1, 2]


@pytest.mark.parametrize("samples", [1, 2, 255, 256, 511, 512, 5_000])
def test_frames_of_is_what_comes_out(samples: int) -> None:
    power = mel_power(np.ones(samples, np.float32), MUSICNN_SPEC)
    assert len(power) == MUSICNN_SPEC.frames_of(samples)
    assert np.isfinite(power).all()


def test_uncentred_is_the_padded_signal_cut() -> None:
    samples, half = sweep(1.0, 16_000), MUSICNN_SPEC.n_fft // 2
    padded = np.pad(samples, half)
    whole = mel_power(samples, MUSICNN_SPEC)
    assert np.array_equal(mel_power(padded, MUSICNN_SPEC, centre=False), whole)
    assert mel_power(samples[:511], MUSICNN_SPEC, centre=False).shape == (0, 96)


@pytest.mark.parametrize("spec", SPECS)
def test_block_boundaries_do_not_matter(spec: FeatureSpec) -> None:
    # 1,100 frames are two whole blocks and a part; each frame alone is not even one block.
    samples = music(spec, 1_100 * spec.frame_s)
    whole = mel_power(samples, spec)
    assert len(whole) > 1_024
    padded = np.pad(samples, spec.n_fft // 2)
    for frame in (0, 1, 511, 512, 513, 1_023, 1_024, len(whole) - 1):
        start = frame * spec.hop_samples
        alone = mel_power(padded[start : start + spec.n_fft], spec, centre=False)
        np.testing.assert_allclose(
            alone[0], whole[frame], rtol=1e-5, atol=1e-6 * whole[frame].max(), err_msg=str(frame)
        )


def test_mfcc_by_hand() -> None:
    # A constant has its whole energy in coefficient 0 (times sqrt(bands)); a cosine of two half
    # waves over the bands has it in coefficient 2 (times sqrt(bands / 2)).
    bands = 40
    flat = np.full((3, bands), -7.0, np.float32)
    wave = np.cos(np.pi * 2 * (np.arange(bands) + 0.5) / bands)[None].astype(np.float32)
    expected = np.zeros(13)
    expected[0] = -7 * np.sqrt(bands)
    np.testing.assert_allclose(mfcc(flat), np.tile(expected, (3, 1)), atol=1e-4)
    expected = np.zeros(13)
    expected[2] = np.sqrt(bands / 2)
    np.testing.assert_allclose(mfcc(wave)[0], expected, atol=1e-5)


def test_mfcc_keeps_all_there_is() -> None:
    # With all coefficients the transform is orthonormal: lengths are kept.
    levels = log_mel(music(GTZAN_SPEC, 1.0), GTZAN_SPEC)
    whole = mfcc(levels, coefficients=GTZAN_SPEC.mel_bands)
    np.testing.assert_allclose(
        np.linalg.norm(whole, axis=1), np.linalg.norm(levels, axis=1), rtol=1e-5
    )


def test_db_by_hand() -> None:
    power = np.array([[1.0, 0.1], [100.0, 1e-9]], np.float32)
    np.testing.assert_allclose(power_to_db(power), [[-20, -30], [0, -80]], atol=1e-5)
    # Relative to 1: the floor lies 80 dB below the loudest all the same.
    np.testing.assert_allclose(power_to_db(power, reference=1.0), [[0, -10], [20, -60]], atol=1e-5)
    assert power_to_db(np.empty((0, 4), np.float32)).shape == (0, 4)


def test_log10_by_hand() -> None:
    levels = to_level(np.array([[0.0, 0.0009, 0.0099, 0.9999]], np.float32), MUSICNN_SPEC)
    np.testing.assert_allclose(levels, [[0, 1, 2, 4]], atol=1e-6)


@pytest.mark.parametrize("spec", SPECS)
def test_mel_db_agrees_with_librosa(spec: FeatureSpec) -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is the reference here")
    samples = music(spec)
    reference = librosa.power_to_db(librosa_mel(librosa, samples, spec), ref=np.max).T
    mine = log_mel(samples, replace(spec, scale="db"))
    worst = np.abs(mine - reference).max()
    assert mine.shape == reference.shape
    assert worst <= 1e-3, f"{worst:.2e} dB apart"


def test_musicnn_levels_agree_with_librosa() -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is the reference here")
    samples = music(MUSICNN_SPEC)
    reference = np.log10(1 + 10_000 * librosa_mel(librosa, samples, MUSICNN_SPEC)).T
    worst = np.abs(log_mel(samples, MUSICNN_SPEC) - reference).max()
    assert worst <= 1e-4, f"{worst:.2e} apart"


def test_mfcc_agrees_with_librosa() -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is the reference here")
    samples = music(GTZAN_SPEC)
    reference = librosa.feature.mfcc(y=samples, sr=22_050, n_mfcc=13).T
    # librosa's own MFCC takes decibels against 1.0, not against the loudest.
    mine = mfcc(power_to_db(mel_power(samples, GTZAN_SPEC), reference=1.0))
    worst = np.abs(mine - reference).max()
    assert worst <= 1e-2, f"{worst:.2e} apart"


def librosa_mel(librosa, samples: np.ndarray, spec: FeatureSpec) -> np.ndarray:
    """[bands, frames]."""
    return librosa.feature.melspectrogram(
        y=samples,
        sr=spec.sample_rate_hz,
        n_fft=spec.n_fft,
        hop_length=spec.hop_samples,
        n_mels=spec.mel_bands,
        fmin=spec.mel_low_hz,
        fmax=spec.mel_high_hz,
    )


@given(gain=st.floats(0.05, 20))
def test_db_does_not_depend_on_gain(gain: float) -> None:
    samples = music(GTZAN_SPEC, 0.5)
    plain, louder = (log_mel(x, GTZAN_SPEC) for x in (samples, np.float32(gain) * samples))
    assert plain.max() == louder.max() == 0
    np.testing.assert_allclose(louder, plain, atol=2e-3)


@given(gain=st.floats(0.01, 100), level=st.floats(1e-3, 1))
def test_power_grows_with_the_square(gain: float, level: float) -> None:
    samples = tone(440, 0.1, 16_000, level=level)
    power = mel_power(samples, MUSICNN_SPEC)
    louder = mel_power(np.float32(gain) * samples, MUSICNN_SPEC)
    np.testing.assert_allclose(louder, gain**2 * power, rtol=1e-4, atol=1e-6 * louder.max())


@given(frames=st.integers(0, 40), seed=st.integers(0, 100))
def test_a_delay_of_whole_hops_moves_frames(frames: int, seed: int) -> None:
    samples = noise(0.3, 16_000, seed=seed)
    late = np.concatenate([np.zeros(frames * 256, np.float32), samples])
    moved = mel_power(late, MUSICNN_SPEC)[frames:]
    here = mel_power(samples, MUSICNN_SPEC)
    np.testing.assert_allclose(moved, here, rtol=1e-4, atol=1e-6 * here.max())


@given(
    power=st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=30),
    reference=st.none() | st.floats(1e-3, 1e3),
)
def test_db_stays_within_its_range(power: list[float], reference: float | None) -> None:
    levels = power_to_db(np.array([power], np.float32), reference=reference)
    assert np.isfinite(levels).all()
    assert levels.max() - levels.min() <= DYNAMIC_RANGE_DB + 1e-3
    if reference is None:
        assert levels.max() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"mel_high_hz": 8_001.0},
        {"mel_low_hz": -1.0},
        {"mel_low_hz": 8_000.0},
        {"hop_samples": 0},
        {"mel_bands": 0},
        {"window_frames": -1},
    ],
)
def test_a_spec_with_impossible_values_is_refused(change: dict) -> None:
    with pytest.raises(ModelError):
        replace(MUSICNN_SPEC, **change)


def test_spec_round_trip_and_foreign_keys() -> None:
    values = MUSICNN_SPEC.to_dict()
    assert FeatureSpec.from_dict(values) == MUSICNN_SPEC
    with pytest.raises(ModelError, match="preemphasis"):
        FeatureSpec.from_dict({**values, "preemphasis": 0.97})
    del values["scale"]
    with pytest.raises(ModelError, match="scale"):
        FeatureSpec.from_dict(values)
