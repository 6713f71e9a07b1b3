"""Tracks of several genres: targets, loss, figures that scikit-learn reproduces, and a model."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_batches import LSTM, folder, split

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from tonearm.data import index  # noqa: E402
from tonearm.data.index import Index, Track  # noqa: E402
from tonearm.model import file as model_file  # noqa: E402
from tonearm.model.network import onnx_session  # noqa: E402
from tonearm.training import fit, several_genres  # noqa: E402
from tonearm.training.batches import Data  # noqa: E402
from tonearm.training.run import BUNDLE, METRICS, PREDICTIONS, SPLIT, Run  # noqa: E402

__all__ = ["folder"]

SEVERAL = replace(LSTM, recipe=replace(LSTM.recipe, several_genres=True))


@pytest.fixture
def of_two(folder: Path, tmp_path: Path) -> Path:
    """The folder of `test_batches`, where every second rock track is also pop."""
    made = index.load(folder)
    tracks = [
        replace(track, also=("pop",)) if track.genre == "rock" and i % 2 else track
        for i, track in enumerate(made.tracks)
    ]
    (tmp_path / "features").symlink_to(folder / "features")
    Index(tuple(tracks)).save(tmp_path / index.FILE_NAME)
    return tmp_path


def test_targets_are_all_genres_of_a_track(of_two: Path) -> None:
    data = Data(of_two, split(), SEVERAL)
    assert data.labels == ("jazz", "pop", "rock")
    both = next(e for e in data.examples("train") if e.track.also)
    alone = next(e for e in data.examples("train") if e.track.genre == "jazz")
    assert data.targets([both, alone]).tolist() == [[0, 1, 1], [1, 0, 0]]
    # Without the setting the first genre counts, and pop is no label.
    plain = Data(of_two, split(), LSTM)
    assert plain.labels == ("jazz", "rock")
    again = next(e for e in plain.examples("train") if e.track.also)
    assert plain.targets([again]).tolist() == [[0, 1]]


def test_smoothing_leans_toward_even_odds(of_two: Path) -> None:
    smooth = replace(SEVERAL, recipe=replace(SEVERAL.recipe, label_smoothing=0.2))
    _, targets = next(Data(of_two, split(), smooth).batches(smooth, seed=0, epoch=0))
    assert targets.unique().tolist() == pytest.approx([0.1, 0.9])


def test_loss_by_hand() -> None:
    truth = np.array([[True, False], [True, True]])
    values = np.array([[0.5, 0.5], [0.8, 0.4]])
    wanted = -(np.log([0.5, 0.5]).sum() + np.log([0.8, 0.4]).sum()) / 2
    assert several_genres.log_loss(truth, values) == pytest.approx(wanted)
    logits = torch.from_numpy(np.log(values / (1 - values)))
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(truth).double(), reduction="sum"
    )
    assert several_genres.log_loss(truth, values) == pytest.approx(theirs.item() / 2)


def test_average_precision_by_hand() -> None:
    truth = np.array([True, False, True, False])
    assert several_genres.average_precision(truth, np.array([0.9, 0.8, 0.7, 0.1])) == (
        pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    )
    # Without any order the precision is the share of those that are right.
    assert several_genres.average_precision(truth, np.full(4, 0.5)) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_reproduces_the_figures(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    truth = rng.random((60, 4)) < 0.4
    truth[:, 0] |= ~truth.any(axis=1)
    values = np.round(np.clip(0.5 * truth + 0.7 * rng.random((60, 4)), 0, 1), 1)  # with ties
    found = several_genres.figures(truth, values, list("abcd"), groups=[str(i) for i in range(60)])
    wanted = sklearn.average_precision_score(truth, values, average="macro")
    assert found["mean_average_precision"] == pytest.approx(wanted)
    f1 = sklearn.f1_score(truth, values >= 0.5, average="micro")
    assert found["micro_f1"] == pytest.approx(f1)
    assert found["tracks_of_several"] == int((truth.sum(axis=1) > 1).sum())


def test_a_network_of_several_genres_from_data_to_model_file(of_two: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    split().save(out / SPLIT)
    settings = {"several_genres": True, "lr": 0.01}
    fit.train(Run(str(of_two), str(out), "lstm", 2, accelerator="cpu", settings=settings))
    made = model_file.load(out / BUNDLE)
    assert made.labels == ("jazz", "pop", "rock") == made.embedding_names
    # Each genre has a probability of its own: they need not sum to 1.
    shape = (1, made.features.window_frames, made.features.mel_bands)
    (each,) = onnx_session(made.encoder).run(None, {"features": np.zeros(shape, np.float32)})
    assert each.shape == (1, 3) and (each > 0).all() and abs(each.sum() - 1) > 0.05
    # A prediction names one genre all the same.
    assert made.head.classify(each).probabilities.sum() == pytest.approx(1)
    values = json.loads((out / METRICS).read_text())["valid"]["several"]
    with (out / PREDICTIONS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    tracks = [
        Track(r["track"], r["genre"], "", "", 0, also=tuple(filter(None, r["also"].split(";"))))
        for r in rows
    ]
    assert [track.also for track in tracks] == [(), ("pop",)]
    truth = several_genres.targets(tracks, made.labels)
    numbers = np.array([[float(row[label]) for label in made.labels] for row in rows])
    assert several_genres.log_loss(truth, numbers) == pytest.approx(values["log_loss"], rel=1e-6)
