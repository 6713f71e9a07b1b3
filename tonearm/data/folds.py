"""Split tracks into subsets: groups stay together, genres stay balanced.

Used for splits, cross-validation and calibration. Imports nothing of Tonearm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def assign_groups(
    labels: Sequence[str], groups: Sequence[str], *, fractions: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Assign tracks to subsets so that no group is in two of them.

    Groups are assigned from the largest to the smallest, each to the subset that lacks its labels
    most: the last ones are small enough to balance the rest. A subset may end up without a label
    that few groups have.

    Parameters
    ----------
    labels, groups : sequence of str [n]
        Genre of each track, and its artist or whatever else must not be divided.
    fractions : sequence of float [subsets]
        The fraction of each label that each subset should have.
    seed : int
        For the order of groups of the same size.

    Returns
    -------
    int64 [n]
        In 0..subsets-1.
    """
    members: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    # Sorted first, so that the order of the input does not matter; the shuffle then breaks ties.
    order = list(np.random.default_rng(seed).permutation(sorted(members)))
    order.sort(key=lambda group: -len(members[group]))  # stable: the shuffle decides ties
    of_label = Counter(labels)
    have: list[Counter[str]] = [Counter() for _ in fractions]
    assigned = np.zeros(len(labels), dtype=np.int64)
    for group in order:
        own = Counter(labels[i] for i in members[group])

        def need(subset: int, own: Counter[str] = own) -> tuple[float, float, int]:
            wanted = {label: fractions[subset] * of_label[label] for label in own}
            # 1 for a label of which the subset has none yet, below 0 if it has too many.
            missing = sum(n * (1 - have[subset][label] / wanted[label]) for label, n in own.items())
            # Rounded, so that the order of a sum breaks no ties. Then the larger subset, then the
            # one with the fewest tracks.
            return round(missing, 9), fractions[subset], -have[subset].total()

        subset = max(range(len(fractions)), key=need)
        have[subset].update(own)
        assigned[members[group]] = subset
    return assigned


@dataclass(frozen=True)
class Fold:
    """Indices of the tracks to learn from and of those held out, int64 [n] each."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]


def k_fold(
    labels: Sequence[str], groups: Sequence[str], *, folds: int, seed: int
) -> Iterator[Fold]:
    """Cross-validation that holds out every track once, and with it all of its group.

    Parameters
    ----------
    labels : sequence of str [n]
        Genre of each track.
    groups : sequence of str [n]
        Artist, or whatever must not be divided.
    folds : int
        Number of folds.
    seed : int
        Draws which groups go together.
    """
    assigned = assign_groups(labels, groups, fractions=[1 / folds] * folds, seed=seed)
    for subset in range(folds):
        yield Fold(np.flatnonzero(assigned != subset), np.flatnonzero(assigned == subset))
