"""Encoding and classifying: the tiny model by hand, the shipped one by its contracts."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from support.fakes import HIGH_HZ, LABELS, LOW_HZ, MIDDLE_HZ, NAMES, tiny_model
from support.sounds import Array, sweep, tone, write_av, write_sndfile

from tonearm import audio
from tonearm.errors import DecodeError, ModelError
from tonearm.model.classifier import Classifier
from tonearm.model.encoder import Embeddings
from tonearm.model.network import onnx_session

RATE = 22_050


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


@pytest.fixture(scope="module")
def medley(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute each of a low, a high and a middle tone, stereo, 44.1 kHz."""
    mono = np.concatenate([tone(hz, 30, 44_100) for hz in (LOW_HZ, HIGH_HZ, MIDDLE_HZ)])
    path = tmp_path_factory.mktemp("medley") / "medley.flac"
    return write_sndfile(path, np.stack([mono, 0.5 * mono], axis=1), 44_100)


def close(one: Embeddings, other: Embeddings, *, within: float = 1e-5) -> None:
    assert one.values.shape == other.values.shape
    assert np.array_equal(one.starts_s, other.starts_s)
    worst = np.abs(one.values - other.values).max()
    assert worst <= within, f"windows {worst:.1e} apart"


@pytest.mark.parametrize(
    ("hz", "genre", "name"),
    [(LOW_HZ, "blues", "low"), (MIDDLE_HZ, "jazz", "middle"), (HIGH_HZ, "metal", "high")],
)
def test_a_tone_is_recognised(
    hz: float, genre: str, name: str, tiny: Classifier, tmp_path: Path
) -> None:
    path = write_sndfile(tmp_path / "a.wav", tone(hz, 20, RATE), RATE)
    embeddings = tiny.embed(path)
    assert embeddings.duration_s == 20
    assert embeddings.values.dtype == np.float32 and embeddings.values.shape == (4, 3)
    assert embeddings.names == NAMES and embeddings.warnings == ()
    assert next(iter(embeddings.tags())) == name
    prediction = tiny.classify(embeddings)
    assert prediction.genre == prediction.nearest == genre
    assert (prediction.path, prediction.duration_s) == (str(path), 20)
    assert prediction.confidence > 0.99
    assert prediction.timeline == []
    assert tiny.predict(path) == prediction


def test_silence_is_unknown(tiny: Classifier) -> None:
    embeddings = tiny.embed(np.zeros(5 * RATE, np.float32), RATE)
    np.testing.assert_allclose(embeddings.values, 1 / 3, atol=1e-6)
    prediction = tiny.classify(embeddings.values)
    assert prediction.genre is None
    assert prediction.nearest in LABELS
    assert prediction.confidence == pytest.approx(1 / 3, abs=1e-4)


def test_prediction_is_ranked_and_whole(tiny: Classifier) -> None:
    prediction = tiny.classify(np.array([[0.2, 0.5, 0.3]]))
    assert list(prediction.probabilities) == ["jazz", "metal", "blues"]
    # softmax of 8 times the windows.
    odds = np.exp([4.0, 2.4, 1.6])
    np.testing.assert_allclose(
        list(prediction.probabilities.values()), odds / odds.sum(), atol=5e-5
    )
    assert prediction.confidence == prediction.probabilities["jazz"]
    assert prediction.to_dict()["timeline"] == []


def test_windows_lie_where_they_are_said_to(tiny: Classifier, medley: Path) -> None:
    embeddings = tiny.embed(medley, count=9)
    thirds = (embeddings.starts_s + 1.5) // 30
    assert embeddings.values.argmax(axis=1).tolist() == [[0, 2, 1][int(third)] for third in thirds]
    np.testing.assert_allclose(embeddings.starts_s, np.arange(9) * 10 + 5 - 1.496, atol=0.02)


def test_timeline(tiny: Classifier, medley: Path) -> None:
    prediction = tiny.predict(medley, timeline=True)
    assert [part.genre for part in prediction.timeline] == ["blues", "metal", "jazz"]
    edges = [part.start_s for part in prediction.timeline] + [prediction.timeline[-1].end_s]
    np.testing.assert_allclose(edges, [0, 30, 60, 90], atol=3.1)
    assert edges[0] == 0 and edges[-1] == 90
    assert all(part.confidence > 0.8 for part in prediction.timeline)
    assert prediction.to_dict()["timeline"][0]["genre"] == "blues"


@pytest.mark.parametrize(("count", "n"), [(1, 1), (7, 7), (None, 4), ("all", 31), (999, 31)])
def test_count_of_windows(count: int | str | None, n: int, tiny: Classifier, medley: Path) -> None:
    embeddings = tiny.embed(medley, count=count)
    assert len(embeddings.values) == len(embeddings.starts_s) == n
    assert (np.diff(embeddings.starts_s) > 0).all()
    assert embeddings.starts_s[-1] + tiny.model.features.window_s <= embeddings.duration_s + 0.02


