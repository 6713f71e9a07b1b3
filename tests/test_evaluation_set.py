"""Embeddings of the tracks of a split: from the store, from log-mel features, or from audio."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.fakes import HIGH_HZ, LABELS, LOW_HZ, MIDDLE_HZ
from support.prepared import LOW, MIDDLE, TINY, Row, chosen, embedded, evaluated, fill, saved
from support.sounds import tone, write_sndfile

from tonearm.data import prepare
from tonearm.data.splits import Split
from tonearm.errors import DatasetError
from tonearm.features import MUSICNN_SPEC
from tonearm.model.classifier import Classifier
from tonearm.model.file import Model

RATE_HZ = 16_000
# Confident enough in what two windows say alike.
HASTY = replace(TINY, stop_confidence=0.9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", TINY.encoder_sha256)


def test_audio_is_embedded_as_predict_embeds_it_and_kept(songs: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    which = chosen(songs)
    assert embedded(which, on_done=lambda *call: calls.append(call)).failed == ()
    assert calls == [], "what the data set was read with is in the store"
    embeddings = embedded(which).windows
    for genre in LABELS:
        direct = Classifier(TINY).embed(songs / genre / "song.wav").values
        np.testing.assert_array_equal(
            embeddings[f"{genre}/song.wav"], direct.astype(np.float16).astype(np.float32)
        )
    for path in songs.rglob("*.wav"):
        path.unlink()
    again = embedded(which).windows
    np.testing.assert_array_equal(again["jazz/song.wav"], embeddings["jazz/song.wav"])


def test_stored_log_mel_of_the_same_front_end_is_enough(songs: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(songs, tmp_path / "p", spec=MUSICNN_SPEC)
    direct = Classifier(TINY).embed(songs / "jazz" / "song.wav").values
    for path in songs.rglob("*.wav"):
        path.unlink()
    embeddings = embedded(chosen(tmp_path / "p")).windows["jazz/song.wav"]
    assert embeddings.shape == direct.shape
    # float16 levels, and transforms that begin elsewhere: a thousandth of a probability.
    np.testing.assert_allclose(embeddings, direct, atol=5e-3)


def test_files_that_fail_are_named_and_the_rest_is_measured(songs: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(songs, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    (songs / "jazz" / "song.wav").unlink()
    result = evaluated(tmp_path / "p", TINY)
    assert result.results[0].figures["tracks"]["n"] == 2
    ((path, reason),) = result.failed
    assert path == str(songs / "jazz" / "song.wav") and reason
    for path in songs.rglob("*.wav"):
        path.unlink()
    other = replace(TINY, features=replace(MUSICNN_SPEC, window_frames=186))
    with pytest.raises(DatasetError, match="none of the tracks could be analysed"):
        embedded(chosen(tmp_path / "p"), other)


def test_a_file_that_changed_since_it_was_prepared_is_named(songs: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(songs, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    write_sndfile(songs / "jazz" / "song.wav", tone(HIGH_HZ, 14, RATE_HZ), RATE_HZ, form="WAV")
    ((_, reason),) = evaluated(tmp_path / "p", TINY).failed
    assert reason == "has changed since it was prepared: prepare it again"


def test_arrays_of_another_encoder_are_refused(folder: Path) -> None:
    other = replace(TINY, encoder=other_encoder())
    with pytest.raises(DatasetError, match="is an array without a file"):
        embedded(chosen(folder), other)


def other_encoder() -> bytes:
    """The tiny encoder under another checksum."""
    import onnx

    loaded = onnx.load_from_string(TINY.encoder)
    loaded.producer_name = "another"
    return bytes(loaded.SerializeToString())


def test_only_the_excerpts_a_split_names(songs: Path, tmp_path: Path) -> None:
    long = np.concatenate([tone(LOW_HZ, 15, RATE_HZ), tone(HIGH_HZ, 15, RATE_HZ)])
    write_sndfile(songs / "metal" / "song.wav", long, RATE_HZ, form="WAV")
    prepare.prepare_folder(songs, tmp_path / "p", spec=MUSICNN_SPEC)

    def accuracy(*excerpts: int) -> float:
        names = tuple(f"metal/song.wav#{i}" for i in excerpts)
        split = saved(Split("leaking-segments-0", {"valid": names}), tmp_path / "s")
        windows = evaluated(tmp_path / "p", TINY, split=split).results[0].figures["windows"]
        assert windows["n"] == len(excerpts)
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


@pytest.mark.parametrize("analysed_before", [False, True])
@pytest.mark.parametrize("model", [HASTY, TINY], ids=["until confident", "all"])
def test_a_track_is_classified_as_predict_does(
    changing: Path, tmp_path: Path, analysed_before: bool, model: Model
) -> None:
    """Whichever command analyses first, and whatever head is used first."""
    said = Classifier(model).predict(changing / "blues" / "song.wav")
    prepare.prepare_folder(changing, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    if analysed_before:
        chosen(changing, model=HASTY)
    result = evaluated(tmp_path / "p", model).results[0]
    assert result.probabilities[0].max() == pytest.approx(said.confidence, abs=1e-4)
    assert (said.confidence > 0.9) is (model is HASTY), "the two ways do not differ"
    assert result.figures["windows"]["n"] == 4


def test_more_windows_than_predict_needs_are_decided_together(tmp_path: Path) -> None:
    rows = [Row("blues/a.wav", "ann", [MIDDLE, LOW, LOW, LOW, LOW, MIDDLE])]
    result = evaluated(fill(tmp_path / "d", TINY.encoder_sha256, rows), HASTY).results[0]
    together = HASTY.head.classify(np.array(rows[0].windows)).probabilities
    np.testing.assert_allclose(result.probabilities[0], together, atol=1e-4)
    assert "1 of 1 track has more windows than the 4" in result.caveats[-1].text
    few = [replace(rows[0], windows=rows[0].windows[1:5])]
    result = evaluated(fill(tmp_path / "f", TINY.encoder_sha256, few), HASTY).results[0]
    assert all("more windows" not in caveat.text for caveat in result.caveats)
