"""Positions of windows: by hand, then for any track."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.windows import group, place, rounds

FRAMES = st.integers(0, 40_000)
WINDOW = st.integers(1, 400)


def test_by_hand() -> None:
    # 1,000 frames in two halves: middles at 250 and 750, windows of 100 begin 50 before.
    assert place(1_000, 100, count=2).tolist() == [200, 700]
    assert place(1_000, 100, count=1).tolist() == [450]
    assert place(1_000, 100, count="all").tolist() == list(range(0, 1_000, 100))
    assert place(250, 100, count="all").tolist() == [0, 100, 150]
    # Three windows do not fit into 250 frames without overlap: end to end, and one at the end.
    assert place(250, 100, count=3).tolist() == [0, 100, 150]
    assert place(250, 100, count=50).tolist() == [0, 100, 150]
    assert place(250, 100, count=2).tolist() == [12, 138]


@pytest.mark.parametrize("frames", [0, 1, 99, 100])
def test_a_short_track_has_one_window(frames: int) -> None:
    for count in (1, 5, "all"):
        assert place(frames, 100, count=count).tolist() == [0]


@given(frames=FRAMES, window=WINDOW, count=st.integers(1, 60) | st.just("all"))
def test_starts_ascend_inside_the_track_and_are_not_too_many(
    frames: int, window: int, count: int | str
) -> None:
    starts = place(frames, window, count=count)
    assert starts.dtype == np.int64 and len(starts) >= 1
    assert (np.diff(starts) > 0).all(), f"repeats or falls: {starts}"
    assert starts[0] >= 0
    assert starts[-1] + window <= max(frames, window)
    if count != "all":
        assert len(starts) <= count


@given(frames=FRAMES, window=WINDOW)
def test_all_covers_every_frame(frames: int, window: int) -> None:
    embeddings = np.zeros(frames, bool)
    for start in place(frames, window, count="all"):
        embeddings[start : start + window] = True
    assert embeddings.all()


@given(frames=FRAMES, window=WINDOW, count=st.integers(1, 60))
def test_as_many_windows_as_asked_for_if_they_fit(frames: int, window: int, count: int) -> None:
    if frames >= count * window:
        starts = place(frames, window, count=count)
        assert len(starts) == count
        # Spread evenly: no two closer than their share of the track, give or take rounding.
        if count > 1 and frames > count * window:
            assert np.ptp(np.diff(starts)) <= 1


@given(frames=FRAMES, window=WINDOW, count=st.integers(1, 60) | st.just("all"))
def test_placing_is_symmetric(frames: int, window: int, count: int | str) -> None:
    starts = place(frames, window, count=count)
    if count != "all" and frames >= count * window:
        mirrored = frames - window - starts[::-1]
        assert np.abs(mirrored - starts).max() <= 1


def test_groups_by_hand() -> None:
    starts = np.array([0, 100, 150, 400, 500, 600, 2_000])
    parts = [part.tolist() for part in group(starts, 100, most_frames=200)]
    assert parts == [[0, 100], [150], [400, 500], [600], [2_000]]
    assert [part.tolist() for part in group(starts, 100, most_frames=9_900)] == [
        [0, 100, 150],
        [400, 500, 600],
        [2_000],
    ]


@given(
    starts=st.lists(st.integers(0, 5_000), min_size=1, max_size=50, unique=True).map(sorted),
    window=WINDOW,
    most=st.integers(1, 20),
)
def test_groups_lose_nothing(starts: list[int], window: int, most: int) -> None:
    parts = list(group(np.array(starts), window, most_frames=most * window))
    assert np.concatenate(parts).tolist() == starts
    for part in parts:
        assert part[-1] + window - part[0] <= most * window
        assert (np.diff(part) <= window).all(), "a gap inside a group is read for nothing"


def test_windows_a_hop_apart() -> None:
    assert place(350, 100, count="all", hop_frames=40).tolist() == [
        0,
        40,
        80,
        120,
        160,
        200,
        240,
        250,
    ]
    assert place(300, 100, count="all", hop_frames=100).tolist() == [0, 100, 200]
    assert place(90, 100, count="all", hop_frames=40).tolist() == [0]


def test_rounds_by_hand() -> None:
    assert list(rounds(6)) == [[1, 4], [2, 3], [0, 5]]
    assert list(rounds(5)) == [[1, 3], [2], [0, 4]]
    assert list(rounds(2)) == [[0, 1]]
    assert list(rounds(1)) == [[0]]


@given(count=st.integers(1, 100))
def test_rounds_name_each_window_once(count: int) -> None:
    named = [i for few in rounds(count) for i in few]
    assert sorted(named) == list(range(count))