def test_a_timeline_has_a_window_each_second(tiny: Classifier, medley: Path) -> None:
    embeddings = tiny.embed(medley, timeline=True)
    assert np.diff(embeddings.starts_s)[:-1].max() <= 1.0  # the last ends with the track
    assert len(embeddings.values) == 89
    assert (embeddings.values.argmax(axis=1)[[0, 44, 88]] == [0, 2, 1]).all()


def stopping_at(model: Classifier, confidence: float) -> Classifier:
    return Classifier(replace(model.model, stop_confidence=confidence))


def test_analyses_until_it_is_confident(tiny: Classifier) -> None:
    low, high = tone(LOW_HZ, 30, RATE), tone(HIGH_HZ, 30, RATE)
    same, halves = np.concatenate([low, low]), np.concatenate([low, high])
    everything = tiny.embed(same, RATE)
    few = stopping_at(tiny, 0.9).embed(same, RATE)
    assert (len(everything.values), len(few.values)) == (4, 2)
    np.testing.assert_array_equal(few.starts_s, everything.starts_s[1:3])
    np.testing.assert_allclose(few.values, everything.values[1:3], atol=1e-5)
    assert few.duration_s == everything.duration_s == 60
    # Half one genre, half another: it never gets confident.
    assert len(stopping_at(tiny, 0.9).embed(halves, RATE).values) == 4


def test_a_count_that_is_asked_for_is_analysed(tiny: Classifier, medley: Path) -> None:
    assert len(stopping_at(tiny, 0.4).embed(medley, count=3).values) == 3
    assert len(stopping_at(tiny, 0.4).embed(medley, count="all").values) == 31


def test_a_quiet_track_is_analysed_whole(tiny: Classifier) -> None:
    samples = tone(LOW_HZ, 60, RATE)
    assert len(stopping_at(tiny, 0.4).embed(samples, RATE).values) == 2
    assert len(stopping_at(tiny, 0.4).embed(samples * 0.001, RATE).values) == 4


def test_levels_above_minus_32_dbfs_are_left_as_they_are(shipped: Classifier) -> None:
    """The encoder is sensitive to level: GTZAN's own clips (from -31.2 dBFS) stay untouched."""
    rate_hz = shipped.model.features.sample_rate_hz
    noise = np.random.default_rng(0).normal(0, 1, 9 * rate_hz)
    far_down, below, above = (
        shipped.embed(np.float32(noise * 10 ** (db / 20)), rate_hz, count="all").values
        for db in (-40, -32.7, -31.3)
    )
    np.testing.assert_allclose(far_down, below, atol=1e-4)
    assert np.abs(above - below).max() > 0.01


def test_a_quiet_beginning_lifts_no_loud_track(shipped: Classifier) -> None:
    spec = shipped.model.features
    rng = np.random.default_rng(0)
    window = rng.normal(0, 0.1, spec.window_frames * spec.hop_samples).astype(np.float32)
    track = np.tile(window, 112)
    track[: 100 * len(window)] *= 0.01
    embeddings = shipped.embed(track, spec.sample_rate_hz, count="all")
    alone = shipped.embed(np.tile(window, 3), spec.sample_rate_hz, count="all")
    np.testing.assert_allclose(embeddings.values[110], alone.values[1], atol=1e-5)


def test_an_end_that_is_missing_is_noticed(tiny: Classifier, tmp_path: Path) -> None:
    # Cut behind the windows that are analysed: only a look at the end shows it.
    path = write_sndfile(tmp_path / "a.flac", sweep(60, RATE), RATE)
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * 0.95)])
    embeddings = stopping_at(tiny, 0.1).embed(path)
    assert len(embeddings.values) == 2
    assert len(embeddings.warnings) == 1 and "of 60.0 s" in embeddings.warnings[0]
    assert 50 < embeddings.duration_s < 59


def test_file_is_array(tiny: Classifier, shipped: Classifier, medley: Path) -> None:
    decoded = audio.decode(medley)
    for classifier in (tiny, shipped):
        from_array = classifier.embed(decoded.samples, decoded.sample_rate_hz, count=6)
        close(classifier.embed(medley, count=6), from_array)


