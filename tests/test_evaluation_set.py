"""Hearing the tracks of a split: from audio, stored log-mel, or the windows kept before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.fakes import HIGH_HZ, LABELS, LOW_HZ, MIDDLE_HZ
from support.prepared import LOW, MIDDLE, TINY, Row, evaluated, fill, saved
from support.sounds import tone, write_sndfile

from tonearm.data import prepare
from tonearm.data.splits import Split
from tonearm.errors import DatasetError
from tonearm.features import MUSICNN_SPEC
from tonearm.model.classifier import Classifier
from tonearm.model.file import Model
from tonearm.training import evaluation_set

RATE_HZ = 16_000
# Sure enough of what two windows say alike.
HASTY = replace(TINY, stop_confidence=0.9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", TINY.encoder_sha256)


def test_audio_is_heard_as_predict_hears_it_and_kept(songs: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(songs, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    chosen = evaluation_set.choose(tmp_path / "p", wanted=None, part="")
    told: list[int] = []
    embeddings = evaluation_set.hear(Classifier(TINY), chosen, jobs=2, on_done=told.append).windows
    assert told == [0, 0, 0]
    for genre in LABELS:
        direct = Classifier(TINY).embed(songs / genre / "song.wav").values
        np.testing.assert_array_equal(embeddings[f"{genre}/song.wav"], direct)
    for path in songs.rglob("*.wav"):
        path.unlink()
    again = evaluation_set.hear(Classifier(TINY), chosen).windows
    np.testing.assert_array_equal(again["jazz/song.wav"], embeddings["jazz/song.wav"])
    assert evaluated(tmp_path / "p", TINY).judged[0].right.all()


def test_stored_log_mel_of_the_same_front_end_is_enough(songs: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(songs, tmp_path / "p", spec=MUSICNN_SPEC)
    direct = Classifier(TINY).embed(songs / "jazz" / "song.wav").values
    for path in songs.rglob("*.wav"):
        path.unlink()
    chosen = evaluation_set.choose(tmp_path / "p", wanted=None, part="")
    embeddings = evaluation_set.hear(Classifier(TINY), chosen).windows["jazz/song.wav"]
    assert embeddings.shape == direct.shape
    # float16 levels, and transforms that begin elsewhere: a thousandth of a share.
    np.testing.assert_allclose(embeddings, direct, atol=5e-3)


def test_files_that_fail_are_named_and_the_rest_is_measured(songs: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(songs, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    (songs / "jazz" / "song.wav").unlink()
    result = evaluated(tmp_path / "p", TINY)
    assert result.judged[0].figures["tracks"]["n"] == 2
    ((path, reason),) = result.failed
    assert path == str(songs / "jazz" / "song.wav") and reason
    for path in songs.rglob("*.wav"):
        path.unlink()
    other = replace(TINY, features=replace(MUSICNN_SPEC, window_frames=186))
    chosen = evaluation_set.choose(tmp_path / "p", wanted=None, part="")
    with pytest.raises(DatasetError, match="none of 3 tracks could be heard"):
        evaluation_set.hear(Classifier(other), chosen)


def test_arrays_of_another_listener_are_refused(folder: Path) -> None:
    other = replace(TINY, encoder=TINY.encoder + b"")
    other = replace(other, features=replace(MUSICNN_SPEC, mel_high_hz=7_000))
    chosen = evaluation_set.choose(folder, wanted=None, part="")
    with pytest.raises(DatasetError, match="came as an array that this model's encoder cannot"):
        evaluation_set.hear(Classifier(other), chosen)


def test_only_the_segments_a_split_names(songs: Path, tmp_path: Path) -> None:
    long = np.concatenate([tone(LOW_HZ, 15, RATE_HZ), tone(HIGH_HZ, 15, RATE_HZ)])
    write_sndfile(songs / "metal" / "song.wav", long, RATE_HZ, form="WAV")
    prepare.prepare_folder(songs, tmp_path / "p", spec=MUSICNN_SPEC)

    def accuracy(*segments: int) -> float:
        names = tuple(f"metal/song.wav#{i}" for i in segments)
        split = saved(Split("leaking-segments-0", {"valid": names}), tmp_path / "s")
        windows = evaluated(tmp_path / "p", TINY, split=split).judged[0].figures["windows"]
        assert windows["n"] == len(segments)
        return float(windows["accuracy"])

    assert accuracy(0, 1, 2) == 0
    assert accuracy(7, 8, 9) == 1
    assert accuracy(1, 8) == 0.5


@pytest.fixture
def changing(tmp_path: Path) -> Path:
    """One track: its quarters are middle, low, low, middle."""
    quarters = [tone(hz, 6, RATE_HZ) for hz in (MIDDLE_HZ, LOW_HZ, LOW_HZ, MIDDLE_HZ)]
    path = tmp_path / "changing" / "blues" / "song.wav"
    path.parent.mkdir(parents=True)
    write_sndfile(path, np.concatenate(quarters), RATE_HZ, form="WAV")
    return tmp_path / "changing"


@pytest.mark.parametrize("heard_first", [False, True], ids=["evaluate hears", "prepare heard"])
@pytest.mark.parametrize("model", [HASTY, TINY], ids=["until sure", "all"])
def test_a_track_is_decided_as_predict_does(
    changing: Path, tmp_path: Path, heard_first: bool, model: Model
) -> None:
    """Whichever command hears first, and whatever head is the first to be judged."""
    said = Classifier(model).predict(changing / "blues" / "song.wav")
    prepare.prepare_folder(changing, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    if heard_first:
        prepare.add_embeddings(tmp_path / "p", Classifier(HASTY))
    judged = evaluated(tmp_path / "p", model).judged[0]
    assert judged.probabilities[0].max() == pytest.approx(said.confidence, abs=1e-4)
    assert (said.confidence > 0.9) is (model is HASTY), "the two ways do not differ"
    assert judged.figures["windows"]["n"] == 4


def test_more_windows_than_predict_hears_are_decided_together(tmp_path: Path) -> None:
    rows = [Row("blues/a.wav", "ann", [MIDDLE, LOW, LOW, LOW, LOW, MIDDLE])]
    judged = evaluated(fill(tmp_path / "d", TINY.encoder_sha256, rows), HASTY).judged[0]
    together = HASTY.head.classify(np.array(rows[0].windows)).probabilities
    np.testing.assert_allclose(judged.probabilities[0], together, atol=1e-6)
    assert "1 of the 1 tracks came with more windows than the 4" in judged.caveats[-1].text
    few = [replace(rows[0], windows=rows[0].windows[1:5])]
    judged = evaluated(fill(tmp_path / "f", TINY.encoder_sha256, few), HASTY).judged[0]
    assert all("more windows" not in caveat.text for caveat in judged.caveats)
