"""Copies among clips that exist only as log-mel spectrograms, for research data sets of arrays.

Two clips are copies if the local contrast of their levels correlates at some offset. Every pair is
compared (251,695 pairs of 710 clips take a minute or two), which is too slow for libraries; for
audio, ``tonearm/data/copies.py`` has an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Correlation of spectrogram contrasts. 102,240 pairs of clips of different collections reach .306;
# copies made by code at 24 to 64 kbit/s, .426 to .936 (`runs/find_copies.py`). Not halfway between:
# it is .51, which was set on GTZAN's 710 clips, rounded, and those scores were seen.
ALIKE = 0.5
LEAST_COMMON_S = 6.0
_LEVEL_FLOOR = 1.2  # decibels: noise in silence is not blown up
_CLIPS_AT_ONCE = 64


def find(levels: Mapping[str, Floats], *, frame_s: float) -> list[tuple[str, str]]:
    """Pairs of names whose clips hold one recording, by their log-mel levels alone.

    Parameters
    ----------
    levels : mapping of str to float [frames, bands]
        Decibels, of clips of up to a minute. The loudness of a clip does not matter.
    frame_s : float
        Seconds from one frame to the next.
    """
    names = list(levels)
    if len(names) < 2:
        return []
    alike = correlations(list(levels.values()), frame_s=frame_s) > ALIKE
    return [(names[i], names[j]) for i, j in np.argwhere(np.triu(alike, 1))]


def correlations(levels: list[Floats], *, frame_s: float) -> NDArray[np.float32]:
    """Highest correlation of the contrasts of each pair of clips over all offsets, [n, n].

    Only what stands above the diagonal is filled in. 0 for clips that cannot overlap long enough.

    Parameters
    ----------
    levels : list of float [frames, bands]
        Decibels of each clip.
    frame_s : float
        Seconds from one frame to the next.
    """
    contrasts = [_contrast(np.asarray(each, dtype=np.float32), frame_s) for each in levels]
    n, frames = len(levels), max(map(len, contrasts))
    size = 1 << int(np.ceil(np.log2(2 * frames)))
    stacked = np.zeros((n, contrasts[0].shape[1], frames), dtype=np.float32)
    for row, contrast in zip(stacked, contrasts, strict=True):
        row[:, : len(contrast)] = contrast.T
    spectra = np.fft.rfft(stacked, size, axis=2).astype(np.complex64)  # (clips, bands, bins)
    energy = np.zeros((n, frames + 1))
    energy[:, 1:] = np.square(stacked).sum(axis=1).cumsum(axis=1)
    least = round(LEAST_COMMON_S / frame_s)
    lags = np.arange(least - frames, frames - least + 1)
    found = np.zeros((n, n), dtype=np.float32)
    if not len(lags):
        return found
    for i in range(n):
        for begin in range(i + 1, n, _CLIPS_AT_ONCE):
            others = slice(begin, begin + _CLIPS_AT_ONCE)
            # The sum over bands of all correlations at once, by the convolution theorem.
            product = (spectra[i] * spectra[others].conj()).sum(axis=1)
            at_lags = np.fft.irfft(product, size, axis=1)[:, lags % size]
            common = _common_energy(energy[i], energy[others], lags)
            found[i, others] = (at_lags / common).max(axis=1)
    return found


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
