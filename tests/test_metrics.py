"""Metrics: every number here was computed by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm import metrics
from tonearm.errors import DatasetError

LABELS = ("blues", "jazz", "metal")
TRUTH = np.array([0, 0, 1, 1, 1, 2])
# Right, wrong, right, right, wrong, right.
PROBABILITIES = np.array(
    [
        [0.85, 0.10, 0.05],
        [0.25, 0.65, 0.10],
        [0.05, 0.95, 0.00],
        [0.40, 0.55, 0.05],
        [0.45, 0.15, 0.40],
        [0.02, 0.03, 0.95],
    ]
)
GUESS = np.array([0, 1, 1, 1, 0, 2])


def test_accuracy_and_confusion() -> None:
    assert metrics.accuracy(TRUTH, GUESS) == pytest.approx(4 / 6)
    counts = metrics.confusion(TRUTH, GUESS, classes=3)
    assert counts.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 1]]


def test_macro_f1() -> None:
    counts = metrics.confusion(TRUTH, GUESS, classes=3)
    # F1 = 2 right / (true + predicted): 2/4, 4/6, 2/2.
    assert metrics.macro_f1(counts) == pytest.approx((0.5 + 2 / 3 + 1) / 3)
    # A class that never occurs is left out, even if it was predicted.
    counts = metrics.confusion(np.array([0, 0]), np.array([0, 1]), classes=3)
    assert metrics.macro_f1(counts) == pytest.approx(2 / 3)


def test_reliability() -> None:
    table = metrics.reliability(TRUTH, PROBABILITIES)
    assert table["count"] == [0, 0, 0, 0, 1, 1, 1, 0, 1, 2]
    assert table["accuracy"][4:] == [0, 1, 0, None, 1, 1]
    assert table["confidence"][9] == pytest.approx(0.95)
    # Gaps: .45, .45, .65, .15, and twice .05, each a sixth.
    assert table["ece"] == pytest.approx((0.45 + 0.45 + 0.65 + 0.15 + 0.1) / 6)


def test_reliability_of_certainty() -> None:
    certain = np.eye(3)[TRUTH]
    assert metrics.reliability(TRUTH, certain)["ece"] == 0
    assert metrics.reliability(TRUTH, certain)["count"][-1] == 6  # 1.0 is in the last bin
    assert metrics.reliability((TRUTH + 1) % 3, certain)["ece"] == 1


def test_coverage() -> None:
    rows = metrics.coverage(TRUTH, PROBABILITIES, fractions=(1.0, 0.5, 0.3, 0.01))
    assert [row["coverage"] for row in rows] == [1.0, 0.5, 0.3, 0.01]
    assert [row["accuracy"] for row in rows] == [pytest.approx(4 / 6), 1, 1, 1]
    assert [row["min_confidence"] for row in rows] == [0.45, 0.85, 0.95, 0.95]


def test_log_loss() -> None:
    expected = -sum(map(math.log, (0.85, 0.25, 0.95, 0.55, 0.15, 0.95))) / 6
    assert metrics.log_loss(TRUTH, PROBABILITIES) == pytest.approx(expected)
    assert math.isfinite(metrics.log_loss(np.array([0]), np.array([[0.0, 1.0]])))


def test_bootstrap() -> None:
    assert metrics.bootstrap_interval(np.ones(20)) == (1, 1)
    values = np.arange(200) < 160
    low, high = metrics.bootstrap_interval(values)
    # Normal approximation: .8 +- 1.96 * sqrt(.8 * .2 / 200) = .745 to .855.
    assert low == pytest.approx(0.745, abs=0.01)
    assert high == pytest.approx(0.855, abs=0.01)
    assert metrics.bootstrap_interval(values) == (low, high), "not repeatable"
    narrow = metrics.bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_evaluate_is_plain_json() -> None:
    result = metrics.evaluate(TRUTH, PROBABILITIES, LABELS)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["n"] == 6
    assert result["accuracy"] == pytest.approx(4 / 6)
    assert result["interval_95"][0] <= result["accuracy"] <= result["interval_95"][1]
    assert result["per_genre"]["jazz"] == {"n": 3, "recall": pytest.approx(2 / 3)}
    assert result["confusion"] == [[1, 1, 0], [1, 2, 0], [0, 0, 1]]


def test_evaluate_leaves_out_genres_without_tracks() -> None:
    result = metrics.evaluate(TRUTH[:2], PROBABILITIES[:2], LABELS)
    assert list(result["per_genre"]) == ["blues"]


@pytest.mark.parametrize(
    ("truth", "probabilities", "reason"),
    [
        (np.array([0, 1]), PROBABILITIES, "2 tracks and 3 classes"),
        (TRUTH, PROBABILITIES[:, :2], "6 tracks and 3 classes"),
        (TRUTH[:0], PROBABILITIES[:0], "0 tracks"),
        (TRUTH + 1, PROBABILITIES, "1-3"),
        (TRUTH - 1, PROBABILITIES, "-1-1"),
        (TRUTH, PROBABILITIES * 0.9, "sum to 1"),
        (TRUTH, np.full_like(PROBABILITIES, np.nan), "sum to 1"),
    ],
)
def test_validate_names_what_does_not_fit(
    truth: np.ndarray, probabilities: np.ndarray, reason: str
) -> None:
    with pytest.raises(DatasetError, match=reason):
        metrics.evaluate(truth, probabilities, LABELS)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 80))
def test_metrics_of_anything_stay_in_bounds(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    probabilities = rng.dirichlet((0.5, 0.5, 0.5), n)
    table = metrics.reliability(truth, probabilities)
    assert sum(table["count"]) == n
    assert 0 <= table["ece"] <= 1
    rows = metrics.coverage(truth, probabilities)
    cuts = [row["min_confidence"] for row in rows]
    assert cuts == sorted(cuts), "fewer tracks, and not the more confident ones"
    guess = probabilities.argmax(axis=1)
    assert rows[0]["accuracy"] == pytest.approx(metrics.accuracy(truth, guess))
    counts = metrics.confusion(truth, guess, classes=3)
    assert counts.sum() == n and np.trace(counts) == round(metrics.accuracy(truth, guess) * n)


@given(seed=st.integers(0, 1_000))
def test_order_of_tracks_does_not_matter(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(6)
    here = metrics.reliability(TRUTH, PROBABILITIES)
    there = metrics.reliability(TRUTH[order], PROBABILITIES[order])
    assert there["ece"] == pytest.approx(here["ece"])
    assert there["count"] == here["count"]


def test_an_accuracy_of_one_or_zero_has_an_interval_too():
    """Wilson's interval of 12 of 12 by hand: 12 / (12 + 1.96^2) = .757."""
    right = np.ones(12, dtype=bool)
    assert metrics.accuracy_interval(right) == pytest.approx((0.757, 1), abs=0.001)
    assert metrics.accuracy_interval(~right) == pytest.approx((0, 0.243), abs=0.001)
    four = metrics.accuracy_interval(right, groups=list("aaabbbcccddd"))
    assert four == pytest.approx((4 / (4 + 1.96**2), 1), abs=0.001)
    shares = np.zeros((2, 12)).mean(axis=0)  # two seeds, both wrong on every track
    assert metrics.accuracy_interval(shares) == metrics.accuracy_interval(~right)
    assert metrics.accuracy_interval(shares + 1) == metrics.accuracy_interval(right)
    assert metrics.accuracy_interval(right / 2, groups=list("aaabbbcccddd"))[0] == 0.5
    mixed = np.arange(12) < 9
    assert metrics.accuracy_interval(mixed) == metrics.bootstrap_interval(mixed)