def test_windows_in_pieces_are_the_whole(tiny: Classifier) -> None:
    # 40 windows are read in three pieces; each by itself must say the same.
    rate = 16_000
    samples = sweep(40 * 187 * 256 / rate, rate)
    whole = tiny.embed(samples, rate, count="all")
    assert len(whole.values) == 41  # one frame is left over, and has a window that ends with it
    for i in (0, 1, 15, 16, 17, 31, 32, 39):
        # A little more on both sides, so that the frames at the edges are whole.
        begin = max(0, i * 187 * 256 - 512)
        alone = tiny.embed(samples[begin : (i + 1) * 187 * 256 + 256], rate, count="all")
        which = 0 if i == 0 else int(np.argmin(np.abs(alone.starts_s - 512 / rate)))
        if alone.starts_s[which] * rate == (i * 187 * 256 - begin):
            worst = np.abs(alone.values[which] - whole.values[i]).max()
            assert worst < 1e-4, f"window {i} is {worst:.1e} off"


def test_chunked_is_whole(tiny: Classifier, medley: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny.embed(medley, count="all")
    for windows in (1, 3, 1_000):
        monkeypatch.setattr("tonearm.model.track._READ_WINDOWS", windows)
        close(tiny.embed(medley, count="all"), whole)


def test_containers_say_nearly_the_same(shipped: Classifier, tmp_path: Path) -> None:
    music = sweep(12.0, 44_100)
    truth = shipped.embed(music, 44_100).values
    write_sndfile(tmp_path / "a.mp3", music, 44_100)
    write_av(tmp_path / "a.m4a", music, 44_100, codec="aac", container="ipod", bit_rate=128_000)
    for name in ("a.mp3", "a.m4a"):
        worst = np.abs(shipped.embed(tmp_path / name).values[: len(truth)] - truth).mean()
        assert worst < 0.02, f"{name}: tags {worst:.3f} apart"


def test_eight_threads_say_the_same(shipped: Classifier, medley: Path) -> None:
    fresh = Classifier.load()  # its session does not exist yet: all eight want it at once
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fresh.embed(medley, count=2), range(8)))
    truth = shipped.embed(medley, count=2)
    for embeddings in answers:
        assert np.array_equal(embeddings.values, truth.values)


def test_progress_rises_to_one(tiny: Classifier, medley: Path) -> None:
    reported: list[float] = []
    tiny.embed(medley, count="all", on_progress=reported.append)
    assert reported == sorted(reported) and reported[-1] == 1 and len(reported) > 1


