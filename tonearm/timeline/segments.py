"""From predictions of windows to the segments of a track: which genre, from when to when.

The segments are the most likely path through the windows at a fixed cost per change (Viterbi 1967),
so that a single odd window changes nothing. Segments shorter than a minimum join a neighbour. Where
silent windows are left out, the segment is unknown. Imports nothing of Tonearm.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# In nats. In mixes of valid clips with segments of half a minute, costs of 14 and of 16 get .717 of
# the windows right; with segments of two minutes .859 and .870 (runs/choose_change_cost.py).
CHANGE_COST = 16.0
MINIMUM_S = 10.0
# Lower probabilities count as this, or one confident error would outweigh the cost of a change.
LEAST_PROBABILITY = 0.02
# A gap that is longer than so many steps between windows is silence.
_GAP_HOPS = 3.0


class Segment(NamedTuple):
    """A stretch of a track with one genre; ``genre`` is None if it is unknown."""

    start_s: float
    end_s: float
    genre: str | None
    confidence: float


def segments(
    starts_s: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    states: tuple[str | None, ...],
    *,
    duration_s: float,
    window_s: float,
    together: Callable[[int, int], tuple[str | None, float]] | None = None,
    minimum_s: float = MINIMUM_S,
    change_cost: float = CHANGE_COST,
) -> list[Segment]:
    """Segments of a track, end to end from 0 to ``duration_s``.

    Windows may overlap: each counts only for the fraction of a window that it does not share.

    Parameters
    ----------
    starts_s : float64 [n]
        Start of each window, ascending.
    probabilities : float64 [n, states]
        Probability of each state in each window.
    states : tuple of str or None
        The genres, and None for unknown.
    duration_s, window_s : float
        Length of the track and of one window.
    together : callable or None
        Classifies windows ``start`` to ``stop`` as one piece, which is more reliable than single
        windows. None uses the state of the path and its mean probability.
    minimum_s : float
        No segment is shorter, unless the track is.
    change_cost : float
        Cost of a change in nats.

    Returns
    -------
    list of Segment
        Neighbours differ in genre.
    """
    starts_s, probabilities, real = _with_silence(
        starts_s, probabilities, states, duration_s=duration_s, window_s=window_s
    )
    # Between two windows of different genres, the change lies halfway between their middles.
    middles = starts_s + window_s / 2
    edges = np.concatenate([[0.0], (middles[1:] + middles[:-1]) / 2, [duration_s]])
    # Windows of 3 s each second count a third each: they share two thirds of their sound.
    weights = np.minimum(np.diff(edges) / window_s, 1)[:, None]
    evidence = np.log(np.maximum(probabilities, LEAST_PROBABILITY)) * weights  # (windows, states)
    # The most probable sequence of genres if each change costs so many nats: a single odd window
    # cannot pay for two changes.
    path = _cheapest_path(evidence, change_cost)
    runs = _runs(path)
    # The cost of a change alone lets short runs pass that are very confident.
    while len(runs) > 1:
        lengths = [edges[stop] - edges[start] for start, stop in runs]
        shortest = int(np.argmin(lengths))
        if lengths[shortest] >= minimum_s:
            break
        # One run at a time, since a join may make its neighbours long enough.
        path[slice(*runs[shortest])] = _better_neighbour(runs, shortest, path, evidence)
        runs = _runs(path)
    # Number of real windows before each, to translate indices for `together`.
    before = np.concatenate([[0], np.cumsum(real)])

    def classify(start: int, stop: int) -> tuple[str | None, float]:
        # Only silence, which no head has to classify.
        if before[start] == before[stop]:
            return None, 1.0
        if together:
            return together(int(before[start]), int(before[stop]))
        return states[path[start]], float(probabilities[start:stop, path[start]].mean())

    return [
        Segment(round(float(edges[start]), 3), round(float(edges[stop]), 3), genre, round(each, 4))
        for start, stop, genre, each in _classified(runs, classify)
    ]


def _with_silence(
    starts_s: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    states: tuple[str | None, ...],
    *,
    duration_s: float,
    window_s: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Add unknown windows where windows are missing; also return which windows are real."""
    real = np.ones(len(starts_s), dtype=np.bool_)
    if None not in states or len(starts_s) < 2:
        return starts_s, probabilities, real
    # The median, because gaps are what is looked for.
    hop_s = float(np.median(np.diff(starts_s)))
    # Windows 15 s apart leave gaps that are no silence.
    least_s = max(MINIMUM_S, _GAP_HOPS * hop_s)
    ends = np.concatenate([[0.0], starts_s + window_s])
    begins = np.concatenate([starts_s, [duration_s]])
    silent = [
        # Windows that lie within the gap: the first begins half a step behind the last real one,
        # the last ends before the gap does.
        np.arange(end + hop_s / 2, begin - window_s, hop_s)
        for end, begin in zip(ends, begins, strict=True)
        if begin - end > least_s
    ]
    if not silent:
        return starts_s, probabilities, real
    added = np.concatenate(silent)
    unknown = np.zeros((len(added), len(states)))
    unknown[:, states.index(None)] = 1
    together = np.concatenate([starts_s, added])
    order = np.argsort(together, kind="stable")
    given = np.concatenate([real, np.zeros(len(added), dtype=np.bool_)])
    return together[order], np.concatenate([probabilities, unknown])[order], given[order]


def _classified(
    runs: list[tuple[int, int]], classify: Callable[[int, int], tuple[str | None, float]]
) -> list[tuple[int, int, str | None, float]]:
    """Each run with its genre; neighbours of the same genre are classified again as one run."""
    done: list[tuple[int, int, str | None, float]] = []
    for start, stop in runs:
        genre, confidence = classify(start, stop)
        while done and done[-1][2] == genre:
            start = done.pop()[0]  # noqa: PLW2901 - the run has grown
            genre, confidence = classify(start, stop)
        done.append((start, stop, genre, confidence))
    return done


def _cheapest_path(log_probabilities: NDArray[np.float64], cost: float) -> NDArray[np.int64]:
    """Viterbi with one cost for every change."""
    n, states = log_probabilities.shape
    came_from = np.zeros((n, states), dtype=np.int64)
    score = log_probabilities[0].copy()  # (states,)
    for i in range(1, n):
        # All changes cost the same, so that only a change from the best state can pay.
        best = int(score.argmax())
        change = score[best] - cost > score  # a tie stays: no change without a gain
        came_from[i] = np.where(change, best, np.arange(states))
        # The best score of any path that ends in each state at window i.
        score = np.where(change, score[best] - cost, score) + log_probabilities[i]
    path = np.empty(n, dtype=np.int64)
    path[-1] = score.argmax()
    # Back from the end: only there is it known which path is the best.
    for i in range(n - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path


def _runs(path: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First window and end of each stretch of equal states."""
    changes = np.flatnonzero(np.diff(path)) + 1
    bounds = [0, *changes.tolist(), len(path)]
    return list(pairwise(bounds))


def _better_neighbour(
    runs: list[tuple[int, int]], i: int, path: NDArray[np.int64], evidence: NDArray[np.float64]
) -> int:
    """State of the neighbouring run that fits the windows of run ``i`` better."""
    around = [int(path[runs[j][0]]) for j in (i - 1, i + 1) if 0 <= j < len(runs)]
    inside = evidence[slice(*runs[i])].sum(axis=0)
    return max(around, key=lambda state: float(inside[state]))
