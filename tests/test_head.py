"""Heads: by hand, and what must hold for any of them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.errors import ModelError
from tonearm.model import file as model_file
from tonearm.model.head import Head, Kind
from tonearm.model.out_of_domain import OutOfDomainDetector, TextureDetector
from tonearm.model.texture import Gate, JointVote, TextureHead

LABELS = ("blues", "jazz", "metal")
# Of three tags and one number of texture.
JOINT = JointVote(
    np.array([[2.0, 0, 0], [0, 1.0, 0], [0, 0, 0], [0, 4.0, 0]]), np.array([0.0, 0.0, 1.0])
)


def head(kind: Kind = "votes", **changes: object) -> Head:
    values: dict = {
        "labels": LABELS,
        "kind": kind,
        "weight": np.array([[2.0, 0, 0], [0, 3.0, 0], [0, 0, 1.0]]),
        "bias": np.array([0.0, -0.5, 0.25]),
    }
    return Head(**{**values, **changes})


def softmax(*logits: float) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def test_votes_by_hand() -> None:
    windows = np.array([[0.2, 0.5, 0.0], [0.4, 0.1, 1.0]])
    mean = (softmax(0.4, 1.0, 0.25) + softmax(0.8, -0.2, 1.25)) / 2
    output = head().classify(windows)
    np.testing.assert_allclose(output.probabilities, mean)
    assert output.known
    # Half the temperature squares the odds.
    sharp = head(calibration=((1.0, 0.5),)).classify(windows).probabilities
    np.testing.assert_allclose(sharp, mean**2 / (mean**2).sum())


def test_an_odd_window_cannot_outvote_the_rest() -> None:
    windows = np.array([[1.0, 0.0, 0.0]] * 9 + [[0.0, 0.0, 1.0]])
    weight = np.diag([4.0, 4.0, 60.0])
    assert (windows.mean(axis=0) @ weight).argmax() == 2
    assert head(weight=weight).classify(windows).probabilities.argmax() == 0


def test_power_comes_first() -> None:
    output = head(power=0.5).classify(np.array([[0.04, 0.25, 0.0], [0.16, 0.01, 1.0]]))
    mean = (softmax(0.4, 1.0, 0.25) + softmax(0.8, -0.2, 1.25)) / 2
    np.testing.assert_allclose(output.probabilities, mean)


def test_average_by_hand() -> None:
    # Already genre probabilities: with a weight of 1 and no bias their mean comes out again.
    windows = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    plain = head("average", weight=np.eye(3), bias=np.zeros(3))
    np.testing.assert_allclose(plain.classify(windows).probabilities, [0.4, 0.5, 0.1])
    # Temperature 2, folded into the weight, is the square root of the odds.
    cool = head("average", weight=0.5 * np.eye(3), bias=np.zeros(3))
    roots = np.sqrt([0.4, 0.5, 0.1])
    np.testing.assert_allclose(cool.classify(windows).probabilities, roots / roots.sum())


def test_unsure_is_unknown() -> None:
    windows = np.array([[0.3, 0.3, 0.5]])
    highest = softmax(0.6, 0.4, 0.75).max()
    assert head(min_confidence=highest - 0.01).classify(windows).known
    unsure = head(min_confidence=highest + 0.01).classify(windows)
    assert not unsure.known
    np.testing.assert_allclose(unsure.probabilities, softmax(0.6, 0.4, 0.75))


def test_each_window_by_itself() -> None:
    windows = np.array([[0.2, 0.5, 0.0], [0.4, 0.1, 1.0]])
    each = head().classify_each(windows)
    assert each.shape == (2, 4)
    np.testing.assert_allclose(each[:, :3], [softmax(0.4, 1.0, 0.25), softmax(0.8, -0.2, 1.25)])
    assert not each[:, 3].any()


def test_what_is_no_probability_is_cut() -> None:
    inside, outside = np.array([[0.0, 1.0, 0.5]]), np.array([[-3.0, 7.0, 0.5]])
    for kind in ("votes", "average"):
        there = head(kind, power=0.3).classify(outside).probabilities
        assert np.array_equal(there, head(kind, power=0.3).classify(inside).probabilities)


SHIPPED = model_file.load().head
heads = st.sampled_from([head(), head("average"), head(power=0.3), SHIPPED])


def tags(seed: int, n: int, d: int) -> np.ndarray:
    """Few high ones, many near zero, as tag probabilities are."""
    return np.random.default_rng(seed).beta(0.3, 2, (n, d)).astype(np.float32)


@given(head=heads, seed=st.integers(0, 9_999), n=st.integers(1, 40))
def test_probabilities_sum_to_one(head: Head, seed: int, n: int) -> None:
    windows = tags(seed, n, head.dimensions)
    output = head.classify(windows)
    assert output.probabilities.shape == (len(head.labels),)
    assert output.probabilities.min() >= 0
    assert output.probabilities.sum() == pytest.approx(1, abs=1e-9)
    each = head.classify_each(windows)
    assert each.shape == (n, len(head.labels) + 1)
    assert each.min() >= 0
    np.testing.assert_allclose(each.sum(axis=1), 1, atol=1e-9)


@given(head=heads, seed=st.integers(0, 9_999), times=st.integers(2, 30))
def test_a_window_repeated_says_the_same(head: Head, seed: int, times: int) -> None:
    once = tags(seed, 1, head.dimensions)
    a, b = (head.classify(x).probabilities for x in (once, np.repeat(once, times, axis=0)))
    np.testing.assert_allclose(a, b, atol=1e-9)


@given(head=heads, seed=st.integers(0, 9_999))
def test_order_of_windows_does_not_matter(head: Head, seed: int) -> None:
    windows = tags(seed, 12, head.dimensions)
    shuffled = np.random.default_rng(seed).permutation(windows)
    a, b = head.classify(windows), head.classify(shuffled)
    np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-9)
    assert a.known == b.known


@given(head=heads, seed=st.integers(0, 9_999))
def test_one_window_alone_or_among_others(head: Head, seed: int) -> None:
    windows = tags(seed, 6, head.dimensions)
    together = head.classify_each(windows)
    for i in range(6):
        alone = head.classify_each(windows[i : i + 1])[0]
        np.testing.assert_allclose(alone, together[i], atol=1e-9)


@given(head=heads, value=st.sampled_from([0.0, 1.0, 0.5, 1e-30]))
def test_extremes_are_finite(head: Head, value: float) -> None:
    windows = np.full((3, head.dimensions), value, np.float32)
    assert np.isfinite(head.classify(windows).probabilities).all()
    assert np.isfinite(head.classify_each(windows)).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ("blues", "jazz")},
        {"bias": np.zeros(2)},
        {"weight": np.zeros(3)},
        {"labels": ("blues",), "weight": np.zeros((3, 1)), "bias": np.zeros(1)},
    ],
)
def test_shapes_that_do_not_fit(changes: dict) -> None:
    with pytest.raises(ModelError):
        head(**changes)


@pytest.mark.parametrize("one", [head(min_confidence=0.3, power=0.7), SHIPPED])
def test_round_trip(one: Head) -> None:
    settings = json.loads(json.dumps(one.settings(), allow_nan=False))
    again = Head.from_parts(settings, one.arrays())
    assert again.labels == one.labels and again.settings() == one.settings()
    windows = tags(3, 9, one.dimensions)
    a, b = one.classify(windows), again.classify(windows)
    assert np.array_equal(a.probabilities, b.probabilities) and a.known == b.known


def test_sure_by_hand() -> None:
    # Mean log-odds 0 of two windows, weight 1: the line is the offset. Unknown beyond
    # -1 + 2 / sqrt(2) = .41; as far on the other side of -1 is -2.41, twice as far out is 3.24.
    windows = np.full((2, 3), 0.5)
    cases = [(3.3, False, True), (0.5, False, False), (-1.0, True, False), (-2.5, True, True)]
    for offset, known, enough in cases:
        detector = OutOfDomainDetector(np.ones(3), offset, limit=-1.0, slope=2.0)
        with_detector = head(detector=detector)
        assert with_detector.classify(windows).known is known
        assert with_detector.is_confident(windows, confidence=0.3) is enough
    assert head().is_confident(windows, confidence=0.3)
    # softmax of 1, 1, .75
    assert not head().is_confident(windows, confidence=0.4)
    assert not head(min_confidence=0.4).is_confident(windows, confidence=0.3)


def test_texture_votes_by_hand_where_the_tags_are_in_doubt() -> None:
    windows = np.array([[0.2, 0.3, 0.3]])
    texture = np.array([[1.0, 0.0], [0.0, 1.0]])
    weight = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]])
    part = TextureHead(weight, np.zeros(3), ((1.0, 1.0),), ask_below=0.9)
    alone, both = head(), head(texture=part)
    first = softmax(0.4, 0.4, 0.55)
    second = (softmax(0, 2, 0) + softmax(1, 0, 0)) / 2
    together = first * second / (first * second).sum()
    np.testing.assert_allclose(both.classify(windows, texture).probabilities, together)
    np.testing.assert_allclose(both.classify(windows).probabilities, first)
    np.testing.assert_allclose(alone.classify(windows, texture).probabilities, first)
    # Where the first encoder is confident, the second one changes nothing.
    certain = head(texture=replace(part, ask_below=float(first.max())))
    assert not certain.wants_texture(windows) and both.wants_texture(windows)
    np.testing.assert_allclose(certain.classify(windows, texture).probabilities, first)


def test_limits_and_a_joint_vote_by_hand() -> None:
    """Texture 5 and -1 counts as 2 and -1; the joint vote is by the means, .5 and .25, .3, .3."""
    windows, texture = np.array([[0.2, 0.3, 0.4], [0.3, 0.3, 0.2]]), np.array([[5.0], [-1.0]])
    weight = np.array([[0.0, 1.0, 0.0]])
    part = TextureHead(weight, np.zeros(3), ((1.0, 1.0),), 1.1, limits=np.array([2.0]), joint=JOINT)
    first = head().classify(windows).probabilities
    own = (softmax(0, 2, 0) + softmax(0, -1, 0)) / 2
    both = softmax(2 * 0.25, 0.3 + 4 * 0.5, 1)
    expected = first * own * both / (first * own * both).sum()
    with_joint = head(texture=part)
    np.testing.assert_allclose(with_joint.classify(windows, texture).probabilities, expected)
    again = Head.from_parts(json.loads(json.dumps(with_joint.settings())), with_joint.arrays())
    np.testing.assert_allclose(again.classify(windows, texture).probabilities, expected)


def test_a_second_opinion_by_hand_for_what_is_suspect_or_short() -> None:
    # Mean log-odds 0, so the first line is its offset and the second is 2 x texture - 1.
    windows, detector = np.full((4, 3), 0.5), OutOfDomainDetector(np.zeros(3), 0.0, 0.0, 0.0)
    second = TextureDetector(
        np.array([0.0, 0.0, 0.0, 2.0]), -1.0, limit=0.5, short_limit=-0.5, margin=2.0
    )
    part = TextureHead(np.zeros((1, 3)), np.zeros(3), ((1.0, 1.0),), ask_below=0.0, detector=second)
    # Offset of the first line, texture, length, whether it is asked, whether the track is known.
    cases = [
        (-3.0, 5.0, 60.0, False, True),  # far inside: the texture is not heeded
        (-1.0, 0.7, 60.0, True, True),  # 2 x .7 - 1 = .4
        (-1.0, 0.8, 60.0, True, False),  # .6
        (+0.9, 0.7, 60.0, True, True),  # the second opinion overrules the first
        (+1.1, 0.7, 60.0, False, False),  # far outside
        (+1.1, 0.2, 11.9, False, False),
        (-3.0, 0.2, 11.9, True, True),  # short: -.6
        (-3.0, 0.3, 11.9, True, False),  # -.4
        (-3.0, 0.3, 12.0, False, True),
        (-1.0, 0.3, None, True, True),  # of unknown length is long
    ]
    for offset, value, length_s, asked, known in cases:
        one = head(detector=replace(detector, offset=offset), texture=part)
        assert one.wants_texture(windows, duration_s=length_s) is asked, (offset, length_s)
        texture = np.array([[value - 1], [value + 1]])  # the mean counts
        output = one.classify(windows, texture, duration_s=length_s)
        assert output.known is known, (offset, value, length_s)
    # Without texture the first line alone decides.
    alone = head(detector=replace(detector, offset=-1.0), texture=part)
    assert alone.classify(windows, duration_s=60.0).known
    again = Head.from_parts(json.loads(json.dumps(alone.settings())), alone.arrays())
    assert again.texture is not None and again.texture.detector is not None
    assert again.texture.detector.settings() == second.settings()
    np.testing.assert_array_equal(again.texture.detector.weight, second.weight)


def test_a_gate_shuts_a_genre_out_and_a_prior_holds_it_back() -> None:
    windows = np.array([[0.2, 0.5, 0.9], [0.2, 0.3, 0.9]])
    gate = Gate("metal", (0, 1), least=0.6)
    plain = head().classify(windows).probabilities
    np.testing.assert_allclose(head(gates=(gate,)).classify(windows).probabilities, plain)
    shut = head(gates=(replace(gate, least=0.61),)).classify(windows).probabilities
    np.testing.assert_allclose(shut, [*(plain[:2] / plain[:2].sum()), 0], atol=1e-12)
    held = head(prior=np.log([1.0, 1.0, 0.5])).classify(windows).probabilities
    halved = plain * [1, 1, 0.5]
    np.testing.assert_allclose(held, halved / halved.sum())


@pytest.mark.parametrize(
    "changes",
    [
        {"prior": np.zeros(2)},
        {"gates": (Gate("disco", (0,), 0.1),)},
        {"gates": (Gate("metal", (3,), 0.1),)},
        {"texture": TextureHead(np.zeros((2, 4)), np.zeros(4), ((1.0, 1.0),), 0.9)},
        {"texture": TextureHead(np.zeros((2, 3)), np.zeros(3), ((1.0, 1.0),), 0.9, joint=JOINT)},
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict) -> None:
    with pytest.raises(ModelError):
        head(**changes)
