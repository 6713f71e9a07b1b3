"""Research data sets of arrays: from a .npz to a prepared folder and the embedding store."""

from __future__ import annotations

import numpy as np
import pytest

from runs import arrays
from tonearm.data import feature_store, index, prepare
from tonearm.errors import DatasetError
from tonearm.features import GTZAN_SPEC
from tonearm.library.store import Library


def _npz(path, names, **more):
    rng = np.random.default_rng(0)
    logmel = rng.integers(0, 256, (len(names), 128, 40)).astype(np.uint8)
    np.savez(path, name=names, genre=[n.split(".")[0] for n in names], logmel=logmel, **more)
    return logmel


def test_arrays_fill_a_store_and_same_sounds_are_copies(tmp_path):
    names = ["rock.1", "rock.2", "jazz.1"]
    logmel = _npz(tmp_path / "a.npz", names)
    logmel[1] = logmel[0]
    np.savez(tmp_path / "a.npz", name=names, genre=["rock", "rock", "jazz"], logmel=logmel)
    made = arrays.fill(tmp_path / "a.npz", tmp_path / "out", artists={"jazz.1": "Monk"})
    assert [t.copy_of for t in made.tracks] == [None, "rock.1", None]
    assert made.tracks[2].group == "artist:monk"
    kept = feature_store.open_store(
        tmp_path / "out" / prepare.FEATURES, feature_store.identity(arrays.ARRAY_SPEC)
    )
    np.testing.assert_array_equal(kept.get(made.tracks[2].sound), logmel[2].T * 0.3125)
    assert index.load(tmp_path / "out") == made


def test_windows_of_arrays_join_the_tracks_that_are_there(tmp_path):
    names = ["rock.1", "jazz.1"]
    _npz(tmp_path / "a.npz", names)
    before = arrays.fill(tmp_path / "a.npz", tmp_path / "out")
    tags = np.arange(10, dtype=np.float32).reshape(5, 2)
    np.savez(tmp_path / "t.npz", name=["jazz.1"] * 2 + ["rock.1"] * 3, tags=tags)
    after = arrays.fill(tmp_path / "t.npz", tmp_path / "out", encoder_sha256="f" * 64)
    assert {t.name: t.sound for t in after.tracks} == {t.name: t.sound for t in before.tracks}
    with Library(tmp_path / "out" / arrays.LIBRARY) as library:
        kept = library.embeddings.get(after.by_name()["rock.1"].sound, "f" * 64)
    np.testing.assert_array_equal(kept.values, tags[2:])


def test_arrays_of_another_make_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", name=["a"], other=[1])
    with pytest.raises(DatasetError, match="wanted are name and one of logmel"):
        arrays.fill(tmp_path / "a.npz", tmp_path / "out")


def test_arrays_do_not_mix_with_features_of_audio(tmp_path):
    feature_store.open_store(
        tmp_path / "out" / prepare.FEATURES, feature_store.identity(GTZAN_SPEC), create=True
    )
    _npz(tmp_path / "a.npz", ["rock.1"])
    with pytest.raises(DatasetError, match="hop_samples 512 instead of 1708"):
        arrays.fill(tmp_path / "a.npz", tmp_path / "out")


def test_arrays_keep_the_table_of_artists(tmp_path):
    levels = np.zeros((2, 4, 40), dtype=np.uint8)
    levels[1] = 9
    names = np.array(["jazz.1", "jazz.2"])
    np.savez(tmp_path / "a.npz", name=names, logmel=levels)
    arrays.fill(tmp_path / "a.npz", tmp_path / "out")
    table = {"jazz.1": "Monk", "jazz.2": "Monk"}
    made = arrays.fill(tmp_path / "a.npz", tmp_path / "out", artists=table)
    assert {track.group for track in made.tracks} == {"artist:monk"}
    again = arrays.fill(tmp_path / "a.npz", tmp_path / "out")
    assert again == made


def test_windows_that_are_no_numbers_are_refused_by_name(tmp_path):
    windows = np.full((4, 50), 0.5)
    windows[3, 7] = np.nan
    np.savez(tmp_path / "t.npz", name=np.array(["jazz.1"] * 2 + ["jazz.2"] * 2), tags=windows)
    with pytest.raises(DatasetError, match=r"t\.npz: tags of 'jazz.2' are not numbers"):
        arrays.fill(tmp_path / "t.npz", tmp_path / "out", encoder_sha256="f" * 64)
    assert not (tmp_path / "out").exists()
