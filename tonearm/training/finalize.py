"""The end of a training run: predict a subset, calibrate, export to ONNX, check parity, save.

The temperature and, with patience, the epoch are chosen on the validation subset, so that its
figures are a little too good: ``metrics.json`` says so. Test subsets are for `evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tonearm import metrics
from tonearm.data.groups import without_artist
from tonearm.data.splits import EXCERPTS
from tonearm.model import file as model_file
from tonearm.model.file import Model
from tonearm.model.head import Head
from tonearm.model.votes import calibrated
from tonearm.nets import Architecture
from tonearm.training import charts, learnt_sounds, settings, several_genres
from tonearm.training.batches import Data
from tonearm.training.export import check_parity, to_onnx
from tonearm.training.learnt_sounds import LearntSounds
from tonearm.training.predictions import write_predictions
from tonearm.training.report_charts import curves
from tonearm.training.run import BUNDLE, CURVES, METRICS, PREDICTIONS, Row, Run, write

_BATCH = 64  # windows at once
# Of probabilities, by float32 on two engines: 2e-7 for most networks, up to 8e-4 for a discriminant
# of genres that lie far apart, whose logits are large. A wrong export differs by tenths.
_TOLERANCE = 2e-3
# By trial: of one number a hundred values are quicker than a minimiser, and cannot fail.
_TEMPERATURES = np.geomspace(0.2, 5, 121)
_NOTICE = "Trained from scratch with Tonearm; no other weights are in it.\n"


@dataclass(frozen=True)
class Several:
    """Which genres tracks have and the probability of each by itself, both [tracks, labels]."""

    truth: several_genres.Marks
    values: metrics.Floats


@dataclass(frozen=True)
class Found:
    """Probabilities of windows [n, labels] and of tracks, with the true classes.

    Groups are those that no split divides: intervals are by group.

    Parameters
    ----------
    window_truth, window_probabilities : int64 [m], float64 [m, k]
        Right class and probabilities of each window.
    track_truth, track_probabilities : int64 [n], float64 [n, k]
        The same of each track, by the mean of its windows.
    window_groups, track_groups : tuple of str [m], [n]
        Artist, or whatever no split divides.
    tracks : tuple of str [n]
        Names of the tracks.
    several : Several or None
        Where a track may have several genres.
    """

    window_truth: metrics.Classes
    window_probabilities: metrics.Floats
    track_truth: metrics.Classes
    track_probabilities: metrics.Floats
    window_groups: tuple[str, ...]
    track_groups: tuple[str, ...]
    tracks: tuple[str, ...]
    several: Several | None = None  # where a track may have several genres


def predict_subset(net: nn.Module, data: Data, subset: str) -> Found:
    """Run a net over the windows of a subset; a track is the mean of its windows.

    Parameters
    ----------
    net : Module
        The trained network.
    data : Data
        The data set of the run.
    subset : str
        Which of its tracks.
    """
    device = next(net.parameters()).device
    examples = data.examples(subset)
    pieces = []
    with torch.no_grad():
        for begin in range(0, len(examples), _BATCH):
            logits: Tensor = net(data.windows(examples[begin : begin + _BATCH]).to(device))
            # In double precision on the processor: Apple's devices have none.
            pieces.append(_activation(data)(logits.cpu().double()).numpy())
    probabilities = np.concatenate(pieces)  # (windows, labels)
    # In the order of first appearance, which is that of the subset.
    names = list(dict.fromkeys(example.track.name for example in examples))
    place = {name: i for i, name in enumerate(names)}
    owner = np.array([place[example.track.name] for example in examples])  # track of each window
    truth = np.array([example.label for example in examples], dtype=np.int64)
    # Mean of probabilities over each track's windows: [tracks, labels].
    sums = np.zeros((len(names), len(data.labels)))
    np.add.at(sums, owner, probabilities)
    counts = np.bincount(owner)  # windows of each track
    track_truth = np.zeros(len(names), dtype=np.int64)
    # All windows of a track have its genre, so whichever writes last is right.
    track_truth[owner] = truth
    means = sums / counts[:, None]
    tracks = {example.track.name: example.track for example in examples}
    several = None
    if data.several:
        marks = several_genres.targets([tracks[name] for name in names], data.labels)
        several = Several(marks, means)
        # One genre is still named, as the head of the model file does: by their shares.
        probabilities, means = map(several_genres.normalised, (probabilities, means))
    return Found(
        truth,
        probabilities,
        track_truth,
        means,
        tuple(example.track.group for example in examples),
        tuple(tracks[name].group for name in names),
        tuple(names),
        several,
    )


def _activation(data: Data) -> nn.Module:
    """From logits to probabilities: of one genre, or of each by itself."""
    return nn.Sigmoid() if data.several else nn.Softmax(1)


def finish(
    run: Run, model: Architecture, data: Data, net: nn.Module, history: Sequence[Row]
) -> None:
    """Write the model file of a trained net, its figures, predictions and curves.

    Parameters
    ----------
    run : Run
        Settings, and the folder to write to.
    model : Architecture
        The architecture with its settings.
    data : Data
        Its valid subset calibrates the head and is measured on.
    net : Module
        With the weights to keep, in evaluation mode, on the processor.
    history : sequence of Row
        An epoch each.
    """
    out = Path(run.out)
    found = predict_subset(net, data, "valid")
    head = _head(data.labels, found)
    # The exported network gives probabilities, which are its embeddings: the head averages them.
    encoder = nn.Sequential(net, _activation(data)).eval()
    # A few windows are enough: an export that is wrong is wrong everywhere.
    example = data.windows(data.examples("valid")[:4])
    onnx_bytes = to_onnx(encoder, example)
    # Before anything is written: a model file that answers otherwise than it was measured is none.
    difference = check_parity(encoder, onnx_bytes, example, tolerance=_TOLERANCE)
    training = _training(run, model, data, epochs=len(history), parity=difference)
    # With the head, as `predict` will answer; its temperature was chosen on these very tracks.
    figures = _figures(found, head, data.labels)
    made = Model(
        name=run.model,
        features=data.spec,
        encoder=onnx_bytes,
        head=head,
        embedding_names=data.labels,
        windows_per_track=EXCERPTS,
        training=training,
        metrics={"valid": figures},
        notices=_NOTICE,
    )
    model_file.save(made, out / BUNDLE)
    said = {
        "training": {k: v for k, v in training.items() if k != learnt_sounds.FIELD},
        "note": "temperature and, with patience, epoch were chosen on valid; log loss and "
        "calibration of tracks are with the temperature, "
        f"{PREDICTIONS} and the figures of windows without it",
    }
    text = json.dumps({**said, "valid": figures}, indent=1)
    by_name = {track.name: track for track in data.subsets["valid"]}
    values = found.track_probabilities if found.several is None else found.several.values
    tracks = [by_name[name] for name in found.tracks]
    write_predictions(out / PREDICTIONS, tracks, data.labels, values)
    drawn = curves(_columns(history)).values()
    sheet = charts.sheet(list(drawn), title=f"{run.model}, split {data.split.name}")
    write(out / CURVES, sheet.encode("utf-8", "backslashreplace"))
    write(out / METRICS, text.encode())  # last: a run with its figures is whole


def _training(
    run: Run, model: Architecture, data: Data, *, epochs: int, parity: float
) -> dict[str, Any]:
    """How a network was trained: what its model file says of it."""
    split = data.split
    # Test tracks were neither learnt from nor chosen on.
    used = {
        subset: len(tracks)
        for subset, tracks in data.subsets.items()
        if subset in ("train", "valid")
    }
    return {
        "model": run.model,
        "config": settings.sizes_of(model),
        "recipe": model.recipe.to_dict(),
        "window_s": model.window_s,
        **({"code_sha256": run.code_sha256} if run.code_sha256 else {}),
        "seed": run.seed,
        "patience": run.patience,
        "epochs": epochs,
        "split": split.name,
        "split_sha256": split.sha256,
        "leaks": split.leaks,
        "tracks": used,
        "artist_unknown": without_artist(
            track.group for subset in used for track in data.subsets[subset]
        ).total(),
        "parity": parity,
        learnt_sounds.FIELD: _sounds(data).to_dict(),
    }


def _sounds(data: Data) -> LearntSounds:
    """The sounds of the training subset."""
    tracks = data.subsets["train"]
    keys, lengths_s = [t.sound for t in tracks], [t.duration_s for t in tracks]
    return LearntSounds.of(keys, None, lengths_s)


def _head(labels: tuple[str, ...], found: Found) -> Head:
    """The mean over windows with the temperature of least loss on the validation tracks."""
    # A track whose genre was given no chance must not make a loss of infinity.
    logs = np.log(np.maximum(found.track_probabilities, 1e-6))

    def loss(temperature: float) -> float:
        return metrics.log_loss(found.track_truth, calibrated(logs, ((1.0, temperature),)))

    best = float(min(_TEMPERATURES, key=loss))
    # The network has voted already: the head passes its probabilities on, and calibrates.
    k = len(labels)
    return Head(labels, "average", np.eye(k), np.zeros(k), calibration=((1.0, best),))


def _columns(history: Sequence[Row]) -> dict[str, list[float]]:
    rows = [asdict(row) for row in history]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _figures(found: Found, head: Head, labels: tuple[str, ...]) -> dict[str, Any]:
    decided = np.stack(
        [head.classify(row[None]).probabilities for row in found.track_probabilities]
    )
    figures = {
        "tracks": metrics.evaluate(found.track_truth, decided, labels, groups=found.track_groups),
        "windows": metrics.evaluate(
            found.window_truth,
            found.window_probabilities,
            labels,
            groups=found.window_groups,
        ),
    }
    if found.several is not None:
        figures["several"] = several_genres.figures(
            found.several.truth, found.several.values, labels, groups=found.track_groups
        )
    return figures
