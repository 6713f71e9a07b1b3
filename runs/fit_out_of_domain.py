"""Fit the out-of-domain detector: a logistic line on the log-odds of the tags.

Learnt from windows of music against windows of sounds and of simple tunes made by code
(``runs/other_sounds.py``). The limit is set on music of artists the line had not seen, for each
number of windows, so that few real tracks are called unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.model.out_of_domain import OutOfDomainDetector, log_odds
from tonearm.training.head_fit import Tracks

Float64 = NDArray[np.float64]

RIDGE = 1.0
# Code-made tunes keep the line from taking every synthetic tone for noise; they weigh this share
# of the music.
TUNE_SHARE = 0.3
FALSE_ALARMS = 0.01
OTHER_SHARE = 1.0
FOLDS = 8
WINDOW_COUNTS = (3, 6, 12)
SHIFTS = 6


@dataclass(frozen=True)
class Sounds:
    """Windows [n, 50] of sounds that are not music, with the kind of each; and tunes [m, 50]."""

    windows: NDArray[np.float32]
    kinds: NDArray[np.str_]
    tunes: NDArray[np.float32]


def fit(
    music: Tracks, sounds: Sounds, *, other: Tracks | None = None, seed: int = 0
) -> OutOfDomainDetector:
    """The line on all music, its limit from lines that had not seen the artist they judge.

    ``other`` is music of other worlds than the first; it weighs `OTHER_SHARE` as much.
    """
    every = [music, other] if other else [music]
    windows = [track for part in every for track in part.windows]
    groups = np.array([group for part in every for group in part.groups])
    mass = np.concatenate(
        [
            np.full(len(part.windows), share / len(part.windows))
            for part, share in zip(every, (1.0, OTHER_SHARE), strict=False)
        ]
    )
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    fold_of = {name: i % FOLDS for i, name in enumerate(names)}
    folds = np.array([fold_of[group] for group in groups])
    scores: list[Float64] = [np.empty(0)] * len(groups)
    for fold in range(FOLDS):
        seen = np.flatnonzero(folds != fold)
        weight, offset = _line([windows[i] for i in seen], mass[seen], sounds)
        for i in np.flatnonzero(folds == fold):
            scores[i] = log_odds(windows[i]) @ weight + offset
    limits = [np.quantile(_few(scores, count), 1 - FALSE_ALARMS) for count in WINDOW_COUNTS]
    columns = np.stack([np.ones(len(limits)), 1 / np.sqrt(WINDOW_COUNTS)], axis=1)
    limit, slope = np.linalg.lstsq(columns, np.array(limits), rcond=None)[0]
    weight, offset = _line(windows, mass, sounds)
    return OutOfDomainDetector(weight, offset, float(limit), float(slope))


def _few(scores: list[Float64], count: int) -> list[float]:
    """Mean score of ``count`` windows spread over each clip, from several beginnings."""
    spread = np.arange(count)
    return [
        float(score[(spread * len(score) // count + shift) % len(score)].mean())
        for score in scores
        for shift in range(SHIFTS)
    ]


def _line(
    music: Sequence[NDArray[np.floating[Any]]], mass: Float64, sounds: Sounds
) -> tuple[Float64, float]:
    """Weight [50] and offset; music and sounds weigh alike, and each kind of sound as any other.

    Of the music, a track counts as much as any other of its world, however long it is.
    """
    kinds, which, count = np.unique(sounds.kinds, return_inverse=True, return_counts=True)
    each = [np.full(len(track), m / len(track)) for track, m in zip(music, mass, strict=True)]
    masses = [
        (1 - TUNE_SHARE) * np.concatenate(each) / mass.sum(),
        np.full(len(sounds.tunes), TUNE_SHARE / max(1, len(sounds.tunes))),
        1 / (len(kinds) * count[which]),
    ]
    features = log_odds(np.concatenate([*music, sounds.tunes, sounds.windows]))
    strange = np.zeros(len(features))
    strange[-len(sounds.windows) :] = 1
    return logistic(features, strange, 1000 * np.concatenate(masses), ridge=RIDGE)


def logistic(x: Float64, y: Float64, mass: Float64, *, ridge: float) -> tuple[Float64, float]:
    """Ridge logistic regression by Newton's method on standardised columns."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.column_stack([(x - mean) / scale, np.ones(len(x))])
    penalty = np.append(np.full(x.shape[1], 1 / ridge), 1e-6)
    weight = np.zeros(z.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(z @ weight, -35, 35)))
        curvature = (z * (mass * p * (1 - p))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(curvature, z.T @ (mass * (p - y)) + penalty * weight)
        weight -= step
        if np.abs(step).max() < 1e-6:
            break
    return weight[:-1] / scale, float(weight[-1] - (mean / scale) @ weight[:-1])
