"""Noise in the shape of GTZAN, to measure the time of an epoch; nothing can be learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tonearm.data import feature_store, index, prepare
from tonearm.data.splits import Split
from tonearm.features import GTZAN_SPEC
from tonearm.genres import GTZAN_GENRES

TRACKS, SEGMENTS, COEFFICIENTS = 1_000, 10, 13
# One track in four is held back, as the original did.
VALID_TRACKS = TRACKS // 4


@dataclass(frozen=True)
class MadeUp:
    """A prepared folder and its split for Tonearm, MFCCs (.npz) for Keras."""

    folder: Path
    split: Path
    arrays: Path


def make(work: Path) -> MadeUp:
    """A thousand tracks of ten segments, a quarter of them for validation."""
    made = MadeUp(work / "gtzan.prepared", work / "gtzan.split", work / "gtzan.npz")
    rng = np.random.default_rng(0)
    features = feature_store.open_store(
        made.folder / prepare.FEATURES, feature_store.identity(GTZAN_SPEC), create=True
    )
    shape = SEGMENTS * GTZAN_SPEC.window_frames, GTZAN_SPEC.mel_bands
    tracks = []
    for i in range(TRACKS):
        genre, sound = GTZAN_GENRES[i % len(GTZAN_GENRES)], f"{i:032x}"
        features.put(sound, rng.integers(0, 256, shape, dtype=np.uint8))
        tracks.append(index.Track(f"{genre}.{i:05}", genre, f"artist:{i}", sound, 30.0))
    index.Index(tuple(tracks)).save(made.folder / index.FILE_NAME)
    names = [track.name for track in tracks]
    parts = {"valid": names[:VALID_TRACKS], "train": names[VALID_TRACKS:]}
    Split("made-up", {part: tuple(sorted(some)) for part, some in parts.items()}).save(made.split)
    _save_mfccs(made.arrays, {part: SEGMENTS * len(some) for part, some in parts.items()}, rng)
    return made


def _save_mfccs(path: Path, segments: dict[str, int], rng: np.random.Generator) -> None:
    """So many segments of 130 frames of 13 coefficients for each part, and their labels."""
    values: dict[str, Any] = {}  # NumPy's own stub takes keywords of arrays for flags
    for part, count in segments.items():
        shape = count, GTZAN_SPEC.window_frames, COEFFICIENTS
        values[part] = rng.standard_normal(shape, dtype=np.float32)
        values[f"{part}_labels"] = rng.integers(0, len(GTZAN_GENRES), count)
    np.savez(path, **values)
