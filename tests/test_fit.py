import csv
import json
import os
import resource
import signal
import subprocess
import sys
import types
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from support import music
from support.waiting import wait_until

from tonearm.data import index, prepare, splits
from tonearm.data.index import Index
from tonearm.data.splits import Split
from tonearm.errors import DatasetError
from tonearm.features import GTZAN_SPEC
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from tonearm import nets  # noqa: E402
from tonearm.training import fit, tensorboard  # noqa: E402
from tonearm.training.batches import Data  # noqa: E402
from tonearm.training.run import (  # noqa: E402
    BUNDLE,
    CHECKPOINT,
    CURVES,
    HISTORY,
    METRICS,
    PREDICTIONS,
    RUN,
    SPLIT,
    Run,
)

EPOCHS = 6
# A third of the frames: the tests take a third of the time.
COARSE = replace(GTZAN_SPEC, hop_samples=1_708, window_frames=38)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two genres that are easy to distinguish, ten clips each."""
    root = tmp_path_factory.mktemp("data")
    music.folder(root / "music", ["bass", "treble"], 10, seconds=6)
    made = prepare.prepare_folder(root / "music", root / "prepared", spec=COARSE, jobs=2)
    assert len(made.index.tracks) == 20
    return root / "prepared"


def _run(data, out, **asked) -> Run:
    out.mkdir(exist_ok=True)
    splits.make("grouped", index.load(data)).save(out / SPLIT)
    values = {"epochs": EPOCHS, "accelerator": "cpu", "model": "lstm"} | asked
    return Run(str(data), str(out), **values)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    fit.train(_run(data, out))
    return out


def _history(out):
    with (out / HISTORY).open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_loss_falls_and_everything_is_written(whole):
    rows = _history(whole)
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    drawn = ElementTree.parse(whole / CURVES)
    assert len(drawn.findall(".//{*}polyline")) > 5
    assert drawn.getroot()[0].text == "lstm, split grouped-0"
    values = json.loads((whole / METRICS).read_text())
    assert values["training"]["split_sha256"] == splits.load(whole / SPLIT).sha256
    assert values["training"]["parity"] < 1e-4
    head = model_file.load(whole / BUNDLE).head
    assert np.array_equal(head.weight, np.eye(2)), "the temperature stands in two places"
    ((share, temperature),) = head.calibration
    assert share == 1 and temperature != 1


def test_bundle_predicts_files_at_once(whole, tmp_path):
    clf = Classifier.load(whole / BUNDLE)
    assert clf.model.labels == ("bass", "treble")
    for genre, label in enumerate(clf.model.labels):
        path = music.write(tmp_path / f"{label}.wav", music.clip(genre, 500, seconds=6))
        found = clf.predict(path)
        assert found.nearest == label
        assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-3)


def test_same_seed_same_bytes_other_seed_other_bytes(data, whole, tmp_path):
    fit.train(_run(data, tmp_path / "again"))
    fit.train(_run(data, tmp_path / "other", seed=1))
    first = (whole / BUNDLE).read_bytes()
    assert (tmp_path / "again" / BUNDLE).read_bytes() == first
    assert (tmp_path / "other" / BUNDLE).read_bytes() != first


_TRAIN = """
import json, sys
import torch
torch.set_num_threads(1)
from tonearm.training import fit
from tonearm.training.run import Run
run = Run(**json.loads(sys.argv[1]))
fit.train(run)
"""


def test_killed_run_goes_on_with_the_same_bits(data, whole, tmp_path):
    """kill -9 while it trains; ``runs/stress_train.py`` does it ten times."""
    out = tmp_path / "killed"
    run = _run(data, out)
    process = subprocess.Popen([sys.executable, "-c", _TRAIN, json.dumps(vars(run))])
    wait_until(lambda: process.poll() is not None or (out / CHECKPOINT).exists())
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 1 <= len(_history(out)) < EPOCHS
    fit.train(run, resume=True)
    assert _history(out) == _history(whole)
    assert (out / BUNDLE).read_bytes() == (whole / BUNDLE).read_bytes()


def test_two_processes_learn_what_one_does(data, whole, tmp_path):
    fit.train(_run(data, tmp_path / "two", devices=2, epochs=2))
    for one, two in zip(_history(whole)[:2], _history(tmp_path / "two"), strict=True):
        worst = max(abs(one[key] - two[key]) for key in ("loss", "valid_loss"))
        assert worst < 1e-4, f"epoch {one['epoch']:.0f}: {worst} apart"


def test_early_end_and_the_best_epoch_is_kept(data, tmp_path, monkeypatch):
    lstm = nets.get("lstm")
    hasty = replace(lstm, recipe=replace(lstm.recipe, lr=0.03))
    monkeypatch.setattr(nets, "get", lambda _name: hasty)
    out = tmp_path / "early"
    fit.train(_run(data, out, epochs=60, patience=1))
    losses = [row["valid_loss"] for row in _history(out)]
    assert len(losses) < 60 and np.argmin(losses) == len(losses) - 2
    valid = json.loads((out / METRICS).read_text())["valid"]["windows"]
    assert valid["log_loss"] == pytest.approx(min(losses), abs=1e-6)


def test_convnet_trains_with_averaged_weights(data, tmp_path):
    fit.train(_run(data, tmp_path / "net", model="cnn", epochs=2))
    made = model_file.load(tmp_path / "net" / BUNDLE)
    assert made.features.window_frames == 128
    assert made.training["recipe"]["ema"] > 0


def test_the_learning_rate_rises_and_falls(data, tmp_path):
    recipe = nets.get("cnn").recipe
    rates = [fit.learning_rate(recipe, done) / recipe.lr for done in (0.075, 0.15, 0.575, 1)]
    np.testing.assert_allclose(rates, [0.5, 1, 0.5, 1e-4])
    constant = replace(recipe, schedule="constant")
    assert fit.learning_rate(constant, 0.075) == fit.learning_rate(constant, 1) == recipe.lr
    fit.train(_run(data, tmp_path / "net", model="cnn", epochs=4))
    found = [row["lr"] for row in _history(tmp_path / "net")]
    wanted = [fit.learning_rate(recipe, done) for done in (0.25, 0.5, 0.75, 1)]
    np.testing.assert_allclose(found, wanted)


def test_averaged_weights_follow_fast_at_first():
    assert fit.average_decay(0.99, 0) == pytest.approx(0.1)
    assert fit.average_decay(0.99, 8) == pytest.approx(0.5)
    assert fit.average_decay(0.99, 10_000) == 0.99


def test_the_mean_loss_whatever_the_number_of_processes():
    losses = torch.arange(1.0, 7.0, requires_grad=True)
    fit.batch_loss(losses.sum(), whole=6, processes=1).backward()
    alone = losses.grad.clone()
    torch.testing.assert_close(alone, torch.full((6,), 1 / 6))
    losses.grad = None
    for half in (losses[:2], losses[2:]):  # gradients of two processes, averaged
        (fit.batch_loss(half.sum(), whole=6, processes=2) / 2).backward()
    torch.testing.assert_close(losses.grad, alone)


def test_the_loss_that_is_reported_is_that_of_an_example(whole):
    """Two genres: chance is a loss of log 2, whatever the size of a batch."""
    assert 0.3 < _history(whole)[0]["loss"] < 1.2


def test_weights_decay_and_biases_do_not(data, tmp_path):
    lstm = nets.get("lstm").build(nets.get("lstm").config, bands=128, frames=38, labels=2)
    decaying, others = fit.weight_groups(lstm, 0.05)
    assert decaying["weight_decay"] == 0.05 and others["weight_decay"] == 0
    assert all(p.ndim > 1 for p in decaying["params"]) and decaying["params"]
    assert all(p.ndim == 1 for p in others["params"]) and others["params"]
    recipe = nets.get("cnn").recipe
    fit.train(_run(data, tmp_path / "net", model="cnn", epochs=1))
    state = torch.load(tmp_path / "net" / CHECKPOINT, weights_only=True)
    groups = [group["weight_decay"] for group in state["optimiser"]["param_groups"]]
    assert groups == [recipe.weight_decay, 0] and recipe.weight_decay > 0


def test_the_scaler_of_mixed_precision_is_kept(data, tmp_path, monkeypatch):
    from lightning_fabric.plugins import Precision

    loaded = []
    monkeypatch.setattr(Precision, "state_dict", lambda _self: {"scale": 1024.0})
    monkeypatch.setattr(Precision, "load_state_dict", lambda _self, state: loaded.append(state))
    run = _run(data, tmp_path / "x", epochs=1)
    fit.train(run)
    fit.train(replace(run, epochs=2), resume=True)
    assert loaded == [{"scale": 1024.0}]


def test_closed_form_is_fitted_in_one_pass(data, tmp_path):
    fit.train(_run(data, tmp_path / "net", model="gabor", epochs=5))
    rows = (tmp_path / "net" / HISTORY).read_text().splitlines()
    assert len(rows) == 2
    # The fixtures' genres differ by their sound alone: nothing is left to learn after one pass.
    assert float(dict(zip(rows[0].split(","), rows[1].split(","), strict=True))["accuracy"]) > 0.9


def test_run_in_a_folder_that_holds_one(data, whole):
    with pytest.raises(DatasetError, match=r"--resume, .* another folder with -o, or delete"):
        fit.train(_run(data, whole))


def test_resuming_something_else_is_refused(data, whole):
    with pytest.raises(DatasetError, match="holds another run"):
        fit.train(replace(_run(data, whole), seed=7), resume=True)


def test_accelerator_that_is_not_there(data, tmp_path):
    with pytest.raises(DatasetError, match="cannot train on 1 x tpu"):
        fit.train(_run(data, tmp_path / "x", accelerator="tpu"))


def test_damaged_checkpoint_is_named(data, tmp_path):
    run = _run(data, tmp_path / "x", epochs=1)
    fit.train(run)
    path = tmp_path / "x" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DatasetError, match="cannot be resumed from"):
        fit.train(replace(run, epochs=2), resume=True)


def test_one_genre_is_no_problem_to_learn(data, tmp_path):
    made = index.load(data)
    names = [track.name for track in made.tracks if track.genre == "bass"]
    split = Split("mine", {"train": tuple(names[:5]), "valid": tuple(names[5:])})
    with pytest.raises(DatasetError, match=r"only one genre \(bass\)"):
        Data(data, split, nets.get("lstm"))


def test_genre_missing_from_a_part(data):
    made = index.load(data)
    names = [track.name for track in made.tracks]
    bass = [name for name in names if name.startswith("bass")]
    split = Split("mine", {"train": tuple(names), "valid": tuple(bass)})
    with pytest.raises(DatasetError, match=r"valid subset of split .* has no track of treble"):
        Data(data, split, nets.get("lstm"))


def test_a_split_without_valid_is_refused_in_a_sentence(data):
    """Also where every genre in it has one artist, so that none is expected in valid."""
    names = [track.name for track in index.load(data).tracks]
    firsts = [next(name for name in names if name.startswith(g)) for g in ("bass", "treble")]
    with pytest.raises(DatasetError, match="no track of the valid subset of split mine is here"):
        Data(data, Split("mine", {"train": tuple(firsts)}), nets.get("lstm"))


def test_segments_of_a_split_are_the_only_ones(data):
    made = index.load(data)
    split = splits.leaking(Index(made.tracks), unit="segments")
    parts = Data(data, split, nets.get("lstm"))
    train, valid = (
        {(e.track.name, e.start) for e in parts.examples(part)} for part in ("train", "valid")
    )
    assert not train & valid
    assert {name for name, _ in train} & {name for name, _ in valid}  # as the name says


def test_full_disk_leaves_nothing_that_is_taken_for_whole(data, tmp_path):
    run = _run(data, tmp_path / "full", epochs=2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(DatasetError, match=r"checkpoint\.pt cannot be written"):
            fit.train(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    left = set(os.listdir(tmp_path / "full"))
    assert left <= {RUN, SPLIT, HISTORY}
    fit.train(run)
    assert len(_history(tmp_path / "full")) == 2


def test_rare_genres_weigh_more_when_asked(data, tmp_path, monkeypatch):
    made = index.load(data)
    bass = [track.name for track in made.tracks if track.genre == "bass"]
    treble = [track.name for track in made.tracks if track.genre == "treble"]
    rare = Split("rare", {"train": (*bass[:6], *treble[:2]), "valid": (*bass[6:], *treble[2:])})
    found = fit.class_weights(Data(data, rare, nets.get("lstm")))
    assert found.tolist() == pytest.approx([8 / 2 / 6, 8 / 2 / 2])
    assert (found[0] * 6 + found[1] * 2) / 8 == pytest.approx(1), "the learning rate would change"
    weights = []
    real = torch.nn.functional.cross_entropy
    monkeypatch.setattr(
        fit.F,
        "cross_entropy",
        lambda *a, weight=None, **k: weights.append(weight) or real(*a, weight=weight, **k),
    )
    for name, given in (("without", {}), ("with", {"class_weights": "balanced"})):
        out = tmp_path / name
        out.mkdir()
        rare.save(out / SPLIT)
        run = Run(str(data), str(out), "lstm", 1, accelerator="cpu", settings=given)
        fit.train(run)
        assert (weights[-1] is None) == (name == "without")
    assert weights[-1].tolist() == found.tolist()


def test_no_step_of_training_makes_a_double_on_a_device(data, tmp_path, monkeypatch):
    """Apple's devices have no float64; every tensor that is sent to the device here refuses it."""
    from lightning_fabric import Fabric
    from test_finalize import WithoutDoubles

    real = Fabric.to_device
    sent = []

    def to_device(self, given):
        made = real(self, given)
        if isinstance(made, torch.Tensor):
            sent.append(made.dtype)
            return made.as_subclass(WithoutDoubles)
        return made

    monkeypatch.setattr(Fabric, "to_device", to_device)
    for model, given in (("cnn", {"class_weights": "balanced", "batch": 8}), ("gabor", {})):
        fit.train(_run(data, tmp_path / model, model=model, epochs=1, settings=given))
    assert set(sent) == {torch.float32}


