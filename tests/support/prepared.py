"""Prepared folders of made-up tracks whose embeddings are known, without audio."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from support.fakes import tiny_head, tiny_model
from tonearm.data import index
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.model.file import Model
from tonearm.training import dataset, evaluate, evaluation_set
from tonearm.training.dataset import Encoding
from tonearm.training.evaluate import Evaluation
from tonearm.training.evaluation_set import EvaluationSet, TrackEmbeddings

TINY = tiny_model()


@dataclass(frozen=True)
class Row:
    """A track by its name (its folder is its genre), artist, and its windows."""

    name: str
    artist: str
    windows: Sequence[Sequence[float]]

    @property
    def genre(self) -> str:
        return self.name.split("/", maxsplit=1)[0]


# The tiny model is confident of the third of the bands that has the largest value.
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


def library_path() -> Path:
    """The library of the test that runs (``conftest`` gives each one its own)."""
    return Path(os.environ["TONEARM_LIBRARY"])


def fill(root: Path, encoder_sha256: str, rows: Sequence[Row] = ROWS, source: str = "") -> Path:
    """Index, and embeddings in the store."""
    tracks = tuple(
        Track(row.name, row.genre, f"artist:{row.artist}", f"{i:02}{root.name}", 3.0)
        for i, row in enumerate(rows)
    )
    root.mkdir(parents=True, exist_ok=True)
    Index(tracks, source=source).save(root / index.FILE_NAME)
    with Library(library_path(), write=True) as library:
        for track, row in zip(tracks, rows, strict=True):
            values = np.array(row.windows, dtype=np.float16)
            starts_s = np.arange(len(values), dtype=np.float32)
            made = StoredEmbeddings(values, starts_s, 3.0)
            library.embeddings.put(track.sound, encoder_sha256, made)
    return root


@contextmanager
def encoding(model: Model = TINY, *, jobs: int = 1, **callbacks: Any) -> Iterator[Encoding]:
    """How embeddings are had with a model, in the library of the test."""
    path = library_path().with_name(f"{secrets.token_hex(4)}.tonearm")
    model_file.save(model, path)
    with Library(library_path(), write=True) as library:
        yield Encoding(library, model, path, jobs=jobs, **callbacks)


def chosen(
    folder: Path, *, split: Path | None = None, subset: str = "valid", model: Model = TINY
) -> EvaluationSet:
    """The evaluation set of a folder."""
    with encoding(model) as made:
        data = dataset.read(folder, made)
    return evaluation_set.choose(data, wanted=str(split) if split else None, subset=subset)


def embedded(which: EvaluationSet, model: Model = TINY, **options: Any) -> TrackEmbeddings:
    """The embeddings of an evaluation set."""
    with encoding(model, **options) as made:
        return evaluation_set.embed(which, made)


def evaluated(
    folder: Path,
    *models: Model,
    split: Path | None = None,
    subset: str = "valid",
    names: Sequence[str] | None = None,
) -> Evaluation:
    """The model files on the folder, called ``0.tonearm``, ``1.tonearm`` … or by their names."""
    which = chosen(folder, split=split, subset=subset, model=models[0])
    found = [embedded(which, model) for model in models]
    names = names or [f"{i}.tonearm" for i in range(len(models))]
    named = list(zip(map(Path, names), models, strict=True))
    return evaluate.evaluate(named, which, found)


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
