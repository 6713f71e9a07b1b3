"""The end of a training run: calibrate, export, prove the export equal, save; and the curves.

The temperature and, with patience, the epoch are chosen on the validation part, so that its
figures are a little too good: ``metrics.json`` says so. Test parts are for `evaluate`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from tonearm import bundle, metrics
from tonearm.bundle import Bundle
from tonearm.data.splits import SEGMENTS
from tonearm.head import Head
from tonearm.models import Model
from tonearm.training import fit
from tonearm.training.examples import Data
from tonearm.training.export import check_parity, to_onnx

if TYPE_CHECKING:
    from tonearm.training.fit import Found, Row, Run

_TOLERANCE = 1e-4
_TEMPERATURES = np.geomspace(0.2, 5, 121)
_NOTICE = "Trained from scratch with Tonearm; no other weights are in it.\n"


def finish(run: Run, model: Model, data: Data, net: nn.Module, history: Sequence[Row]) -> None:
    """Write ``model.tonearm``, ``metrics.json`` and ``curves.png`` of a trained net."""
    out = Path(run.out)
    found = fit.predict_part(net, data, "valid")
    head = _head(data.labels, found)
    listener = nn.Sequential(net, nn.Softmax(1)).eval()
    example = data.windows(data.examples("valid")[:4])
    onnx_bytes = to_onnx(listener, example)
    difference = check_parity(listener, onnx_bytes, example, tolerance=_TOLERANCE)
    split = data.split
    used = {part: len(tracks) for part, tracks in data.parts.items() if part in ("train", "valid")}
    training = {
        "model": run.model,
        "config": vars(model.config),
        "recipe": model.recipe.to_dict(),
        "seed": run.seed,
        "epochs": len(history),
        "split": split.name,
        "split_sha256": split.sha256,
        "leaks": split.leaks,
        "tracks": used,
        "parity": difference,
    }
    figures = _figures(found, head, data.labels)
    made = Bundle(
        name=run.model,
        features=data.spec,
        listener=onnx_bytes,
        head=head,
        names=data.labels,
        windows_per_track=SEGMENTS,
        training=training,
        metrics={"valid": figures},
        notices=_NOTICE,
    )
    bundle.save(made, out / fit.BUNDLE)
    said = {
        "training": training,
        "note": "temperature and, with patience, epoch were chosen on valid",
    }
    text = json.dumps({**said, "valid": figures}, indent=1)
    fit.write(out / fit.METRICS, text.encode())
    fit.write(out / fit.CURVES, curves(history, title=f"{run.model}, split {split.name}"))


def _head(labels: tuple[str, ...], found: Found) -> Head:
    """The mean over windows with the temperature of least loss on the validation tracks."""
    k = len(labels)

    def at(temperature: float) -> Head:
        return Head(labels, "average", np.eye(k) / temperature, np.zeros(k))

    logs = np.log(np.maximum(found.track_probabilities, 1e-6))

    def loss(temperature: float) -> float:
        z = np.exp((logs - logs.max(1, keepdims=True)) / temperature)
        return metrics.log_loss(found.track_truth, z / z.sum(1, keepdims=True))

    return at(float(min(_TEMPERATURES, key=loss)))


def _figures(found: Found, head: Head, labels: tuple[str, ...]) -> dict[str, Any]:
    decided = np.stack([head.decide(row[None]).probabilities for row in found.track_probabilities])
    return {
        "tracks": metrics.evaluate(found.track_truth, decided, labels),
        "windows": metrics.evaluate(found.window_truth, found.window_probabilities, labels),
    }


def curves(history: Sequence[Row], *, title: str) -> bytes:
    """Loss and accuracy over the epochs, a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    left.plot(epochs, [row.loss for row in history], label="train")
    left.plot(epochs, [row.valid_loss for row in history], label="valid")
    left.set(xlabel="epoch", ylabel="loss (nats)")
    right.plot(epochs, [row.accuracy for row in history], label="train, windows")
    right.plot(epochs, [row.valid_accuracy for row in history], label="valid, windows")
    right.plot(epochs, [row.valid_track_accuracy for row in history], label="valid, tracks")
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
