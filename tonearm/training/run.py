"""A training run: what was asked for, and the files of its folder.

``run.json`` (what was asked), ``settings.toml`` (to repeat it), ``network.py`` (of a network from a
file), ``split.txt``, ``checkpoint.pt`` (written whole after each epoch), ``history.csv``, and at
the end ``curves.svg``, ``model.tonearm``, ``predictions.csv`` (of the validation subset) and
``metrics.json``. Must not import torch: the command line and `evaluate` read these without it.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tonearm.errors import DatasetError, writing
from tonearm.files import write_atomically

RUN, SPLIT, CHECKPOINT = "run.json", "split.txt", "checkpoint.pt"
TRIALS = "trials.json"  # of folds and seeds, see `training.trials`
SPLIT_TABLE = "split.csv"  # the same split for other programs: path,split
SETTINGS, CODE, PREDICTIONS = "settings.toml", "network.py", "predictions.csv"
HISTORY, CURVES, METRICS, BUNDLE = "history.csv", "curves.svg", "metrics.json", "model.tonearm"
# As Lightning Fabric names them.
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
History = Mapping[str, Sequence[float]]  # columns of history.csv


@dataclass(frozen=True)
class Run:
    """What was asked for.

    Parameters
    ----------
    data, out : str
        The prepared folder, and the run's own.
    model : str
        Name in the registry, or ``FILE.py:CLASS``.
    epochs : int
        Passes over the training subset.
    seed : int
        Of first weights, batches, crops and dropout.
    devices : int
        Processes, each with a device of its own.
    accelerator : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    precision : str
        ``bf16-mixed`` halves the time on GPUs that have it; on processors it gains nothing.
    patience : int
        Epochs without a better validation loss before the end; 0 for no early end.
    settings : dict
        What was set of the recipe, the sizes and the window, by name.
    code_sha256 : str
        Of ``network.py``; empty for an architecture of the package.
    tensorboard : bool
        Also write the history for TensorBoard.
    """

    data: str
    out: str
    model: str
    epochs: int
    seed: int = 0
    devices: int = 1
    accelerator: str = "auto"
    precision: Precision = "32-true"
    patience: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    code_sha256: str = ""
    tensorboard: bool = False


@dataclass(frozen=True)
class Row:
    """One epoch, a line of ``history.csv``.

    Parameters
    ----------
    epoch : int
        From 1 on.
    loss, accuracy : float
        Mean over the examples of the epoch, while it learnt.
    valid_loss, valid_accuracy : float
        Of the windows of the validation subset, after it.
    valid_track_accuracy : float
        Of its tracks, by the mean of their windows.
    lr : float
        Learning rate of the last step.
    """

    epoch: int
    loss: float
    accuracy: float
    valid_loss: float
    valid_accuracy: float
    valid_track_accuracy: float
    lr: float


def read(out: Path) -> Run:
    """What was asked for of the run in a folder; DatasetError where there is none.

    Parameters
    ----------
    out : Path
        The folder of a run.
    """
    try:
        # TypeError: a run of another version has other fields.
        return Run(**json.loads((out / RUN).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        raise DatasetError(f"there is no run to resume in {out}") from None


def refuse_begun(out: Path) -> None:
    """DatasetError where a folder holds a run, finished or not: a new one would destroy it.

    Parameters
    ----------
    out : Path
        The folder of a new run.
    """
    # Settings alone are no run: one that was refused before its first epoch leaves them behind.
    if (out / CHECKPOINT).exists() or (out / TRIALS).exists():
        raise DatasetError(
            f"{out} holds a run already: continue it with --resume, name another folder with -o, "
            "or delete this one"
        )


def read_history(path: str | os.PathLike[str]) -> dict[str, list[float]] | None:
    """Columns of the ``history.csv`` next to a model file; None where there is none to be read.

    Parameters
    ----------
    path : Path
        A ``history.csv``.
    """
    try:
        with open(Path(path).with_name(HISTORY), encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) for row in rows] for name in rows[0]}
    except (OSError, ValueError, TypeError, IndexError):
        return None


def write(path: Path, data: bytes) -> None:
    """Write a file of the run whole or not at all; DatasetError when the disk refuses.

    Parameters
    ----------
    path : Path
        Where to; folders are made.
    data : bytes
        The content.
    """
    with writing(path, DatasetError):
        # At each file: a folder that somebody deleted while the run goes on shall not end it.
        os.makedirs(path.parent, exist_ok=True)
        write_atomically(path, data)
