"""Reasons: exact shares of a linear head, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tonearm.model import file as model_file
from tonearm.model.encoder import Embeddings
from tonearm.model.halves import last_weights
from tonearm.model.head import Head
from tonearm.model.reasons import band_reasons, reasons_of, tag_reasons, window_reasons
from tonearm.model.texture import GROUPS, JointVote, TextureHead
from tonearm.training import texture_votes
from tonearm.training.head_fit import Tracks

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


def test_tags_count_in_the_joint_vote_as_well_where_it_was_asked(head: Head) -> None:
    joint = JointVote(np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [9.0, 0.0]]), np.zeros(2))
    part = TextureHead(np.zeros((1, 2)), np.zeros(2), ((1.0, 1.0),), 0.9, joint=joint)
    both, windows = replace(head, texture=part), np.array([[0.8, 0.2, 0.5]])
    for asked, expected in ((False, (1.2, -0.6, 0.0)), (True, (1.5, -0.6, -1.0))):
        reasons = tag_reasons(both, windows, NAMES, (0, 1), both=asked)
        assert {reason.tag: reason.amount for reason in reasons} == dict(
            zip(NAMES, expected, strict=True)
        )


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


def test_bands_are_told_after_the_textures_were_learnt_from() -> None:
    """`learn` moves the votes; how the filters make them up is in the encoder's last layer."""
    model, rng = model_file.load(), np.random.default_rng(0)
    part = model.head.texture
    assert model.texture and part and part.modulation_mean is not None
    modulations = part.modulation_mean + rng.normal(0, 0.1, (2, len(part.modulation_mean)))
    embeddings = Embeddings(
        values=rng.uniform(0, 0.2, (3, 50)).astype(np.float32),
        starts_s=np.arange(3.0),
        duration_s=6.0,
        names=model.embedding_names,
        texture=np.zeros((2, part.dimensions), np.float32),
        modulations=modulations.astype(np.float32),
    )

    def bands(texture: TextureHead) -> list[float]:
        head = replace(model.head, texture=texture)
        found = reasons_of(replace(model, head=head), embeddings, ("jazz", "blues"))
        return [band.amount for band in found.bands]

    before = bands(part)
    assert bands(replace(part, modulation_weight=None)) == before, "the stored ones are these"
    some = rng.normal(0, 1, (30, part.dimensions))
    given = Tracks([np.zeros((1, 50))] * 30, ["jazz"] * 30, ["a"] * 30, [t[None] for t in some])
    moved = texture_votes.moved(part, given, model.labels, prior_tracks=30)
    after = bands(moved)
    assert after != before
    jazz, blues = (model.labels.index(label) for label in ("jazz", "blues"))
    projection = last_weights(model.texture.encoder)
    texture = (embeddings.modulations.mean(axis=0) - part.modulation_mean) @ projection
    assert moved.joint is not None
    votes = texture @ (moved.weight + moved.joint.weight[50:])
    assert sum(after) == pytest.approx(votes[jazz] - votes[blues], abs=0.05)


def test_a_network_without_a_linear_layer_at_its_end_has_no_last_weights() -> None:
    assert last_weights(model_file.load().encoder) is None
