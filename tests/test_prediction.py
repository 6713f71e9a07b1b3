"""The one result: its rule for a label, and its JSON object."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tonearm.errors import DecodeError
from tonearm.model.prediction import Prediction, rank
from tonearm.timeline.segments import Segment

KEYS = (
    "schema path duration_s genre nearest confidence probabilities styles tags timeline warnings"
).split()


def test_the_likeliest_genre_by_hand() -> None:
    found = Prediction.of(("blues", "jazz", "metal"), np.array([0.2, 0.50006, 0.29994]), known=True)
    assert (found.genre, found.nearest, found.confidence) == ("jazz", "jazz", 0.5001)
    assert list(found.probabilities.items()) == [
        ("jazz", 0.5001),
        ("metal", 0.2999),
        ("blues", 0.2),
    ]


def test_unknown_keeps_the_nearest() -> None:
    found = Prediction.of(("blues", "jazz"), [0.3, 0.7], known=False)
    assert (found.genre, found.nearest, found.confidence) == (None, "jazz", 0.7)


def test_of_equals_the_first_label_wins() -> None:
    assert Prediction.of(("b", "a", "c"), [0.3, 0.3, 0.4], known=True).nearest == "c"
    assert list(rank(("b", "a", "c"), [0.3, 0.3, 0.2])) == ["b", "a", "c"]


def test_json_has_all_keys_always() -> None:
    found = Prediction.of(("blues", "jazz"), [0.3, 0.7], known=True).to_dict()
    assert list(found) == KEYS and found["schema"] == 2
    assert (found["styles"], found["tags"]) == ({}, {})
    assert (found["timeline"], found["warnings"]) == ([], [])


def test_json_of_all_there_can_be() -> None:
    whole = replace(
        Prediction.of(("blues", "jazz"), [0.3, 0.7], known=False),
        mix={"jazz": 0.5, "blues": 0.5},
        styles={"Be-bop": 0.4},
        tags={"piano": 0.9},
        timeline=[Segment(0.0, 9.5, "jazz", 0.8)],
        warnings=("truncated",),
        path="a.mp3",
        duration_s=9.5,
    )
    found = json.loads(json.dumps(whole.to_dict(), allow_nan=False))
    assert found["mix"] == {"jazz": 0.5, "blues": 0.5} and found["genre"] is None
    assert found["timeline"] == [{"start_s": 0.0, "end_s": 9.5, "genre": "jazz", "confidence": 0.8}]
    assert (found["path"], found["duration_s"]) == ("a.mp3", 9.5)
    assert (found["styles"], found["tags"]) == ({"Be-bop": 0.4}, {"piano": 0.9})
    assert found["warnings"] == ["truncated"]


def test_json_of_an_error() -> None:
    error = DecodeError("a.mp3", "not-audio", "is not an audio file")
    expected = {"kind": "not-audio", "message": "is not an audio file"}
    assert error.to_dict() == {"schema": 2, "path": "a.mp3", "error": expected}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_ranks_fall_and_lose_nothing(values: list[float]) -> None:
    names = [f"g{i}" for i in range(len(values))]
    ranked = rank(names, values)
    assert sorted(ranked) == sorted(names)
    numbers = list(ranked.values())
    assert numbers == sorted(numbers, reverse=True)
    for name, value in zip(names, values, strict=True):
        assert abs(ranked[name] - value) <= 5.1e-5
