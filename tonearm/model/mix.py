"""Long tracks that change genre: a mix is named as such, and never as one genre.

Windows 15 s apart are enough to see it. Of 180 tracks of twelve minutes made of clips of several
genres this finds all; of 400 medleys of whole tracks that it was not chosen on it leaves some 3 %
to be written (``runs/choose_mix_rules.py``, ``runs/long_pieces.py``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.genres import UNKNOWN
from tonearm.model.head import Head
from tonearm.model.prediction import PLACES, Prediction
from tonearm.timeline.segments import Segment, segments
from tonearm.windows import LONG_S

# Nearest windows that are looked at.
_HOP_S = 14.0
# No segment of a mix is shorter.
_MINIMUM_S = 30.0
# Price of a change in nats, and what the longest genre has at most in a mix. Where the whole is not
# confident, the second pair holds as well: it sees pieces of half a minute. The first pair was
# chosen on medleys of whole tracks (``runs/long_pieces.py``).
_RULES = ((6.0, 0.8, 1.0), (4.0, 0.5, 0.6))
# So much of the track has another known genre.
_LEAST_OTHER = 0.15
# A genre that fills less of a track, and no other is known, is never written as that of the whole.
_LEAST_KNOWN = 0.75


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
    chosen = _apart(starts_s)
    # Thinned out even where a timeline has a window each second: the rules were chosen at 15 s.
    few, begins_s = windows[chosen], np.asarray(starts_s, dtype=np.float64)[chosen]
    each = head.classify_each(few)

    def together(start: int, stop: int) -> tuple[str | None, float]:
        return head.classify(few[start:stop]).named(head.labels)

    # The first rule that finds a mix wins; both leave a track alone that one genre dominates.
    for change_cost, longest, below in _RULES:
        if prediction.confidence > below:
            continue
        found = segments(
            begins_s,
            each,
            (*head.labels, None),
            duration_s=duration_s,
            window_s=window_s,
            together=together,
            minimum_s=_MINIMUM_S,
            change_cost=change_cost,
        )
        mix = fractions(found)
        known = sorted((share for genre, share in mix.items() if genre != UNKNOWN), reverse=True)
        changes = bool(known) and known[0] < longest and sum(known[1:]) >= _LEAST_OTHER
        # A little talk between songs is no other genre; but where more is unknown, the one genre
        # that is known does not speak for the whole.
        most = _most_known(found, begins_s + window_s / 2)
        doubtful = bool(known) and prediction.genre is not None and most < _LEAST_KNOWN
        if changes or doubtful:
            # The fractions are those of the timeline that is shown next to them.
            timeline = prediction.timeline or found
            return replace(prediction, genre=None, mix=fractions(timeline), timeline=timeline)
    return prediction


def _most_known(found: list[Segment], middles_s: NDArray[np.float64]) -> float:
    """Fraction of the windows, by their middles, in segments of the most frequent genre.

    Not of the time: between two songs of a file there may be minutes of silence, without windows.
    """
    ends_s = [segment.end_s for segment in found[:-1]]
    genres = [found[i].genre for i in np.searchsorted(ends_s, middles_s)]
    return max(map(genres.count, set(genres) - {None}), default=0) / len(genres)


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
