"""The second encoder's votes for added genres: by hand, and where there are none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tonearm.model.texture import JointVote, TextureHead
from tonearm.training import added_genres, corrections, texture_votes
from tonearm.training import head_fit as heads
from tonearm.training.head_fit import Tracks
from tonearm.training.texture_votes import FEWEST

# Variance 2 along the first number, 1 along the second; the old genre's centre is (2, 0).
COVARIANCE = np.diag([2.0, 1.0])
PART = TextureHead(
    np.array([[1.0, -1.0], [0.0, 0.0]]),
    np.array([-1.0, -1.0]),
    ((1.0, 1.0),),
    ask_below=1.1,
    covariance=COVARIANCE,
)


def tracks(label: str, textures: list[np.ndarray | None], *, seed: int = 0) -> Tracks:
    """Tracks whose tags lie round a centre of the label's own."""
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng(sum(label.encode())).uniform(0.2, 0.8, 6)
    windows = [np.clip(centre + 0.03 * rng.standard_normal((3, 6)), 0, 1) for _ in textures]
    return Tracks(
        windows, [label] * len(textures), [f"{label}{i}" for i in range(len(textures))], textures
    )


def both(one: Tracks, other: Tracks) -> Tracks:
    return Tracks(
        [*one.windows, *other.windows], [*one.labels, *other.labels], [*one.groups, *other.groups]
    )


@pytest.fixture(scope="module")
def head() -> heads.Head:
    old = both(tracks("a", [None] * 8), tracks("b", [None] * 8))
    return replace(heads.fit(old), texture=PART)


def test_a_new_centre_by_hand() -> None:
    # Means of each track's windows are (0, 3) on average: S^-1 c is (0, 3), -c'S^-1 c / 2 is -4.5.
    textures = [np.array([[1.0, 2.0], [-1.0, 4.0]]), *[np.array([[0.0, 3.0]])] * 4]
    grown = texture_votes.with_genres(PART, tracks("new", textures), ("new",))
    np.testing.assert_allclose(grown.weight, [[1, -1, 0], [0, 0, 3]])
    np.testing.assert_allclose(grown.bias, [-1, -1, -4.5])
    assert grown.calibration == PART.calibration and grown.covariance is PART.covariance


def test_a_new_centre_counts_textures_within_their_limits() -> None:
    """Means of (1, 2) and (-1, 3), since 4 counts as 3: the centre is (0, 2.5)."""
    part = replace(PART, limits=np.array([9.0, 3.0]))
    textures = [np.array([[1.0, 2.0], [-1.0, 4.0]])]
    grown = texture_votes.with_genres(part, tracks("new", textures), ("new",))
    np.testing.assert_allclose(grown.weight[:, 2], [0, 2.5])
    assert grown.limits is part.limits


@pytest.mark.parametrize("known", [FEWEST - 1, FEWEST])
def test_a_vote_of_its_own_needs_enough_textures(head: heads.Head, known: int) -> None:
    textures = [np.array([[0.0, 3.0]])] * known + [None] * 6
    grown = added_genres.grow(head, tracks("new", textures), names=None)
    assert grown.labels == ("a", "b", "new") and grown.texture is not None
    assert len(grown.texture.bias) == (2 if known < FEWEST else 3)
    again = heads.Head.from_parts(json.loads(json.dumps(grown.settings())), grown.arrays())
    assert again.texture is not None
    np.testing.assert_array_equal(again.texture.weight, grown.texture.weight)


def test_genres_with_a_vote_come_before_those_without(head: heads.Head) -> None:
    mute, voting = tracks("m", [None] * 6), tracks("v", [np.array([[0.0, 3.0]])] * FEWEST)
    new = Tracks(
        [*mute.windows, *voting.windows],
        [*mute.labels, *voting.labels],
        [*mute.groups, *voting.groups],
        [*mute.textures, *voting.textures],
    )
    grown = added_genres.grow(head, new, names=None)
    assert grown.labels == ("a", "b", "v", "m")
    assert grown.texture is not None and len(grown.texture.bias) == 3
    # Behind one without a vote there is no place for another.
    twice = added_genres.grow(grown, tracks("w", [np.array([[0.0, 3.0]])] * FEWEST), names=None)
    assert twice.texture is grown.texture and twice.labels == ("a", "b", "v", "m", "w")


def test_a_genre_without_a_vote_keeps_its_share(head: heads.Head) -> None:
    """By hand: .2, .3, .5 before; the texture says .8 to .2 between the first two."""
    part = TextureHead(np.array([[np.log(4.0), 0.0]]), np.zeros(2), ((1.0, 1.0),), ask_below=1.1)
    z = np.log([0.2, 0.3, 0.5])
    odds = np.exp(z + part.log_votes(np.array([[1.0]]), np.zeros(1), z))
    among = np.array([0.2 * 0.8, 0.3 * 0.2])
    np.testing.assert_allclose(odds / odds.sum(), [*(among / among.sum() / 2), 0.5])
    # The joint vote, .75 to .25, leaves it its share as well.
    joint = JointVote(np.array([[0.0, 0.0], [np.log(3.0), 0.0]]), np.zeros(2))
    odds = np.exp(z + replace(part, joint=joint).log_votes(np.array([[1.0]]), np.zeros(1), z))
    among *= [0.75, 0.25]
    np.testing.assert_allclose(odds / odds.sum(), [*(among / among.sum() / 2), 0.5])


def test_the_texture_settles_what_the_tags_leave_open(head: heads.Head) -> None:
    new = tracks("new", [np.array([[0.0, 3.0]])] * FEWEST)
    grown = added_genres.grow(head, new, names=None)
    windows = (tracks("a", [None]).windows[0] + new.windows[0]) / 2
    for texture, expected in (([[0.0, 3.0]], "new"), ([[3.0, -1.0]], "a")):
        output = grown.classify(windows, np.array(texture))
        assert grown.labels[int(output.probabilities.argmax())] == expected


def test_corrections_move_a_centre_by_hand() -> None:
    """Three tracks at (0, 6), the centre at (2, 0) counting for one: (.5, 4.5)."""
    given = tracks("a", [np.array([[0.0, 5.0], [0.0, 7.0]])] * 3 + [None])
    moved = texture_votes.moved(PART, given, ("a", "b"), prior_tracks=1)
    np.testing.assert_allclose(moved.weight, [[0.25, -1], [4.5, 0]])
    np.testing.assert_allclose(moved.bias, [-(0.25 * 0.5 + 4.5 * 4.5) / 2, -1])
    assert texture_votes.moved(PART, tracks("a", [None]), ("a", "b"), prior_tracks=1) is PART


def test_corrections_keep_the_second_encoder_with_a_genre_it_has_not_heard(
    head: heads.Head,
) -> None:
    given = tracks("a", [np.array([[0.0, 6.0]])] * 3)
    new = tracks("new", [None] * 5)
    corrected = corrections.correct(
        head,
        Tracks(
            [*given.windows, *new.windows],
            [*given.labels, *new.labels],
            [*given.groups, *new.groups],
            [*given.textures, *new.textures],
        ),
        names=None,
    )
    assert corrected.labels == ("a", "b", "new") and corrected.texture is not None
    assert corrected.texture.weight[1, 0] > 0, "the centre of a has moved"
    assert len(corrected.texture.bias) == 2
