"""Prepared folders of made-up tracks whose embeddings are known, without audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tonearm.data import index, prepare
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.model.classifier import Classifier
from tonearm.model.file import Model
from tonearm.training import evaluate, evaluation_set
from tonearm.training.evaluate import Evaluation

from .fakes import tiny_head, tiny_model

TINY = tiny_model()


@dataclass(frozen=True)
class Row:
    """A track by its name (its folder is its genre), artist, and the windows heard of it."""

    name: str
    artist: str
    windows: Sequence[Sequence[float]]

    @property
    def genre(self) -> str:
        return self.name.split("/", maxsplit=1)[0]


# The tiny model is sure of the third of the bands that has the largest share.
LOW, MIDDLE, HIGH = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)
# Shares so even that its best answer stays below one half: it says unknown.
UNSURE = (0.34, 0.33, 0.33)

# Four right (one of them unknown), two wrong: jazz for blues, and blues for metal.
ROWS = (
    Row("blues/a.wav", "ann", [LOW, LOW]),
    Row("blues/b.wav", "ann", [MIDDLE, LOW, MIDDLE]),
    Row("blues/c.wav", "ann", [UNSURE]),
    Row("jazz/d.wav", "bob", [MIDDLE, MIDDLE]),
    Row("metal/e.wav", "cat", [HIGH]),
    Row("metal/f.wav", "dan", [LOW, LOW]),
)
VALID = Split("made", {"train": ("blues/a.wav",), "valid": tuple(row.name for row in ROWS[1:])})


def fill(root: Path, encoder_sha256: str, rows: Sequence[Row] = ROWS, source: str = "") -> Path:
    """Index and embeddings."""
    tracks = tuple(
        Track(row.name, row.genre, f"artist:{row.artist}", f"{i:032x}", 3.0)
        for i, row in enumerate(rows)
    )
    root.mkdir(parents=True, exist_ok=True)
    Index(tracks, source=source).save(root / index.FILE_NAME)
    store = prepare.open_windows(root, encoder_sha256, create=True)
    for track, row in zip(tracks, rows, strict=True):
        store.put(track.sound, np.array(row.windows, dtype=np.float32))
    return root


def evaluated(
    folder: Path,
    *models: Model,
    split: Path | None = None,
    part: str = "valid",
    names: Sequence[str] | None = None,
) -> Evaluation:
    """The model files on the folder, called ``0.tonearm``, ``1.tonearm`` … or by their names."""
    chosen = evaluation_set.choose(folder, wanted=str(split) if split else None, part=part)
    hearings = [evaluation_set.hear(Classifier(model), chosen) for model in models]
    names = names or [f"{i}.tonearm" for i in range(len(models))]
    named = list(zip(map(Path, names), models, strict=True))
    return evaluate.evaluate(named, chosen, hearings)


def saved(split: Split, path: Path) -> Path:
    split.save(path)
    return path


def honest(tmp_path: Path) -> Path:
    """A split of `ROWS`: all of ann's in train, the others in valid."""
    names = [row.name for row in ROWS]
    split = Split("made", {"train": tuple(names[:3]), "valid": tuple(names[3:])})
    return saved(split, tmp_path / "honest.split")


def trained(**training: object) -> Model:
    return replace(TINY, training=training)


def opposite() -> Model:
    """Says low where the tiny model says high, and high where it says low."""
    return replace(TINY, head=replace(tiny_head(), weight=8 * np.eye(3)[::-1]))
