"""The arithmetic of votes: pure functions on logits and probabilities, with NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

# Keeps logarithms finite: a vote counts as 13.8 nats against a genre at most.
LEAST_PROBABILITY = 1e-6


def calibrated(logits: Float64, mixture: Sequence[tuple[float, float]]) -> Float64:
    """Probabilities [n, k] of logits [n, k]: the mixture of their softmax at each temperature.

    Parameters
    ----------
    logits : float64 [n, k]
        A row per track, a column per genre.
    mixture : sequence of (float, float)
        Weight and temperature of each component.
    """
    # Fixed temperatures with fitted weights: fitting both is unstable for few artists (head.md).
    total = np.zeros_like(logits)
    for weight, temperature in mixture:
        total += weight * softmax(logits / temperature)
    return total


def mean_vote(logits: Float64) -> Float64:
    """Log of the mean over windows of the softmax of logits [..., n, k]: [..., k].

    Parameters
    ----------
    logits : float64 [..., n, k]
        A row per window, a column per genre.
    """
    # Mean of votes, not of logits: one odd window of thirty units decides nothing (head.md).
    return np.asarray(np.log(np.maximum(softmax(logits).mean(axis=-2), LEAST_PROBABILITY)))


def spread(windows: NDArray[np.floating[Any]], power: float) -> Float64:
    """Probabilities to a power below 1, which gives the small ones room.

    Parameters
    ----------
    windows : float32 [n, d]
        Probabilities.
    power : float
        Exponent; 1 leaves the windows as they are.
    """
    if power == 1:  # embeddings of other encoders, which need not be probabilities
        return np.asarray(windows, dtype=np.float64)
    # Most tags lie below .05; powers of .15 to .33 do equally well (head.md).
    return np.asarray(np.clip(windows, 0, 1), dtype=np.float64) ** power


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Probabilities [..., k] of logits [..., k].

    Parameters
    ----------
    logits : float64 [..., k]
        A column per genre; of any size, since the largest is subtracted first.
    """
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))  # no overflow: the largest is 1
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))
