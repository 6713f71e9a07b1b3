import resource

import numpy as np
import pytest
from support import music

from tonearm import windows
from tonearm.data import arrays, feature_store, index, prepare
from tonearm.data.feature_store import FeatureStore
from tonearm.errors import DatasetError
from tonearm.features import GTZAN_SPEC, MUSICNN_SPEC
from tonearm.model.classifier import Classifier
from tonearm.model.file import Model
from tonearm.model.head import Head


@pytest.fixture
def empty(tmp_path) -> FeatureStore:
    return feature_store.open_store(tmp_path / "s", feature_store.identity(GTZAN_SPEC), create=True)


def test_array_comes_back(empty):
    array = np.arange(12, dtype=np.float16).reshape(4, 3)
    empty.put("abcd", array)
    assert empty.has("abcd") and not empty.has("abce")
    np.testing.assert_array_equal(empty.get("abcd"), array)


def test_store_of_another_front_end_is_refused_with_the_difference(empty):
    with pytest.raises(DatasetError, match="sample_rate_hz 22050 instead of 16000"):
        feature_store.open_store(empty.root, feature_store.identity(MUSICNN_SPEC), create=True)


def test_window_length_does_not_matter_to_a_store(empty):
    spec = feature_store.spec_of(empty, window_s=1.0)
    assert (spec.window_frames, spec.hop_samples) == (43, 512)
    feature_store.open_store(empty.root, feature_store.identity(spec))


def test_damaged_array_is_named(empty):
    empty.put("abcd", np.zeros((100, 8)))
    path = next(empty.root.rglob("abcd.npy"))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DatasetError, match=r"abcd\.npy: damaged"):
        empty.get("abcd")


def test_missing_array_says_what_to_do(empty):
    with pytest.raises(DatasetError, match="prepare the data set again"):
        empty.get("abcd")


@pytest.mark.parametrize("spec", [GTZAN_SPEC, MUSICNN_SPEC], ids=["gtzan", "musicnn"])
def test_windows_are_those_the_classifier_hears(spec, monkeypatch):
    """Parity: what is trained on is what is predicted on."""
    rate_hz = spec.sample_rate_hz
    samples = music.clip(2, 1, seconds=9.7)[: int(9.7 * rate_hz)]
    head = Head(("a", "b"), "average", np.eye(2), np.zeros(2))
    clf = Classifier(Model("x", spec, b"", head, None, 3))
    embeddings = []

    class Ear:
        def run(self, _, inputs):
            embeddings.append(inputs["features"])
            return [np.ones((len(embeddings[-1]), 2), dtype=np.float32)]

    monkeypatch.setitem(vars(clf._encoder), "_session", Ear())
    clf.embed(samples, rate_hz, count=3)
    stored = feature_store.storable(samples, spec)
    starts = windows.place(len(stored), spec.window_frames, count=3)
    trained_on = np.stack([feature_store.cut(stored, int(start), spec) for start in starts])
    difference = np.abs(np.concatenate(embeddings) - trained_on).max()
    assert difference < 0.05, f"{difference} dB apart"  # float16 holds -100 dB to 0.03


def test_short_track_is_repeated(empty):
    levels = np.arange(5, dtype=np.float16)[:, None] - 50
    window = feature_store.cut(levels, 0, feature_store.spec_of(empty, window_s=0.3))
    assert window.shape == (12, 1)
    np.testing.assert_allclose(window[:, 0], np.resize(np.arange(5) - 4.0, 12))


def test_levels_of_bytes_are_decibels(empty):
    levels = np.array([[255, 255], [0, 128]], dtype=np.uint8)
    spec = feature_store.spec_of(empty, window_s=0.05)
    np.testing.assert_allclose(feature_store.cut(levels, 0, spec), [[0, 0], [-79.6875, -39.6875]])


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
    np.testing.assert_array_equal(kept.get(made.tracks[2].sound), logmel[2].T)
    assert index.load(tmp_path / "out") == made


def test_windows_of_arrays_join_the_tracks_that_are_there(tmp_path):
    names = ["rock.1", "jazz.1"]
    _npz(tmp_path / "a.npz", names)
    before = arrays.fill(tmp_path / "a.npz", tmp_path / "out")
    tags = np.arange(10, dtype=np.float32).reshape(5, 2)
    np.savez(tmp_path / "t.npz", name=["jazz.1"] * 2 + ["rock.1"] * 3, tags=tags)
    after = arrays.fill(tmp_path / "t.npz", tmp_path / "out", encoder_sha256="f" * 64)
    assert {t.name: t.sound for t in after.tracks} == {t.name: t.sound for t in before.tracks}
    kept = prepare.open_windows(tmp_path / "out", "f" * 64)
    np.testing.assert_array_equal(kept.get(after.by_name()["rock.1"].sound), tags[2:])


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


def test_mfccs_of_segments_are_librosas():
    librosa = pytest.importorskip("librosa")
    samples = music.clip(1, 2, seconds=30)
    ours = arrays.segment_mfccs(samples)
    assert [x.shape for x in ours] == [(130, 13)] * 10
    part = samples[3 * 66_150 : 4 * 66_150]
    theirs = librosa.feature.mfcc(
        y=part, sr=22_050, n_mfcc=13, n_fft=2_048, hop_length=512, pad_mode="constant"
    ).T
    difference = np.abs(ours[3] - theirs).max()
    assert difference < 0.01, f"{difference} apart, of values up to {np.abs(theirs).max():.0f}"


def test_full_disk_ends_preparing_and_leaves_no_half_file(tmp_path):
    root = music.folder(tmp_path / "music", ["rock", "jazz"], 2, seconds=6)
    out = tmp_path / "out"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(DatasetError, match=r"\.npy: cannot be written: File too large"):
            prepare.prepare_folder(root, out, spec=GTZAN_SPEC)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (out / index.FILE_NAME).exists()
    assert not list((out / prepare.FEATURES).rglob("*.npy"))
    assert not list(out.rglob("*.part"))
    assert len(prepare.prepare_folder(root, out, spec=GTZAN_SPEC).index.tracks) == 4


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
    with pytest.raises(DatasetError, match=r"t\.npz: tags of 'jazz.2' are no numbers"):
        arrays.fill(tmp_path / "t.npz", tmp_path / "out", encoder_sha256="f" * 64)
    assert not (tmp_path / "out").exists()
