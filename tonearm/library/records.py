"""What the library keeps, as values: files, tags, models, predictions, tracks.

Imports nothing of Tonearm but what a status is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonearm.files import FileStatus

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class FileTags:
    """The tags of a file that the library keeps; ``error`` says why they could not be read."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genres: tuple[str, ...] = ()
    by_tonearm: bool = False
    error: str | None = None


@dataclass(frozen=True)
class ModelRecord:
    """The model that analysed a sound, without its weights."""

    sha256: str
    name: str
    encoder: str
    labels: tuple[str, ...]
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class Decision:
    """A decision on a sound, as it is kept; probabilities float32 [k] in the order of labels."""

    genre: str | None
    nearest: str
    confidence: float
    probabilities: Float32


@dataclass(frozen=True)
class Track:
    """One file of the library with its tags and what it sounds like.

    ``genre`` is None for an unknown sound, and ``nearest`` too where the file could not be read
    (then ``error_kind`` is set). ``probabilities`` are sorted, highest first.
    """

    id: int
    path: str
    missing: bool
    size: int
    mtime_ns: int
    key: str | None
    duration_s: float | None
    tags: FileTags
    genre: str | None
    nearest: str | None
    confidence: float | None
    probabilities: dict[str, float]
    warning: str | None
    error_kind: str | None
    error_message: str | None


@dataclass(frozen=True)
class Known:
    """What the library knows of a path before looking into the file."""

    id: int
    status: FileStatus
    failed: bool
    encoder: str | None
