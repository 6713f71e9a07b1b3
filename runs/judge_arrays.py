"""Classify clips that exist only as arrays, by both encoders and by the first alone.

    python runs/judge_arrays.py --tags TAGS.npz --logmel LOGMEL.npz [--model M] --json OUT

``TAGS.npz`` holds ``tags`` float32 [N, 50], the MSD_musicnn tag probabilities of windows, and
``name`` [N], the clip of each. ``LOGMEL.npz`` holds ``logmel`` uint8 [n, 128, 387], the whole clip
in 387 frames, and ``name`` [n]. A name begins with its genre (``jazz.00012``, ``jazz/12``) where
that is known. Prints accuracy, log-loss and the share called unknown; OUT is ``{name: {"genre",
"nearest", "probabilities"}}`` by both encoders.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import TonearmError
from tonearm.files import write_atomically
from tonearm.genres import find
from tonearm.model import file as model_file
from tonearm.model.file import Model
from tonearm.model.network import onnx_session
from tonearm.model.prediction import Prediction

Float32 = NDArray[np.float32]
_BATCH = 16


def read_tags(path: Path) -> dict[str, Float32]:
    """Windows [n, 50] of each clip."""
    with np.load(path) as file:
        names, tags = file["name"], file["tags"]
    return {str(name): tags[names == name] for name in dict.fromkeys(names.tolist())}


def read_texture(path: Path, model: Model) -> dict[str, Float32]:
    """Texture [1, t] of each clip, by the model's second encoder; none where it has none."""
    if model.texture is None:
        return {}
    session = onnx_session(model.texture.encoder)
    with np.load(path) as file:
        names, pictures = file["name"].tolist(), file["logmel"]
    found: dict[str, Float32] = {}
    for i in range(0, len(names), _BATCH):
        levels = pictures[i : i + _BATCH].transpose(0, 2, 1).astype(np.float32)
        texture = session.run(None, {"features": levels})[0]
        found |= dict(zip(names[i : i + _BATCH], texture[:, None], strict=True))
    return found


def classify(
    model: Model, tags: Mapping[str, Float32], texture: Mapping[str, Float32]
) -> dict[str, Prediction]:
    """A prediction for each clip of ``tags``."""
    found = {}
    for name, windows in tags.items():
        output = model.head.classify(windows, texture.get(name))
        found[name] = Prediction.of(model.labels, output.probabilities, known=output.known)
    return found


def report(what: str, predictions: Mapping[str, Prediction], labels: tuple[str, ...]) -> None:
    """Print one line of figures."""
    truth = {name: find(re.split(r"[./]", name)[0], labels) for name in predictions}
    known = {name: genre for name, genre in truth.items() if genre is not None}
    unknown = np.mean([prediction.genre is None for prediction in predictions.values()])
    line = f"{what}: n {len(predictions)}, unknown {unknown:.3f}"
    if known:
        right = np.mean([predictions[name].nearest == genre for name, genre in known.items()])
        losses = [
            -np.log(max(predictions[name].probabilities[genre], 1e-4))
            for name, genre in known.items()
        ]
        line += f", accuracy {right:.3f}, log-loss {np.mean(losses):.3f} (of {len(known)})"
    print(line)


def main() -> None:
    """Classify, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tags", type=Path, required=True)
    parser.add_argument("--logmel", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    try:
        model = model_file.load(args.model)
    except TonearmError as error:
        sys.exit(f"judge_arrays: {error}")
    tags = read_tags(args.tags)
    texture = read_texture(args.logmel, model)
    both = classify(model, tags, texture)
    report("both encoders", both, model.labels)
    report("first encoder alone", classify(model, tags, {}), model.labels)
    if missing := sorted(set(texture) ^ set(tags)):
        print(f"{len(missing)} clips are in one file only, e.g. {missing[0]}", file=sys.stderr)
    rows = {
        name: {
            "genre": prediction.genre,
            "nearest": prediction.nearest,
            "probabilities": prediction.probabilities,
        }
        for name, prediction in both.items()
    }
    write_atomically(args.json, json.dumps(rows, indent=1).encode())


if __name__ == "__main__":
    main()
