"""Dealing whole groups into parts: nothing crosses, and everything comes out even."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.data import folds

TRACKS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=60)


@given(tracks=TRACKS, count=st.integers(2, 6), seed=st.integers(0, 9))
def test_every_track_is_held_out_once_with_all_of_its_group(
    tracks: list[tuple[str, int]], count: int, seed: int
) -> None:
    labels, groups = [label for label, _ in tracks], [f"g{group}" for _, group in tracks]
    held_out = []
    for fold in folds.k_fold(labels, groups, folds=count, seed=seed):
        assert sorted([*fold.train, *fold.held_out]) == list(range(len(tracks)))
        assert not {groups[i] for i in fold.train} & {groups[i] for i in fold.held_out}
        held_out += fold.held_out.tolist()
    assert sorted(held_out) == list(range(len(tracks)))


def counts(assigned: np.ndarray, labels: list[str], parts: int) -> np.ndarray:
    """Tracks of each label (down) in each part (across)."""
    names = sorted(set(labels))
    found = np.zeros((len(names), parts), dtype=int)
    np.add.at(found, (np.searchsorted(names, labels), assigned), 1)
    return found


def test_groups_of_one_size_come_out_even() -> None:
    labels = [label for label in "abcd" for _ in range(60)]
    groups = [f"{label}{i // 3}" for label in "abcd" for i in range(60)]
    assigned = folds.assign_groups(labels, groups, fractions=[0.25] * 4, seed=0)
    assert counts(assigned, labels, 4).tolist() == [[15] * 4] * 4


@pytest.mark.parametrize("seed", range(5))
def test_groups_of_all_sizes_come_out_nearly_even(seed: int) -> None:
    """Ten labels, artists of 1 to 12 tracks: of each label a fifth in each of five parts."""
    rng = np.random.default_rng(seed)
    labels, groups = [], []
    for label in "abcdefghij":
        for artist, size in enumerate(rng.integers(1, 13, 15)):
            labels += [label] * size
            groups += [f"{label}{artist}"] * size
    found = counts(folds.assign_groups(labels, groups, fractions=[0.2] * 5, seed=seed), labels, 5)
    fractions = found / found.sum(axis=1, keepdims=True)
    assert fractions.min() > 0.15 and fractions.max() < 0.25
    sizes = found.sum(axis=0) / len(labels)
    assert np.abs(sizes - 0.2).max() < 0.01, "a part gets the largest artist of every label"


def test_artists_of_several_labels_and_one_that_outweighs_the_rest() -> None:
    labels = ["reggae"] * 30 + ["reggae"] * 10 + ["rock", "pop"] * 10
    groups = ["marley"] * 30 + [f"r{i}" for i in range(10)] + [f"b{i // 2}" for i in range(20)]
    found = counts(folds.assign_groups(labels, groups, fractions=[0.5, 0.5], seed=0), labels, 2)
    assert found.tolist() == [[5, 5], [30, 10], [5, 5]]


def test_another_seed_deals_otherwise_and_the_same_alike() -> None:
    labels, groups = ["a", "b"] * 20, [f"g{i}" for i in range(40)]
    assigned = [
        folds.assign_groups(labels, groups, fractions=[0.5, 0.5], seed=s).tolist()
        for s in (0, 0, 1)
    ]
    assert assigned[0] == assigned[1] != assigned[2]
