"""Copies of one recording: what counts as a copy, and how copies are found.

Two files hold one recording if their sound keys are equal, or if they sound the same. The latter is
decided in one of three ways, and the thresholds of all are here:

- By fingerprint, if the whole audio is decoded anyway (``tonearm prepare``): other encodings,
  levels, beginnings and excerpts are found. The fingerprint is that of Haitsma & Kalker (ISMIR
  2002): the sign of the difference of band energies over bands and time, 32 bits every 32 ms. Two
  tracks are compared where some of their codes are equal. They are copies if fewer than
  `MOST_WRONG` of the bits differ in their overlap.
- By spectrogram, if only log-mel levels are available (arrays of clips): two clips are copies if
  the local contrast of their levels correlates at some offset. Every pair is compared, which is
  too slow for whole libraries.
- By embeddings, if nothing else is available (the library, ``tonearm train``): other
  encodings and levels of the same length are found, excerpts are not.

Must not read files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.audio import resample
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.features import FeatureSpec, mel_power

Codes = NDArray[np.uint32]
Floats = NDArray[np.floating[Any]]

# 8 kHz, so that encoders' low-passes do not matter; 33 bands give 32 differences.
_SPEC = FeatureSpec(
    sample_rate_hz=8_000,
    n_fft=2_048,
    hop_samples=256,
    mel_bands=33,
    mel_low_hz=200.0,
    mel_high_hz=2_000.0,
    window_frames=1,
    scale="db",
)
# Measured on GTZAN: one recording as mp3 of 24-32 kbit/s .16, Ogg .09, cut anywhere .01 (worst of
# 12); the best of 400 offsets between different recordings .48.
MOST_WRONG = 0.3
# An overlap shorter than 3 s is a jingle, a sample, or chance.
_LEAST_FRAMES = 94
# A code that occurs in many tracks (a held note, near silence) is no evidence, and comparing all
# pairs of its places would take forever.
_MOST_SHARED = 64
# Correlation of spectrogram contrasts. Set on the 710 clips of GTZAN that it was measured on: of 45
# repeats, listed from memory of Sturm's index, 44 reach it, the lowest .53; and two pairs that are
# not listed (reggae 91/92 and 75/92, at .91 and .69; 75/91 is listed). The next lies at .499: two
# parts of one song.
ALIKE = 0.51
LEAST_COMMON_S = 6.0
_LEVEL_FLOOR = 1.2  # decibels: noise in silence is not blown up
_CLIPS_AT_ONCE = 64
# Without encoder delay, copies in other encodings have the same length to a millisecond.
COPY_LENGTH_S = 0.1
# Distance of the square roots of mean embeddings. Transcodes of 24 tracks (AAC 96 kb/s, Opus 64
# kb/s) lay within .12 of each other in 9 of 10 cases; different whole tracks .16 apart or more.
COPY_DISTANCE = 0.12
# What counts as the very same recording where nothing but the mean of excerpts is known: different
# clips of GTZAN lie .072 apart or more (443 training clips, 98,000 pairs).
LEAK_DISTANCE = 0.06
# Mean distance of the square roots of windows that begin at the same time. MP3 and Ogg of the
# lowest quality lay .22 from the original in half of 120 cases; different clips, .30 or more (60
# clips of GTZAN, 1,770 pairs, ten windows each; by two windows alone, .20).
WINDOW_DISTANCE = 0.22
# If means are farther apart, the windows are not compared one by one, which saves time.
_FAR_MEAN = 0.25
# Fewer windows, or windows within a shorter time, prove nothing.
_FEWEST_WINDOWS = 4
_LEAST_SPAN_S = 6.0


def fingerprint(samples: NDArray[np.float32], sample_rate_hz: int) -> Codes:
    """Codes of mono audio, uint32 [frames]; 0 in silence.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio.
    sample_rate_hz : int
    """
    power = mel_power(resample(samples, sample_rate_hz, _SPEC.sample_rate_hz), _SPEC)
    if len(power) < 2:
        return np.empty(0, dtype=np.uint32)
    level = np.log(power + np.float32(1e-10))
    # Differences over bands cancel equalisers, differences over time cancel level.
    bits = np.diff(np.diff(level, axis=1), axis=0) > 0  # (frames - 1, 32)
    codes: Codes = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    return codes


def fraction_wrong(a: Codes, b: Codes, offset: int) -> float:
    """Fraction of bits that differ if frame i of ``b`` lies on frame i + offset of ``a``.

    1.0 if they overlap for less than 3 s of sound.

    Parameters
    ----------
    a, b : uint32 [frames]
        Codes from :func:`fingerprint`.
    offset : int
        Frames by which ``b`` begins later than ``a``.
    """
    a, b = a[max(0, offset) :], b[max(0, -offset) :]
    length = min(len(a), len(b))
    sounding = (a[:length] != 0) & (b[:length] != 0)
    if sounding.sum() < _LEAST_FRAMES:
        return 1.0
    return float(np.bitwise_count(a[:length] ^ b[:length])[sounding].mean() / 32)


def find(fingerprints: Mapping[str, Codes]) -> list[tuple[str, str]]:
    """Find pairs of tracks that hold the same recording, or a part of it.

    Parameters
    ----------
    fingerprints : mapping of str to uint32 [frames]
        Codes of each track, by its name.
    """
    names = list(fingerprints)
    if not names:
        return []
    codes = np.concatenate([fingerprints[name] for name in names])
    lengths = [len(fingerprints[name]) for name in names]
    owner = np.repeat(np.arange(len(names)), lengths)
    frame = np.concatenate([np.arange(length) for length in lengths])
    # Equal codes lie next to each other in this order, so that no pair of tracks need be compared.
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] != 0]
    edges = np.flatnonzero(np.diff(codes[order]) != 0) + 1
    runs = np.split(order, edges)
    # Every pair of equal codes votes for an offset between two tracks.
    votes: dict[tuple[int, int], dict[int, int]] = {}
    for places in runs:
        if not 2 <= len(places) <= _MOST_SHARED:
            continue
        for i, one in enumerate(places):
            for other in places[i + 1 :]:
                if owner[one] != owner[other]:
                    a, b = (one, other) if owner[one] < owner[other] else (other, one)
                    offsets = votes.setdefault((int(owner[a]), int(owner[b])), {})
                    offset = int(frame[a] - frame[b])
                    offsets[offset] = offsets.get(offset, 0) + 1
    pairs = []
    for (a, b), offsets in votes.items():
        # Three offsets, because an encoder's delay falls between two frames.
        likely = sorted(offsets, key=lambda offset: -offsets[offset])[:3]
        if any(
            fraction_wrong(fingerprints[names[a]], fingerprints[names[b]], offset) < MOST_WRONG
            for offset in likely
        ):
            pairs.append((names[a], names[b]))
    return pairs


def lengths_agree(one_s: Floats | float, other_s: float) -> NDArray[np.bool_]:
    """Whether two lengths in seconds fit copies.

    Parameters
    ----------
    one_s : float or float64 [n]
    other_s : float
    """
    return np.asarray(np.abs(np.asarray(one_s) - other_s) <= COPY_LENGTH_S)


def embeddings_agree(points: Floats, point: Floats) -> NDArray[np.bool_]:
    """Whether square roots of mean embeddings [n, d] are as near to one [d] as copies are.

    Parameters
    ----------
    points : float64 [n, d]
    point : float64 [d]
    """
    return np.asarray(np.linalg.norm(points - point, axis=1) < COPY_DISTANCE)


def same_mean(points: Floats, point: Floats) -> NDArray[np.bool_]:
    """Whether square roots of mean embeddings [n, d] are so near to one [d] that a leak is certain.

    Nearer than `embeddings_agree` asks for: songs of one artist lie .07 apart at the nearest.

    Parameters
    ----------
    points : float64 [n, d]
    point : float64 [d]
    """
    return np.asarray(np.linalg.norm(points - point, axis=1) < LEAK_DISTANCE)


def find_by_embeddings(tracks: Mapping[str, StoredEmbeddings]) -> list[tuple[str, str]]:
    """Find pairs of tracks of the same length whose windows sound the same.

    Means do not distinguish excerpts of one length, such as GTZAN's 30 s: 32 pairs of its 443
    training clips lie within `COPY_DISTANCE`. So the windows are compared one by one.

    Parameters
    ----------
    tracks : mapping of str to StoredEmbeddings
        By the track's name.
    """
    # By length, so that only neighbours need be compared.
    names = sorted(tracks, key=lambda name: tracks[name].duration_s)
    if len(names) < 2:
        return []
    lengths_s = np.array([tracks[name].duration_s for name in names])
    points = np.stack([np.sqrt(np.maximum(_mean(tracks[name]), 0)) for name in names])
    pairs = []
    for i, name in enumerate(names):
        stop = int(np.searchsorted(lengths_s, lengths_s[i] + COPY_LENGTH_S, side="right"))
        near = np.linalg.norm(points[i + 1 : stop] - points[i], axis=1) < _FAR_MEAN
        others = [names[j] for j in i + 1 + np.flatnonzero(near)]
        pairs += [(name, each) for each in others if _windows_agree(tracks[name], tracks[each])]
    return pairs


def _mean(track: StoredEmbeddings) -> Floats:
    return np.asarray(track.values.astype(np.float32).mean(axis=0))


def _windows_agree(one: StoredEmbeddings, other: StoredEmbeddings) -> bool:
    """Whether the windows that begin at the same time sound the same."""
    if one.starts_s is None or other.starts_s is None:
        return False
    apart_s = np.abs(one.starts_s[:, None] - other.starts_s)
    of_one, of_other = np.nonzero(apart_s <= COPY_LENGTH_S)
    if len(of_one) < _FEWEST_WINDOWS or np.ptp(one.starts_s[of_one]) < _LEAST_SPAN_S:
        return False
    roots = [
        np.sqrt(np.maximum(values.astype(np.float32), 0))
        for values in (one.values[of_one], other.values[of_other])
    ]
    return bool(np.linalg.norm(roots[0] - roots[1], axis=1).mean() < WINDOW_DISTANCE)


def find_by_spectrogram(levels: Mapping[str, Floats], *, frame_s: float) -> list[tuple[str, str]]:
    """Pairs of names whose clips hold one recording, by their log-mel levels alone.

    Parameters
    ----------
    levels : mapping of str to float [frames, bands]
        Decibels, of clips of up to a minute. The loudness of a clip does not matter.
    frame_s : float
        Seconds from one frame to the next.

    Returns
    -------
    list of (str, str)
    """
    names = list(levels)
    if len(names) < 2:
        return []
    contrasts = [_contrast(np.asarray(levels[name], dtype=np.float32), frame_s) for name in names]
    frames = max(map(len, contrasts))
    size = 1 << int(np.ceil(np.log2(2 * frames)))
    stacked = np.zeros((len(names), contrasts[0].shape[1], frames), dtype=np.float32)
    for row, contrast in zip(stacked, contrasts, strict=True):
        row[:, : len(contrast)] = contrast.T
    spectra = np.fft.rfft(stacked, size, axis=2).astype(np.complex64)  # (clips, bands, bins)
    energy = np.zeros((len(names), frames + 1))
    energy[:, 1:] = np.square(stacked).sum(axis=1).cumsum(axis=1)
    least = round(LEAST_COMMON_S / frame_s)
    lags = np.arange(least - frames, frames - least + 1)
    if not len(lags):
        return []
    pairs = []
    for i, name in enumerate(names):
        for begin in range(i + 1, len(names), _CLIPS_AT_ONCE):
            others = slice(begin, begin + _CLIPS_AT_ONCE)
            # The sum over bands of all correlations at once, by the convolution theorem.
            product = (spectra[i] * spectra[others].conj()).sum(axis=1)
            found = np.fft.irfft(product, size, axis=1)[:, lags % size]
            best = (found / _common_energy(energy[i], energy[others], lags)).max(axis=1)
            pairs += [(name, names[begin + int(j)]) for j in np.flatnonzero(best > ALIKE)]
    return pairs


def _contrast(levels: NDArray[np.float32], frame_s: float) -> NDArray[np.float32]:
    """What in levels [frames, bands] does not depend on loudness, equaliser or encoder.

    Each band loses its mean over two seconds, each frame its mean and spread over the bands.
    """
    bands = levels.shape[1] // 2
    halved = levels[:, : 2 * bands].reshape(len(levels), bands, 2).mean(axis=2)
    width = 2 * round(1 / frame_s) - 1
    padded = np.pad(halved, ((width // 2, width // 2), (0, 0)), mode="edge")
    sums = np.concatenate([np.zeros((1, bands)), padded.cumsum(axis=0, dtype=np.float64)])
    local = halved - (sums[width:] - sums[:-width]) / width
    local -= local.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(local).mean(axis=1, keepdims=True)) + _LEVEL_FLOOR
    return np.asarray(np.clip(local / spread, -3, 3), dtype=np.float32)


def _common_energy(one: Floats, others: Floats, lags: NDArray[np.int64]) -> Floats:
    """Root of the product of the energies in the frames in common, [others, lags]."""
    frames = len(one) - 1
    of_one = one[np.minimum(frames, frames + lags)] - one[np.maximum(lags, 0)]
    of_others = others[:, np.minimum(frames, frames - lags)] - others[:, np.maximum(-lags, 0)]
    return np.asarray(np.sqrt(of_one * of_others) + 1.0)
