"""What workers of a cluster do in tests; imported by each of them, so kept light."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tonearm.library.file_analysis import Embed
from tonearm.model.classifier import FilePath
from tonearm.model.encoder import Embeddings

from .tasks import crash


def make_embed() -> Embed:
    """Embeddings by the name: what is called `crash` crashes, `bad` is no audio."""
    return _embed


def _embed(path: FilePath) -> Embeddings:
    name = Path(str(path)).stem
    if name.startswith("crash"):
        crash()
    if name.startswith("raise"):
        raise ValueError("a decoder nobody foresaw")
    place = sum(name.encode()) % 3
    values = np.full((2, 3), 0.1, np.float32)
    values[:, place] = 0.8
    return Embeddings(values, np.array([0.0, 3.0]), 6.0, warnings=())


class FailsAtFirst:
    """A worker of a cluster that cannot be made the first time."""

    def __init__(self, mark):
        try:
            Path(mark).touch(exist_ok=False)
        except FileExistsError:
            return
        raise RuntimeError("not yet")

    def __call__(self, batch):
        return {"twice": 2 * batch["data"]}


class Fails:
    """A worker of a cluster whose work ends with an error."""

    def __init__(self, error):
        self._error = error

    def __call__(self, batch):
        raise self._error
