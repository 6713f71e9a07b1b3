"""Parts of a track: by hand, and for any row of windows."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.timeline.segments import Segment, segments

STATES = ("blues", "jazz", None)
WINDOW_S = 3.0


def answers(letters: str, *, confidence: float = 0.9) -> np.ndarray:
    """Probabilities [n, 3]: b, j and u are certain of blues, jazz and unknown."""
    rows = np.full((len(letters), 3), (1 - confidence) / 2)
    rows[np.arange(len(letters)), ["bju".index(letter) for letter in letters]] = confidence
    return rows


def parts(
    letters: str, *, confidence: float = 0.9, minimum_s: float = 10.0, change_cost: float = 4.0
) -> list[Segment]:
    n = len(letters)
    return segments(
        np.arange(n) * WINDOW_S,
        answers(letters, confidence=confidence),
        STATES,
        duration_s=n * WINDOW_S,
        window_s=WINDOW_S,
        minimum_s=minimum_s,
        change_cost=change_cost,
    )


def test_one_genre_throughout() -> None:
    assert parts("b" * 20) == [Segment(0, 60, "blues", 0.9)]
    assert parts("u" * 5) == [Segment(0, 15, None, 0.9)]
    assert parts("j") == [Segment(0, 3, "jazz", 0.9)]


def test_a_change_lies_between_the_middles() -> None:
    assert parts("b" * 10 + "j" * 10) == [
        Segment(0, 30, "blues", 0.9),
        Segment(30, 60, "jazz", 0.9),
    ]
    # A last window that overlaps the one before, as it does on a track of 25 s in windows of 3.
    starts = np.array([0, 3, 6, 9, 12, 15, 18, 21, 22.0])
    two = segments(
        starts,
        answers("bbbbjjjjj"),
        STATES,
        duration_s=25.0,
        window_s=WINDOW_S,
        change_cost=4.0,
    )
    assert [(p.start_s, p.end_s, p.genre) for p in two] == [(0, 12, "blues"), (12, 25, "jazz")]


@pytest.mark.parametrize("odd", ["j", "u", "jj"])
def test_flicker_is_removed(odd: str) -> None:
    letters = "b" * 8 + odd + "b" * 9 + odd + "b" * 8
    (only,) = parts(letters, minimum_s=0)
    assert (only.genre, only.end_s) == ("blues", len(letters) * WINDOW_S)
    # Confidence is that in the genre named, so the odd windows lower it.
    n = len(letters)
    expected = ((n - 2 * len(odd)) * 0.9 + 2 * len(odd) * 0.05) / n
    assert only.confidence == pytest.approx(expected, abs=1e-4)


def test_price_of_a_change_by_hand() -> None:
    # Each odd window wins log(.9 / .05) = 2.89 nats; there and back costs twice the price.
    letters = "bbbbbb" + "jjj" + "bbbbbb"
    assert len(parts(letters, minimum_s=0, change_cost=3 * 2.89 / 2 - 0.1)) == 3
    assert len(parts(letters, minimum_s=0, change_cost=3 * 2.89 / 2 + 0.1)) == 1


def test_without_a_price_every_window_speaks() -> None:
    found = parts("bjbuj", minimum_s=0, change_cost=0)
    assert [p.genre for p in found] == ["blues", "jazz", "blues", None, "jazz"]
    assert [p.start_s for p in found] == [0, 3, 6, 9, 12]


def test_short_parts_join_the_neighbour_that_explains_them_better() -> None:
    rows = answers("b" * 8 + "u" * 3 + "j" * 8)
    rows[8:11] = 0.02, 0.08, 0.9  # unknown, and rather jazz than blues
    found = segments(
        np.arange(19) * WINDOW_S,
        rows,
        STATES,
        duration_s=57.0,
        window_s=WINDOW_S,
        change_cost=1.0,
    )
    assert [(p.start_s, p.end_s, p.genre) for p in found] == [(0, 24, "blues"), (24, 57, "jazz")]


def test_no_window_outweighs_the_price_alone() -> None:
    # One window that is certain: trusted no further than 2 %, so worth 3.9 nats and no more.
    letters = "b" * 6 + "j" + "b" * 6
    assert len(parts(letters, confidence=1.0, minimum_s=0, change_cost=2.0)) == 1


tracks = st.tuples(st.integers(1, 60), st.integers(0, 10_000), st.floats(0.1, 2.0))


@given(track=tracks, minimum_s=st.floats(0, 40), cost=st.floats(0, 12))
def test_parts_tile_the_track(track: tuple[int, int, float], minimum_s: float, cost: float) -> None:
    n, seed, spread = track
    duration_s = n * WINDOW_S + 1.25
    found = segments(
        np.arange(n) * WINDOW_S,
        np.random.default_rng(seed).dirichlet([spread] * 3, n),
        STATES,
        duration_s=duration_s,
        window_s=WINDOW_S,
        minimum_s=minimum_s,
        change_cost=cost,
    )
    assert found[0].start_s == 0
    assert found[-1].end_s == duration_s
    for before, after in pairwise(found):
        assert before.end_s == after.start_s
        assert before.genre != after.genre
    for part in found:
        assert part.end_s > part.start_s
        assert part.genre in STATES
        assert 0 <= part.confidence <= 1
    if len(found) > 1:
        assert min(part.end_s - part.start_s for part in found) >= minimum_s - 1e-3


@given(track=tracks, cost=st.floats(0, 12))
def test_a_track_backwards_has_its_parts_backwards(
    track: tuple[int, int, float], cost: float
) -> None:
    n, seed, spread = track
    rows = np.random.default_rng(seed).dirichlet([spread] * 3, n)
    there, back = (
        segments(
            np.arange(n) * WINDOW_S,
            probabilities,
            STATES,
            duration_s=n * WINDOW_S,
            window_s=WINDOW_S,
            minimum_s=0,
            change_cost=cost,
        )
        for probabilities in (rows, rows[::-1])
    )
    assert [part.genre for part in there] == [part.genre for part in back[::-1]]


def test_the_shortest_passages_are_those_that_the_page_on_mixes_names() -> None:
    text = (Path(__file__).parents[1] / "docs" / "start" / "mixes.md").read_text("utf-8")
    (named,) = re.findall(r"has to last (\d+) s, one at the beginning or end (\d+) s", text)

    def shortest(confidence: float, before: str) -> int:
        """Seconds of jazz that are a segment of their own, with a window each second."""

        def is_found(seconds: int) -> bool:
            letters = f"{before}{'j' * seconds}{'b' * 90}"
            found = segments(
                np.arange(len(letters)) * 1.0,
                answers(letters, confidence=confidence),
                STATES,
                duration_s=len(letters) + WINDOW_S - 1,
                window_s=WINDOW_S,
            )
            return any(part.genre == "jazz" for part in found)

        return next(seconds for seconds in range(1, 60) if is_found(seconds))

    assert (shortest(0.99, "b" * 90), shortest(0.99, "")) == tuple(map(int, named))
    assert shortest(0.8, "b" * 90) > shortest(0.99, "b" * 90)


def test_overlapping_windows_are_no_more_evidence() -> None:
    # Three windows of 3 s, one a second: one window's worth, which buys no change there and back.
    letters = "b" * 30 + "jjj" + "b" * 30
    dense = segments(
        np.arange(63.0),
        answers(letters),
        STATES,
        duration_s=65.0,
        window_s=WINDOW_S,
        minimum_s=0.0,
        change_cost=4.0,
    )
    assert [part.genre for part in dense] == ["blues"]
    assert len(parts(letters, minimum_s=0.0)) == 3  # end to end they are three times as much


def test_neighbours_classified_alike_as_pieces_become_one() -> None:
    probabilities = np.repeat(np.eye(3), 20, axis=0)
    asked: list[tuple[int, int]] = []

    def together(start: int, stop: int) -> tuple[str | None, float]:
        asked.append((start, stop))
        return (None, 0.7) if start < 40 else ("jazz", 0.9)

    parts = segments(
        np.arange(60) * 3.0,
        probabilities,
        ("blues", "rock", "jazz"),
        duration_s=180.0,
        window_s=3.0,
        together=together,
    )
    assert [part.genre for part in parts] == [None, "jazz"]
    assert parts[0].end_s == parts[1].start_s == pytest.approx(120)
    assert (0, 40) in asked, "the joined segment is classified again"
