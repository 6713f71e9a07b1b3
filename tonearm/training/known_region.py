"""The region of embedding space that an added genre covers, exempt from out-of-domain detection.

The detector of other sounds learnt from the first genres; four of six tracks of electronic music
were unknown to it before and after they were added. Refitting it needs the other sounds, which are
not in a model; raising its limit lets in noise of all kinds, wherever it lies.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tonearm.model.out_of_domain import KnownRegion
from tonearm.model.votes import spread
from tonearm.training import head_fit as heads
from tonearm.training.head_fit import Tracks

Float64 = NDArray[np.float64]

# Share of a genre's tracks that lie within. Of 70 tracks of electronic music from four places 18
# are then unknown, held out, where 49 were, and still .94 of noises made by code (.97 before), .89
# of effects (.89), .98 of voices (.98); at .75 10 of 70, but .85 and .81 (runs/added_genres.py).
NEAR = 0.5


def regions_of(
    statistics: Mapping[str, Float64], new: Tracks, *, labels: tuple[str, ...], power: float
) -> KnownRegion:
    """Known regions of new genres: `NEAR` of the tracks of each lie within, and of their windows.

    Each track is measured from the centre of those of other groups.

    Parameters
    ----------
    statistics : mapping
        What the fit of the head learnt: the spread within its genres is assumed to be theirs.
    new : Tracks
        Tracks of the genres that are added.
    labels : tuple of str
        The genres that are added.
    power : float
        As of the head.
    """
    # Whitened, distances are Mahalanobis' by the spread within the old genres.
    # Of covariance L Lᵀ, multiplying by the inverse of Lᵀ leaves a spread of one in all directions.
    whiten = np.linalg.inv(np.linalg.cholesky(heads.shrunk(statistics["covariance"]))).T
    whiten /= statistics["deviation"][:, None]
    windows = [spread(each, power) @ whiten for each in new.windows]  # (windows, d) each
    means = np.stack([each.mean(axis=0) for each in windows])  # (n, d)
    given, groups = np.array(new.labels), np.array(new.groups)
    centres = np.stack([means[given == label].mean(axis=0) for label in labels])
    limits, slopes = np.full(len(labels), -np.inf), np.zeros(len(labels))
    for place, label in enumerate(labels):
        own = np.flatnonzero(given == label)
        if len(own) < 2:
            continue  # nothing says how far it reaches
        # One artist alone: other tracks of the same have to do.
        alone = len(set(groups[own])) < 2
        # Each from the others' centre: from one that it helped to make, every track would lie near.
        tracks, each = [], []
        for i in own:
            others = own[own != i] if alone else own[groups[own] != groups[i]]
            centre = means[others].mean(axis=0)
            tracks.append(((means[i] - centre) ** 2).sum())
            each.append(((windows[i] - centre) ** 2).sum(axis=1))
        # The mean of n windows has an n-th of their spread: limit + slope / n.
        count = float(np.median([len(distances) for distances in each]))
        reach, wide = np.quantile(tracks, NEAR), np.quantile(np.concatenate(each), NEAR)
        slopes[place] = max(0.0, wide - reach) / (1 - 1 / count) if count > 1 else 0.0
        # So that a track of the usual length has exactly `reach` as its limit.
        limits[place] = reach - slopes[place] / count
    return KnownRegion(labels, centres, whiten, limits, slopes)
