"""The second encoder's votes for added genres: by hand, and when they are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tonearm.model.texture import TextureHead
from tonearm.training import added_genres, texture_votes
from tonearm.training import head_fit as heads
from tonearm.training.head_fit import Tracks

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
    assert grown is not None
    np.testing.assert_allclose(grown.weight, [[1, -1, 0], [0, 0, 3]])
    np.testing.assert_allclose(grown.bias, [-1, -1, -4.5])
    assert grown.calibration == PART.calibration and grown.covariance is PART.covariance


@pytest.mark.parametrize("known", [4, 5])
def test_too_few_textures_leave_the_second_encoder_out(head: heads.Head, known: int) -> None:
    textures = [np.array([[0.0, 3.0]])] * known + [None] * 6
    grown = added_genres.grow(head, tracks("new", textures), names=None)
    assert grown.labels == ("a", "b", "new")
    assert (grown.texture is None) is (known < texture_votes.FEWEST)


def test_the_texture_settles_what_the_tags_leave_open(head: heads.Head) -> None:
    new = tracks("new", [np.array([[0.0, 3.0]])] * 6)
    grown = added_genres.grow(head, new, names=None)
    windows = (tracks("a", [None]).windows[0] + new.windows[0]) / 2
    for texture, expected in (([[0.0, 3.0]], "new"), ([[3.0, -1.0]], "a")):
        output = grown.classify(windows, np.array(texture))
        assert grown.labels[int(output.probabilities.argmax())] == expected


def test_corrections_of_known_genres_keep_the_second_encoder(head: heads.Head) -> None:
    statistics = added_genres.checked_statistics(head)
    moved = added_genres.with_centres(
        head, statistics["centres"] + 0.1, labels=head.labels, names=None
    )
    assert moved.texture is head.texture
