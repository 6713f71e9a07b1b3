"""Split tracks into subsets: groups stay together, genres stay balanced.

For splits, cross-validation and calibration alike. Imports nothing of Tonearm.
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
    """The subset of each track: no group is in two.

    The largest group comes first and goes to the subset that is most short of its labels: groups
    that come last are small enough to even things out. A subset may end up without a label that
    few groups have.

    Parameters
    ----------
    labels, groups : sequence of str [n]
    fractions : sequence of float [subsets]
        How much of each label each subset is to have.
    seed : int
        Decides the order of groups of one size.

    Returns
    -------
    int64 [n]
        In 0..subsets-1.
    """
    members: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    order = list(np.random.default_rng(seed).permutation(sorted(members)))
    order.sort(key=lambda group: -len(members[group]))
    of_label = Counter(labels)
    have: list[Counter[str]] = [Counter() for _ in fractions]
    assigned = np.zeros(len(labels), dtype=np.int64)
    for group in order:
        own = Counter(labels[i] for i in members[group])

        def need(subset: int, own: Counter[str] = own) -> tuple[float, float, int]:
            wanted = {label: fractions[subset] * of_label[label] for label in own}
            missing = sum(n * (1 - have[subset][label] / wanted[label]) for label, n in own.items())
            # If several miss as much: the large subset, then the one that has fewest tracks.
            return round(missing, 9), fractions[subset], -have[subset].total()

        subset = max(range(len(fractions)), key=need)
        have[subset].update(own)
        assigned[members[group]] = subset
    return assigned


@dataclass(frozen=True)
class Fold:
    """Places of the tracks to learn from and of those held out, int64 [n] each."""

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
    """
    assigned = assign_groups(labels, groups, fractions=[1 / folds] * folds, seed=seed)
    for subset in range(folds):
        yield Fold(np.flatnonzero(assigned != subset), np.flatnonzero(assigned == subset))
