"""Learning from a person's corrections: the centres of genres move, the rest of a head stays.

A correction is an analysed sound and the genre that a person accepted or gave it. A few of them say
where somebody's jazz lies; they say nothing of how far music spreads or how confident to be, so the
covariance, the calibration and the detector of other sounds are kept. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tonearm import metrics
from tonearm.data.folds import k_fold
from tonearm.errors import DatasetError
from tonearm.model.head import Head
from tonearm.training import added_genres, custom_genres, texture_votes
from tonearm.training.head_fit import Tracks

# The centre of a genre counts as so many tracks next to its corrections: about half of what
# it was made from, since a library's owner is more right about it than GTZAN.
PRIOR_TRACKS = 30
FOLDS = 5
FEWEST = 2 * FOLDS  # at least two in each fold


@dataclass(frozen=True)
class Learnt:
    """What corrections bring, on corrections held out.

    Parameters
    ----------
    before, after : float
        Share of the corrections given the person's genre by the old head and by new ones that had
        not seen them.
    difference : metrics.Difference
        Paired by correction.
    n : int
        Corrections.
    groups : int
        Artists, or recordings of unknown ones: each was held out as a whole.
    """

    before: float
    after: float
    difference: metrics.Difference
    n: int
    groups: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def correct(head: Head, corrections: Tracks, *, names: Sequence[str] | None) -> Head:
    """A head whose genres lie nearer to the corrections; genres it did not know are added.

    Parameters
    ----------
    head : Head
        The head in use, with its statistics.
    corrections : Tracks
        Tracks with the genres that a person gave them.
    names : sequence of str or None
        What each number of an embedding means.

    Raises
    ------
    ModelError
        When the head does not hold the statistics of its fit.
    """
    scaled, given = added_genres.scaled_features(head, corrections), np.array(corrections.labels)
    centres = added_genres.checked_statistics(head)["centres"].copy()
    for i, label in enumerate(head.labels):
        its = scaled[given == label]  # (n, d)
        if len(its):
            # A mean of both: 30 corrections move a centre half of the way.
            centres[i] = (PRIOR_TRACKS * centres[i] + its.sum(axis=0)) / (PRIOR_TRACKS + len(its))
    moved = added_genres.with_centres(head, centres, labels=head.labels, names=names)
    if moved.texture is not None:
        # Both encoders' centres: of Emotify's tracks by new artists .757 right instead of .746
        # (second-encoder.md).
        texture = texture_votes.moved(
            moved.texture, corrections, head.labels, prior_tracks=PRIOR_TRACKS
        )
        moved = replace(moved, texture=texture)
    # After the old centres have moved: a new genre is measured against where they are now.
    new = [i for i, label in enumerate(corrections.labels) if label not in head.labels]
    return (
        added_genres.grow(moved, custom_genres.subset(corrections, new), names=names)
        if new
        else moved
    )


def measure(
    head: Head, corrections: Tracks, *, names: Sequence[str] | None, seed: int = 0
) -> Learnt:
    """Classify each fifth of the corrections by a head corrected with those of other artists.

    Parameters
    ----------
    head : Head
        The head in use.
    corrections : Tracks
        Tracks with the genres that a person gave them.
    names : sequence of str or None
        What each number of an embedding means.
    seed : int
        Of the folds.

    Raises
    ------
    DatasetError
        With fewer than ten corrections, or all of one artist.
    """
    n = len(corrections.labels)
    if n < FEWEST:
        raise DatasetError(
            f"there are {n} corrections that the model has not learnt from, but {FEWEST} are "
            "needed to measure their gain: review more tracks (`tonearm serve`)"
        )
    groups = len(set(corrections.groups))
    if groups < 2:
        raise DatasetError(
            f"all {n} corrections are of one artist ({corrections.groups[0]}), so their gain "
            "cannot be measured: review tracks by others"
        )
    before, after = np.zeros(n), np.zeros(n)  # 1 where right
    # No more folds than artists, or some would hold nothing.
    folds = min(FOLDS, groups)
    for fold in k_fold(corrections.labels, corrections.groups, folds=folds, seed=seed):
        # Again in each fold, with the corrections of other artists alone.
        corrected = correct(head, custom_genres.subset(corrections, fold.train), names=names)
        # Both heads on the same tracks, so that what differs is the corrections alone.
        for i in map(int, fold.held_out):
            before[i] = added_genres.nearest(head, corrections, i) == corrections.labels[i]
            after[i] = added_genres.nearest(corrected, corrections, i) == corrections.labels[i]
    change = metrics.difference(before, after, groups=corrections.groups)
    return Learnt(float(before.mean()), float(after.mean()), change, n, groups)
