"""Reasons: exact shares of a linear head, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tonearm.model.head import Head
from tonearm.model.reasons import band_reasons, tag_reasons, window_reasons
from tonearm.model.texture import GROUPS, TextureHead

NAMES = ("drums", "piano", "voice")


@pytest.fixture
def head() -> Head:
    return Head(
        labels=("rock", "jazz"),
        kind="votes",
        weight=np.array([[4.0, 0.0], [0.0, 6.0], [1.0, 1.0]]),
        bias=np.zeros(2),
        statistics={"mean": np.array([0.5, 0.1, 0.0])},
    )


def test_tags_add_up_to_the_difference_of_the_logits(head: Head) -> None:
    windows = np.array([[0.9, 0.3, 0.5], [0.7, 0.1, 0.5]])
    found = {reason.tag: reason.amount for reason in tag_reasons(head, windows, NAMES, (0, 1))}
    # Means .8, .2, .5 beyond the usual .5, .1, 0; weights 4, -6 and 0 for rock over jazz.
    assert found == {"drums": 1.2, "piano": -0.6, "voice": 0.0}
    logits = windows.mean(axis=0) @ head.weight
    usual = head.statistics["mean"] @ head.weight
    assert sum(found.values()) == pytest.approx((logits - usual) @ [1, -1])


def test_windows_and_the_most_typical_seconds(head: Head) -> None:
    windows = np.zeros((20, 3))
    windows[12:15, 0] = 1.0  # drums from 36 to 45 s
    windows[3, 0] = 0.5
    starts_s = 3.0 * np.arange(20)
    found, typical_s = window_reasons(
        head, windows, starts_s, (0, 1), window_s=3.0, duration_s=60.0
    )
    assert [(window.start_s, window.end_s, window.amount) for window in found] == [
        (36.0, 39.0, 4.0),
        (39.0, 42.0, 4.0),
        (42.0, 45.0, 4.0),
    ]
    assert typical_s == (35.5, 45.5)  # ten seconds round the middle of the loud ones


def test_typical_seconds_stay_inside_a_short_track(head: Head) -> None:
    _, typical_s = window_reasons(
        head, np.ones((1, 3)), np.zeros(1), (0, 1), window_s=3.0, duration_s=2.5
    )
    assert typical_s == (0.0, 2.5)


def test_bands_add_up_to_the_difference_of_the_votes() -> None:
    rng = np.random.default_rng(0)
    filters = 3
    weight = rng.standard_normal((filters * (2 * GROUPS + 1), 2))
    mean = rng.standard_normal(len(weight))
    part = TextureHead(np.zeros((1, 2)), np.zeros(2), ((1.0, 1.0),), 0.9, weight, mean)
    modulations = rng.standard_normal((2, len(weight))).astype(np.float32)
    edges_hz = np.linspace(0, 800, GROUPS + 1).tolist()
    found = band_reasons(part, modulations, edges_hz, (0, 1))
    assert [(band.low_hz, band.high_hz) for band in found][:2] == [(0, 100), (100, 200)]
    wanted = (modulations.mean(axis=0) - mean) @ (weight[:, 0] - weight[:, 1])
    assert sum(band.amount for band in found) == pytest.approx(wanted, abs=0.05)
    # What moves in the lowest group of bands alone is told of that group alone.
    lowest = mean.copy()
    lowest[0] += 1.0
    moved = band_reasons(part, lowest[None], edges_hz, (0, 1))
    assert moved[0].amount == pytest.approx(weight[0, 0] - weight[0, 1], abs=0.01)
    assert all(band.amount == 0 for band in moved[1:])
