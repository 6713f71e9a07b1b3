"""The map: what sounds alike lies together, and nothing moves when tracks are added."""

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the serve extra is not installed")
import pytest
from support.serving import fill_library

from tonearm.library.sound_map import make_landmarks, make_map, map_path, place
from tonearm.library.store import Library


def clusters(count=40, kinds=6, seed=0):
    """Sounds of six kinds in fifty dimensions, and their kinds."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1, (kinds, 50))
    kind = np.arange(count * kinds) % kinds
    noise = 0.05 * rng.standard_normal((len(kind), 50))
    return np.abs(centres[kind] + noise).astype(np.float32), kind


def test_the_nearest_on_the_map_is_of_the_same_kind():
    roots, kind = clusters()
    places = place(roots, make_landmarks(roots, count=120))
    squares = ((places[:, None] - places) ** 2).sum(axis=-1) + np.eye(len(places)) * 9
    assert (kind[squares.argmin(axis=1)] == kind).mean() > 0.95
    assert places.min() >= 0 and places.max() <= 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_sounds_have_places_too(count):
    roots, _ = clusters(count=1, kinds=6)
    places = place(roots[:count], make_landmarks(roots[:count]))
    assert places.shape == (count, 2) and np.isfinite(places).all()


def test_added_tracks_move_nothing(tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 700)
    with Library(path) as library:
        before = make_map(library)
    with Library(path, write=True) as library:
        library.write("UPDATE tracks SET missing = 1 WHERE id > 650")
        fewer = make_map(library)
    assert np.array_equal(fewer.places, before.places[: len(fewer.places)])
    map_path(path).unlink()
    with Library(path) as library:
        assert np.array_equal(make_map(library).places.shape, fewer.places.shape)


def test_a_broken_file_of_landmarks_is_made_again(tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 30)
    map_path(path).write_bytes(b"no arrays")
    with Library(path) as library:
        assert len(make_map(library).places) == 30
    assert map_path(path).stat().st_size > 1_000
