"""Steps of reviews: whichever is undone, the others count as if it had never been made."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tonearm.errors import LibraryError
from tonearm.library.reviews import Review, Reviews, Verdict

KEYS = ("a", "b", "c")
GENRES = ("jazz", "blues", "polka")
Said = dict[str, str | None]


def said(reviews: Reviews) -> Said:
    return dict(reviews.rows("SELECT key, genre FROM reviews"))


def replayed(steps: dict[int, Said]) -> Said:
    """What is said of each sound after these steps, in their order; None clears."""
    now: Said = {}
    for number in sorted(steps):
        now |= steps[number]
    return {key: genre for key, genre in now.items() if genre is not None}


@pytest.mark.parametrize("seed", range(5))
def test_any_step_can_be_undone_and_the_others_stay(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    steps: dict[int, Said] = {}
    with Reviews(tmp_path / "reviews.sqlite") as reviews:
        for _ in range(40):
            keys = rng.sample(KEYS, rng.randint(1, 3))
            act = rng.choice(("put", "put", "drop", "undo", "undo last"))
            if act == "put":
                genre = rng.choice(GENRES)
                number = reviews.put(Review(key, Verdict.change, genre) for key in keys)
                steps[number] = dict.fromkeys(keys, genre)
            elif act == "drop":
                steps[reviews.drop(keys)] = dict.fromkeys(keys)
            else:
                wanted = rng.choice([*steps, None]) if act == "undo" else None
                undone = reviews.undo(wanted)
                assert (undone is None) is (not steps)
                if undone is not None:
                    assert undone.step == (wanted or max(steps)) and undone.left == len(steps) - 1
                    del steps[undone.step]
            assert said(reviews) == replayed(steps)


def test_a_batch_whose_step_was_undone_goes_no_further(tmp_path: Path) -> None:
    with Reviews(tmp_path / "reviews.sqlite") as reviews:
        step = reviews.put([Review("a", Verdict.change, "jazz")])
        reviews.undo()
        with pytest.raises(LibraryError, match=f"step {step} of the reviews was undone in the"):
            reviews.put([Review("b", Verdict.change, "jazz")], step=step)
        assert said(reviews) == {}
