"""Tracks that have several genres: targets, loss and figures where each genre is a yes or no.

A network of this kind gives each genre a probability of its own. Its model file names one genre as
every other does, the most probable one; ``predict --tags`` shows the probabilities themselves. Must
not import torch: the figures are for whoever reads ``predictions.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import metrics
from tonearm.data.index import Track

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

_LEAST = 1e-7  # keeps a logarithm finite


def targets(tracks: Sequence[Track], labels: Sequence[str]) -> Marks:
    """Which genres each track has, bool [tracks, labels].

    Parameters
    ----------
    tracks : sequence of Track
        With all of their genres.
    labels : sequence of str
        Genres that are not among them are left out.
    """
    return np.array([[label in track.genres for label in labels] for track in tracks])


def normalised(values: Floats) -> Floats:
    """Independent probabilities [n, labels] as those of one genre, which sum to 1.

    Parameters
    ----------
    values : float64 [n, labels]
        Probabilities of independent genres.
    """
    values = np.maximum(values, _LEAST)
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def log_loss(truth: Marks, values: Floats) -> float:
    """Mean over tracks of the sum over genres of the binary cross-entropy, in nats.

    Parameters
    ----------
    truth : bool [n, labels]
        Which genres each track has.
    values : float64 [n, labels]
        Independent probabilities.
    """
    chance = np.clip(np.where(truth, values, 1 - values), _LEAST, None)
    return float(-np.log(chance).sum(axis=1).mean())


def average_precision(truth: Marks, values: Floats) -> float:
    """Area under precision over recall of one genre, as scikit-learn's: no interpolation.

    Parameters
    ----------
    truth : bool [n]
        At least one must be true.
    values : float64 [n]
        Probability of each genre.
    """
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(truth[order])
    # Tracks of one value have no order among themselves: only the last of them is a threshold.
    last = np.flatnonzero(np.diff(values[order], append=-np.inf))
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def figures(
    truth: Marks, values: Floats, labels: Sequence[str], *, groups: Sequence[str]
) -> dict[str, Any]:
    """What is measured where a track may have several genres.

    Parameters
    ----------
    truth : bool [n, labels]
        Which genres each track has.
    values : float64 [n, labels]
        Independent probabilities.
    labels : sequence of str
        The genres.
    groups : sequence of str [n]
        Artist of each track, for the interval.

    Returns
    -------
    dict
        ``mean_average_precision`` over the genres that occur, ``micro_f1`` at a probability of a
        half, ``top_right`` (the most probable genre is one of the track's) with its interval,
        ``log_loss``, and ``per_genre``.
    """
    there = [i for i in range(len(labels)) if truth[:, i].any()]
    each = {labels[i]: average_precision(truth[:, i], values[:, i]) for i in there}
    chosen = values >= 0.5
    both, either = int((chosen & truth).sum()), int(chosen.sum() + truth.sum())
    top_right = truth[np.arange(len(truth)), values.argmax(axis=1)].astype(float)
    return {
        "n": len(truth),
        "tracks_of_several": int((truth.sum(axis=1) > 1).sum()),
        "mean_average_precision": float(np.mean(list(each.values()))),
        "micro_f1": 2 * both / either,  # every track has a genre: never 0 / 0
        "top_right": float(top_right.mean()),
        "top_right_interval_95_by_group": list(metrics.accuracy_interval(top_right, groups=groups)),
        "log_loss": log_loss(truth, values),
        "per_genre": {
            label: {"n": int(truth[:, labels.index(label)].sum()), "average_precision": value}
            for label, value in each.items()
        },
    }
