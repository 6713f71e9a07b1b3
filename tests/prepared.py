"""Prepared folders of made-up tracks whose embeddings are known, without audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tonearm.data import index, prepare
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split


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


def fill(root: Path, listener_sha256: str, rows: Sequence[Row] = ROWS, source: str = "") -> Path:
    """Index and embeddings."""
    tracks = tuple(
        Track(row.name, row.genre, f"artist:{row.artist}", f"{i:032x}", 3.0)
        for i, row in enumerate(rows)
    )
    root.mkdir(parents=True, exist_ok=True)
    Index(tracks, source=source).save(root / index.FILE_NAME)
    store = prepare.open_windows(root, listener_sha256, create=True)
    for track, row in zip(tracks, rows, strict=True):
        store.put(track.sound, np.array(row.windows, dtype=np.float32))
    return root