def test_the_history_goes_to_tensorboard_too(data, tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder):
            self.folder = folder

        def __enter__(self):
            return self

        def __exit__(self, *_):
            written.append((self.folder, "closed"))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    tensorboard.check()
    fit.train(_run(data, tmp_path / "x", epochs=2, tensorboard=True))
    rows = _history(tmp_path / "x")
    assert [step for name, _, step in filter(lambda w: w[0] == "valid_loss", written)] == [1, 2]
    wanted = {(name, row["epoch"]): row[name] for row in rows for name in row if name != "epoch"}
    found = {(name, step): value for name, value, step in (w for w in written if len(w) == 3)}
    assert found == pytest.approx(wanted)
    assert written.count((str(tmp_path / "x" / "tensorboard"), "closed")) == 2


def test_tensorboard_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(DatasetError, match=r"pip install '.*\[tensorboard\]'\. Without it"):
        tensorboard.check()


def test_predictions_give_the_figures_that_are_reported(whole):
    """Before calibration, which changes no order."""
    with (whole / PREDICTIONS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [name for name in rows[0] if name not in ("track", "group", "genre", "also")]
    right = [max(labels, key=lambda name: float(row[name])) == row["genre"] for row in rows]
    values = json.loads((whole / METRICS).read_text())["valid"]["tracks"]
    assert (len(right), np.mean(right)) == (values["n"], pytest.approx(values["accuracy"]))
    for row in rows:
        assert sum(float(row[name]) for name in labels) == pytest.approx(1, abs=1e-6)
    note = json.loads((whole / METRICS).read_text())["note"]
    assert "predictions.csv and the figures of windows without it" in note
