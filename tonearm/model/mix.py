"""Long tracks that change genre: a mix is named as such, and never as one genre.

Windows 15 s apart are enough to see it. Of 180 tracks of twelve minutes made of clips of several
genres this finds all; of 400 medleys of whole tracks that it was not chosen on it leaves some 1 %
to be written (``runs/choose_mix_rules.py``, ``runs/long_pieces.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tonearm.genres import UNKNOWN
from tonearm.model.head import Head
from tonearm.model.prediction import PLACES, Prediction
from tonearm.timeline.segments import LEAST_PROBABILITY, Segment, segments
from tonearm.windows import LONG_S

# Nearest windows that are looked at.
_HOP_S = 14.0
# No segment of a mix is shorter.
_MINIMUM_S = 30.0
# Price of a change in nats, with which segments are found.
_CHANGE_COST = 6.0
# What each number of `evidence` counts, and how much all have to be: a logistic regression on 1,600
# medleys and 426 pieces of one genre, rounded (``runs/long_pieces.py``, speed.md).
_WEIGHTS, _LEAST_SCORE = (6.0, 4.0, 8.0), 6.0
# Less of a track in other genres is an odd passage, however clear it is.
_LEAST_OTHERS = 0.08
# Where the whole is not confident, this holds as well, for pieces of half a minute: below that
# confidence, at that price, the longest genre has less, and the others together have more.
_DOUBT = {"below": 0.6, "change_cost": 4.0, "longest": 0.5, "others": 0.15}
# Where more of the windows are unknown, the genre that is known does not speak for the whole.
_MOST_UNKNOWN = 0.25


class Divided(NamedTuple):
    """A track in segments of one genre.

    Parameters
    ----------
    parts : list of Segment
        End to end.
    genres : list of str or None [n]
        Of the segment in which the middle of each window lies.
    each : float64 [n, k + 1]
        Probabilities of each window by itself; the last is that of unknown.
    """

    parts: list[Segment]
    genres: list[str | None]
    each: NDArray[np.float64]


def with_mix(
    prediction: Prediction,
    head: Head,
    windows: NDArray[np.floating[Any]],
    *,
    starts_s: NDArray[np.floating[Any]],
    duration_s: float,
    window_s: float,
) -> Prediction:
    """A prediction as it is, or with ``mix`` and ``timeline`` where the music changes genre.

    Parameters
    ----------
    prediction : Prediction
        What the windows say together.
    head : Head
        What classifies them.
    windows : float [n, d]
        Embeddings of the whole track.
    starts_s : float [n]
        Where each window begins, rising.
    duration_s, window_s : float
        Length of the track and of one window.
    """
    # Shorter tracks have too few windows to tell a change from an odd passage.
    if duration_s < LONG_S or len(starts_s) < 2:
        return prediction
    times: dict[str, Any] = {"starts_s": starts_s, "duration_s": duration_s, "window_s": window_s}
    divided = divide(head, windows, **times)
    # A little talk between songs is no other genre.
    most_unknown = _MOST_UNKNOWN * len(divided.genres)
    is_mix = prediction.genre is not None and divided.genres.count(None) > most_unknown
    is_mix = is_mix or float(evidence(divided, head.labels) @ _WEIGHTS) > _LEAST_SCORE
    if not is_mix and prediction.confidence <= _DOUBT["below"]:
        divided = divide(head, windows, **times, change_cost=_DOUBT["change_cost"])
        longest, *others = [*_known(divided.parts).values()] or [0.0]
        is_mix = longest < _DOUBT["longest"] and sum(others) >= _DOUBT["others"]
    if not is_mix:
        return prediction
    # The fractions are those of the timeline that is shown next to them.
    timeline = prediction.timeline or divided.parts
    return replace(prediction, genre=None, mix=fractions(timeline), timeline=timeline)


def divide(
    head: Head,
    windows: NDArray[np.floating[Any]],
    *,
    starts_s: NDArray[np.floating[Any]],
    duration_s: float,
    window_s: float,
    change_cost: float = _CHANGE_COST,
) -> Divided:
    """Segments of a long track, by windows some 15 s apart.

    Parameters
    ----------
    head, windows, starts_s, duration_s, window_s : Head, float [n, d], float [n], float
        As for :func:`with_mix`.
    change_cost : float
        Price of a change in nats.
    """
    chosen = _apart(starts_s)
    # Thinned out even where a timeline has a window each second: the rules were chosen at 15 s.
    few, begins_s = windows[chosen], np.asarray(starts_s, dtype=np.float64)[chosen]
    each = head.classify_each(few)
    parts = segments(
        begins_s,
        each,
        (*head.labels, None),
        duration_s=duration_s,
        window_s=window_s,
        together=lambda start, stop: head.classify(few[start:stop]).named(head.labels),
        minimum_s=_MINIMUM_S,
        change_cost=change_cost,
    )
    # Windows are counted, and not time: between two songs there may be minutes of silence.
    ends_s = [part.end_s for part in parts[:-1]]
    genres = [parts[i].genre for i in np.searchsorted(ends_s, begins_s + window_s / 2)]
    return Divided(parts, genres, each)


def evidence(divided: Divided, labels: Sequence[str]) -> NDArray[np.float64]:
    """Three numbers that say how much a track is a mix; all are 0 where it has one genre.

    A piece of one genre that wavers between two labels may have as many segments as a medley. But
    its longest genre would lose little in the others, and its windows differ within segments.

    Parameters
    ----------
    divided : Divided
        The track in segments.
    labels : sequence of str [k]
        The genres that the columns of ``each`` stand for; after them comes unknown.

    Returns
    -------
    float64 [3]
        Fraction of the track in other known genres than the longest; root of the nats a window
        that the longest would lose if it were the genre of these; fraction of the variance of the
        windows' probabilities that lies between genres.
    """
    shares = _known(divided.parts)
    others = sum(list(shares.values())[1:])
    if others < _LEAST_OTHERS:
        return np.zeros(3)
    longest = labels.index(next(iter(shares)))
    nats = np.log(np.maximum(divided.each, LEAST_PROBABILITY))
    centred = divided.each - divided.each.mean(axis=0)
    lost = between = 0.0
    for genre in set(divided.genres):
        inside = np.array([its == genre for its in divided.genres])
        between += inside.sum() * float((centred[inside].mean(axis=0) ** 2).sum())
        if genre is not None:
            gain = nats[inside, labels.index(genre)] - nats[inside, longest]
            lost += max(0.0, float(gain.sum()))
    variance = max(float((centred**2).sum()), 1e-12)
    return np.array([others, np.sqrt(lost / len(nats)), between / variance])


def _known(parts: list[Segment]) -> dict[str, float]:
    """Fraction of the track for each known genre, largest first."""
    return {genre: share for genre, share in fractions(parts).items() if genre != UNKNOWN}


def fractions(found: list[Segment]) -> dict[str, float]:
    """Fraction of the track for each genre, largest first.

    Parameters
    ----------
    found : list of Segment
        End to end, in seconds.

    Examples
    --------
    >>> jazz, silence = Segment(0, 30, "jazz", 0.9), Segment(30, 40, None, 0.8)
    >>> fractions([jazz, silence, Segment(40, 60, "pop", 1)])
    {'jazz': 0.5, 'pop': 0.3333, 'unknown': 0.1667}
    """
    lengths: dict[str, float] = {}
    for segment in found:
        name = segment.genre or UNKNOWN
        lengths[name] = lengths.get(name, 0.0) + segment.end_s - segment.start_s
    whole = sum(lengths.values())
    ranked = sorted(lengths.items(), key=lambda item: -item[1])
    return {name: round(length / whole, PLACES) for name, length in ranked}


def _apart(starts_s: NDArray[np.floating[Any]]) -> list[int]:
    """Windows that are at least so far apart, the first among them."""
    chosen = [0]
    for i in range(1, len(starts_s)):
        if starts_s[i] - starts_s[chosen[-1]] >= _HOP_S:
            chosen.append(i)
    return chosen
