"""Making splits: groups held apart and genres balanced, or at random as many reports do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from tonearm.data import folds, groups
from tonearm.data.index import Index, Track
from tonearm.data.split_files import LEAKING, SUBSETS, Split
from tonearm.errors import DatasetError

FRACTIONS = (0.7, 0.15, 0.15)  # of the tracks of each genre
# The original experiment cut each clip of 30 s into ten excerpts and trained on 75 % of them.
EXCERPTS = 10
_LEAKING_TRAIN = 0.75


def grouped(index: Index, *, seed: int = 0) -> Split:
    """Make a split: groups stay together, genres stay balanced.

    A genre of one group alone is in train only, one of two groups in train and valid: it is learnt
    though it is not, or less well, measured.

    Parameters
    ----------
    index : Index
        The tracks to divide.
    seed : int
        For the order of groups of the same size.

    Raises
    ------
    DatasetError
        When no genre can be measured, or one with enough groups misses a subset all the same.
    """
    tracks = index.tracks
    of_genre = groups.groups_of(
        [track.genre for track in tracks], [track.group for track in tracks]
    )
    if all(len(own) == 1 for own in of_genre.values()):
        raise DatasetError(groups.ALL_LONELY)
    placed = _scarce(tracks, of_genre)
    free = [track for track in tracks if track.group not in placed]
    assigned = folds.assign_groups(
        [track.genre for track in free],
        [track.group for track in free],
        fractions=FRACTIONS,
        seed=seed,
    )
    place = {track.name: int(subset) for track, subset in zip(free, assigned, strict=True)}
    place |= {track.name: placed[track.group] for track in tracks if track.group in placed}
    subsets: dict[str, tuple[str, ...]] = {}
    # Enough groups is not enough: a very large one may leave too little for the others.
    for i, subset in enumerate(SUBSETS):
        inside = [track for track in tracks if place[track.name] == i]
        lost = sorted(set(index.labels) - {track.genre for track in inside})
        lost = [genre for genre in lost if len(of_genre[genre]) >= len(SUBSETS)]
        if lost:
            raise DatasetError(
                f"genre {lost[0]!r} has too few artists or groups for the subset {subset}: add "
                "music by others"
            )
        subsets[subset] = tuple(sorted(track.name for track in inside))
    return Split(f"grouped-{seed}", subsets)


def _scarce(tracks: Sequence[Track], of_genre: Mapping[str, set[str]]) -> dict[str, int]:
    """Where the groups of genres go that have fewer groups than there are subsets.

    The largest goes to train, the next to valid; what has a place for another genre keeps it.
    """
    sizes = Counter(track.group for track in tracks)
    placed: dict[str, int] = {}
    for _, own in sorted(of_genre.items()):
        if len(own) < len(SUBSETS):
            # By name where sizes are equal: sets have no order.
            for subset, group in enumerate(sorted(own, key=lambda group: (-sizes[group], group))):
                placed[group] = min(subset, placed.get(group, subset))
    return placed


def leaking(
    index: Index,
    *,
    unit: str,
    seed: int = 0,
) -> Split:
    """Make the split of many reports, which ignores artists; only to show how much it flatters.

    Parameters
    ----------
    index : Index
        The tracks to divide.
    unit : 'tracks' or 'segments'
        What is assigned at random. With segments, excerpts of one track are on both sides.
    seed : int
        For the random draw.
    """
    rng = np.random.default_rng(seed)
    subsets: dict[str, list[str]] = {"train": [], "valid": []}
    for genre in index.labels:
        names = [track.name for track in index.tracks if track.genre == genre]
        if unit == "segments":
            # Excerpts of one clip on both sides: what makes such a split flatter most.
            names = [f"{name}#{i}" for name in names for i in range(EXCERPTS)]
        shuffled = [str(name) for name in rng.permutation(names)]
        edge = round(len(shuffled) * _LEAKING_TRAIN)
        subsets["train"] += shuffled[:edge]
        subsets["valid"] += shuffled[edge:]
    subsets = {subset: sorted(names) for subset, names in subsets.items()}
    return Split(f"{LEAKING}{unit}-{seed}", {k: tuple(v) for k, v in subsets.items()})
