import resource

import numpy as np
import pytest
from support import music

from tonearm import windows
from tonearm.data import feature_store, index, original_json, prepare
from tonearm.data.feature_store import FeatureStore
from tonearm.errors import DatasetError
from tonearm.features import GTZAN_SPEC, MUSICNN_SPEC
from tonearm.model import network
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
    with pytest.raises(DatasetError, match=r"abcd\.npy is damaged"):
        empty.get("abcd")


def test_missing_array_says_what_to_do(empty):
    with pytest.raises(DatasetError, match="prepare the data set again"):
        empty.get("abcd")


@pytest.mark.parametrize("spec", [GTZAN_SPEC, MUSICNN_SPEC], ids=["gtzan", "musicnn"])
def test_windows_are_those_that_the_classifier_analyses(spec, monkeypatch):
    """Parity: what is trained on is what is predicted on."""
    rate_hz = spec.sample_rate_hz
    samples = music.clip(2, 1, seconds=9.7)[: int(9.7 * rate_hz)]
    head = Head(("a", "b"), "average", np.eye(2), np.zeros(2))
    seen = []

    class Session:
        def run(self, _, inputs):
            seen.append(inputs["features"])
            return [np.ones((len(seen[-1]), 2), dtype=np.float32)]

    monkeypatch.setattr(network, "onnx_session", lambda *_, **__: Session())
    Classifier(Model("x", spec, b"", head, None, 3)).embed(samples, rate_hz, count=3)
    stored = feature_store.storable(samples, spec)
    starts = windows.place(len(stored), spec.window_frames, count=3)
    trained_on = np.stack([feature_store.cut(stored, int(start), spec) for start in starts])
    difference = np.abs(np.concatenate(seen) - trained_on).max()
    assert difference < 0.05, f"{difference} dB apart"  # float16 holds -100 dB to 0.03


def test_short_track_is_repeated(empty):
    levels = np.arange(5, dtype=np.float16)[:, None] - 50
    window = feature_store.cut(levels, 0, feature_store.spec_of(empty, window_s=0.3))
    assert window.shape == (12, 1)
    np.testing.assert_allclose(window[:, 0], np.resize(np.arange(5) - 4.0, 12))


def test_mfccs_of_segments_are_librosas():
    librosa = pytest.importorskip("librosa")
    samples = music.clip(1, 2, seconds=30)
    ours = original_json.segment_mfccs(samples)
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
        with pytest.raises(DatasetError, match=r"\.npy cannot be written: File too large"):
            prepare.prepare_folder(root, out, spec=GTZAN_SPEC)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (out / index.FILE_NAME).exists()
    assert not list((out / prepare.FEATURES).rglob("*.npy"))
    assert not list(out.rglob("*.part"))
    assert len(prepare.prepare_folder(root, out, spec=GTZAN_SPEC).index.tracks) == 4
