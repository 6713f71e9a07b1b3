"""Where windows lie on a track.

Positions are frame numbers of the front end; a window is ``spec.window_frames`` long.
Imports nothing of Tonearm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

WindowCount = int | Literal["all"]


# Tracks longer than this have a window for so many more seconds: music may change genre in them.
LONG_S, _LONG_HOP_S = 600.0, 15.0
_MOST_WINDOWS = 1_200  # five hours at one window every 15 s


def for_length(count: WindowCount, duration_s: float) -> WindowCount:
    """How many windows a track of that length takes where ``count`` are enough for a song.

    Six seconds say nothing of two hours: from ten minutes on there is one window every 15 s.

    Parameters
    ----------
    count : int or 'all'
        Windows of a song.
    duration_s : float
        Length of the track.

    Returns
    -------
    int or 'all'
        ``count`` up to ten minutes.
    """
    if count == "all" or duration_s < LONG_S:
        return count
    return max(count, min(int(duration_s / _LONG_HOP_S), _MOST_WINDOWS))


def place(
    total_frames: int, window_frames: int, *, count: WindowCount, hop_frames: int | None = None
) -> NDArray[np.int64]:
    """Choose the first frames of the windows on a track.

    ``count`` windows lie in the middles of ``count`` equal stretches of the track. If the track is
    too short for that without overlap, or for ``all``, windows begin every ``hop_frames`` from the
    start, and a last one ends with the track if something is left over.

    Parameters
    ----------
    total_frames : int
        Length of the track. Below ``window_frames`` there is one window, at 0.
    window_frames : int
        Length of a window.
    count : int or 'all'
        How many at most.
    hop_frames : int or None
        Distance between windows for ``all``; None puts them end to end.

    Returns
    -------
    int64 [n]
        Ascending, without repeats; n is 1 or more.
    """
    last = total_frames - window_frames
    # Too short for a window: the reader repeats the sound to fill one.
    if last <= 0:
        return np.zeros(1, dtype=np.int64)
    hop = hop_frames or window_frames
    # Spreading that many would make them overlap, and the same sound would vote twice.
    if count == "all" or count >= -(-last // hop) + 1:
        return np.append(np.arange(0, last, hop), last)
    # Middles of stretches, not their starts: the first seconds of a track are often a fade.
    middles = (np.arange(count) + 0.5) * total_frames / count
    starts = np.round(middles - window_frames / 2).astype(np.int64)
    return np.clip(starts, 0, last)  # rounding may pass either end by a frame


def group(
    starts: NDArray[np.int64], window_frames: int, *, most_frames: int
) -> Iterator[NDArray[np.int64]]:
    """Group windows that touch or overlap, up to ``most_frames`` long.

    A group is read and transformed in one piece: windows far apart cost one seek each, and a
    ten-hour file is read in pieces of bounded size.

    Parameters
    ----------
    starts : int64 [n]
        First frames, ascending.
    window_frames : int
        Length of a window.
    most_frames : int
        Longest group.

    Returns
    -------
    iterator of int64 [k]
        The starts of each group.
    """
    begin = 0
    # One step past the last window closes the last group.
    for i in range(1, len(starts) + 1):
        apart = i == len(starts) or starts[i] - starts[i - 1] > window_frames
        if apart or starts[i] + window_frames - starts[begin] > most_frames:
            yield starts[begin:i]
            begin = i


def rounds(count: int) -> Iterator[list[int]]:
    """Order in which to analyse ``count`` windows, for callers that may stop early.

    Two at a time, as far from the start as from the end: first those at a quarter and three
    quarters, then inward to the middle, then outward to the ends, where music begins and fades.
    """
    quarter = count // 4
    for i in (*range(quarter, (count + 1) // 2), *reversed(range(quarter))):
        yield sorted({i, count - 1 - i})
