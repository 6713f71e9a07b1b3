"""What the library keeps, as values: files, tags, models, decisions, tracks.

Imports nothing of Tonearm.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class FileStatus(NamedTuple):
    """What a stat says of a file: by these five a change is noticed.

    The time of the last change of the inode is among them since taggers may set back ``mtime_ns``.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStatus:
        """From :func:`os.stat`."""
        return cls(
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, status.st_ino
        )


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
class Model:
    """Who heard and decided: a bundle without its weights."""

    sha256: str
    name: str
    listener: str
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

    ``genre`` is None for an unknown sound, and ``nearest`` too where the file could not be heard
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
    listener: str | None