@pytest.mark.parametrize("seconds", [0.5, 0.51, 1.0, 2.9, 2.98, 3.0, 3.01, 5.9])
def test_short_sounds(seconds: float, tiny: Classifier) -> None:
    for rate in (8_000, 16_000, 44_100):
        embeddings = tiny.embed(tone(MIDDLE_HZ, seconds, rate), rate)
        assert len(embeddings.values) == (1 if seconds < 2.99 else 2)
        assert tiny.classify(embeddings.values).genre == "jazz", f"{seconds} s at {rate} Hz"
        assert embeddings.duration_s == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize("samples", [1, 100, RATE // 2 - 1])
def test_too_short(samples: int, tiny: Classifier, tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "a.wav", np.ones(samples, np.float32), RATE)
    with pytest.raises(DecodeError, match=f"too short.*{samples:,} sample") as caught:
        tiny.embed(path)
    assert caught.value.kind == "too-short"
    with pytest.raises(DecodeError, match="too short"):
        tiny.embed(np.zeros(samples, np.float32), RATE)


def test_nothing_at_all(tiny: Classifier) -> None:
    with pytest.raises(DecodeError):
        tiny.embed(np.zeros(0, np.float32), RATE)


def test_a_truncated_file_is_analysed_as_far_as_it_goes(
    tiny: Classifier, medley: Path, tmp_path: Path
) -> None:
    data = medley.read_bytes()
    path = tmp_path / "cut.flac"
    path.write_bytes(data[: len(data) // 3])
    for count in (None, "all"):
        embeddings = tiny.embed(path, count=count)
        assert 5 < embeddings.duration_s < 60
        assert embeddings.starts_s[-1] < embeddings.duration_s
        assert len(embeddings.warnings) == 1 and "of 90.0 s" in embeddings.warnings[0]
        assert tiny.classify(embeddings.values[:1]).genre == "blues"


def test_sounds_that_are_not_numbers(tiny: Classifier) -> None:
    samples = tone(LOW_HZ, 6, RATE)
    samples[::1_000] = np.nan
    samples[1::5_000] = np.inf
    embeddings = tiny.embed(samples, RATE)
    assert np.isfinite(embeddings.values).all()
    assert tiny.classify(embeddings.values).nearest == "blues"


def test_integers_and_lists_are_taken(tiny: Classifier) -> None:
    assert tiny.classify(np.array([[1, 0, 0]])).genre == "blues"
    assert tiny.classify(np.array([[1, 0, 0]], dtype=np.float64)).genre == "blues"


@pytest.mark.parametrize(
    "windows",
    [
        np.zeros((0, 3)),
        np.zeros(3),
        np.zeros((2, 4)),
        np.zeros((1, 2, 3)),
        np.zeros((2, 0)),
        np.full((2, 3), np.nan),
        np.array([[0.1, np.inf, 0.1]]),
    ],
)
def test_windows_that_do_not_fit(windows: Array, tiny: Classifier) -> None:
    with pytest.raises(ModelError):
        tiny.classify(windows)


def test_windows_that_are_no_probabilities_where_the_encoder_gives_them(
    shipped: Classifier,
) -> None:
    d = shipped.model.head.dimensions
    for windows in (np.full((2, d), -0.1), np.full((2, d), 0.1) * 100):
        with pytest.raises(ModelError, match="gives probabilities"):
            shipped.classify(windows)


def test_an_encoder_that_is_not_a_network(medley: Path) -> None:
    broken = Classifier(replace(tiny_model(), encoder=b"no network"))
    with pytest.raises(ModelError, match="cannot be loaded"):
        broken.embed(medley)
    with pytest.raises(ModelError, match="cannot be loaded"):
        onnx_session(b"")


def test_classifying_needs_no_encoder() -> None:
    broken = Classifier(replace(tiny_model(), encoder=b"no network"))
    assert broken.classify(np.array([[1.0, 0, 0]])).genre == "blues"


@pytest.mark.parametrize(
    ("samples", "rate_hz", "said"),
    [
        (np.zeros((2, RATE, 2), np.float32), RATE, "is not audio"),
        (np.zeros((200, RATE), np.float32), RATE, "is not audio"),
        (np.zeros((0, 2), np.float32), RATE, "is not audio"),
        (np.zeros(RATE, bool), RATE, "bool is not audio"),
        (np.full(RATE, 32_000.0), RATE, r"reach 32000; floats must lie in -1\.\.1"),
        (np.zeros(RATE, np.float32), 0, "1,000 to 6,144,000 Hz, not 0"),
        (np.zeros(RATE, np.float32), 44.1, "1,000 to 6,144,000 Hz, not 44.1"),
        (np.zeros(RATE, np.float32), 1e9, "1,000 to 6,144,000 Hz, not 1000000000"),
        (np.zeros(RATE, np.float32), None, "1,000 to 6,144,000 Hz, not None"),
        (np.zeros(RATE, np.float32), float("nan"), "1,000 to 6,144,000 Hz, not nan"),
    ],
)
def test_arrays_that_are_not_audio(
    samples: Array, rate_hz: int, said: str, tiny: Classifier
) -> None:
    with pytest.raises(ValueError, match=said):
        tiny.embed(samples, rate_hz)


def test_arguments_that_are_none(tiny: Classifier, medley: Path, model_path: Path) -> None:
    for count in (0, -1, "few", 2.5, True):
        with pytest.raises(ValueError, match="1 or more, or 'all'"):
            tiny.embed(medley, count=count)
    assert len(tiny.embed(medley, count=np.int64(2)).values) == 2, "a number of NumPy's is one"
    for threads in (0, -3, "x"):
        with pytest.raises(ValueError, match="must be a whole number, 1 or more"):
            Classifier.load(model_path, threads=threads)
    for rate in ("44100", True):
        with pytest.raises(TypeError, match="a sample rate is a number of Hertz"):
            tiny.predict(np.zeros(44_100, np.float32), rate)
    with pytest.raises(TypeError, match=r"see Classifier\.load"):
        Classifier(model_path)
    for thing in (None, 3, np.float32(1)):
        with pytest.raises(TypeError, match="neither a path, a file open as 'rb', nor samples"):
            tiny.predict(thing, 44_100)
    with pytest.raises(ModelError, match="array of windows"):
        tiny.classify("jazz")
    with pytest.raises(ValueError, match="need Embeddings"):
        tiny.classify(tiny.embed(medley).values, timeline=True)
    with pytest.raises(ValueError, match="states its own sample rate"):
        tiny.embed(medley, 44_100)


def test_samples_of_any_float_at_any_rate(tiny: Classifier) -> None:
    low = tone(LOW_HZ, 5, RATE)
    embeddings = tiny.embed(low, RATE)
    close(embeddings, tiny.embed(low.astype(np.float64), float(RATE)))


def test_a_classifier_can_be_pickled(tiny: Classifier, medley: Path) -> None:
    truth = tiny.predict(medley)  # its session exists now, and cannot be pickled itself
    again = pickle.loads(pickle.dumps(tiny))
    assert again.predict(medley) == truth
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(tiny.predict, medley).result() == truth
